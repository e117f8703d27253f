//! The host's allocator, threads, progress, log and overrides reach the library.

mod common;

use std::alloc::Layout;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use mla::{Allocator, Batch, ContextOptions, KvCacheOptions, LogLevel, ModelOptions, SharedThreadsOptions, Status, ThreadPool};

#[test]
fn progress_reports_and_stops() {
    let mut seen = Vec::new();
    let options = ModelOptions::new().mmap(false).progress(|p| {
        seen.push((p.phase.to_string(), p.done, p.total));
        ControlFlow::Continue(())
    });
    options.load(common::model_path()).unwrap();
    let last = seen.last().unwrap();
    assert_eq!(last.1, last.2);
    assert!(!last.0.is_empty());
    let stopped = ModelOptions::new().mmap(false).progress(|_| ControlFlow::Break(())).load(common::model_path());
    assert_eq!(stopped.unwrap_err().status(), Status::Aborted);
}

#[test]
fn the_log_lives_as_long_as_the_model() {
    let lines = Arc::new(Mutex::new(Vec::<(LogLevel, String)>::new()));
    let sink = lines.clone();
    let model = ModelOptions::new().log(move |level, line| sink.lock().unwrap().push((level, line.to_string()))).load(common::model_path());
    let mut context = common::context(&model.unwrap()); // the model is now the context's alone
    context.decode(Batch::tokens(&[300])).unwrap();
    assert_eq!(Arc::strong_count(&lines), 2);
    drop(context);
    assert_eq!(Arc::strong_count(&lines), 1);
    assert!(lines.lock().unwrap().iter().all(|(_, line)| !line.contains('\n')));
}

#[test]
fn overrides_reach_the_loader() {
    let model = ModelOptions::new().override_key("deepseek2.context_length", "77").load(common::model_path()).unwrap();
    assert_eq!(model.info().n_ctx_train, 77);
}

