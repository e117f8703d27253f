use std::fmt;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use mla_sys as sys;

use crate::cache::CacheShape;
use crate::error::{check, text, Result};
use crate::host::{Callback, LogFn, SharedAllocator};
use crate::model_options::ModelOptions;
use crate::tokenizer::Tokenizer;

/// Weights, sizes and vocabulary of one file. Immutable; any number of threads may use it at once. A clone is another name for the same
/// model, whose memory is freed when the last of them, and of the objects made with them, is gone.
#[derive(Clone)]
pub struct Model {
    inner: Arc<Inner>,
}

struct Inner {
    raw: NonNull<sys::mla_model>,
    info: ModelInfo,
    shape: CacheShape,
    // The library may call these as long as there is anything that was made with the model.
    _log: Option<Arc<Callback<LogFn>>>,
    _allocator: Option<SharedAllocator>,
}

// SAFETY: mla.h: "a model, its tokenizer and a chat template may be used by any number of threads at once".
unsafe impl Send for Inner {}
unsafe impl Sync for Inner {}

impl Drop for Inner {
    fn drop(&mut self) {
        // SAFETY: ours, and freed once.
        unsafe { sys::mla_model_free(self.raw.as_ptr()) }
    }
}

/// Facts of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelInfo {
    /// `general.name`; may be empty.
    pub name: String,
    /// "deepseek2".
    pub architecture: String,
    /// Tokens in the vocabulary: the width of logits.
    pub n_vocab: i32,
    /// Width of an embedding.
    pub n_embd: i32,
    /// Transformer layers.
    pub n_layers: i32,
    /// Context length that the file states.
    pub n_ctx_train: i32,
    /// Routed experts of a layer; 0 for a dense model.
    pub n_experts: i32,
    /// Routed experts that a token goes through.
    pub n_experts_used: i32,
    /// Values in all tensors.
    pub n_parameters: u64,
    /// Bytes of all tensors.
    pub weight_bytes: u64,
    /// Bytes taken beside the file for what it lacks (k_b).
    pub derived_bytes: u64,
    /// Bytes of weights that the kernels read in their own layout: repacked, or so in the file.
    pub panel_bytes: u64,
    /// Bytes taken beside the file for repacked weights.
    pub repacked_bytes: u64,
    /// Tells models apart, as saved states do.
    pub fingerprint: u64,
}

impl Model {
    /// Opens a GGUF file (of a split model any part) or a Hugging Face folder, with default options.
    ///
    /// Fails with [`Status`](crate::Status) `NotFound`, `IoError`, `BadFile`, `Unsupported`, `OutOfMemory`.
    pub fn load(path: impl AsRef<Path>) -> Result<Model> {
        ModelOptions::new().load(path)
    }

    /// Its facts.
    pub fn info(&self) -> &ModelInfo {
        &self.inner.info
    }

    /// The sizes that a cache row depends on.
    pub fn cache_shape(&self) -> &CacheShape {
        &self.inner.shape
    }

    /// The model's tokenizer. `Unsupported` if the file has none that this version knows; such a model still runs on token ids.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        let mut raw = ptr::null();
        // SAFETY: a live model; the tokenizer that comes out keeps it so.
        check(unsafe { sys::mla_model_tokenizer(&mut raw, self.raw()) })?;
        Ok(Tokenizer::new(raw, self.clone()))
    }

    /// The source (Jinja) of the file's chat template; empty if it has none.
    pub fn chat_template(&self) -> String {
        // SAFETY: a live model; the text is copied.
        unsafe { text(sys::mla_model_chat_template(self.raw())) }
    }

    pub(crate) fn raw(&self) -> *const sys::mla_model {
        self.inner.raw.as_ptr()
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("info", self.info()).finish_non_exhaustive()
    }
}

pub(crate) fn take(model: *mut sys::mla_model, log: Option<Arc<Callback<LogFn>>>, allocator: Option<SharedAllocator>) -> Result<Model> {
    let raw = NonNull::new(model).expect("a model that was loaded is not NULL");
    let mut info = sys::mla_model_info::default();
    let mut shape = sys::mla_cache_shape::default();
    // SAFETY: a live model; structs with their sizes set; the texts are copied.
    let (first, second, info) = unsafe {
        let statuses = (sys::mla_model_get_info(&mut info, model), sys::mla_model_cache_shape(&mut shape, model));
        (statuses.0, statuses.1, ModelInfo::from_raw(&info))
    };
    let inner = Inner { raw, info, shape: CacheShape(shape), _log: log, _allocator: allocator };
    check(first)?;
    check(second)?;
    Ok(Model { inner: Arc::new(inner) })
}

impl ModelInfo {
    /// # Safety
    /// The texts are NULL or zero-terminated.
    unsafe fn from_raw(raw: &sys::mla_model_info) -> ModelInfo {
        ModelInfo {
            name: text(raw.name),
            architecture: text(raw.architecture),
            n_vocab: raw.n_vocab,
            n_embd: raw.n_embd,
            n_layers: raw.n_layers,
            n_ctx_train: raw.n_ctx_train,
            n_experts: raw.n_experts,
            n_experts_used: raw.n_experts_used,
            n_parameters: raw.n_parameters,
            weight_bytes: raw.weight_bytes,
            derived_bytes: raw.derived_bytes,
            panel_bytes: raw.panel_bytes,
            repacked_bytes: raw.repacked_bytes,
            fingerprint: raw.fingerprint,
        }
    }
}
