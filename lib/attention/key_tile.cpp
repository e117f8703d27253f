#include "attention/key_tile.hpp"

#include <algorithm>
#include <bit>

namespace mla::attention {

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
    }
  }
}

int KeyTile::visible(Position position) const noexcept {
  return static_cast<int>(std::upper_bound(positions.begin(), positions.begin() + n, position) - positions.begin());
}

}  // namespace mla::attention
