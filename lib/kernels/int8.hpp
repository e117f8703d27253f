// Products of block-quantised weights with activations rounded to 8 bits: integers inside a block, floats across blocks.
#pragma once
#include <cstddef>
#include <cstdint>

#include "platform/cpu.hpp"
#include "quant/gguf_type.hpp"

namespace mla::kernels {

/// Values of a row that share one activation scale: the super-block of the K formats.
constexpr std::int64_t chunk_values = 256;

/// Activation rows as 8-bit integers: x ≈ scale · q. Rows are padded with zeros to whole chunks. Doesn't own its memory.
struct Int8Rows {
  std::int64_t n_chunks = 0;
  std::int8_t* q = nullptr;   // [m, n_chunks, 256], -127 to 127
  float* scale = nullptr;     // [m, n_chunks]
  std::int16_t* sums16 = nullptr;  // [m, n_chunks, 16] sums of q over 16 values
  std::int16_t* sums32 = nullptr;  // [m, n_chunks, 8]  … over 32
  /// Of every four neighbours the first two and the last two apart, as the 16-bit halves of a vector's lane add them up:
  std::int16_t* lanes16 = nullptr;  // [m, n_chunks, 16, 2] over 16 values
  std::int16_t* lanes32 = nullptr;  // [m, n_chunks, 8, 2]  … over 32

  bool is_empty() const noexcept { return q == nullptr; }
  /// The rows from this one on; of an empty view, an empty one.
  Int8Rows from(std::int64_t row) const noexcept {
    if (is_empty()) return {};
    const std::int64_t at = row * n_chunks;
    return {n_chunks, q + at * chunk_values, scale + at, sums16 + at * 16, sums32 + at * 8, lanes16 + at * 32, lanes32 + at * 16};
  }
};

inline std::int64_t n_chunks(std::int64_t columns) noexcept { return (columns + chunk_values - 1) / chunk_values; }
/// Memory of m rows, and the view of it.
std::size_t int8_rows_bytes(std::int64_t m, std::int64_t columns) noexcept;
Int8Rows int8_rows_at(void* memory, std::int64_t m, std::int64_t columns) noexcept;

/// y[i, j] = sum over k of a[i, k] · w[j, k], for i < m, j < n. Inside a block integers add up, exactly; a chunk of 256 values
/// then adds to y in floats, chunk by chunk: the result is the same to the bit for every m, layout and instruction set.
struct Int8Product {
  Int8Rows a;
  std::int64_t m;
  const std::byte* w;  // [n, k] in blocks, rows row_bytes apart; or in panels of 16 · row_bytes, n then being whole panels
  std::size_t row_bytes;
  std::int64_t n, k;
  float* y;  // [m, n], rows ldy apart
  std::int64_t ldy;
  bool in_panels = false;
};

/// The implementations of one instruction set.
struct Int8Kernels {
  /// Rounds a row x [k] to row 0 of `out`: nearest, ties to even.
  void (*quantize)(const float* x, std::int64_t k, const Int8Rows& out) noexcept;
  using ProductFn = void (*)(const Int8Product& p, void* scratch) noexcept;
  ProductFn (*find)(quant::Type type) noexcept;  ///< nullptr: not for this type
  /// Sixteen rows, row_bytes each and apart, into a panel of 16 · row_bytes (kernels/panels.hpp).
  using InterleaveFn = void (*)(const std::byte* rows, std::size_t row_bytes, std::byte* panel) noexcept;
  InterleaveFn (*find_interleave)(quant::Type type) noexcept;  ///< as find()
};

/// Scratch that a product needs, 64-byte aligned.
constexpr std::size_t int8_scratch_bytes = 320 << 10;

namespace scalar {
extern const Int8Kernels int8;  // plain loops: the oracle of the others
}
namespace avx2 {
extern const Int8Kernels int8;
}
namespace avx512 {
extern const Int8Kernels int8;  // needs VNNI
}
namespace neon {
extern const Int8Kernels int8;  // needs the dot product instructions
}

/// nullptr where only float products run: a processor below AVX2, or ARM without dot products.
const Int8Kernels* int8_kernels(platform::Isa isa) noexcept;
const Int8Kernels* active_int8_kernels();

}  // namespace mla::kernels
