use mla_sys as sys;

use crate::error::{Error, Result};
use crate::ffi::count;
use crate::{Position, SequenceId, Token};

/// The rows of one [`decode`](crate::Context::decode), borrowed. Rows of one sequence come in rising position.
///
/// ```
/// use mla::Batch;
/// let both = Batch::tokens(&[5, 6, 5, 7]).sequences(&[0, 0, 1, 1]).logits(&[false, true, false, true]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    rows: Rows<'a>,
    positions: Option<&'a [Position]>,
    sequences: Option<&'a [SequenceId]>,
    logits: Option<&'a [bool]>,
    keep_embedding: Option<&'a [bool]>,
}

#[derive(Debug, Clone, Copy)]
enum Rows<'a> {
    Tokens(&'a [Token]),
    Embeddings(&'a [f32]),
}

impl<'a> Batch<'a> {
    /// These tokens, behind what sequence 0 holds, with logits of the last one; the methods below change that.
    pub fn tokens(tokens: &'a [Token]) -> Self {
        Self::of(Rows::Tokens(tokens))
    }

    /// Input vectors instead of tokens: `n` rows of the model's `n_embd` values, one after another.
    pub fn embeddings(embeddings: &'a [f32]) -> Self {
        Self::of(Rows::Embeddings(embeddings))
    }

    fn of(rows: Rows<'a>) -> Self {
        Batch { rows, positions: None, sequences: None, logits: None, keep_embedding: None }
    }

    /// The position of each row. Without: each follows the last one of its sequence.
    pub fn positions(mut self, positions: &'a [Position]) -> Self {
        self.positions = Some(positions);
        self
    }

    /// The sequence of each row. Without: 0.
    pub fn sequences(mut self, sequences: &'a [SequenceId]) -> Self {
        self.sequences = Some(sequences);
        self
    }

    /// Whether to compute the logits of each row. Without: of the last one only.
    pub fn logits(mut self, logits: &'a [bool]) -> Self {
        self.logits = Some(logits);
        self
    }

    /// Whether to keep the embedding of each row, for [`Context::embedding`](crate::Context::embedding). Without: of none.
    pub fn keep_embedding(mut self, keep: &'a [bool]) -> Self {
        self.keep_embedding = Some(keep);
        self
    }

    /// The library's struct, borrowing the same arrays; an error if their lengths differ.
    pub(crate) fn to_raw(self, n_embd: usize) -> Result<sys::mla_batch> {
        let mut raw = sys::mla_batch::default();
        let n = match self.rows {
            Rows::Tokens(tokens) => {
                raw.tokens = tokens.as_ptr();
                tokens.len()
            }
            Rows::Embeddings(values) => {
                if n_embd == 0 || values.len() % n_embd != 0 {
                    return Err(Error::misuse(format!("{} values are no rows of {n_embd}, the model's n_embd", values.len())));
                }
                raw.embeddings = values.as_ptr();
                values.len() / n_embd
            }
        };
        raw.n = count(n, "rows of a batch")?;
        raw.positions = same_length(self.positions, n, "positions")?;
        raw.sequences = same_length(self.sequences, n, "sequences")?;
        raw.logits = same_length(self.logits, n, "logits")?.cast(); // a bool is a byte, 0 or 1
        raw.keep_embedding = same_length(self.keep_embedding, n, "flags of embeddings")?.cast();
        Ok(raw)
    }
}

fn same_length<T>(array: Option<&[T]>, n: usize, what: &str) -> Result<*const T> {
    match array {
        None => Ok(std::ptr::null()),
        Some(array) if array.len() == n => Ok(array.as_ptr()),
        Some(array) => Err(Error::misuse(format!("the batch has {n} rows and {} {what}", array.len()))),
    }
}
