// How a token's row of one layer lies in a cache page, and how it is written and read.
#pragma once
#include <cstddef>
#include <mla/kv_cache.hpp>

namespace mla::cache {

/// A part of a row: `width` values from byte `offset`, in groups that are each written and read as a row of their own: one for each head
/// where there are heads. A group of q8_row or q16_row is its values as int8 or int16, then their f32 scale; of the other types, blocks one
/// after another.
struct RowPart {
  CacheType type = CacheType::f32;
  int width = 0;  ///< of all groups
  int group = 0;  ///< values in a group
  std::size_t offset = 0;

  /// Of `count` values, whole groups or, in block formats, whole blocks.
  std::size_t bytes(int count) const;
};

/// Latent row: key = c [n_latent], rope = k_pe [n_rope], no value.
/// Expanded row: key = [n_heads, n_nope], rope = k_pe [n_rope] once for all heads, value = [n_heads, n_value].
struct RowFormat {
  RowPart key, rope, value;
  std::size_t bytes = 0;  ///< of a row, a multiple of 2

  /// Throws Error(invalid_argument) if a type's blocks don't fit the widths.
  static RowFormat of(const CacheShape& shape, const KvCacheOptions& options);
};

/// Stores `part.width` floats in the part's type.
void write_part(const RowPart& part, const float* values, std::byte* row);

/// Reads `count` values of a part from the `first`-th on; both multiples of the type's block size, or in q8_row and q16_row of the group.
void read_part(const RowPart& part, const std::byte* row, int first, int count, float* values) noexcept;

/// Whether write_part() could have written the row. q16_row has bit patterns that it doesn't write: they would break the bounds that keep
/// sums of products from overflowing (kernels/int16.hpp).
bool is_valid_row(const RowFormat& format, const std::byte* row) noexcept;

}  // namespace mla::cache
