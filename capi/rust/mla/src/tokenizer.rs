use std::fmt;
use std::os::raw::c_char;
use std::ptr::{self, NonNull};

use mla_sys as sys;

use crate::error::{check, text, Error, Result};
use crate::ffi::Owned;
use crate::{Model, Token};

/// Text to token ids and back. Immutable; any number of threads may use it, and it keeps its model alive.
#[derive(Clone)]
pub struct Tokenizer {
    raw: *const sys::mla_tokenizer,
    model: Model,
}

// SAFETY: mla.h: "a model, its tokenizer and a chat template may be used by any number of threads at once".
unsafe impl Send for Tokenizer {}
unsafe impl Sync for Tokenizer {}

/// How text becomes tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EncodeOptions {
    /// Do not add the bos and eos tokens that the model wants.
    pub no_special: bool,
    /// Text that reads like a control token becomes that token: never for text from a user.
    pub parse_special: bool,
}

/// What a vocabulary entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenKind {
    /// A piece of text.
    Normal,
    /// Stands for what has no token.
    Unknown,
    /// Steers the model.
    Control,
    /// Always matched whole in text.
    UserDefined,
    /// A gap in the vocabulary.
    Unused,
    /// A single byte.
    Byte,
}

impl Tokenizer {
    pub(crate) fn new(raw: *const sys::mla_tokenizer, model: Model) -> Tokenizer {
        Tokenizer { raw, model }
    }

    pub(crate) fn raw(&self) -> *const sys::mla_tokenizer {
        self.raw
    }

    /// Token ids of a text, with the bos and eos tokens that the model wants; text that reads like a control token stays text.
    pub fn encode(&self, text: &str) -> Result<Vec<Token>> {
        self.encode_with(text, EncodeOptions::default())
    }

    /// Token ids of a text.
    pub fn encode_with(&self, text: &str, options: EncodeOptions) -> Result<Vec<Token>> {
        let mut flags = sys::MLA_ENCODE_DEFAULT;
        if options.no_special {
            flags |= sys::MLA_ENCODE_NO_SPECIAL;
        }
        if options.parse_special {
            flags |= sys::MLA_ENCODE_PARSE_SPECIAL;
        }
        let mut tokens = Owned::none();
        // SAFETY, here and below: a live tokenizer, arrays of the lengths that are said.
        check(unsafe { sys::mla_tokenizer_encode(&mut tokens.data, &mut tokens.len, self.raw, text.as_ptr().cast(), text.len(), flags) })?;
        Ok(tokens.as_slice().to_vec())
    }

    /// The text of tokens, without control tokens. Bytes that are no whole character become U+FFFD.
    /// `InvalidArgument` for an id that isn't there.
    pub fn decode(&self, tokens: &[Token]) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.decode_bytes(tokens, false)?).into_owned())
    }

    /// The bytes of tokens; control tokens only with `show_special`.
    pub fn decode_bytes(&self, tokens: &[Token], show_special: bool) -> Result<Vec<u8>> {
        let mut bytes = Owned::<c_char>::none();
        check(unsafe {
            sys::mla_tokenizer_decode(&mut bytes.data, &mut bytes.len, self.raw, tokens.as_ptr(), tokens.len(), i32::from(show_special))
        })?;
        Ok(bytes.as_slice().iter().map(|byte| *byte as u8).collect())
    }

    /// The bytes of one token, whatever its kind. `InvalidArgument` for an id that isn't there.
    pub fn piece(&self, token: Token) -> Result<&[u8]> {
        let (mut data, mut len) = (ptr::null(), 0);
        check(unsafe { sys::mla_tokenizer_piece(&mut data, &mut len, self.raw, token) })?;
        // SAFETY: borrowed as long as the tokenizer.
        Ok(unsafe { borrowed(data, len) })
    }

    /// What a token is. `InvalidArgument` for an id that isn't there.
    pub fn kind(&self, token: Token) -> Result<TokenKind> {
        let mut kind = 0;
        check(unsafe { sys::mla_tokenizer_kind(&mut kind, self.raw, token) })?;
        Ok(match kind {
            sys::MLA_TOKEN_UNKNOWN => TokenKind::Unknown,
            sys::MLA_TOKEN_CONTROL => TokenKind::Control,
            sys::MLA_TOKEN_USER_DEFINED => TokenKind::UserDefined,
            sys::MLA_TOKEN_UNUSED => TokenKind::Unused,
            sys::MLA_TOKEN_BYTE => TokenKind::Byte,
            _ => TokenKind::Normal,
        })
    }

    /// The token with exactly these bytes, a control or user-defined one first.
    pub fn find(&self, bytes: impl AsRef<[u8]>) -> Option<Token> {
        let bytes = bytes.as_ref();
        some(unsafe { sys::mla_tokenizer_find(self.raw, bytes.as_ptr().cast(), bytes.len()) })
    }

    /// Tokens in the vocabulary.
    pub fn size(&self) -> i32 {
        unsafe { sys::mla_tokenizer_size(self.raw) }
    }

    /// The token that begins a text.
    pub fn bos(&self) -> Option<Token> {
        some(unsafe { sys::mla_tokenizer_bos(self.raw) })
    }

    /// The token that ends a text.
    pub fn eos(&self) -> Option<Token> {
        some(unsafe { sys::mla_tokenizer_eos(self.raw) })
    }

    /// The token that fills up.
    pub fn pad(&self) -> Option<Token> {
        some(unsafe { sys::mla_tokenizer_pad(self.raw) })
    }

    /// The token for what has none.
    pub fn unknown(&self) -> Option<Token> {
        some(unsafe { sys::mla_tokenizer_unknown(self.raw) })
    }

    /// Whether encode adds bos by default.
    pub fn add_bos(&self) -> bool {
        unsafe { sys::mla_tokenizer_add_bos(self.raw) == 1 }
    }

    /// Whether encode adds eos by default.
    pub fn add_eos(&self) -> bool {
        unsafe { sys::mla_tokenizer_add_eos(self.raw) == 1 }
    }

    /// Whether the token ends an answer.
    pub fn is_end_of_generation(&self, token: Token) -> bool {
        unsafe { sys::mla_tokenizer_is_end_of_generation(self.raw, token) == 1 }
    }

    /// Name of the pre-tokeniser.
    pub fn pre(&self) -> String {
        unsafe { text(sys::mla_tokenizer_pre(self.raw)) }
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokenizer").field("size", &self.size()).field("pre", &self.pre()).finish_non_exhaustive()
    }
}

