// Key rows gathered from cache pages, and the running softmax over them.
#pragma once
#include <array>
#include <limits>
#include <mla/types.hpp>
#include <span>

#include "cache/kv_cache_impl.hpp"

namespace mla::attention {

constexpr int tile_pages = 4;
constexpr int tile_keys = tile_pages * cache::page_rows;  ///< keys that one step looks at

/// Up to tile_keys rows of a sequence, live rows only. Built from consecutive pages.
struct KeyTile {
  std::array<const std::byte*, tile_keys> rows;
  std::array<Position, tile_keys> positions;
  int n = 0;
  Position min_position = std::numeric_limits<Position>::max();
  Position max_position = -1;

  /// Rows of `pages` that a query at `last` may see.
  KeyTile(std::span<const cache::PageView> pages, std::size_t layer_offset, std::size_t row_bytes, Position last);
};

/// Running maximum and sum of a softmax whose terms come tile by tile (Milakov and Gimelshein 2018).
struct SoftmaxState {
  float max;
  float sum;
};

/// Turns a row of scores into weights against the new running maximum and rescales what was accumulated before.
/// Keys behind `position` get no weight. scores [tile.n], accumulated [width].
void softmax_step(const KeyTile& tile, Position position, float* scores, SoftmaxState& state, float* accumulated, int width);

}  // namespace mla::attention
