// Key rows gathered from cache pages, and the running softmax over them.
#pragma once
#include <array>
#include <limits>
#include <mla/types.hpp>
#include <span>

#include "cache/kv_cache_impl.hpp"

namespace mla::attention {

constexpr int tile_pages = 4;
constexpr int tile_keys = tile_pages * cache::page_rows;  ///< most keys that one step looks at

/// Up to tile_keys rows of a sequence, live rows only, in rising position. Built from consecutive pages.
struct KeyTile {
  std::array<const std::byte*, tile_keys> rows;
  std::array<Position, tile_keys> positions;
  int n = 0;

  /// Rows of `pages` that a query at `last` may see.
  KeyTile(std::span<const cache::PageView> pages, std::size_t layer_offset, std::size_t row_bytes, Position last);

  /// How many of its rows a query at `position` may see: the first ones.
  int visible(Position position) const noexcept;
};

/// `width` values of a part of each of some cache rows, from the `first`-th on.
struct StoredRows {
  const std::byte* const* rows;
  const cache::RowPart* part;
  int first, width;

  StoredRows from(int row) const noexcept { return {rows + row, part, first, width}; }
};

/// Running maximum and sum of a softmax whose terms come tile by tile (Milakov and Gimelshein 2018).
struct SoftmaxState {
  float max = -std::numeric_limits<float>::infinity();
  float sum = 0;
};

}  // namespace mla::attention