fn some(token: Token) -> Option<Token> {
    Some(token).filter(|token| *token >= 0)
}

/// # Safety
/// NULL, or `len` bytes that live as long as the caller says.
unsafe fn borrowed<'a>(data: *const c_char, len: usize) -> &'a [u8] {
    if data.is_null() {
        return &[];
    }
    std::slice::from_raw_parts(data.cast(), len)
}

/// Turns tokens into text one by one and never emits half a character. For one stream, used by one thread at a time.
pub struct TextStream {
    raw: NonNull<sys::mla_text_stream>,
    _model: Model,
}

// SAFETY: mla.h: a text stream belongs to one thread at a time; any thread.
unsafe impl Send for TextStream {}

impl TextStream {
    /// A stream of this vocabulary; control tokens show only with `show_special`.
    pub fn new(tokenizer: &Tokenizer, show_special: bool) -> Result<TextStream> {
        let mut raw = ptr::null_mut();
        // SAFETY: a live tokenizer.
        check(unsafe { sys::mla_text_stream_new(&mut raw, tokenizer.raw, i32::from(show_special)) })?;
        Ok(TextStream { raw: NonNull::new(raw).expect("a stream that was made is not NULL"), _model: tokenizer.model.clone() })
    }

    /// The text that became complete with this token, often empty.
    pub fn push(&mut self, token: Token) -> Result<&str> {
        let (mut data, mut len) = (ptr::null(), 0);
        // SAFETY: a live stream of which we have the only use; the text is borrowed until the next call, which wants that too.
        unsafe {
            check(sys::mla_text_stream_push(&mut data, &mut len, self.raw.as_ptr(), token))?;
            whole(borrowed(data, len))
        }
    }

    /// What is left: an unfinished character becomes U+FFFD. The stream can then be used anew.
    pub fn finish(&mut self) -> Result<&str> {
        let (mut data, mut len) = (ptr::null(), 0);
        // SAFETY: as above.
        unsafe {
            check(sys::mla_text_stream_finish(&mut data, &mut len, self.raw.as_ptr()))?;
            whole(borrowed(data, len))
        }
    }
}

/// A stream promises whole UTF-8; a str of anything else would be undefined behaviour, so it is looked at.
fn whole(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| Error::misuse("the text stream gave half a character"))
}

impl Drop for TextStream {
    fn drop(&mut self) {
        // SAFETY: ours, and freed once.
        unsafe { sys::mla_text_stream_free(self.raw.as_ptr()) }
    }
}

impl fmt::Debug for TextStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextStream").finish_non_exhaustive()
    }
}
