//! Wrong calls are errors that name what is wrong.

mod common;

use mla::{Batch, ChatMessage, ChatOptions, ChatTemplate, ContextOptions, KvCacheOptions, Model, SamplerOptions, Status, TextStream};

fn refused<T>(result: mla::Result<T>, status: Status, words: &str) {
    let error = result.err().expect("refused");
    assert_eq!(error.status(), status, "{error}");
    assert!(error.message().contains(words), "{error} does not say {words}");
    assert!(!error.message().contains('\n'));
}

#[test]
fn loading() {
    refused(Model::load("/no/such/file.gguf"), Status::NotFound, "/no/such/file.gguf");
    refused(Model::load("a\0b"), Status::InvalidArgument, "zero byte");
    let folder = common::Scratch::new("errors");
    let no_model = folder.0.join("no-model.gguf");
    std::fs::write(&no_model, "not a model, whatever its name says").unwrap();
    refused(Model::load(&no_model), Status::BadFile, "no-model.gguf");
}

#[test]
fn batches() {
    let model = common::model();
    let mut context = common::context(&model);
    let misuse = Status::InvalidArgument;
    refused(context.logits().map(|_| ()), misuse, "logits");
    refused(context.decode(Batch::tokens(&[])), misuse, "at least one row");
    refused(context.decode(Batch::tokens(&[model.info().n_vocab])), misuse, "token");
    refused(context.decode(Batch::tokens(&[1, 2]).positions(&[0])), misuse, "2 rows and 1 positions");
    refused(context.decode(Batch::tokens(&[1, 2]).sequences(&[0; 3])), misuse, "2 rows and 3 sequences");
    refused(context.decode(Batch::tokens(&[1, 2]).logits(&[])), misuse, "2 rows and 0 logits");
    refused(context.decode(Batch::tokens(&[1, 2]).positions(&[1, 0])), misuse, "position");
    refused(context.decode(Batch::embeddings(&[0.0; 7])), misuse, "n_embd");
    refused(context.logits_of_row(usize::MAX).map(|_| ()), misuse, "too many");
    assert_eq!(context.cache().seq_len(0), 0);
}

#[test]
fn options() {
    let model = common::model();
    refused(ContextOptions::new().n_ctx(-1).build(&model), Status::InvalidArgument, "n_ctx");
    let expanded = KvCacheOptions::new().layout(mla::CacheLayout::Expanded).build(model.cache_shape()).unwrap();
    refused(ContextOptions::new().cache(expanded).build(&model), Status::InvalidArgument, "layout");
    refused(SamplerOptions::new().top_p(2.0).build(), Status::InvalidArgument, "top_p");
    refused(mla::ModelOptions::new().override_key("no.such", "1").load(common::model_path()), Status::InvalidArgument, "no.such");
}

#[test]
fn tokens_and_templates() {
    let tokenizer = common::model().tokenizer().unwrap();
    refused(tokenizer.piece(tokenizer.size()).map(|_| ()), Status::InvalidArgument, "token");
    refused(tokenizer.decode(&[-1]), Status::InvalidArgument, "token");
    refused(TextStream::new(&tokenizer, false).unwrap().push(-1).map(|_| ()), Status::InvalidArgument, "token");
    refused(ChatTemplate::new("{% if %}"), Status::BadFile, "line 1");
    let template = ChatTemplate::new("{{ messages[0].content }}").unwrap();
    refused(template.render(&[ChatMessage::user("a\0b")], &ChatOptions::default()), Status::InvalidArgument, "zero byte");
    refused(template.render_json("[{", &ChatOptions::default()), Status::InvalidArgument, "JSON");
}
