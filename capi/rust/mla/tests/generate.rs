//! Text and logits are those of the C interface.

mod common;

use std::ffi::{CStr, CString};
use std::ptr;

use mla::{AttentionMode, AttentionRates, Batch, ContextOptions, SamplerOptions, Status, Token};
use mla_sys as sys;

/// The loop of examples/hello.c, with penalties fed.
fn text_through_c(prompt: &str, seed: u64, n: usize) -> String {
    let path = CString::new(common::model_path().to_str().unwrap()).unwrap();
    let mut text = String::new();
    // SAFETY: every object is live until it is freed below, every array as long as it says.
    unsafe {
        let ok = |status| assert_eq!(status, sys::MLA_OK, "{:?}", CStr::from_ptr(sys::mla_last_error()));
        let (mut model, mut context, mut sampler) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        let (mut stream, mut tokenizer) = (ptr::null_mut(), ptr::null());
        let mut info = sys::mla_model_info::default();
        ok(sys::mla_model_load(&mut model, path.as_ptr(), ptr::null()));
        ok(sys::mla_model_get_info(&mut info, model));
        ok(sys::mla_model_tokenizer(&mut tokenizer, model));
        ok(sys::mla_context_new(&mut context, model, ptr::null()));
        let options = sys::mla_sampler_options { seed, repeat_penalty: 1.1, ..Default::default() };
        ok(sys::mla_sampler_new(&mut sampler, &options));
        ok(sys::mla_text_stream_new(&mut stream, tokenizer, 0));
        let (mut data, mut len) = (ptr::null_mut(), 0);
        ok(sys::mla_tokenizer_encode(&mut data, &mut len, tokenizer, prompt.as_ptr().cast(), prompt.len(), sys::MLA_ENCODE_DEFAULT));
        let mut pending = std::slice::from_raw_parts(data, len).to_vec();
        sys::mla_free(data.cast());
        let mut piece = ptr::null();
        for _ in 0..n {
            let batch = sys::mla_batch { n: pending.len() as i32, tokens: pending.as_ptr(), ..Default::default() };
            ok(sys::mla_context_decode(context, &batch));
            for token in &pending {
                ok(sys::mla_sampler_accept(sampler, *token));
            }
            let (mut logits, mut token) = (ptr::null(), 0);
            ok(sys::mla_context_logits(&mut logits, context));
            ok(sys::mla_sampler_sample(&mut token, sampler, logits, info.n_vocab));
            if sys::mla_tokenizer_is_end_of_generation(tokenizer, token) == 1 {
                break;
            }
            ok(sys::mla_text_stream_push(&mut piece, ptr::null_mut(), stream, token));
            text.push_str(CStr::from_ptr(piece).to_str().unwrap());
            pending = vec![token];
        }
        ok(sys::mla_text_stream_finish(&mut piece, ptr::null_mut(), stream));
        text.push_str(CStr::from_ptr(piece).to_str().unwrap());
        sys::mla_text_stream_free(stream);
        sys::mla_sampler_free(sampler);
        sys::mla_context_free(context);
        sys::mla_model_free(model);
    }
    text
}

#[test]
fn the_text_is_that_of_the_c_interface() {
    let model = common::model();
    for seed in [0, 1, 7] {
        let mut context = common::context(&model);
        let mut sampler = SamplerOptions::new().seed(seed).repeat_penalty(1.1).build().unwrap();
        let text: mla::Result<String> = context.generate_text("In the beginning", &mut sampler).unwrap().max_tokens(60).collect();
        assert_eq!(text.unwrap(), text_through_c("In the beginning", seed, 60));
    }
}

#[test]
fn a_generation_goes_on_where_it_was_left() {
    let model = common::model();
    let whole = common::greedy_text(&mut common::context(&model), "Call me Ishmael.", 40);
    let mut context = common::context(&model);
    let mut sampler = mla::Sampler::greedy().unwrap();
    let prompt = common::encode(&model, "Call me Ishmael.");
    let mut tokens: Vec<Token> = context.generate(&prompt, &mut sampler).max_tokens(15).collect::<mla::Result<_>>().unwrap();
    // The last token of the first part is not in the cache yet: it is the prompt of the second.
    assert_eq!(context.cache().seq_len(0) as usize, prompt.len() + 14);
    let last = *tokens.last().unwrap();
    tokens.extend(context.generate(&[last], &mut sampler).max_tokens(25).collect::<mla::Result<Vec<_>>>().unwrap());
    assert_eq!(model.tokenizer().unwrap().decode(&tokens).unwrap(), whole);
}

