// Products of 16-bit integers with exact 32-bit sums: the arithmetic of attention. Rows are rounded to integers with a scale of their
// own, finer than an f16 row is; AVX2 multiplies them at twice the rate of floats (docs/attention.md).
#pragma once
#include <cstddef>
#include <cstdint>

#include "platform/cpu.hpp"

namespace mla::kernels {

// Operands are stored in panels, two neighbours along k together: a vector's lane multiplies both and adds them up.
constexpr std::int64_t int16_rows = 4;      ///< of a panel of the left operand:  [k / 2][4][2]
constexpr std::int64_t int16_columns = 16;  ///< of a panel of the right operand: [k / 2][16][2]
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
  const std::int16_t* a;  ///< panels of 4 rows, 4 · k values each
  const std::int16_t* b;  ///< panels of 16 columns, 16 · k values each, b_stride values apart
  std::int64_t b_stride;
  std::int64_t m, n, k;   ///< whole panels; k even
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
/// One row of scores turned into integer weights against the running maximum and sum of its softmax.
struct Int16Softmax {
  const float* scores;      ///< [n]
  const float* value_scale; ///< [n] that of the integers the weights will meet
  std::int64_t n;           ///< visible keys, 1 to int16_softmax_keys
  float old_max;            ///< of the keys before; -infinity at first
  // Results:
  std::int16_t* weights;  ///< [n], value_scale included
  float max;              ///< of all keys so far
  float sum;              ///< of exp(score - max) over these n
  float weight_scale;     ///< a weight of 1 stands for this; the sum of weights is then right, however each is rounded
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
  /// Rows of n_pairs pairs, ld apart, into a panel of 4 or of 16.
  void (*interleave4)(const std::int16_t* rows, std::int64_t ld, std::int64_t n_pairs, std::int16_t* panel) noexcept;
  void (*interleave16)(const std::int16_t* rows, std::int64_t ld, std::int64_t n_pairs, std::int16_t* panel) noexcept;
  /// Two rows [n], which are neighbours along k, n a multiple of 16: the first 32 values go to out, the next to out + stride, …
  void (*pair)(const std::int16_t* row0, const std::int16_t* row1, std::int64_t n, std::int16_t* out, std::int64_t stride) noexcept;
  void (*multiply)(const Int16Product& p) noexcept;
  void (*softmax)(Int16Softmax& row) noexcept;
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
