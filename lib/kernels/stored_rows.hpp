// Products of floats with rows as a cache stores them, for queries so few that rewriting the rows for a matrix product would cost more
// than the products: every value is read once, where it is.
#pragma once
#include <cstddef>
#include <cstdint>

#include "platform/cpu.hpp"

namespace mla::kernels {

/// How the values of a row are stored; q8_row and q16_row: int8 or int16 values, then their f32 scale.
enum class StoredType { f32, f16, bf16, q8_0, q6_0, q4_0, q8_row, q16_row };

/// `n` rows of `width` values, each from byte `offset` of its pointer on.
struct StoredRowList {
  const std::byte* const* rows;
  std::int64_t n;
  std::size_t offset;
  std::int64_t width;
  std::int64_t n_next = 0;  ///< pointers behind the last row's: rows that will be read next, and are fetched meanwhile
};

struct StoredRowKernels {
  /// out[i] += x · row i; x [width], out [n].
  void (*add_dots)(const StoredRowList& list, const float* x, float* out) noexcept;
  /// y += sum over i of weights[i] · row i; y [width]. A weight of 0 leaves its row out, whatever is in it.
  void (*add_weighted)(const StoredRowList& list, const float* weights, float* y) noexcept;
};

/// The implementation of one instruction set, for rows of a width that is a multiple of the type's block.
StoredRowKernels stored_row_kernels(StoredType type, std::int64_t width, platform::Isa isa) noexcept;

}  // namespace mla::kernels
