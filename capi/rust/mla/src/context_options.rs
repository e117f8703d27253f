use std::path::Path;
use std::ptr;
use std::sync::Arc;

use mla_sys as sys;

use crate::cache::{CacheType, KvCache};
use crate::context::{AttentionMode, Context};
use crate::error::{check, text, Result};
use crate::ffi::c_path;
use crate::host::{self, AbortFn, Allocator, Callback, SharedAllocator, SharedThreadPool, ThreadPool};
use crate::shared_threads::SharedThreads;
use crate::Model;

/// How a context is made. The defaults are right for most.
#[derive(Default)]
#[must_use = "build() makes the context"]
pub struct ContextOptions<'a> {
    raw: sys::mla_context_options,
    cache: Option<KvCache>,
    shared_threads: Option<&'a SharedThreads>,
    attention_rates: Option<sys::mla_attention_rates>,
    hosts: Hosts,
}

/// What of the host's a context may call.
#[derive(Default)]
pub(crate) struct Hosts {
    thread_pool: Option<SharedThreadPool>,
    allocator: Option<SharedAllocator>,
    abort: Option<Arc<Callback<AbortFn>>>,
}

impl<'a> ContextOptions<'a> {
    /// All defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How attention is computed.
    pub fn attention(mut self, attention: AttentionMode) -> Self {
        self.raw.attention = match attention {
            AttentionMode::Auto => sys::MLA_ATTENTION_AUTO,
            AttentionMode::Deepseek2 => sys::MLA_ATTENTION_DEEPSEEK2,
            AttentionMode::DeepseekMla => sys::MLA_ATTENTION_DEEPSEEK_MLA,
        };
        self
    }

    /// Rows of the cache that the context makes for itself; 0: 4096.
    pub fn n_ctx(mut self, n_ctx: i32) -> Self {
        self.raw.n_ctx = n_ctx;
        self
    }

    /// Tokens computed at once; longer batches are cut; 0: 2048.
    pub fn n_ubatch(mut self, n_ubatch: i32) -> Self {
        self.raw.n_ubatch = n_ubatch;
        self
    }

    /// Type of latent rows, or of the keys of the expanded layout.
    pub fn cache_type_k(mut self, cache_type: CacheType) -> Self {
        self.raw.cache_type_k = cache_type.to_raw();
        self
    }

    /// Type of the values of the expanded layout.
    pub fn cache_type_v(mut self, cache_type: CacheType) -> Self {
        self.raw.cache_type_v = cache_type.to_raw();
        self
    }

