// The forward pass: embed → layers → attention → experts → logits.
#pragma once
#include <mla/context.hpp>
#include <optional>
#include <span>
#include <vector>

#include "attention/attention.hpp"
#include "engine/ubatch.hpp"
#include "engine/wanted_rows.hpp"
#include "model/weights.hpp"
#include "moe/experts.hpp"
#include "platform/memory.hpp"

namespace mla::engine {

/// Tokens that a context computes at once: as the options say, but no more than its cache takes. Throws invalid_argument.
int largest_ubatch(const ContextOptions& options);

/// Activations of up to n tokens. Those of attention, of a dense feed-forward block and of experts are in the same memory: never used at once.
struct Buffers {
  float* residual;    ///< [n, n_embd]
  float* normed;      ///< [n, n_embd]
  float* block_out;   ///< [n, n_embd]
  std::span<std::byte> rounded;  ///< the input of a product in 8 bits

  float* q_latent;    ///< [n, q_lora_rank]
  float* q;           ///< [n, n_heads, n_nope + n_rope]
  float* kv;          ///< [n, n_latent + n_rope]
  float* heads_kv;    ///< [n, n_heads · (n_nope + n_value)]: keys of all heads, then values; expanded cache only
  float* attended;    ///< [n, n_heads, n_value]

  float* hidden;      ///< [n, widest dense n_ff]
  std::optional<moe::ExpertBuffers> experts;

  /// Lays them out over `memory`, or counts.
  Buffers(const model::Config& config, const ContextOptions& options, platform::Scratch& memory);
};

/// Owns the activations. Used by one thread at a time.
class Forward {
 public:
  /// `allocator` instead of the options' own.
  Forward(const model::LoadedModel& model, const ContextOptions& options, const std::shared_ptr<Allocator>& allocator);

  /// Floats of scratch that each thread of the executor must have.
  static std::size_t scratch_floats(const model::LoadedModel& model, int n_ubatch) noexcept;

  /// Writes the tokens' cache rows, logits [logit_rows, n_vocab] and embeddings [embedding_rows, n_embd].
  void run(const Ubatch& ubatch, KvCache::Impl& cache, float* logits, float* embeddings, platform::Executor& executor);

  const std::optional<AttentionRates>& attention_rates() const noexcept { return attention_.rates(); }

 private:
  void multiply(const float* x, std::int64_t n, const kernels::Matrix& w, float* y, platform::Executor& executor);
  void embed(const Ubatch& ubatch, platform::Executor& executor);
  void write_rows(const model::LayerWeights& w, int layer, const Ubatch& ubatch, KvCache::Impl& cache, platform::Executor& executor);
  Ubatch drop_unwanted(const Ubatch& ubatch);
  void attention_block(const model::LayerWeights& w, int layer, const Ubatch& ubatch, KvCache::Impl& cache, platform::Executor& executor);
  void project_queries(const model::LayerWeights& w, const Ubatch& ubatch, platform::Executor& executor);
  void project_latents(const model::LayerWeights& w, const Ubatch& ubatch, platform::Executor& executor);
  void store_rows(const model::LayerWeights& w, int layer, const Ubatch& ubatch, KvCache::Impl& cache, platform::Executor& executor);
  void feed_forward_block(const model::LayerWeights& w, int layer, int n_tokens, platform::Executor& executor);
  void normed_rows(std::span<const int> rows, float* out) const;
  void output(const Ubatch& ubatch, float* logits, float* embeddings, platform::Executor& executor);

  const model::LoadedModel& model_;
  layers::Rope rope_;
  attention::Attention attention_;
  platform::Buffer memory_;
  Buffers buffers_;
  std::optional<moe::Experts> experts_;
  std::vector<float> cosines_, sines_;  // [n, n_rope / 2]
  WantedRows wanted_;
};

}  // namespace mla::engine
