use std::iter::FusedIterator;

use crate::{Batch, Context, Result, Sampler, TextStream, Token, Tokenizer};

/// Tokens as they are generated, of sequence 0: [`Context::generate`]. Ends behind the last token before one that ends the answer, or behind
/// an error.
///
/// The last token that came out is not in the cache yet: it goes there with the next one.
#[must_use = "an iterator does nothing until it is asked"]
pub struct Tokens<'a> {
    context: &'a mut Context,
    sampler: &'a mut Sampler,
    tokenizer: Option<Tokenizer>,
    /// To be decoded before the next token: the prompt, then what was sampled.
    pending: Vec<Token>,
    left: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(context: &'a mut Context, sampler: &'a mut Sampler, prompt: &[Token]) -> Tokens<'a> {
        // A model without a tokenizer has no end of generation.
        let tokenizer = context.model().tokenizer().ok();
        Tokens { context, sampler, tokenizer, pending: prompt.to_vec(), left: usize::MAX }
    }

    /// Ends after `n` tokens at most.
    pub fn max_tokens(mut self, n: usize) -> Self {
        self.left = n;
        self
    }

    /// The same as pieces of text. `Unsupported` for a model without a tokenizer.
    pub fn text(self) -> Result<Text<'a>> {
        let tokenizer = self.context.model().tokenizer()?;
        Ok(Text { stream: Some(TextStream::new(&tokenizer, false)?), tokens: self })
    }

    fn generate(&mut self) -> Result<Option<Token>> {
        self.context.decode(Batch::tokens(&self.pending))?;
        for seen in self.pending.drain(..) {
            self.sampler.accept(seen)?;
        }
        let token = self.sampler.sample(self.context.logits()?)?;
        if self.tokenizer.as_ref().map_or(false, |tokenizer| tokenizer.is_end_of_generation(token)) {
            return Ok(None);
        }
        self.pending.push(token);
        Ok(Some(token))
    }
}

impl Iterator for Tokens<'_> {
    type Item = Result<Token>;

    fn next(&mut self) -> Option<Result<Token>> {
        if self.left == 0 {
            return None;
        }
        let next = self.generate().transpose();
        self.left = if matches!(next, Some(Ok(_))) { self.left - 1 } else { 0 };
        next
    }
}

impl FusedIterator for Tokens<'_> {}

/// Text as it is generated, in pieces that are never empty and never hold half a character: [`Tokens::text`].
#[must_use = "an iterator does nothing until it is asked"]
pub struct Text<'a> {
    tokens: Tokens<'a>,
    stream: Option<TextStream>,
}

impl Text<'_> {
    /// Ends after `n` tokens at most.
    pub fn max_tokens(mut self, n: usize) -> Self {
        self.tokens.left = n;
        self
    }
}

impl Iterator for Text<'_> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Result<String>> {
        loop {
            let stream = self.stream.as_mut()?;
            let token = self.tokens.next();
            let last = token.is_none();
            let piece = match token {
                Some(token) => token.and_then(|token| Ok(stream.push(token)?.to_string())),
                None => stream.finish().map(str::to_string),
            };
            if last {
                self.stream = None;
            }
            match piece {
                Ok(piece) if piece.is_empty() => continue,
                piece => return Some(piece),
            }
        }
    }
}

impl FusedIterator for Text<'_> {}