    /// A cache to use instead of an own one; [`Context::into_cache`] gives it back.
    pub fn cache(mut self, cache: KvCache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Threads for one token at a time; 0: one for each physical core that this thread may use.
    pub fn n_threads(mut self, n_threads: i32) -> Self {
        self.raw.n_threads = n_threads;
        self
    }

    /// Threads for several tokens at a time; 0: `n_threads`.
    pub fn n_threads_batch(mut self, n_threads: i32) -> Self {
        self.raw.n_threads_batch = n_threads;
        self
    }

    /// Bind each thread of the context's own to a processor; never the calling thread.
    pub fn pin_threads(mut self, pin: bool) -> Self {
        self.raw.pin_threads = i32::from(pin);
        self
    }

    /// Logits are the same to the last bit whatever the number of threads, the length of batches, the sequences beside, and what was in the
    /// cache already. Prompts take longer.
    pub fn deterministic(mut self, on: bool) -> Self {
        self.raw.deterministic = i32::from(on);
        self
    }

    /// What [`AttentionMode::Auto`] chooses by, instead of measuring it: the same choice, and so the same bits, in every process.
    pub fn attention_rates(mut self, rates: AttentionRates) -> Self {
        self.attention_rates = Some(rates.to_raw());
        self
    }

    /// Threads of the library's that it shares with other contexts, instead of its own.
    pub fn shared_threads(mut self, threads: &'a SharedThreads) -> Self {
        self.shared_threads = Some(threads);
        self.hosts.thread_pool = None;
        self
    }

    /// Threads of the host's instead of the context's own.
    pub fn thread_pool(mut self, thread_pool: impl ThreadPool + 'static) -> Self {
        self.shared_threads = None;
        self.hosts.thread_pool = Some(Callback::new(Box::new(thread_pool)));
        self
    }

    /// Where buffers and cache pages come from; a panic in it counts as no memory.
    pub fn allocator(mut self, allocator: impl Allocator + 'static) -> Self {
        self.hosts.allocator = Some(Callback::new(Box::new(allocator)));
        self
    }

    /// Polled while computing, at least every 200 ms; true stops the computation with `Aborted`. A panic in it stops the computation too, and
    /// goes on in the caller of [`decode`](Context::decode). From another thread [`Context::abort_handle`] is simpler.
    pub fn abort_when(mut self, abort: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.hosts.abort = Some(Callback::new(Box::new(abort)));
        self
    }

    /// What a context with these options takes on the model of a GGUF file, of which only headers are read; nothing is allocated.
    pub fn memory_need(&self, path: impl AsRef<Path>) -> Result<MemoryNeed> {
        let path = c_path(path.as_ref().as_os_str())?;
        let mut need = sys::mla_memory_need::default();
        // SAFETY: a zero-terminated path, complete structs; the text is copied before the next such call.
        unsafe {
            check(sys::mla_context_memory_need(&mut need, path.as_ptr(), &self.raw))?;
            Ok(MemoryNeed {
                weights: need.weights,
                repacked: need.repacked,
                derived: need.derived,
                cache: need.cache,
                context: need.context,
                room: Some(need.room).filter(|room| *room != u64::MAX),
                limit: text(need.limit),
            })
        }
    }

    /// Fails with [`Status`](crate::Status) `InvalidArgument` (sizes, or a cache of another shape or layout), `OutOfMemory`.
    pub fn build(self, model: &Model) -> Result<Context> {
        let thread_pool = self.hosts.thread_pool.as_ref().map(Callback::<Box<dyn ThreadPool>>::to_raw);
        let allocator = self.hosts.allocator.as_ref().map(Callback::<Box<dyn Allocator>>::to_raw);
        let mut raw = self.raw;
        raw.cache = self.cache.as_ref().map_or(ptr::null_mut(), KvCache::raw);
        raw.thread_pool = thread_pool.as_ref().or_else(|| self.shared_threads.map(SharedThreads::raw)).map_or(ptr::null(), |pool| pool);
        raw.attention_rates = self.attention_rates.as_ref().map_or(ptr::null(), |rates| rates);
        raw.allocator = allocator.as_ref().map_or(ptr::null(), |allocator| allocator);
        if let Some(abort) = &self.hosts.abort {
            raw.abort = Some(host::abort);
            raw.abort_user_data = abort.user_data();
        }
        let mut context = ptr::null_mut();
        // SAFETY: what the options point to lives until the call returns; what is called later goes into the context.
        check(unsafe { sys::mla_context_new(&mut context, model.raw(), &raw) })?;
        Ok(Context::from_raw(context, self.hosts, self.cache, model.clone()))
    }
}

/// Nanoseconds that attention takes for all heads of one layer, on the threads that read prompts: what [`AttentionMode::Auto`] chooses by.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AttentionRates {
    /// Whatever the number of tokens, expanded form.
    pub expanded_start: f64,
    /// A new token meets a key.
    pub expanded_pair: f64,
    /// Key and value of every head are made from a latent row.
    pub expanded_key: f64,
    /// Whatever the number of tokens, absorbed form.
    pub absorbed_start: f64,
    /// A new token meets a latent row.
    pub absorbed_pair: f64,
    /// A new token's queries are taken into latent space, and what they find out of it.
    pub absorbed_query: f64,
}

impl AttentionRates {
    fn to_raw(self) -> sys::mla_attention_rates {
        sys::mla_attention_rates {
            expanded_start: self.expanded_start,
            expanded_pair: self.expanded_pair,
            expanded_key: self.expanded_key,
            absorbed_start: self.absorbed_start,
            absorbed_pair: self.absorbed_pair,
            absorbed_query: self.absorbed_query,
            ..Default::default()
        }
    }

    pub(crate) fn from_raw(raw: &sys::mla_attention_rates) -> Self {
        Self {
            expanded_start: raw.expanded_start,
            expanded_pair: raw.expanded_pair,
            expanded_key: raw.expanded_key,
            absorbed_start: raw.absorbed_start,
            absorbed_pair: raw.absorbed_pair,
            absorbed_query: raw.absorbed_query,
        }
    }
}

/// What running a model takes, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryNeed {
    /// The tensors, mapped: pages that the system may drop and read again.
    pub weights: u64,
    /// Of them, those that are copied for the kernels, if they fit; pages of the file are then let go.
    pub repacked: u64,
    /// Matrices that the file lacks.
    pub derived: u64,
    /// With all its rows in use.
    pub cache: u64,
    /// Activations, scratch of the threads, logits of one row.
    pub context: u64,
    /// What this process may take now; `None`: nothing says.
    pub room: Option<u64>,
    /// What sets that: "the machine", "the control group /a/b".
    pub limit: String,
}

impl Hosts {
    pub fn resume_panics(&self) {
        if let Some(thread_pool) = &self.thread_pool {
            thread_pool.resume_panic();
        }
        if let Some(abort) = &self.abort {
            abort.resume_panic();
        }
    }
}
