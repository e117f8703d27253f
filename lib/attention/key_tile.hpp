// Key rows gathered from cache pages, and the running softmax over them.
#pragma once
#include <array>
#include <limits>
#include <mla/types.hpp>
#include <span>

#include "attention/scratch.hpp"
#include "cache/kv_cache_impl.hpp"

namespace mla::attention {

constexpr int tile_keys = 256;  ///< most keys that one step looks at

/// Up to tile_keys rows of a sequence, live rows only, in rising position.
struct KeyTile {
  std::array<const std::byte*, tile_keys> rows;
  std::array<Position, tile_keys> positions;
  int n = 0;

  /// How many of its rows a query at `position` may see: the first ones.
  int visible(Position position) const noexcept;
};

/// Live rows of some pages.
int count_keys(std::span<const cache::PageView> pages) noexcept;

/// The pages of a sequence, and where one layer's rows are in each.
struct KeyRows {
  std::span<const cache::PageView> pages;
  std::size_t layer_offset;  ///< bytes from a page's begin to this layer's rows
  std::size_t row_bytes;
};

/// Goes through the keys of a sequence tile by tile. What is in a tile follows from the ranks of its keys, not from the pages they are in:
/// those depend on what else the cache has held.
class KeyWalk {
 public:
  /// The keys first … first + n - 1, counted in rising position.
  KeyWalk(const KeyRows& rows, int first, int n) noexcept;

  /// The next ones, `most` at most, up to position `last`; none at the end.
  KeyTile next(int most, Position last) noexcept;

  bool is_at_end() const noexcept { return left_ == 0; }

  /// All rows of the page that holds the next key, or of the i-th behind it: memory that will be read next.
  Ahead ahead(std::size_t i) const noexcept;

 private:
  KeyRows rows_;
  int left_;
  std::size_t page_ = 0;
  std::uint64_t live_ = 0;  // rows of that page that are still to come
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
