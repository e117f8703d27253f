// The demo model through both interfaces, for the tests that compute.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <mla/mla.h>

#include "catch.hpp"

namespace demo {

inline std::string path() {
  const std::string file = MLA_SOURCE_DIR "/examples/models/demo-f16.gguf";
  if (!std::filesystem::exists(file)) {
    std::fprintf(stderr, "SKIPPED: %s is missing; examples/models/README.md tells how to make it\n", file.c_str());
    std::exit(4);  // what ctest takes for skipped
  }
  return file;
}

// Owners of C objects; a call that fails fails the test with its message.
template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const noexcept { Free(object); }
};
using Model = std::unique_ptr<mla_model, Freer<mla_model_free>>;
using Context = std::unique_ptr<mla_context, Freer<mla_context_free>>;
using Cache = std::unique_ptr<mla_kv_cache, Freer<mla_kv_cache_free>>;
using Sampler = std::unique_ptr<mla_sampler, Freer<mla_sampler_free>>;
using Stream = std::unique_ptr<mla_text_stream, Freer<mla_text_stream_free>>;
using Template = std::unique_ptr<mla_chat_template, Freer<mla_chat_template_free>>;

inline void ok(mla_status status) {
  INFO(mla_last_error());
  REQUIRE(status == MLA_OK);
}

inline Model load(const mla_model_options* options = nullptr) {
  mla_model* model = nullptr;
  ok(mla_model_load(&model, path().c_str(), options));
  return Model(model);
}

inline Context make_context(const Model& model, const mla_context_options* options = nullptr) {
  mla_context* context = nullptr;
  ok(mla_context_new(&context, model.get(), options));
  return Context(context);
}

inline const mla_tokenizer* tokenizer(const Model& model) {
  const mla_tokenizer* borrowed = nullptr;
  ok(mla_model_tokenizer(&borrowed, model.get()));
  return borrowed;
}

inline int n_vocab(const Model& model) {
  mla_model_info info = MLA_MODEL_INFO_INIT;
  ok(mla_model_get_info(&info, model.get()));
  return info.n_vocab;
}

/// Ordinary tokens, the same every time.
inline std::vector<mla_token> some_tokens(const Model& model, int n, int seed = 1) {
  std::vector<mla_token> tokens;
  auto state = static_cast<unsigned>(seed);
  for (int i = 0; i < n; ++i) {
    state = state * 1664525u + 1013904223u;
    tokens.push_back(static_cast<mla_token>(300 + (state >> 8) % static_cast<unsigned>(n_vocab(model) - 400)));
  }
  return tokens;
}

inline mla_batch batch_of(const std::vector<mla_token>& tokens) {
  mla_batch batch = MLA_BATCH_INIT;
  batch.n = static_cast<int32_t>(tokens.size());
  batch.tokens = tokens.data();
  return batch;
}

inline std::vector<float> logits(const Model& model, const Context& context) {
  const float* values = nullptr;
  ok(mla_context_logits(&values, context.get()));
  return {values, values + n_vocab(model)};
}

}  // namespace demo
