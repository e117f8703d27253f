// What is behind the opaque types of mla.h.
#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include <mla/chat_template.hpp>
#include <mla/context.hpp>
#include <mla/mla.h>
#include <mla/sampler.hpp>
#include <mla/tokenizer.hpp>

struct mla_tokenizer {
  mla::Tokenizer tokenizer;
};

struct mla_model {
  std::shared_ptr<const mla::Model> model;
  std::optional<mla_tokenizer> tokenizer;
};

struct mla_kv_cache {
  std::shared_ptr<mla::KvCache> cache;
  std::shared_ptr<std::atomic<bool>> busy = std::make_shared<std::atomic<bool>>(false);  // of the cache, whatever handles lead to it
  bool borrowed = false;  // from its context, which frees it
};

struct mla_context {
  std::shared_ptr<mla::Context> context;
  mla_kv_cache cache;  // handed out by mla_context_cache()
  std::optional<mla::Tokenizer> tokenizer;  // none for a model of token ids
  mla::Batch batch;    // kept, so that decoding token by token allocates nothing
  std::atomic<bool> busy{false};
};

struct mla_sampler {
  mla::Sampler sampler;
  mutable std::atomic<bool> busy{false};
};

struct mla_text_stream {
  mla::TextStream stream;
  std::string text;  // what the last call returned
  std::atomic<bool> busy{false};
};

struct mla_chat_template {
  mla::ChatTemplate chat_template;
};
