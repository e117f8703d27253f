use std::ffi::CString;
use std::fmt;
use std::os::raw::c_char;
use std::ptr::{self, NonNull};

use mla_sys as sys;

use crate::error::{check, Result};
use crate::ffi::{c_text, Owned};
use crate::{Model, Token, Tokenizer};

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMessage {
    /// "system", "user", "assistant" or "tool".
    pub role: String,
    /// What is said.
    pub content: String,
}

impl ChatMessage {
    /// A message of any role.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        ChatMessage { role: role.into(), content: content.into() }
    }

    /// What the model should always keep to.
    pub fn system(content: impl Into<String>) -> Self {
        Self::new("system", content)
    }

    /// What the user says.
    pub fn user(content: impl Into<String>) -> Self {
        Self::new("user", content)
    }

    /// What the model said.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::new("assistant", content)
    }
}

/// What a template is given beside the messages.
#[derive(Debug, Clone, Default)]
pub struct ChatOptions {
    /// Do not end with the prefix of an assistant turn.
    pub no_generation_prompt: bool,
    /// Text of the bos token; without: none, or with [`ChatTemplate::encode`] the tokenizer's own.
    pub bos_token: Option<String>,
    /// Text of the eos token, likewise.
    pub eos_token: Option<String>,
    /// A JSON object of further template variables (tools, thinking, …).
    pub extra_json: Option<String>,
}

/// A conversation as the text, or the tokens, that a model was trained on. Immutable; any number of threads may use it.
pub struct ChatTemplate {
    raw: NonNull<sys::mla_chat_template>,
}

// SAFETY: mla.h: "a model, its tokenizer and a chat template may be used by any number of threads at once".
unsafe impl Send for ChatTemplate {}
unsafe impl Sync for ChatTemplate {}

impl ChatTemplate {
    /// Parses a template (Jinja). Fails with `BadFile` (syntax) or `Unsupported` (a construct that this version lacks), naming the line.
    pub fn new(jinja_source: &str) -> Result<ChatTemplate> {
        let source = c_text(jinja_source, "the template")?;
        let mut raw = ptr::null_mut();
        // SAFETY: a zero-terminated text.
        check(unsafe { sys::mla_chat_template_new(&mut raw, source.as_ptr()) })?;
        Ok(ChatTemplate { raw: NonNull::new(raw).expect("a template that was made is not NULL") })
    }

    /// The template of the model's file; `None` if it has none.
    pub fn of(model: &Model) -> Result<Option<ChatTemplate>> {
        let source = model.chat_template();
        if source.is_empty() {
            return Ok(None);
        }
        Self::new(&source).map(Some)
    }

    /// The text of a conversation. `InvalidArgument`, with the template's own words, if it refuses the conversation.
    pub fn render(&self, messages: &[ChatMessage], options: &ChatOptions) -> Result<String> {
        let (messages, options) = (Messages::new(messages)?, RawOptions::new(options)?);
        let mut out = Owned::none();
        // SAFETY, here and below: a live template, arrays of the lengths that are said, zero-terminated texts that live until the call returns.
        check(unsafe {
            let raw = &messages.raw;
            sys::mla_chat_render(&mut out.data, &mut out.len, self.raw.as_ptr(), raw.as_ptr(), raw.len(), &options.raw)
        })?;
        Ok(to_string(&out))
    }

    /// The same for an OpenAI-style JSON array of messages, with tool_calls, reasoning_content, …
    pub fn render_json(&self, messages_json: &str, options: &ChatOptions) -> Result<String> {
        let (messages, options) = (c_text(messages_json, "the conversation")?, RawOptions::new(options)?);
        let mut out = Owned::none();
        check(unsafe { sys::mla_chat_render_json(&mut out.data, &mut out.len, self.raw.as_ptr(), messages.as_ptr(), &options.raw) })?;
        Ok(to_string(&out))
    }

    /// The token ids of a conversation, ready to decode: control tokens that the template writes become tokens; the same characters inside a
    /// message stay text. Nothing is added to what the template writes: no second bos.
    pub fn encode(&self, tokenizer: &Tokenizer, messages: &[ChatMessage], options: &ChatOptions) -> Result<Vec<Token>> {
        let (messages, options) = (Messages::new(messages)?, RawOptions::new(options)?);
        let mut out = Owned::none();
        check(unsafe {
            let (raw, template, tokenizer) = (&messages.raw, self.raw.as_ptr(), tokenizer.raw());
            sys::mla_chat_encode(&mut out.data, &mut out.len, template, tokenizer, raw.as_ptr(), raw.len(), &options.raw)
        })?;
        Ok(out.as_slice().to_vec())
    }

    /// The same for an OpenAI-style JSON array of messages.
    pub fn encode_json(&self, tokenizer: &Tokenizer, messages_json: &str, options: &ChatOptions) -> Result<Vec<Token>> {
        let (messages, options) = (c_text(messages_json, "the conversation")?, RawOptions::new(options)?);
        let mut out = Owned::none();
        check(unsafe {
            let (template, tokenizer) = (self.raw.as_ptr(), tokenizer.raw());
            sys::mla_chat_encode_json(&mut out.data, &mut out.len, template, tokenizer, messages.as_ptr(), &options.raw)
        })?;
        Ok(out.as_slice().to_vec())
    }
}

impl Drop for ChatTemplate {
    fn drop(&mut self) {
        // SAFETY: ours, and freed once.
        unsafe { sys::mla_chat_template_free(self.raw.as_ptr()) }
    }
}

impl fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatTemplate").finish_non_exhaustive()
    }
}

fn to_string(out: &Owned<c_char>) -> String {
    let bytes: Vec<u8> = out.as_slice().iter().map(|byte| *byte as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The library's array of messages, and the texts that it points to.
struct Messages {
    raw: Vec<sys::mla_chat_message>,
    _texts: Vec<CString>,
}

impl Messages {
    fn new(messages: &[ChatMessage]) -> Result<Messages> {
        let mut made = Messages { raw: Vec::new(), _texts: Vec::new() };
        for message in messages {
            let (role, content) = (c_text(&message.role, "a role")?, c_text(&message.content, "a message")?);
            made.raw.push(sys::mla_chat_message { role: role.as_ptr(), content: content.as_ptr() });
            made._texts.extend([role, content]); // moves the owners, not the texts
        }
        Ok(made)
    }
}

/// The library's options, and the texts that they point to.
struct RawOptions {
    raw: sys::mla_chat_options,
    _texts: [Option<CString>; 3],
}

impl RawOptions {
    fn new(options: &ChatOptions) -> Result<RawOptions> {
        let copy = |text: &Option<String>, what| text.as_deref().map(|text| c_text(text, what)).transpose();
        let texts =
            [copy(&options.bos_token, "bos_token")?, copy(&options.eos_token, "eos_token")?, copy(&options.extra_json, "extra_json")?];
        let pointer = |text: &Option<CString>| text.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        let raw = sys::mla_chat_options {
            no_generation_prompt: i32::from(options.no_generation_prompt),
            bos_token: pointer(&texts[0]),
            eos_token: pointer(&texts[1]),
            extra_json: pointer(&texts[2]),
            ..Default::default()
        };
        Ok(RawOptions { raw, _texts: texts })
    }
}
