#include <algorithm>
#include <cmath>

#include "kernels/int16.hpp"

namespace mla::kernels {
namespace {

float round_row(const float* x, std::int64_t n, std::int16_t* out) noexcept {
  float largest = 0;
  double norm2 = 0, sum = 0;
  for (std::int64_t first = 0; first < n; first += int16_group) {
    double squares = 0;
    for (std::int64_t i = first; i < std::min(n, first + int16_group); ++i) {
      largest = std::max(largest, std::abs(x[i]));
      squares += static_cast<double>(x[i]) * x[i];
    }
    norm2 = std::max(norm2, squares);
    sum += squares;  // unlike a maximum, a sum keeps what isn't a number
  }
  const float scale = std::isfinite(sum) ? std::max(largest / int16_largest, static_cast<float>(std::sqrt(norm2)) / int16_norm) : NAN;
  const float inverse = int16_inverse(scale);
  for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<std::int16_t>(std::nearbyint(inverse == 0.0f ? 0.0f : x[i] * inverse));
  return scale;
}

template <int rows_of_panel>
void interleave(const std::int16_t* rows, std::int64_t ld, std::int64_t n_pairs, std::int16_t* panel) noexcept {
  for (std::int64_t pair = 0; pair < n_pairs; ++pair)
    for (int row = 0; row < rows_of_panel; ++row)
      for (int i = 0; i < 2; ++i) panel[(pair * rows_of_panel + row) * 2 + i] = rows[row * ld + 2 * pair + i];
}

void pair_rows(const std::int16_t* row0, const std::int16_t* row1, std::int64_t n, std::int16_t* out, std::int64_t stride) noexcept {
  for (std::int64_t first = 0; first < n; first += int16_columns, out += stride)
    for (std::int64_t i = 0; i < int16_columns; ++i) out[2 * i] = row0[first + i], out[2 * i + 1] = row1[first + i];
}

void multiply(const Int16Product& p) noexcept {
  const std::int64_t group = p.one_group ? p.k : int16_group;
  for (std::int64_t i = 0; i < p.m; ++i)
    for (std::int64_t j = 0; j < p.n; ++j) {
      const std::int16_t* a = p.a + i / int16_rows * int16_rows * p.k + i % int16_rows * 2;
      const std::int16_t* b = p.b + j / int16_columns * p.b_stride + j % int16_columns * 2;
      float total = 0;
      for (std::int64_t first = 0; first < p.k; first += group) {
        std::int32_t sum = 0;
        for (std::int64_t k = first; k < std::min(p.k, first + group); ++k)
          sum += a[k / 2 * int16_rows * 2 + k % 2] * b[k / 2 * int16_columns * 2 + k % 2];
        total += static_cast<float>(sum);
      }
      float& c = p.c[i * p.ldc + j];
      const float y = total * (p.a_scale[i] * (p.b_scale != nullptr ? p.b_scale[j] : 1.0f));
      c = p.c_factor != nullptr ? p.c_factor[i] * c + y : y;
    }
}

void softmax(Int16Softmax& row) noexcept {
  row.max = std::max(row.old_max, *std::max_element(row.scores, row.scores + row.n));
  const auto weight = [&](std::int64_t i) { return std::exp(row.scores[i] - row.max); };
  float sum_of_weights = 0, largest = 0;
  row.sum = 0;
  for (std::int64_t i = 0; i < row.n; ++i) {
    row.sum += weight(i);
    sum_of_weights += weight(i) * row.value_scale[i];
    largest = std::max(largest, weight(i) * row.value_scale[i]);
  }
  row.weight_scale = std::max(sum_of_weights / int16_weight_sum, largest / int16_largest_weight);
  const float inverse = int16_inverse(row.weight_scale);
  std::int32_t integers = 0;
  for (std::int64_t i = 0; i < row.n; ++i) {
    row.weights[i] = static_cast<std::int16_t>(std::nearbyint(inverse == 0.0f ? 0.0f : weight(i) * row.value_scale[i] * inverse));
    integers += row.weights[i];
  }
  if (integers > 0) row.weight_scale = sum_of_weights / static_cast<float>(integers);
}

}  // namespace

namespace scalar {
const Int16Kernels int16 = {round_row, nullptr, nullptr, nullptr, interleave<int16_rows>, interleave<int16_columns>, pair_rows, multiply, softmax};
}
}  // namespace mla::kernels
