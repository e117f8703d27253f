#include "moe/router.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace mla::moe {
namespace {

constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

void softmax(std::span<float> x) {
  const float max = *std::max_element(x.begin(), x.end());
  float sum = 0;
  for (float& value : x) sum += value = std::exp(value - max);
  for (float& value : x) value /= sum;
}

// Index of the largest value; the first of equals.
std::size_t best_of(std::span<const float> scores) {
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

float group_score(Gating gating, std::span<const float> scores) {
  float best = minus_infinity, second = minus_infinity;
  for (const float score : scores) {
    if (score > best)
      second = std::exchange(best, score);
    else
      second = std::max(second, score);
  }
  return gating == Gating::softmax || scores.size() < 2 ? best : best + second;
}

// Selection scores of experts outside the best groups become -infinity: they cannot win, not even against negative ones.
void keep_best_groups(const RouterParams& p, std::span<float> selection) {
  const std::size_t size = selection.size() / static_cast<std::size_t>(p.n_groups);
  std::array<float, max_groups> scores;
  const auto groups = std::span(scores).first(static_cast<std::size_t>(p.n_groups));
  for (std::size_t g = 0; g < groups.size(); ++g) groups[g] = group_score(p.gating, selection.subspan(g * size, size));
  std::array<bool, max_groups> kept{};
  for (int i = 0; i < p.n_groups_used; ++i) {
    const std::size_t g = best_of(groups);
    kept[g] = true;
    groups[g] = minus_infinity;
  }
  for (std::size_t g = 0; g < groups.size(); ++g)
    if (!kept[g]) std::ranges::fill(selection.subspan(g * size, size), minus_infinity);
}

}  // namespace

void route(const RouterParams& p, std::span<float> logits, std::span<const float> bias, std::span<float> selection,
           std::span<Choice> chosen) {
  if (p.gating == Gating::softmax)
    softmax(logits);
  else
    for (float& value : logits) value = 1.0f / (1.0f + std::exp(-value));

  for (std::size_t e = 0; e < logits.size(); ++e) selection[e] = logits[e] + (bias.empty() ? 0.0f : bias[e]);
  if (p.n_groups > 1) keep_best_groups(p, selection);

  float sum = 0;
  for (Choice& choice : chosen) {
    const std::size_t expert = best_of(selection);
    selection[expert] = minus_infinity;
    choice = {static_cast<int>(expert), logits[expert]};
    sum += logits[expert];
  }
  const float factor = p.normalize ? p.scale / (sum + 1e-20f) : p.scale;
  for (Choice& choice : chosen) choice.weight *= factor;
}

}  // namespace mla::moe
