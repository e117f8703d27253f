//! A panic in a callback ends the work and goes on in the caller; the library is none the worse.

mod common;

use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};

use mla::{Allocator, Batch, ContextOptions, ModelOptions, SamplerOptions, Status, ThreadPool};

/// What the body panics with.
fn panic_of<T>(body: impl FnOnce() -> T) -> String {
    let payload = catch_unwind(AssertUnwindSafe(body)).err().expect("a panic");
    payload.downcast_ref::<&str>().expect("its text").to_string()
}

#[test]
fn progress() {
    let options = ModelOptions::new().mmap(false).progress(|_| panic!("no patience"));
    assert_eq!(panic_of(|| options.load(common::model_path())), "no patience");
    common::model();
}

#[test]
fn log() {
    // Whatever is said during the load ends in a panic; the load goes on all the same.
    let options = ModelOptions::new().log(|_, _| panic!("no paper"));
    options.load(common::model_path()).unwrap();
}

#[test]
fn abort() {
    let model = common::model();
    let mut context = ContextOptions::new().n_threads(1).abort_when(|| panic!("no idea")).build(&model).unwrap();
    for _ in 0..2 {
        assert_eq!(panic_of(|| context.decode(Batch::tokens(&[300, 301]))), "no idea");
        assert_eq!(context.cache().seq_len(0), 0);
    }
}

#[test]
fn mask() {
    let mut sampler = SamplerOptions::new()
        .mask(|logits| {
            if logits[0] == 0.0 {
                panic!("no grammar");
            }
            ControlFlow::Continue(())
        })
        .build()
        .unwrap();
    assert_eq!(panic_of(|| sampler.sample(&[0.0, 1.0])), "no grammar");
    assert_eq!(panic_of(|| sampler.try_clone().unwrap().probabilities(&[0.0, 1.0])), "no grammar");
    assert_eq!(sampler.sample(&[1.0, -100.0]).unwrap(), 0);
}

struct Broken;

unsafe impl Allocator for Broken {
    fn allocate(&self, _: usize, _: usize) -> *mut u8 {
        panic!("no memory")
    }
    unsafe fn deallocate(&self, _: *mut u8, _: usize) {}
}

#[test]
fn allocator() {
    let model = common::model();
    let made = ContextOptions::new().n_threads(1).allocator(Broken).build(&model);
    let status = made.and_then(|mut context| context.decode(Batch::tokens(&[300]))).unwrap_err().status();
    assert_eq!(status, Status::OutOfMemory);
}

// SAFETY: it runs nothing, which the library finds out.
unsafe impl ThreadPool for Broken {
    fn n_threads(&self) -> usize {
        2
    }
    fn run(&self, _: usize, _: &(dyn Fn(usize, usize) + Sync)) {
        panic!("no threads")
    }
}

#[test]
fn thread_pool() {
    let model = common::model();
    let mut context = ContextOptions::new().thread_pool(Broken).build(&model).unwrap();
    assert_eq!(panic_of(|| context.decode(Batch::tokens(&[300]))), "no threads");
    assert_eq!(context.cache().seq_len(0), 0);
}
