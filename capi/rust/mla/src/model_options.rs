use std::ops::ControlFlow;
use std::os::unix::io::{AsFd, AsRawFd};
use std::path::Path;
use std::ptr;
use std::sync::{Arc, Mutex};

use mla_sys as sys;

use crate::error::{check, Result};
use crate::ffi::{c_path, c_text};
use crate::host::{self, Allocator, Callback, LogFn, LogLevel, Progress, ProgressFn, SharedAllocator};
use crate::model::{take, Model};

/// Whether weights are put into the layout that the kernels read fastest; the logits are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RepackMode {
    /// Where it helps and the copy fits in memory; otherwise they are used in place, and the log says so.
    #[default]
    Auto,
    /// `OutOfMemory`, before any is taken, where the copy doesn't fit.
    Always,
    /// Used in place.
    Never,
}

/// How a machine with several memory nodes is used. On one with a single node all are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Numa {
    /// Threads and memory wherever the system puts them.
    #[default]
    None,
    /// Threads on all nodes, repacked weights page by page on all.
    Distribute,
    /// Threads and repacked weights on the node where the model is loaded.
    Isolate,
    /// Threads on the nodes that numactl allows, memory as it says.
    Numactl,
    /// Every weight matrix and expert cut by rows into the nodes' memory.
    Split,
    /// A copy of the weights on each node.
    Replicate,
}

impl Numa {
    pub(crate) fn to_raw(self) -> sys::mla_numa {
        match self {
            Numa::None => sys::MLA_NUMA_NONE,
            Numa::Distribute => sys::MLA_NUMA_DISTRIBUTE,
            Numa::Isolate => sys::MLA_NUMA_ISOLATE,
            Numa::Numactl => sys::MLA_NUMA_NUMACTL,
            Numa::Split => sys::MLA_NUMA_SPLIT,
            Numa::Replicate => sys::MLA_NUMA_REPLICATE,
        }
    }
}

/// How a model is loaded. The defaults are right for most.
///
/// ```
/// # fn main() -> mla::Result<()> {
/// # let path = mla::doc_model();
/// use std::ops::ControlFlow;
///
/// let model = mla::ModelOptions::new()
///     .progress(|p| {
///         eprint!("\r{} {}/{}", p.phase, p.done, p.total);
///         ControlFlow::Continue(()) // Break(()) stops the load with Status::Aborted
///     })
///     .log(|level, message| eprintln!("{level:?}: {message}"))
///     .load(path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
#[must_use = "load() does the work"]
pub struct ModelOptions<'a> {
    raw: sys::mla_model_options,
    progress: Option<Arc<Callback<ProgressFn<'a>>>>,
    log: Option<Arc<Callback<LogFn>>>,
    allocator: Option<SharedAllocator>,
    overrides: Vec<(String, String)>,
    load_type: Option<String>,
}

impl<'a> ModelOptions<'a> {
    /// All defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// False: read the file into memory instead of mapping it.
    pub fn mmap(mut self, mmap: bool) -> Self {
        self.raw.no_mmap = i32::from(!mmap);
        self
    }

