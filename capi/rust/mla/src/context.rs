use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Weak};

use mla_sys as sys;

use crate::batch::Batch;
use crate::cache::KvCache;
use crate::cache_ref::KvCacheRef;
use crate::context_options::{AttentionRates, ContextOptions, Hosts};
use crate::error::{check, Result};
use crate::ffi::count;
use crate::generate::{Text, Tokens};
use crate::{Model, Sampler, Token};

/// How attention is computed and what the KV cache holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AttentionMode {
    /// Latent cache; expanded or absorbed mathematics, whichever is cheaper for the step.
    #[default]
    Auto,
    /// Keys and values of every head in the cache, plain multi-head attention.
    Deepseek2,
    /// Latent cache, absorbed mathematics always.
    DeepseekMla,
}

/// Activations, logits and threads for one stream of computation, and the KV cache it works on. It may move between threads, but only one
/// uses it at a time; any number of contexts may share a model.
pub struct Context {
    inner: Arc<Inner>,
    cache: Option<KvCache>,
    model: Model,
}

struct Inner {
    raw: NonNull<sys::mla_context>,
    hosts: Hosts,
}

// SAFETY: only the Context calls what wants one thread at a time, and it is not Sync; what the handles call, mla_context_abort(), may be
// called from any thread.
unsafe impl Send for Inner {}
unsafe impl Sync for Inner {}

impl Drop for Inner {
    fn drop(&mut self) {
        // SAFETY: ours, and freed once.
        unsafe { sys::mla_context_free(self.raw.as_ptr()) }
    }
}

impl Context {
    pub(crate) fn from_raw(raw: *mut sys::mla_context, hosts: Hosts, cache: Option<KvCache>, model: Model) -> Context {
        let raw = NonNull::new(raw).expect("a context that was made is not NULL");
        Context { inner: Arc::new(Inner { raw, hosts }), cache, model }
    }

    /// A context with default options.
    pub fn new(model: &Model) -> Result<Context> {
        ContextOptions::new().build(model)
    }

    /// Adds the batch to the cache and computes the logits it asks for.
    ///
    /// Fails with [`Status`](crate::Status) `InvalidArgument`, `CacheFull`, `Aborted`, `OutOfMemory`; the cache is then as it was before the
    /// call, and there are no logits.
    pub fn decode(&mut self, batch: Batch<'_>) -> Result<()> {
        let raw = batch.to_raw(self.model.info().n_embd as usize)?;
        // SAFETY: a live context of which we have the only use; arrays of n rows.
        let result = check(unsafe { sys::mla_context_decode(self.raw(), &raw) });
        self.inner.hosts.resume_panics();
        result
    }

    /// Logits, n_vocab of them, of the last row of the last batch that asked for them.
    pub fn logits(&self) -> Result<&[f32]> {
        let mut data = ptr::null();
        // SAFETY: a live context; the array lives until the next decode, which wants the context to itself.
        unsafe {
            check(sys::mla_context_logits(&mut data, self.raw()))?;
            Ok(std::slice::from_raw_parts(data, self.model.info().n_vocab as usize))
        }
    }

    /// Logits of one row of the last batch; `InvalidArgument` if it asked for none.
    pub fn logits_of_row(&self, row: usize) -> Result<&[f32]> {
        let mut data = ptr::null();
        // SAFETY: as above.
        unsafe {
            check(sys::mla_context_logits_of_row(&mut data, self.raw(), count(row, "rows of a batch")?))?;
            Ok(std::slice::from_raw_parts(data, self.model.info().n_vocab as usize))
        }
    }

    /// The embedding, n_embd values, of one row of the last batch: the normalised state behind the last layer. `InvalidArgument` if
    /// [`Batch::keep_embedding`] didn't ask for it.
    pub fn embedding(&self, row: usize) -> Result<&[f32]> {
        let mut data = ptr::null();
        // SAFETY: as above.
        unsafe {
            check(sys::mla_context_embedding(&mut data, self.raw(), count(row, "rows of a batch")?))?;
            Ok(std::slice::from_raw_parts(data, self.model.info().n_embd as usize))
        }
    }

    /// Memory that the context holds now: activations, scratch of its threads, logits and embeddings, not its cache's.
    pub fn bytes(&self) -> u64 {
        // SAFETY: a live context.
        unsafe { sys::mla_context_bytes(self.raw()) }
    }

    /// What [`AttentionMode::Auto`] chooses by: given, or measured; none as long as no batch of several tokens of one sequence has asked for
    /// a choice.
    pub fn attention_rates(&self) -> Result<Option<AttentionRates>> {
        let mut raw = sys::mla_attention_rates::default();
        // SAFETY: a live context, and a complete struct.
        check(unsafe { sys::mla_context_attention_rates(&mut raw, self.raw()) })?;
        Ok(Some(AttentionRates::from_raw(&raw)).filter(|rates| *rates != AttentionRates::default()))
    }

    /// Decodes `prompt` behind what sequence 0 holds, and then token after token as the sampler picks them: an iterator.
    pub fn generate<'a>(&'a mut self, prompt: &[Token], sampler: &'a mut Sampler) -> Tokens<'a> {
        Tokens::new(self, sampler, prompt)
    }

    /// The same from text to text.
    pub fn generate_text<'a>(&'a mut self, prompt: &str, sampler: &'a mut Sampler) -> Result<Text<'a>> {
        let prompt = self.model.tokenizer()?.encode(prompt)?;
        self.generate(&prompt, sampler).text()
    }

    /// The cache that the context works on.
    pub fn cache(&self) -> &KvCacheRef {
        // SAFETY: lives as long as the context.
        unsafe { KvCacheRef::from_raw(sys::mla_context_cache(self.raw())) }
    }

    /// The same, to change it.
    pub fn cache_mut(&mut self) -> &mut KvCacheRef {
        // SAFETY: as above, and nobody else has it.
        unsafe { KvCacheRef::from_raw_mut(sys::mla_context_cache(self.raw())) }
    }

    /// The cache that the context was given, which it no longer uses; `None` if it made its own, which ends with it.
    pub fn into_cache(mut self) -> Option<KvCache> {
        self.cache.take()
    }

    /// The model that the context runs.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Threads that compute one token at a time.
    pub fn n_threads(&self) -> i32 {
        // SAFETY: a live context.
        unsafe { sys::mla_context_n_threads(self.raw()) }
    }

    /// Threads that compute several tokens at a time.
    pub fn n_threads_batch(&self) -> i32 {
        // SAFETY: a live context.
        unsafe { sys::mla_context_n_threads_batch(self.raw()) }
    }

    /// Something that stops a running [`decode`](Self::decode) from another thread.
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle { context: Arc::downgrade(&self.inner) }
    }

    pub(crate) fn raw(&self) -> *mut sys::mla_context {
        self.inner.raw.as_ptr()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("n_threads", &self.n_threads()).field("cache", &self.cache()).finish_non_exhaustive()
    }
}

/// Stops a [`Context::decode`] from any thread, within 200 ms. It doesn't keep the context alive.
#[derive(Clone)]
pub struct AbortHandle {
    context: Weak<Inner>,
}

impl AbortHandle {
    /// The running decode fails with `Aborted`; without effect on later ones, and when the context is gone.
    pub fn abort(&self) {
        if let Some(context) = self.context.upgrade() {
            // SAFETY: a live context; any thread may call this.
            unsafe { sys::mla_context_abort(context.raw.as_ptr()) };
        }
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle").finish_non_exhaustive()
    }
}