/// Counts what it has out.
struct Counting {
    bytes: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

// SAFETY: the system's allocator with every block's alignment the largest that is asked for, since deallocate is not told.
unsafe impl Allocator for Counting {
    fn allocate(&self, bytes: usize, alignment: usize) -> *mut u8 {
        assert!(alignment <= 4096 && alignment.is_power_of_two());
        let now = self.bytes.fetch_add(bytes, Ordering::SeqCst) + bytes;
        self.most.fetch_max(now, Ordering::SeqCst);
        unsafe { std::alloc::alloc(Layout::from_size_align(bytes.max(1), 4096).unwrap()) }
    }
    unsafe fn deallocate(&self, memory: *mut u8, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        std::alloc::dealloc(memory, Layout::from_size_align(bytes.max(1), 4096).unwrap());
    }
}

#[test]
fn all_memory_of_the_hosts_comes_back() {
    let (bytes, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counting = || Counting { bytes: bytes.clone(), most: most.clone() };
    let model = ModelOptions::new().mmap(false).allocator(counting()).load(common::model_path()).unwrap();
    assert!(bytes.load(Ordering::SeqCst) as u64 >= model.info().weight_bytes);
    let cache = KvCacheOptions::new().allocator(counting()).build(model.cache_shape()).unwrap();
    let mut context = ContextOptions::new().n_threads(1).cache(cache).allocator(counting()).build(&model).unwrap();
    let before = bytes.load(Ordering::SeqCst);
    context.decode(Batch::tokens(&[300; 100])).unwrap();
    assert!(bytes.load(Ordering::SeqCst) as u64 >= before as u64 + context.cache().bytes());
    drop(model);
    let cache = context.into_cache().expect("the cache that it was given");
    assert_eq!(cache.seq_len(0), 100);
    assert!(bytes.load(Ordering::SeqCst) > 0);
    drop(cache);
    assert_eq!(bytes.load(Ordering::SeqCst), 0);
    assert!(most.load(Ordering::SeqCst) > 0);
}

/// A thread for each task but the first.
struct Spawning {
    n_calls: Arc<AtomicUsize>,
    concurrent: bool,
}

// SAFETY: all tasks run at the same time, each on a thread of its own, and have ended when the scope ends.
unsafe impl ThreadPool for Spawning {
    fn n_threads(&self) -> usize {
        3
    }
    fn concurrent(&self) -> bool {
        self.concurrent
    }
    fn run(&self, n_tasks: usize, task: &(dyn Fn(usize, usize) + Sync)) {
        self.n_calls.fetch_add(1, Ordering::SeqCst);
        if n_tasks > 3 {
            return (0..n_tasks).for_each(|number| task(number, 0));
        }
        std::thread::scope(|scope| {
            for number in 1..n_tasks {
                scope.spawn(move || task(number, number));
            }
            task(0, 0);
        });
    }
}

#[test]
fn threads_of_the_hosts_compute_the_same() {
    let model = common::model();
    let alone = common::greedy_text(&mut common::context(&model), "In the beginning", 8);
    for concurrent in [false, true] {
        let n_calls = Arc::new(AtomicUsize::new(0));
        let pool = Spawning { n_calls: n_calls.clone(), concurrent };
        let mut context = ContextOptions::new().thread_pool(pool).build(&model).unwrap();
        assert_eq!(context.n_threads_batch(), 3);
        assert_eq!(common::greedy_text(&mut context, "In the beginning", 8), alone);
        let n_calls = n_calls.load(Ordering::SeqCst);
        assert!(if concurrent { n_calls <= 8 } else { n_calls > 8 }, "{n_calls} calls");
    }
}

#[test]
fn contexts_share_threads_of_the_librarys() {
    let model = common::model();
    let alone = common::greedy_text(&mut common::context(&model), "In the beginning", 8);
    let threads = SharedThreadsOptions::new().n_threads(3).build().unwrap();
    assert_eq!(threads.n_threads(), 3);
    let context = || ContextOptions::new().shared_threads(&threads).build(&model).unwrap();
    let mut contexts = [context(), context()];
    drop(threads); // the contexts keep what they need
    std::thread::scope(|scope| {
        for context in &mut contexts {
            assert_eq!(context.n_threads(), 3);
            let alone = &alone;
            scope.spawn(move || assert_eq!(&common::greedy_text(context, "In the beginning", 8), alone));
        }
    });
    assert_eq!(SharedThreadsOptions::new().n_threads(-1).build().unwrap_err().status(), Status::InvalidArgument);
}

#[test]
fn a_model_is_loaded_from_a_descriptor() {
    let file = std::fs::File::open(common::model_path()).unwrap();
    let model = ModelOptions::new().load_fd(&file).unwrap();
    drop(file);
    assert_eq!(model.info().fingerprint, common::model().info().fingerprint);
    let text = common::greedy_text(&mut common::context(&model), "In the beginning", 8);
    assert_eq!(text, common::greedy_text(&mut common::context(&common::model()), "In the beginning", 8));
    let no_model = std::fs::File::open(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    assert_eq!(ModelOptions::new().load_fd(no_model).unwrap_err().status(), Status::BadFile);
}

#[test]
fn timings_are_kept_when_they_are_asked_for() {
    let mut context = common::context(&common::model());
    context.decode(Batch::tokens(&[300; 10])).unwrap();
    assert!(context.op_timings().unwrap().is_empty());
    context.time_ops(true).unwrap();
    context.decode(Batch::tokens(&[300; 10])).unwrap();
    let timings = context.op_timings().unwrap();
    let n_layers = context.model().info().n_layers as u64;
    let kv_a = timings.iter().find(|timing| timing.name == "kv_a").expect("an operation of every layer");
    assert!(kv_a.calls == n_layers && kv_a.seconds > 0.0 && kv_a.bytes > 0 && kv_a.operations > 0, "{kv_a:?}");
    context.reset_op_timings().unwrap();
    context.time_ops(false).unwrap();
    context.decode(Batch::tokens(&[300; 10])).unwrap();
    assert!(context.op_timings().unwrap().is_empty());
}

#[test]
fn a_model_lives_in_lent_memory_and_gives_it_back() {
    struct Lent(Vec<u8>, Arc<AtomicUsize>);
    impl AsRef<[u8]> for Lent {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    impl Drop for Lent {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }
    let returned = Arc::new(AtomicUsize::new(0));
    let file = std::fs::read(common::model_path()).unwrap();
    let model = ModelOptions::new().load_memory(Lent(file.clone(), returned.clone())).unwrap();
    assert_eq!(model.info().fingerprint, common::model().info().fingerprint);
    let text = common::greedy_text(&mut common::context(&model), "In the beginning", 8);
    assert_eq!(text, common::greedy_text(&mut common::context(&common::model()), "In the beginning", 8));
    drop(model);
    assert_eq!(returned.load(Ordering::SeqCst), 1);
    let refused = ModelOptions::new().load_memory(Lent(file[..1000].to_vec(), returned.clone())).unwrap_err();
    assert_eq!(refused.status(), Status::BadFile);
    assert_eq!(returned.load(Ordering::SeqCst), 2);
    let missing = ModelOptions::new().override_key("a\0b", "1").load_memory(Lent(file, returned.clone())).unwrap_err();
    assert_eq!(missing.status(), Status::InvalidArgument);
    assert_eq!(returned.load(Ordering::SeqCst), 3);
}

#[test]
fn memory_is_known_before_it_is_taken() {
    let model = common::model();
    let options = || ContextOptions::new().n_ctx(1024).n_threads(1);
    let need = options().memory_need(common::model_path()).unwrap();
    assert_eq!(need.weights, model.info().weight_bytes);
    assert_eq!(need.cache, KvCacheOptions::new().n_ctx(1024).bytes_at_capacity(model.cache_shape()).unwrap());
    assert!(need.room.is_some() && !need.limit.is_empty());
    assert!(options().build(&model).unwrap().bytes() > 0);
    assert!(mla::default_threads() >= 1);
    assert_eq!(options().memory_need("/no/such.gguf").unwrap_err().status(), Status::NotFound);
}
