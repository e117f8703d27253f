#include "kernels/elementwise.hpp"

#include <Eigen/Core>
#include <cmath>

namespace mla::kernels {
namespace {

using Row = Eigen::Map<Eigen::ArrayXf>;
using ConstRow = Eigen::Map<const Eigen::ArrayXf>;

}  // namespace

void rms_norm(const float* x, const float* weight, float eps, float* y, std::int64_t n) {
  double squares = 0;
  for (std::int64_t i = 0; i < n; ++i) squares += static_cast<double>(x[i]) * x[i];
  const float scale = static_cast<float>(1.0 / std::sqrt(squares / static_cast<double>(n) + eps));
  for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] * scale * weight[i];
}

void rope_interleaved(float* x, const float* cosines, const float* sines, std::int64_t n_pairs) {
  for (std::int64_t i = 0; i < n_pairs; ++i) {
    const float a = x[2 * i], b = x[2 * i + 1];
    x[2 * i] = a * cosines[i] - b * sines[i];
    x[2 * i + 1] = a * sines[i] + b * cosines[i];
  }
}

void silu_multiply(float* gate, const float* up, std::int64_t n) {
  Row g(gate, n);
  g = g / (1.0f + (-g).exp()) * ConstRow(up, n);
}

float exp_minus_max(float* x, float max, std::int64_t n) {
  Row row(x, n);
  // Eigen's exp() of -infinity is tiny, not 0.
  row = (row == -std::numeric_limits<float>::infinity()).select(0.0f, (row - max).exp());
  return row.sum();
}

void add_scaled(float* y, const float* x, float scale, std::int64_t n) { Row(y, n) += scale * ConstRow(x, n); }

}  // namespace mla::kernels