    /// Called now and then with how far the load is; `Break` ends it with `Aborted`.
    pub fn progress(mut self, progress: impl FnMut(Progress<'_>) -> ControlFlow<()> + Send + 'a) -> Self {
        self.progress = Some(Callback::new(Mutex::new(Box::new(progress))));
        self
    }

    /// Receives the messages of the model and of what is made with it, on any thread that calls the library; a panic in it is
    /// caught and ends there. Without a log there is silence.
    pub fn log(mut self, log: impl Fn(LogLevel, &str) + Send + Sync + 'static) -> Self {
        self.log = Some(Callback::new(Box::new(log)));
        self
    }

    /// Where weights that are not mapped come from.
    pub fn allocator(mut self, allocator: impl Allocator + 'static) -> Self {
        self.allocator = Some(Callback::new(Box::new(allocator)));
        self
    }

    /// A metadata key to take instead of the file's: `("deepseek2.expert_group_count", "8")`. A key that the loader does not read is an error.
    pub fn override_key(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.overrides.push((key.into(), value.into()));
        self
    }

    /// Whether weights are repacked.
    pub fn repack(mut self, repack: RepackMode) -> Self {
        self.raw.repack = match repack {
            RepackMode::Auto => sys::MLA_REPACK_AUTO,
            RepackMode::Always => sys::MLA_REPACK_ALWAYS,
            RepackMode::Never => sys::MLA_REPACK_NEVER,
        };
        self
    }

    /// False: don't ask for huge pages for repacked weights.
    pub fn huge_pages(mut self, huge_pages: bool) -> Self {
        self.raw.no_huge_pages = i32::from(!huge_pages);
        self
    }

    /// Threads that repack; 0: the processors this process may use. They end with the load.
    pub fn n_threads(mut self, n_threads: i32) -> Self {
        self.raw.n_threads = n_threads;
        self
    }

    /// Threads and memory on machines with several memory nodes; contexts follow the model.
    pub fn numa(mut self, numa: Numa) -> Self {
        self.raw.numa = numa.to_raw();
        self
    }

    /// Of a Hugging Face folder: the type that its matrices get in memory, "q8_0" say. Without one they are used where they are.
    pub fn load_type(mut self, load_type: impl Into<String>) -> Self {
        self.load_type = Some(load_type.into());
        self
    }

    /// Opens a GGUF file (of a split model any part) or a Hugging Face folder.
    ///
    /// Fails with [`Status`](crate::Status) `NotFound`, `IoError`, `BadFile`, `Unsupported`, `OutOfMemory`, `Aborted`, `InvalidArgument`.
    pub fn load(self, path: impl AsRef<Path>) -> Result<Model> {
        let path = c_path(path.as_ref().as_os_str())?;
        // SAFETY: a zero-terminated path, complete options.
        self.load_by(|model, options| unsafe { sys::mla_model_load(model, path.as_ptr(), options) })
    }

    /// The same for the GGUF file that an open descriptor refers to (a memfd, say), from its beginning. It may be closed then.
    /// [`Status`](crate::Status) `Unsupported` for a part of a split model.
    pub fn load_fd(self, fd: impl AsFd) -> Result<Model> {
        let fd = fd.as_fd().as_raw_fd();
        // SAFETY: an open descriptor, as long as the call; complete options.
        self.load_by(|model, options| unsafe { sys::mla_model_load_fd(model, fd, options) })
    }

    /// The same for a GGUF file in memory, which is kept as long as the model needs it; it is not copied if it begins at a multiple of 32 bytes.
    pub fn load_memory<T: AsRef<[u8]> + Send + Sync + 'static>(self, file: T) -> Result<Model> {
        let mut file = Lent { owner: Box::into_raw(Box::new(file)), taken: false };
        // SAFETY: the owner lives until release(), or as long as the guard if the library doesn't take it; nothing changes it meanwhile.
        let bytes = unsafe { (*file.owner).as_ref() };
        let (data, n) = (bytes.as_ptr().cast(), bytes.len());
        self.load_by(|model, options| {
            // SAFETY: as above; complete options.
            let status = unsafe { sys::mla_model_load_memory(model, data, n, Some(host::release::<T>), file.owner.cast(), options) };
            file.taken = status == sys::MLA_OK;
            status
        })
    }

    fn load_by(self, load: impl FnOnce(*mut *mut sys::mla_model, *const sys::mla_model_options) -> sys::mla_status) -> Result<Model> {
        let mut keys = Vec::new();
        for (key, value) in &self.overrides {
            keys.push((c_text(key, "a key to override")?, c_text(value, "the value of a key to override")?));
        }
        let overrides: Vec<_> = keys.iter().map(|(key, value)| sys::mla_override { key: key.as_ptr(), value: value.as_ptr() }).collect();
        let load_type = self.load_type.as_deref().map(|load_type| c_text(load_type, "load_type")).transpose()?;
        let allocator = self.allocator.as_ref().map(Callback::<Box<dyn Allocator>>::to_raw);

        let mut raw = self.raw;
        if let Some(progress) = &self.progress {
            raw.progress = Some(host::progress);
            raw.progress_user_data = progress.user_data();
        }
        if let Some(log) = &self.log {
            raw.log = Some(host::log);
            raw.log_user_data = log.user_data();
        }
        raw.allocator = allocator.as_ref().map_or(ptr::null(), |allocator| allocator);
        (raw.overrides, raw.n_overrides) = (overrides.as_ptr(), overrides.len());
        raw.load_type = load_type.as_ref().map_or(ptr::null(), |load_type| load_type.as_ptr());

        let mut model = ptr::null_mut();
        // All that the options point to lives until the call returns; the log and the allocator go into the model.
        let status = load(&mut model, &raw);
        let loaded = check(status).and_then(|()| take(model, self.log, self.allocator));
        if let Some(progress) = &self.progress {
            progress.resume_panic();
        }
        loaded
    }
}

/// A file in memory, dropped here unless the library has taken it.
struct Lent<T> {
    owner: *mut T,
    taken: bool,
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        if !self.taken {
            // SAFETY: from Box::into_raw(), and nobody else's.
            drop(unsafe { Box::from_raw(self.owner) });
        }
    }
}
