#include "kernels/elementwise.hpp"

#include <Eigen/Core>
#include <algorithm>
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

// Eight at a time, the last ones too: Eigen's exp() of single values rounds otherwise than that of vectors, and which values of a row are
// single ones would depend on where the row is.
void silu_multiply(float* gate, const float* up, std::int64_t n) {
  using Eight = Eigen::Array<float, 8, 1>;
  const auto multiply = [](Eight& g, const Eight& u) { g = g / (1.0f + (-g).exp()) * u; };
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    Eight g = Eigen::Map<const Eight>(gate + i);
    multiply(g, Eigen::Map<const Eight>(up + i));
    Eigen::Map<Eight>(gate + i) = g;
  }
  if (i == n) return;
  Eight g = Eight::Zero(), u = Eight::Zero();
  std::copy(gate + i, gate + n, g.data()), std::copy(up + i, up + n, u.data());
  multiply(g, u);
  std::copy_n(g.data(), n - i, gate + i);
}

float exp_minus_max(float* x, float max, std::int64_t n) {
  Row row(x, n);
  // Eigen's exp() of -infinity is tiny, not 0.
  row = (row == -std::numeric_limits<float>::infinity()).select(0.0f, (row - max).exp());
  return row.sum();
}

void add_scaled(float* y, const float* x, float scale, std::int64_t n) { Row(y, n) += scale * ConstRow(x, n); }

void scale_and_add_scaled(float* y, float y_scale, const float* x, float x_scale, std::int64_t n) {
  Row(y, n) = y_scale * Row(y, n) + x_scale * ConstRow(x, n);
}

}  // namespace mla::kernels
