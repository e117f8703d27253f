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

void interleave(const std::int16_t* rows, std::int64_t ld, std::int64_t n_pairs, std::int16_t* panel) noexcept {
  for (std::int64_t pair = 0; pair < n_pairs; ++pair)
    for (int row = 0; row < int16_columns; ++row)
      for (int i = 0; i < 2; ++i) panel[(pair * int16_columns + row) * 2 + i] = rows[row * ld + 2 * pair + i];
}

void pair_rows(const std::int16_t* row0, const std::int16_t* row1, std::int64_t n, std::int16_t* out, std::int64_t stride) noexcept {
  for (std::int64_t first = 0; first < n; first += int16_columns, out += stride)
    for (std::int64_t i = 0; i < int16_columns; ++i) out[2 * i] = row0[first + i], out[2 * i + 1] = row1[first + i];
}

void multiply(const Int16Product& p) noexcept {
  const std::int64_t group = p.one_group ? p.k : int16_group;
  for (std::int64_t i = 0; i < p.m; ++i)
    for (std::int64_t j = 0; j < p.n; ++j) {
      const std::int16_t* a = p.a + i * p.a_row;
      const std::int16_t* b = p.b + j / int16_columns * p.b_stride + j % int16_columns * 2;
      float total = 0;
      for (std::int64_t first = 0; first < p.k; first += group) {
        std::int32_t sum = 0;
        for (std::int64_t k = first; k < std::min(p.k, first + group); ++k)
          sum += a[k / 2 * p.a_pair + k % 2] * b[k / 2 * int16_columns * 2 + k % 2];
        total += static_cast<float>(sum);
      }
      float& c = p.c[i * p.ldc + j];
      const float y = total * (p.a_scale[i] * (p.b_scale != nullptr ? p.b_scale[j] : 1.0f));
      c = p.c_factor != nullptr ? p.c_factor[i] * c + y : y;
    }
}

void softmax_row(const Int16Softmax& p, std::int64_t row) noexcept {
  const std::int64_t n = std::min<std::int64_t>(p.n, p.visible[row]);
  const auto score = [&](std::int64_t key) -> float& { return p.scores[key * int16_columns + row]; };
  float max = p.max[row], sum = 0, total = 0, largest = 0;
  for (std::int64_t key = 0; key < n; ++key) max = std::max(max, score(key));
  for (std::int64_t key = 0; key < n; ++key) {
    const float weight = std::exp(score(key) - max);
    sum += weight;
    score(key) = weight * p.value_scale[key];
    total += score(key), largest = std::max(largest, score(key));
  }
  p.factor[row] = p.max[row] == max ? 1.0f : std::exp(p.max[row] - max);
  p.max[row] = max, p.sum[row] = p.sum[row] * p.factor[row] + sum;
  p.weight_scale[row] = std::max(total / int16_weight_sum, largest / int16_largest_weight);
  const float inverse = int16_inverse(p.weight_scale[row]);
  std::int32_t integers = 0;
  for (std::int64_t key = 0; key < p.n; ++key) {
    std::int16_t& weight = p.weights[(key / 2 * int16_columns + row) * 2 + key % 2];
    weight = static_cast<std::int16_t>(std::nearbyint(key >= n || inverse == 0.0f ? 0.0f : score(key) * inverse));
    integers += weight;
  }
  if (integers > 0) p.weight_scale[row] = total / static_cast<float>(integers);
}

void softmax(const Int16Softmax& p) noexcept {
  for (std::int64_t row = 0; row < int16_columns; ++row) softmax_row(p, row);
}

}  // namespace

namespace scalar {
const Int16Kernels int16 = {round_row, nullptr, nullptr, nullptr, interleave, pair_rows, multiply, softmax};
}
}  // namespace mla::kernels
