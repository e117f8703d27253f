//! The cache: sequences, ranges, states, and its way into a context and back.

mod common;

use mla::{Batch, CacheType, ContextOptions, KvCacheOptions, Model, Status, ALL_SEQUENCES};

const TOKENS: [i32; 6] = [300, 301, 302, 303, 304, 305];

fn logits_behind(model: &Model, prepare: impl FnOnce(&mut mla::Context)) -> Vec<f32> {
    let mut context = common::context(model);
    prepare(&mut context);
    context.decode(Batch::tokens(&[306])).unwrap();
    context.logits().unwrap().to_vec()
}

#[test]
fn ranges_are_those_of_rust() {
    let model = common::model();
    let mut context = common::context(&model);
    context.decode(Batch::tokens(&TOKENS)).unwrap();
    let cache = context.cache_mut();
    let mut left = |from: &str, range: (std::ops::Bound<i32>, std::ops::Bound<i32>)| {
        cache.seq_cp(0, 1, ..).unwrap();
        let removed = cache.seq_rm(1, range).unwrap();
        assert_eq!(removed, cache.seq_len(1) < 6, "{from}");
        (cache.seq_len(1), cache.seq_pos_min(1), cache.seq_pos_max(1))
    };
    use std::ops::Bound::{Excluded, Included, Unbounded};
    assert_eq!(left("..", (Unbounded, Unbounded)), (0, None, None));
    assert_eq!(left("2..", (Included(2), Unbounded)), (2, Some(0), Some(1)));
    assert_eq!(left("..2", (Unbounded, Excluded(2))), (4, Some(2), Some(5)));
    assert_eq!(left("..=2", (Unbounded, Included(2))), (3, Some(3), Some(5)));
    assert_eq!(left("0..-1", (Included(0), Excluded(-1))), (6, Some(0), Some(5)));
    assert_eq!(left("0..=MAX", (Included(0), Included(i32::MAX))), (0, None, None));
    assert_eq!(left("(4)..", (Excluded(4), Unbounded)), (5, Some(0), Some(4)));
}

#[test]
fn states_come_back_from_memory_and_file() {
    let model = common::model();
    let expected = logits_behind(&model, |context| context.decode(Batch::tokens(&TOKENS)).unwrap());
    let folder = common::Scratch::new("states");
    let path = folder.0.join("state.mla");
    let mut context = common::context(&model);
    context.decode(Batch::tokens(&TOKENS)).unwrap();
    let state = context.cache().save_to_vec(0).unwrap();
    context.cache().save(&path, ALL_SEQUENCES).unwrap();
    assert_eq!(logits_behind(&model, |c| c.cache_mut().load_from_slice(&state, 0).unwrap()), expected);
    assert_eq!(logits_behind(&model, |c| c.cache_mut().load(&path, ALL_SEQUENCES).unwrap()), expected);

    let damaged = context.cache_mut().load_from_slice(&state[..state.len() - 1], 0).unwrap_err();
    assert_eq!(damaged.status(), Status::BadFile);
    assert_eq!(context.cache().seq_len(0), 6);
    assert_eq!(context.cache_mut().load("/no/such/state", 0).unwrap_err().status(), Status::NotFound);
    assert_eq!(context.cache().save_to_vec(5).unwrap_err().status(), Status::InvalidArgument);
}

#[test]
fn a_prefix_is_reused_and_a_context_shifted() {
    let model = common::model();
    let mut context = common::context(&model);
    context.decode(Batch::tokens(&TOKENS)).unwrap();
    let cache = context.cache_mut();
    assert_eq!(cache.reuse_prefix(4, &[300, 301, 302, 999]).unwrap(), 3);
    assert_eq!(cache.seq_len(4), 3);
    cache.seq_keep(0).unwrap();
    assert_eq!(cache.seq_len(4), 0);
    assert!(cache.seq_rm(0, ..2).unwrap());
    cache.seq_add(0, 2.., -2).unwrap();
    assert_eq!((cache.seq_pos_min(0), cache.seq_pos_max(0)), (Some(0), Some(3)));
    assert_eq!(cache.seq_add(0, .., -1).unwrap_err().status(), Status::InvalidArgument);
    cache.defrag().unwrap();
    assert_eq!(cache.n_pages_used(), 1);
    cache.clear().unwrap();
    assert_eq!(cache.bytes(), 0);
}

#[test]
fn a_cache_goes_from_one_context_to_the_next() {
    let model = common::model();
    let shape = model.cache_shape();
    let options = || KvCacheOptions::new().n_ctx(100).type_k(CacheType::F32);
    let expected = options().bytes_at_capacity(shape).unwrap();
    let cache = options().build(shape).unwrap();
    assert_eq!(cache.n_pages(), 2);
    assert_eq!(cache.row_bytes() * 128, expected);
    let mut first = ContextOptions::new().n_threads(1).cache(cache).build(&model).unwrap();
    first.decode(Batch::tokens(&TOKENS)).unwrap();
    let cache = first.into_cache().unwrap();
    let mut second = ContextOptions::new().n_threads(1).cache(cache).build(&model).unwrap();
    assert_eq!(second.cache().seq_len(0), 6);
    second.decode(Batch::tokens(&[306])).unwrap();
    assert_eq!(second.cache().seq_len(0), 7);
    assert!(common::context(&model).into_cache().is_none());
}
