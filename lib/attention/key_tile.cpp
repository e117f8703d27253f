#include "attention/key_tile.hpp"

#include <algorithm>
#include <bit>

namespace mla::attention {

int KeyTile::visible(Position position) const noexcept {
  return static_cast<int>(std::upper_bound(positions.begin(), positions.begin() + n, position) - positions.begin());
}

int count_keys(std::span<const cache::PageView> pages) noexcept {
  int n = 0;
  for (const cache::PageView& page : pages) n += std::popcount(page.live);
  return n;
}

KeyWalk::KeyWalk(const KeyRows& rows, int first, int n) noexcept : rows_(rows), left_(n) {
  while (page_ < rows.pages.size() && first >= std::popcount(rows.pages[page_].live)) first -= std::popcount(rows.pages[page_++].live);
  if (page_ == rows.pages.size()) return;
  live_ = rows.pages[page_].live;
  for (; first > 0; --first) live_ &= live_ - 1;
}

KeyTile KeyWalk::next(int most, Position last) noexcept {
  KeyTile tile;
  const int n = std::min(most, left_);
  while (tile.n < n && page_ < rows_.pages.size()) {
    const cache::PageView& page = rows_.pages[page_];
    const std::byte* const first = page.data + rows_.layer_offset;
    for (; live_ != 0 && tile.n < n; live_ &= live_ - 1) {
      const int row = std::countr_zero(live_);
      if (page.positions[row] > last) break;
      const auto at = static_cast<std::size_t>(tile.n++);
      tile.rows[at] = first + static_cast<std::size_t>(row) * rows_.row_bytes;
      tile.positions[at] = page.positions[row];
    }
    if (live_ != 0) break;  // the tile is full, or all that follow are behind `last`
    if (++page_ < rows_.pages.size()) live_ = rows_.pages[page_].live;
  }
  left_ -= tile.n;
  return tile;
}

Ahead KeyWalk::ahead(std::size_t i) const noexcept {
  if (left_ <= static_cast<int>(i) * cache::page_rows || page_ + i >= rows_.pages.size()) return {};
  return {rows_.pages[page_ + i].data + rows_.layer_offset, cache::page_rows * rows_.row_bytes};
}

}  // namespace mla::attention