#[test]
fn a_full_cache_ends_the_stream_with_an_error_and_nothing_after() {
    let model = common::model();
    let mut context = mla::ContextOptions::new().n_ctx(64).n_threads(1).build(&model).unwrap();
    let mut sampler = mla::Sampler::greedy().unwrap();
    let prompt = common::encode(&model, "In the beginning");
    let mut tokens = context.generate(&prompt, &mut sampler);
    let results: Vec<_> = tokens.by_ref().collect();
    let error = results.last().unwrap().as_ref().unwrap_err();
    assert_eq!(error.status(), Status::CacheFull);
    assert_eq!(results.len(), 64 - prompt.len() + 2); // one token before each row, one behind the last, the error
    assert!(tokens.next().is_none());
}

#[test]
fn rows_of_a_batch_are_told_apart() {
    let model = common::model();
    let (first, second) = (common::encode(&model, "In the beginning"), common::encode(&model, "Call me Ishmael"));
    let alone = |tokens: &[Token]| {
        let mut context = common::context(&model);
        context.decode(Batch::tokens(tokens)).unwrap();
        context.logits().unwrap().to_vec()
    };
    let mut context = common::context(&model);
    let both: Vec<Token> = first.iter().chain(&second).copied().collect();
    let sequences: Vec<i32> = first.iter().map(|_| 3).chain(second.iter().map(|_| 9)).collect();
    let positions: Vec<i32> = (0..first.len() as i32).chain(0..second.len() as i32).collect();
    let mut wanted = vec![false; both.len()];
    wanted[first.len() - 1] = true;
    *wanted.last_mut().unwrap() = true;
    context.decode(Batch::tokens(&both).sequences(&sequences).positions(&positions).logits(&wanted)).unwrap();
    let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(x, y)| (x - y).abs() < 2e-3 * (1.0 + x.abs()));
    assert!(close(context.logits_of_row(first.len() - 1).unwrap(), &alone(&first)));
    assert!(close(context.logits().unwrap(), &alone(&second)));
    assert!(!close(&alone(&first), &alone(&second)));
    assert_eq!(context.logits_of_row(0).unwrap_err().status(), Status::InvalidArgument);
    assert_eq!(context.cache().seq_len(3), first.len() as i32);
}

#[test]
fn embeddings_are_kept_on_request() {
    let model = common::model();
    let mut context = common::context(&model);
    let tokens = common::encode(&model, "In the beginning");
    let mut keep = vec![false; tokens.len()];
    keep[1] = true;
    context.decode(Batch::tokens(&tokens).keep_embedding(&keep)).unwrap();
    let embedding = context.embedding(1).unwrap();
    assert_eq!(embedding.len(), model.info().n_embd as usize);
    assert!(embedding.iter().any(|value| *value != 0.0));
    assert_eq!(context.embedding(0).unwrap_err().status(), Status::InvalidArgument);
    assert_eq!(context.decode(Batch::tokens(&tokens).keep_embedding(&[true])).unwrap_err().status(), Status::InvalidArgument);
}

#[test]
fn deterministic_contexts_agree_to_the_last_bit() {
    let model = common::model();
    let ids: Vec<i32> = (0..150).map(|i| 300 + i * 7 % 500).collect();
    let last = |n_threads, n_ubatch, cut: usize| {
        let options = ContextOptions::new().n_threads(n_threads).n_ubatch(n_ubatch).deterministic(true);
        let mut context = options.build(&model).unwrap();
        context.decode(Batch::tokens(&ids[..cut])).unwrap();
        context.decode(Batch::tokens(&ids[cut..])).unwrap();
        context.logits().unwrap().to_vec()
    };
    let expected = last(1, 512, 149);
    for (n_threads, n_ubatch, cut) in [(2, 512, 149), (1, 32, 100), (3, 64, 1)] {
        assert!(last(n_threads, n_ubatch, cut) == expected, "{n_threads} threads, ubatches of {n_ubatch}, cut at {cut}");
    }
}

#[test]
fn attention_rates_decide_what_auto_takes() {
    let model = common::model();
    let ids: Vec<i32> = (0..40).map(|i| 300 + i * 7 % 500).collect();
    let logits = |options: ContextOptions| {
        let mut context = options.n_threads(2).build(&model).unwrap();
        context.decode(Batch::tokens(&ids)).unwrap();
        (context.attention_rates().unwrap(), context.logits().unwrap().to_vec())
    };
    let absorbed = AttentionRates { expanded_pair: 2.0, absorbed_pair: 1.0, ..Default::default() };
    let expanded = AttentionRates { expanded_pair: 1.0, absorbed_pair: 2.0, ..Default::default() };
    let (none, always) = logits(ContextOptions::new().attention(AttentionMode::DeepseekMla));
    assert_eq!(none, None);
    assert!(logits(ContextOptions::new().attention_rates(absorbed)) == (Some(absorbed), always.clone()));
    assert!(logits(ContextOptions::new().attention_rates(expanded)).1 != always);
    assert!(logits(ContextOptions::new()).0.unwrap().expanded_pair > 0.0);
    let refused = ContextOptions::new().attention_rates(AttentionRates { absorbed_query: f64::NAN, ..absorbed }).build(&model);
    assert_eq!(refused.err().unwrap().status(), Status::InvalidArgument);
}
