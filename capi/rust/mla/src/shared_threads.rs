use std::fmt;
use std::ptr::{self, NonNull};

use mla_sys as sys;

use crate::error::{check, Result};
use crate::Numa;

/// How threads that several contexts share are made.
#[derive(Default)]
#[must_use = "build() starts the threads"]
pub struct SharedThreadsOptions {
    raw: sys::mla_thread_pool_options,
}

impl SharedThreadsOptions {
    /// All defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The calling thread included; 0: [`default_threads`](crate::default_threads).
    pub fn n_threads(mut self, n_threads: i32) -> Self {
        self.raw.n_threads = n_threads;
        self
    }

    /// Where they run; what the model was loaded with.
    pub fn numa(mut self, numa: Numa) -> Self {
        self.raw.numa = numa.to_raw();
        self
    }

    /// Bind each to a processor; never the calling thread.
    pub fn pin_threads(mut self, pin: bool) -> Self {
        self.raw.pin_threads = i32::from(pin);
        self
    }

    /// Fails with [`Status`](crate::Status) `InvalidArgument`, `OutOfMemory` (a thread can't be started).
    pub fn build(self) -> Result<SharedThreads> {
        let mut pool = ptr::null_mut();
        // SAFETY: complete options.
        check(unsafe { sys::mla_thread_pool_new(&mut pool, &self.raw) })?;
        Ok(SharedThreads { raw: NonNull::new(pool).expect("a pool that was made is not NULL") })
    }
}

/// The library's own threads, for contexts whose operations take turns on them:
/// [`ContextOptions::shared_threads`](crate::ContextOptions::shared_threads). They end with the last context that uses them, or with this. For
/// threads of the host's there is [`ThreadPool`](crate::ThreadPool).
pub struct SharedThreads {
    raw: NonNull<sys::mla_thread_pool>,
}

// SAFETY: what the pointer leads to doesn't change, and contexts on any threads take turns on the pool.
unsafe impl Send for SharedThreads {}
unsafe impl Sync for SharedThreads {}

impl Drop for SharedThreads {
    fn drop(&mut self) {
        // SAFETY: ours, and freed once; contexts keep the threads themselves.
        unsafe { sys::mla_thread_pool_free(self.raw.as_ptr()) }
    }
}

impl SharedThreads {
    /// The largest number of tasks that run at once, the calling thread included.
    pub fn n_threads(&self) -> i32 {
        self.raw().n_threads
    }

    pub(crate) fn raw(&self) -> &sys::mla_thread_pool {
        // SAFETY: a live pool.
        unsafe { self.raw.as_ref() }
    }
}

impl fmt::Debug for SharedThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedThreads").field("n_threads", &self.n_threads()).finish()
    }
}
