#include "perplexity/divergence.hpp"

namespace program::perplexity {

Difference compare(std::span<const float> logits, const LogProbs& base, mla::Token next) noexcept {
  // The record's rounding leaves the sum of p a little beside 1; divided by it, the divergence can't be negative. What is further down
  // than a record tells apart (code 0) has no part in it, unless all of them are equal.
  const bool flat = !(base.scale > 0);
  const auto log_p = [&](std::size_t i) { return static_cast<double>(base.scale) * base.codes[i] + static_cast<double>(base.least); };
  const double log_q_sum = log_sum_exp(logits);
  double sum = 0, weighted = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (base.codes[i] == 0 && !flat) continue;
    const double p = std::exp(log_p(i));
    sum += p;
    weighted += p * (log_p(i) - (static_cast<double>(logits[i]) - log_q_sum));
  }
  const double log_sum = std::log(sum);
  const auto at = static_cast<std::size_t>(next);
  Difference d;
  d.divergence = weighted / sum - log_sum;
  d.nll = log_q_sum - static_cast<double>(logits[at]);
  d.base_nll = log_sum - log_p(at);
  d.change = std::exp(-d.nll) - std::exp(-d.base_nll);
  d.same_top = std::ranges::max_element(logits) - logits.begin() == std::ranges::max_element(base.codes) - base.codes.begin();
  return d;
}

void Divergence::add(const Difference& d) {
  nll_.add(d.nll);
  base_nll_.add(d.base_nll);
  log_ratio_.add(d.nll - d.base_nll);
  divergence_.add(d.divergence);
  same_top_.add(d.same_top ? 1 : 0);
  change_.add(d.change);
  squared_change_.add(d.change * d.change);
  divergences_.push_back(d.divergence);
}

Figure Divergence::rms_change() const noexcept {
  const double rms = std::sqrt(squared_change_.value());
  return {rms, rms > 0 ? squared_change_.error() / (2 * rms) : 0};
}

std::vector<double> Divergence::sorted_divergences() const {
  std::vector<double> sorted = divergences_;
  std::ranges::sort(sorted);
  return sorted;
}

}  // namespace program::perplexity
