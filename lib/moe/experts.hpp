// Mixture of experts: routes a ubatch, runs each expert once on all of its tokens, and adds up.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "kernels/matrix.hpp"
#include "layers/ffn.hpp"
#include "moe/router.hpp"
#include "platform/executor.hpp"
#include "platform/memory.hpp"

namespace mla::moe {

struct ExpertWeights {
  kernels::Matrix router;          ///< [n_experts, n_embd]
  const float* bias = nullptr;     ///< [n_experts], for the selection; may be null
  kernels::MatrixStack gate, up;   ///< n_experts × [n_ff, n_embd]
  kernels::MatrixStack down;       ///< n_experts × [n_embd, n_ff]

  layers::FfnWeights expert(int e) const noexcept { return {gate[e], up[e], down[e]}; }
};

class Experts {
 public:
  /// Takes the memory for ubatches of up to n_ubatch tokens.
  Experts(const RouterParams& params, int n_embd, int n_ff, int n_ubatch, const std::shared_ptr<Allocator>& allocator);

  /// y += experts(x); x, y [n_tokens, n_embd].
  void run(const ExpertWeights& w, const float* x, int n_tokens, float* y, platform::Executor& executor);

 private:
  void route_tokens(const ExpertWeights& w, const float* x, int n_tokens, platform::Executor& executor);
  void group_by_expert(int n_tokens);
  void show(const kernels::MatrixStack& w, const float* inputs, platform::Executor& executor) const;
  platform::Work work_of_hit(const kernels::Matrix& w, int n_slots) const noexcept;

  RouterParams params_;
  std::int64_t n_embd_, n_ff_;
  platform::Buffer memory_;
  float *logits_, *selection_;        // [n_ubatch, n_experts]
  float *inputs_, *outputs_;          // [n_ubatch · n_used, n_embd], grouped by expert
  float *hidden_, *up_;               // [n_ubatch · n_used, n_ff]
  std::span<std::byte> rounded_;      // inputs_ or hidden_ in 8 bits
  std::vector<Choice> choices_;       // [n_ubatch, n_used]
  std::vector<int> begin_;            // [n_experts + 1] first slot of each expert
  std::vector<int> slot_;             // [n_ubatch, n_used] where a token's choice is in the grouped order
  std::vector<int> hit_;              // experts that have tokens
};

}  // namespace mla::moe
