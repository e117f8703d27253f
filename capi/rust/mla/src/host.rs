//! What a host may replace: its Rust closures and traits as the library's callbacks.
//!
//! A panic must not cross the library's frames. It is caught where the library calls, the library is told to stop, and the panic goes on
//! when the call is back in Rust.

use std::any::Any;
use std::ffi::CStr;
use std::ops::ControlFlow;
use std::os::raw::{c_char, c_int, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mla_sys as sys;

/// How far a long piece of work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// What is being done: "read", "repack", …
    pub phase: &'a str,
    /// In units of the phase's own.
    pub done: u64,
    /// What `done` will be at the end.
    pub total: u64,
}

/// How important a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LogLevel {
    /// For those who work on the library.
    Debug,
    /// What was done, and how.
    Info,
    /// What works, but not as well as it could.
    Warning,
    /// What doesn't work.
    Error,
}

/// Where weights that are not mapped, cache pages and compute buffers come from. Called by one thread at a time for each model, context or
/// cache; thread-safe because several of them may share it.
///
/// # Safety
/// `allocate` returns null, or memory of `bytes` bytes at that alignment which nobody else uses until `deallocate` gets it back.
pub unsafe trait Allocator: Send + Sync {
    /// `bytes` of memory aligned to `alignment` (a power of two, at least 64), or null when there is none.
    fn allocate(&self, bytes: usize, alignment: usize) -> *mut u8;

    /// Gives memory back.
    ///
    /// # Safety
    /// `memory` is what `allocate` returned for the same `bytes`, and is not used after.
    unsafe fn deallocate(&self, memory: *mut u8, bytes: usize);
}

/// Runs the tasks of one operation at a time for a context.
///
/// # Safety
/// `run` calls the task once for each number and returns when all have returned; two calls that run at the same time have different threads.
/// If `concurrent` is true, `run` with `n_threads` tasks runs all of them at the same time, each on a thread of its own, task 0 on the calling
/// thread.
pub unsafe trait ThreadPool: Send + Sync {
    /// The largest number of tasks that run at once, at least 1.
    fn n_threads(&self) -> usize;

    /// The promise above: the library then calls `run` once for a whole [`decode`](crate::Context::decode), not once for each operation.
    fn concurrent(&self) -> bool {
        false
    }

    /// Calls `task(number, thread)` for each number below `n_tasks`, in any order, on any threads; `thread` is below `n_threads`.
    fn run(&self, n_tasks: usize, task: &(dyn Fn(usize, usize) + Sync));
}

pub(crate) type ProgressFn<'a> = Mutex<Box<dyn FnMut(Progress<'_>) -> ControlFlow<()> + Send + 'a>>;
pub(crate) type LogFn = Box<dyn Fn(LogLevel, &str) + Send + Sync>;
pub(crate) type AbortFn = Box<dyn Fn() -> bool + Send + Sync>;
pub(crate) type MaskFn = Box<dyn Fn(&mut [f32]) -> ControlFlow<()> + Send + Sync>;
pub(crate) type SharedAllocator = Arc<Callback<Box<dyn Allocator>>>;
pub(crate) type SharedThreadPool = Arc<Callback<Box<dyn ThreadPool>>>;

