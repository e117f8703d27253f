#include "sampling/candidates.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "sampling/portable_math.hpp"

namespace mla::sampling {
namespace {

constexpr double bits_per_nat = 0x1.71547652b82fep+0;  // 1 / ln 2

// Sorts the front of the list until the weights there add up to `mass`; the index of the candidate that reaches it, or of
// the last. The rest is left in no particular order. Cheaper than a sort of all: mostly a few of many candidates suffice.
template <typename Less>
std::size_t sort_until(std::vector<Candidate>& candidates, double mass, Less less) {
  double sum = 0;
  std::size_t sorted = 0;
  for (std::size_t i = 0; i + 1 < candidates.size(); ++i) {
    if (i == sorted) {
      const auto begin = candidates.begin() + static_cast<std::ptrdiff_t>(sorted);
      sorted = std::min(candidates.size(), std::max<std::size_t>(64, 4 * sorted));
      const auto end = candidates.begin() + static_cast<std::ptrdiff_t>(sorted);
      if (end != candidates.end()) std::nth_element(begin, end, candidates.end(), less);
      std::sort(begin, end, less);
    }
    sum += candidates[i].weight;
    if (sum >= mass) return i;
  }
  return candidates.size() - 1;
}

}  // namespace

float kth_largest(std::span<const float> values, std::size_t k, std::vector<float>& scratch) {
  const auto kth = [&] { return scratch.begin() + static_cast<std::ptrdiff_t>(k - 1); };
  scratch.clear();
  scratch.reserve(2 * k);
  float threshold = -std::numeric_limits<float>::infinity();
  for (const float value : values) {
    if (!(value > threshold)) continue;
    scratch.push_back(value);
    if (scratch.size() < 2 * k) continue;
    std::nth_element(scratch.begin(), kth(), scratch.end(), std::greater<>());
    threshold = *kth();
    scratch.resize(k);
  }
  if (scratch.size() < k) return threshold;
  std::nth_element(scratch.begin(), kth(), scratch.end(), std::greater<>());
  return *kth();
}

void gather(std::span<const float> logits, float largest, float threshold, double temperature, std::vector<Candidate>& out) {
  const double inverse_temperature = 1.0 / temperature;
  out.clear();
  out.reserve(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const float logit = logits[i];
    if (logit < threshold || logit == -std::numeric_limits<float>::infinity()) continue;
    const double surplus = (static_cast<double>(logit) - static_cast<double>(largest)) * inverse_temperature;
    out.push_back({static_cast<Token>(i), logit, surplus, portable_exp(surplus)});
  }
}

double total_weight(const std::vector<Candidate>& candidates) noexcept {
  double sum = 0;
  for (const Candidate& candidate : candidates) sum += candidate.weight;
  return sum;
}

void keep_top_p(std::vector<Candidate>& candidates, double p) {
  candidates.resize(sort_until(candidates, p * total_weight(candidates), more_likely) + 1);
}

void keep_min_p(std::vector<Candidate>& candidates, double share) {
  std::erase_if(candidates, [share](const Candidate& candidate) { return candidate.weight < share; });
}

void keep_typical(std::vector<Candidate>& candidates, double p) {
  const double total = total_weight(candidates);
  double mean = 0;
  for (const Candidate& candidate : candidates) mean += candidate.weight * candidate.surplus;
  mean /= total;
  // Surprise is log(total) - surplus and the entropy log(total) - mean: the logarithm drops out of the difference.
  const auto distance = [mean](const Candidate& candidate) { return std::fabs(mean - candidate.surplus); };
  const auto closer = [&distance](const Candidate& a, const Candidate& b) {
    const double distance_a = distance(a), distance_b = distance(b);
    return distance_a != distance_b ? distance_a < distance_b : a.token < b.token;
  };
  const double limit = distance(candidates[sort_until(candidates, p * total, closer)]);
  std::erase_if(candidates, [&](const Candidate& candidate) { return distance(candidate) > limit; });
  std::sort(candidates.begin(), candidates.end(), more_likely);
}

double keep_below_surprise(std::vector<Candidate>& candidates, double mu) {
  const double log_total = portable_log(total_weight(candidates));
  const Candidate top = *std::min_element(candidates.begin(), candidates.end(), more_likely);
  std::erase_if(candidates, [&](const Candidate& candidate) { return surprise(candidate, log_total) > mu; });
  if (candidates.empty()) candidates.push_back(top);
  return log_total;
}

double surprise(const Candidate& candidate, double log_total) noexcept {
  return (log_total - candidate.surplus) * bits_per_nat;
}

}  // namespace mla::sampling
