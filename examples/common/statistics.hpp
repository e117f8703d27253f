// Means with their errors, quantiles, and what logits say about a token.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace program {

/// Mean of values and its standard error.
class Mean {
 public:
  void add(double x) noexcept { ++n_, sum_ += x, squares_ += x * x; }
  std::int64_t count() const noexcept { return n_; }
  double value() const noexcept { return n_ == 0 ? 0 : sum_ / static_cast<double>(n_); }
  double error() const noexcept {
    const auto n = static_cast<double>(n_);
    return n_ < 2 ? 0 : std::sqrt(std::max(0.0, squares_ / n - value() * value()) / (n - 1));
  }

 private:
  std::int64_t n_ = 0;
  double sum_ = 0, squares_ = 0;
};

/// A figure and its standard error.
struct Figure {
  double value = 0, error = 0;
};
inline Figure figure(const Mean& mean) noexcept { return {mean.value(), mean.error()}; }
/// exp(mean); to first order.
inline Figure exp_figure(const Mean& mean) noexcept { return {std::exp(mean.value()), std::exp(mean.value()) * mean.error()}; }

/// The value below which a fraction of the sorted values lie, between its two neighbours where it falls between them; not empty.
double quantile(std::span<const double> sorted, double fraction) noexcept;

/// ln(sum of exp(logits)); NaN if one is.
double log_sum_exp(std::span<const float> logits) noexcept;
/// -ln of the probability of `token`.
inline double negative_log_likelihood(std::span<const float> logits, std::int32_t token) noexcept {
  return log_sum_exp(logits) - static_cast<double>(logits[static_cast<std::size_t>(token)]);
}

}  // namespace program
