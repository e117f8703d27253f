// Products of 16-bit integers with exact 32-bit sums: the arithmetic of attention. Rows are rounded to integers with a scale of their
// own, finer than an f16 row is; AVX2 multiplies them at twice the rate of floats (docs/attention.md).
#pragma once
#include <cstddef>
#include <cstdint>

#include "platform/cpu.hpp"

namespace mla::kernels {

// Two neighbours along k stand together: a vector's lane multiplies both and adds them up. The right operand is stored in panels of
// sixteen columns, [k / 2][16][2]; of the left one a pair is read at a time, wherever rows and pairs are.
constexpr std::int64_t int16_rows = 4;      ///< rows come in fours
constexpr std::int64_t int16_columns = 16;  ///< of a panel
constexpr std::int64_t int16_group = 128;   ///< products that are summed in integers; groups add up in floats

/// In a group, the Euclidean norm of a rounded row is below this: the product of two such rows is below 2^31 (Cauchy-Schwarz).
constexpr float int16_norm = 46330.0f;
constexpr float int16_largest = 16383.0f;  ///< of a rounded row
/// The integer weights of a row of a softmax sum up to little more: their product with rounded rows is below 2^31 too.
constexpr float int16_weight_sum = 130500.0f;
constexpr float int16_largest_weight = 32767.0f;

/// 1 / scale; 0 for the scale of zeros, of what is next to nothing, and of what isn't finite, which lives on in the scale alone.
static inline float int16_inverse(float scale) noexcept { return scale > 1e-30f && scale < 1e30f ? 1.0f / scale : 0.0f; }

/// c[i, j] = a_scale[i] · b_scale[j] · sum over k of a[i, k] · b[k, j], plus c_factor[i] · c[i, j] where c_factor is given.
struct Int16Product {
  const std::int16_t* a;  ///< pair k / 2 of row i is at i · a_row + k / 2 · a_pair
  std::int64_t a_row, a_pair;
  const std::int16_t* b;  ///< panels of 16 columns, 16 · k values each, b_stride values apart
  std::int64_t b_stride;
  std::int64_t m, n, k;   ///< multiples of 4, 16 and 2
  const float* a_scale;   ///< [m]
  const float* b_scale;   ///< [n], or nullptr: 1
  const float* c_factor;  ///< [m], or nullptr: what c held is lost
  float* c;               ///< [m, n], rows ldc apart
  std::int64_t ldc;
  bool one_group = false;  ///< all of k is summed in integers
  const std::byte* ahead = nullptr;  ///< memory that will be read next: fetched meanwhile
  std::int64_t ahead_bytes = 0;
};

constexpr std::int64_t int16_softmax_keys = 256;
/// Scores of sixteen rows turned into integer weights against the running maxima and sums of their softmax.
struct Int16Softmax {
  float* scores;             ///< [n, 16]; lost
  const float* value_scale;  ///< [n] that of the integers the weights will meet
  std::int64_t n;            ///< keys, even, at most int16_softmax_keys
  const std::int32_t* visible;  ///< [16] row j sees the first visible[j] keys; the others get the weight 0
  float* max;                   ///< [16] of the keys before, -infinity at first; then of all keys so far
  float* sum;                   ///< [16] of exp(score - max), likewise
  // Results:
  std::int16_t* weights;  ///< [n / 2, 16, 2], value_scale included
  float* weight_scale;    ///< [16] a weight of 1 stands for this; the sum of weights is then right, however each is rounded
  float* factor;          ///< [16] exp(max before - max): what was summed up before shrinks by this
};

/// The implementations of one instruction set.
struct Int16Kernels {
  /// Rounds x [n] to integers and returns the scale: x ≈ scale · out. Every group of them keeps to int16_norm.
  float (*round)(const float* x, std::int64_t n, std::int16_t* out) noexcept;
  /// The same for a row that is stored in a format, n a multiple of 16; nullptr: floats must be made of it first.
  using RoundStoredFn = float (*)(const std::byte* x, std::int64_t n, std::int16_t* out) noexcept;
  RoundStoredFn round_f16;
  RoundStoredFn round_q8_0;    ///< n a multiple of 32
  RoundStoredFn round_q8_row;  ///< n int8 values, then their f32 scale
  /// Sixteen rows of n_pairs pairs, ld apart, into a panel.
  void (*interleave)(const std::int16_t* rows, std::int64_t ld, std::int64_t n_pairs, std::int16_t* panel) noexcept;
  /// Two rows [n], which are neighbours along k, n a multiple of 16: the first 32 values go to out, the next to out + stride, …
  void (*pair)(const std::int16_t* row0, const std::int16_t* row1, std::int64_t n, std::int16_t* out, std::int64_t stride) noexcept;
  void (*multiply)(const Int16Product& p) noexcept;
  void (*softmax)(const Int16Softmax& rows) noexcept;
};

namespace scalar {
extern const Int16Kernels int16;  // plain loops: the oracle of the others
}
namespace avx2 {
extern const Int16Kernels int16;
}
namespace avx512 {
void multiply_int16(const Int16Product& p) noexcept;  // needs VNNI; all else is AVX2's
}

/// The best of those that the instruction set allows.
Int16Kernels int16_kernels(platform::Isa isa) noexcept;
const Int16Kernels& active_int16_kernels();

}  // namespace mla::kernels
