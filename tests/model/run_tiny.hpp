// Logits of a small model, in each mode.
#pragma once
#include <memory>
#include <mla/mla.hpp>
#include <mutex>
#include <string>
#include <vector>

#include "engine/run_model.hpp"
#include "fixed_rates.hpp"
#include "scratch_folder.hpp"
#include "tiny_model.hpp"

constexpr mla::AttentionMode all_modes[] = {mla::AttentionMode::automatic, mla::AttentionMode::deepseek2, mla::AttentionMode::deepseek_mla};

/// Keeps what the library says.
class Messages final : public mla::LogSink {
 public:
  void write(mla::LogLevel, std::string_view message) noexcept override { text.append(message).append("\n"); }
  std::string text;
};

inline Logits logits_of(const std::shared_ptr<const mla::Model>& model, mla::AttentionMode mode, int chunk = 0, int n_tokens = 24) {
  mla::ContextOptions options;
  options.attention = mode;
  options.n_ctx = 64;
  options.n_ubatch = 32;
  options.cache_type_k = options.cache_type_v = mla::CacheType::f32;
  options.n_threads = 1;
  options.attention_rates = fixed_rates;
  mla::Context context(model, options);
  std::vector<mla::Token> tokens;
  for (int i = 0; i < n_tokens; ++i) tokens.push_back((i * 7 + 3) % model->info().n_vocab);
  return run_tokens(context, tokens, chunk);
}

/// Writes the model into the folder and loads it.
inline std::shared_ptr<const mla::Model> load_tiny(const TinyModel& model, const ScratchFolder& folder,
                                                   const mla::ModelOptions& options = {}) {
  const std::string path = folder / "tiny.gguf";
  model.write(path);
  return mla::Model::load(path, options);
}