/// Something of the host's that the library calls, and the panic that a call ended in.
pub(crate) struct Callback<F> {
    function: F,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl<F> Callback<F> {
    pub fn new(function: F) -> Arc<Self> {
        Arc::new(Callback { function, panic: Mutex::new(None) })
    }

    pub fn user_data(self: &Arc<Self>) -> *mut c_void {
        Arc::as_ptr(self) as *mut c_void
    }

    /// Lets a panic of the calls since the last time go on. For when the library has returned.
    pub fn resume_panic(&self) {
        let panic = lock(&self.panic).take();
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
    }

    /// Calls the body; `otherwise` if it panics.
    ///
    /// # Safety
    /// `user_data` is from `user_data()` of a callback of this type that is alive.
    unsafe fn call<R>(user_data: *mut c_void, otherwise: R, body: impl FnOnce(&F) -> R) -> R {
        let callback = &*(user_data as *const Self);
        match catch_unwind(AssertUnwindSafe(|| body(&callback.function))) {
            Ok(result) => result,
            Err(payload) => {
                let earlier = lock(&callback.panic).replace(payload);
                std::mem::forget(earlier); // dropping it could panic again
                otherwise
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn flow(flow: ControlFlow<()>) -> c_int {
    c_int::from(flow.is_break())
}

pub(crate) unsafe extern "C" fn progress(user_data: *mut c_void, phase: *const c_char, done: u64, total: u64) -> c_int {
    Callback::<ProgressFn<'_>>::call(user_data, 1, |function| {
        let phase = CStr::from_ptr(phase).to_string_lossy();
        let mut function = lock(function);
        flow(function(Progress { phase: &phase, done, total }))
    })
}

pub(crate) unsafe extern "C" fn log(user_data: *mut c_void, level: sys::mla_log_level, message: *const c_char) {
    let level = match level {
        sys::MLA_LOG_DEBUG => LogLevel::Debug,
        sys::MLA_LOG_INFO => LogLevel::Info,
        sys::MLA_LOG_WARNING => LogLevel::Warning,
        _ => LogLevel::Error,
    };
    Callback::<LogFn>::call(user_data, (), |function| function(level, &CStr::from_ptr(message).to_string_lossy()));
}

/// Drops what load_memory() lent.
pub(crate) unsafe extern "C" fn release<T>(user_data: *mut c_void) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(Box::from_raw(user_data as *mut T)))) {
        std::mem::forget(payload); // dropping it could panic again
    }
}

pub(crate) unsafe extern "C" fn abort(user_data: *mut c_void) -> c_int {
    Callback::<AbortFn>::call(user_data, 1, |function| c_int::from(function()))
}

pub(crate) unsafe extern "C" fn mask(user_data: *mut c_void, logits: *mut f32, n_vocab: i32) -> c_int {
    Callback::<MaskFn>::call(user_data, 1, |function| flow(function(std::slice::from_raw_parts_mut(logits, n_vocab as usize))))
}

unsafe extern "C" fn allocate(user_data: *mut c_void, bytes: usize, alignment: usize) -> *mut c_void {
    let none = std::ptr::null_mut();
    Callback::<Box<dyn Allocator>>::call(user_data, none, |allocator| allocator.allocate(bytes, alignment) as *mut c_void)
}

unsafe extern "C" fn deallocate(user_data: *mut c_void, memory: *mut c_void, bytes: usize) {
    Callback::<Box<dyn Allocator>>::call(user_data, (), |allocator| allocator.deallocate(memory as *mut u8, bytes));
}

impl Callback<Box<dyn Allocator>> {
    pub fn to_raw(self: &Arc<Self>) -> sys::mla_allocator {
        sys::mla_allocator { allocate: Some(allocate), deallocate: Some(deallocate), user_data: self.user_data(), ..Default::default() }
    }
}

/// The library's task, which any thread may call.
struct Task {
    function: unsafe extern "C" fn(*mut c_void, i32, i32),
    data: *mut c_void,
}

// SAFETY: mla.h lets any thread call a task function with its data.
unsafe impl Sync for Task {}

impl Task {
    fn call(&self, task: usize, thread: usize) {
        // SAFETY: the pool keeps the promise of ThreadPool about the numbers.
        unsafe { (self.function)(self.data, task as i32, thread as i32) }
    }
}

unsafe extern "C" fn run(user_data: *mut c_void, n_tasks: i32, function: sys::mla_task_fn, data: *mut c_void) {
    Callback::<Box<dyn ThreadPool>>::call(user_data, (), |pool| {
        if let Some(function) = function {
            let task = Task { function, data };
            pool.run(n_tasks as usize, &|number, thread| task.call(number, thread));
        }
    });
}

impl Callback<Box<dyn ThreadPool>> {
    pub fn to_raw(self: &Arc<Self>) -> sys::mla_thread_pool {
        sys::mla_thread_pool {
            n_threads: i32::try_from(self.function.n_threads()).unwrap_or(i32::MAX),
            run: Some(run),
            user_data: self.user_data(),
            concurrent: i32::from(self.function.concurrent()),
            ..Default::default()
        }
    }
}
