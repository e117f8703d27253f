// Mixture of experts: routes a ubatch, runs each expert once on all of its tokens, and adds up.
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "kernels/matrix.hpp"
#include "layers/ffn.hpp"
#include "moe/router.hpp"
#include "platform/executor.hpp"
#include "platform/scratch.hpp"

namespace mla::moe {

struct ExpertWeights {
  kernels::Matrix router;          ///< [n_experts, n_embd]
  const float* bias = nullptr;     ///< [n_experts], for the selection; may be null
  kernels::MatrixStack gate, up;   ///< n_experts × [n_ff, n_embd]
  kernels::MatrixStack down;       ///< n_experts × [n_embd, n_ff]

  layers::FfnWeights expert(int e) const noexcept { return {gate[e], up[e], down[e]}; }
};

struct ExpertSizes {
  RouterParams router;
  int n_embd, n_ff, n_ubatch;

  std::int64_t n_slots() const noexcept { return std::int64_t{n_ubatch} * router.n_used; }
};

/// What an ubatch's activations are kept in. A slot is a token with one of its experts; slots are grouped by expert.
struct ExpertBuffers {
  float *logits, *selection;  ///< [n_ubatch, n_experts]
  float* inputs;              ///< [n_slots, n_embd]; what comes out replaces what went in
  float* hidden;              ///< [n_slots, n_ff]

  ExpertBuffers(const ExpertSizes& sizes, platform::Scratch& memory) noexcept;
  /// Memory for inputs or hidden in 8 bits.
  static std::size_t rounded_bytes(const ExpertSizes& sizes) noexcept;
};

class Experts {
 public:
  /// Works in memory of others: nothing in it lasts from one run() to the next. `rounded` has rounded_bytes().
  Experts(const ExpertSizes& sizes, const ExpertBuffers& buffers, std::span<std::byte> rounded);

  /// y += experts(x); x, y [n_tokens, n_embd].
  void run(const ExpertWeights& w, const float* x, int n_tokens, float* y, platform::Executor& executor);

 private:
  void route_tokens(const ExpertWeights& w, const float* x, int n_tokens, platform::Executor& executor);
  void group_by_expert(int n_tokens);
  void show(const kernels::MatrixStack& w, const float* inputs, platform::Executor& executor) const;
  platform::Work work_of_hit(const kernels::Matrix& w, int n_slots) const noexcept;

  ExpertSizes sizes_;
  ExpertBuffers buffers_;
  std::span<std::byte> rounded_;
  std::vector<Choice> choices_;       // [n_ubatch, n_used]
  std::vector<int> begin_;            // [n_experts + 1] first slot of each expert
  std::vector<int> slot_;             // [n_ubatch, n_used] where a token's choice is in the grouped order
  std::vector<int> hit_;              // experts that have tokens
};

}  // namespace mla::moe
