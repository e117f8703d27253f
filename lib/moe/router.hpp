// Which experts a token goes to, and with what weight.
#pragma once
#include <span>

namespace mla::moe {

constexpr int max_groups = 64;

enum class Gating { softmax, sigmoid };

struct RouterParams {
  int n_experts = 0;
  int n_used = 0;
  int n_groups = 1;       ///< 1: no group limit
  int n_groups_used = 1;
  Gating gating = Gating::softmax;
  bool normalize = false;  ///< weights are divided by their sum
  float scale = 1;
};

struct Choice {
  int expert;
  float weight;
};

/// Routes one token.
/// logits [n_experts] become the scores; bias [n_experts] is added for the selection only, or empty; selection [n_experts] is
/// memory to work in; chosen [n_used].
/// Softmax gating scores a group by its best expert (DeepSeek-V2, section 2.2.2), sigmoid gating by the sum of its two best
/// (DeepSeek-V3, section 2.1.2). Equal scores: the lower index wins.
void route(const RouterParams& p, std::span<float> logits, std::span<const float> bias, std::span<float> selection,
           std::span<Choice> chosen);

}  // namespace mla::moe
