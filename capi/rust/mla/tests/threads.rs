//! What may move between threads and what may be shared, by type and by use.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc};
use std::thread;

use mla::{AbortHandle, Batch, ChatTemplate, Context, ContextOptions, KvCache, KvCacheRef, Model, Sampler, Status, TextStream, Tokenizer};

fn send<T: Send>() {}
fn sync<T: Sync + ?Sized>() {}

/// Does not compile if T is Sync, since both implementations would then fit.
macro_rules! not_sync {
    ($($type:ty),*) => {$({
        trait Ambiguous<A> { fn it() {} }
        impl<T: ?Sized> Ambiguous<()> for T {}
        struct Sync_;
        impl<T: ?Sized + Sync> Ambiguous<Sync_> for T {}
        let _ = <$type as Ambiguous<_>>::it;
    })*};
}

#[test]
fn types_say_what_the_header_says() {
    send::<Model>();
    sync::<Model>();
    send::<Tokenizer>();
    sync::<Tokenizer>();
    send::<ChatTemplate>();
    sync::<ChatTemplate>();
    send::<AbortHandle>();
    sync::<AbortHandle>();
    sync::<mla::Error>();
    send::<mla::SharedThreads>();
    sync::<mla::SharedThreads>();
    send::<Context>();
    send::<KvCache>();
    send::<Sampler>();
    send::<TextStream>();
    not_sync!(Context, KvCache, KvCacheRef, Sampler, TextStream);
}

#[test]
fn many_threads_on_one_model_write_what_one_writes_alone() {
    let model = common::model();
    let alone = common::greedy_text(&mut common::context(&model), "In the beginning", 40);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let model = model.clone();
            thread::spawn(move || common::greedy_text(&mut common::context(&model), "In the beginning", 40))
        })
        .collect();
    drop(model);
    for thread in threads {
        assert_eq!(thread.join().unwrap(), alone);
    }
}

#[test]
fn a_context_works_on_the_thread_that_has_it() {
    let model = common::model();
    let mut context = common::context(&model);
    let prompt = common::encode(&model, "In the beginning");
    context.decode(Batch::tokens(&prompt)).unwrap();
    let here = context.logits().unwrap().to_vec();
    let there = thread::spawn(move || {
        context.cache_mut().clear().unwrap();
        context.decode(Batch::tokens(&prompt)).unwrap();
        context.logits().unwrap().to_vec()
    });
    assert_eq!(there.join().unwrap(), here);
}

#[test]
fn an_abort_from_another_thread_leaves_the_cache_as_it_was() {
    let model = common::model();
    let (tell, told) = mpsc::sync_channel(1);
    let polls = Arc::new(AtomicUsize::new(0));
    let polls_so_far = Arc::clone(&polls);
    let abort_when = move || {
        polls_so_far.fetch_add(1, Ordering::SeqCst);
        let _ = tell.try_send(());
        false
    };
    let mut context = ContextOptions::new().n_ctx(8192).n_threads(1).abort_when(abort_when).build(&model).unwrap();
    let prompt: Vec<i32> = (0..6000).map(|i| 300 + i % 500).collect();
    let handle = context.abort_handle();
    let polls_until_abort = Arc::clone(&polls);
    let other = thread::spawn(move || {
        told.recv().unwrap(); // it computes
        handle.abort();
        (handle, polls_until_abort.load(Ordering::SeqCst))
    });
    let error = context.decode(Batch::tokens(&prompt)).unwrap_err();
    let (handle, before) = other.join().unwrap();
    assert_eq!(error.status(), Status::Aborted);
    assert_eq!(context.cache().seq_len(0), 0);
    assert!(polls.load(Ordering::SeqCst) <= before + 1, "it computed on after the abort");
    context.decode(Batch::tokens(&prompt[..10])).expect("without effect on later calls");
    drop(context);
    handle.abort(); // and none when the context is gone
}
