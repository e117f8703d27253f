#include "attention/key_tile.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/elementwise.hpp"

namespace mla::attention {

constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

KeyTile::KeyTile(std::span<const cache::PageView> pages, std::size_t layer_offset, std::size_t row_bytes, Position last) {
  for (const cache::PageView& page : pages) {
    if (page.min_position > last) continue;
    const std::byte* first = page.data + layer_offset;
    for (std::uint64_t live = page.live; live != 0; live &= live - 1) {
      const int row = std::countr_zero(live);
      if (page.positions[row] > last) continue;
      const auto at = static_cast<std::size_t>(n++);
      rows[at] = first + static_cast<std::size_t>(row) * row_bytes;
      positions[at] = page.positions[row];
      min_position = std::min(min_position, page.positions[row]);
      max_position = std::max(max_position, page.positions[row]);
    }
  }
}

void softmax_step(const KeyTile& tile, Position position, float* scores, SoftmaxState& state, float* accumulated, int width) {
  if (tile.max_position > position)
    for (int key = 0; key < tile.n; ++key)
      if (tile.positions[static_cast<std::size_t>(key)] > position) scores[key] = minus_infinity;
  const float max = std::max(state.max, *std::max_element(scores, scores + tile.n));
  if (max == minus_infinity) {  // nothing visible yet: exp(-inf - -inf) would be NaN
    std::fill_n(scores, tile.n, 0.0f);
    return;
  }
  const float sum = kernels::exp_minus_max(scores, max, tile.n);
  const float rescale = std::exp(state.max - max);
  if (rescale != 1.0f)
    for (int i = 0; i < width; ++i) accumulated[i] *= rescale;
  state = {max, state.sum * rescale + sum};
}

}  // namespace mla::attention
