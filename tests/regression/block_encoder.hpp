// Values to blocks of any type, for formats that the library only reads. Crude: every sub-block has the same scale. Where
// the bits of a value lie is found out from the library's dequantiser, which tests/quant holds against another implementation.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "quant/dequantize.hpp"
#include "quant/half.hpp"

class BlockEncoder {
 public:
  explicit BlockEncoder(mla::quant::Type type) : layout_(layout_of(type)), block_(static_cast<std::size_t>(mla::quant::traits(type).block_bytes)) {
    const auto n_bytes = static_cast<int>(block_.size());
    for (int i = 0; i < layout_.n_scales; ++i) block_[static_cast<std::size_t>(layout_.scales + i)] = layout_.scale;
    set_half(block_, layout_.d, 1);
    bits_.resize(static_cast<std::size_t>(mla::quant::traits(type).block_size));
    const std::vector<float> base = values_of(block_);
    for (int bit = 0; bit < 8 * n_bytes; ++bit) {
      if (is_header(bit / 8)) continue;
      const std::pair<std::size_t, std::uint8_t> place{bit / 8, static_cast<std::uint8_t>(1 << bit % 8)};
      auto flipped = block_;
      flipped[place.first] ^= place.second;
      const std::vector<float> values = values_of(flipped);
      const auto [a, b] = std::ranges::mismatch(values, base);
      REQUIRE(a != values.end());
      bits_[static_cast<std::size_t>(a - values.begin())].push_back(place);
      REQUIRE(std::equal(a + 1, values.end(), b + 1));  // a bit belongs to one value
    }
    for (std::size_t code = 0; code < std::size_t{1} << bits_[0].size(); ++code) {
      auto block = block_;
      for (std::size_t i = 0; i < bits_.size(); ++i) set_code(block, i, code);
      const std::vector<float> values = values_of(block);
      REQUIRE(std::ranges::all_of(values, [&](float value) { return value == values[0]; }));
      levels_.emplace_back(values[0], code);
    }
    std::ranges::sort(levels_);
    if (layout_.min < 0) return;
    auto block = block_;
    set_half(block, layout_.d, 0);
    set_half(block, layout_.min, 1);
    min_level_ = values_of(block)[0];
  }

  void encode(const float* in, std::byte* out, std::int64_t n) const {
    for (std::int64_t i = 0; i < n; i += static_cast<std::int64_t>(bits_.size()), out += block_.size()) encode_block(in + i, out);
  }

 private:
  using Block = std::vector<std::uint8_t>;
  // Byte offsets in a block; -1: not there.
  struct Layout {
    mla::quant::Type type;
    int d, min, scales, n_scales;
    std::uint8_t scale;  // what every byte of the scales is set to
  };

  static Layout layout_of(mla::quant::Type type) {
    using enum mla::quant::Type;
    for (const Layout& layout : {Layout{q4_0, 0, -1, 0, 0, 0}, {q4_1, 0, 2, 0, 0, 0}, {q5_0, 0, -1, 0, 0, 0}, {q5_1, 0, 2, 0, 0, 0},
                                 {q8_0, 0, -1, 0, 0, 0}, {q2_k, 80, 82, 0, 16, 0xFF}, {q3_k, 108, -1, 96, 12, 0xFF}, {q4_k, 0, 2, 4, 12, 0xFF},
                                 {q5_k, 0, 2, 4, 12, 0xFF}, {q6_k, 208, -1, 192, 16, 16}, {iq4_nl, 0, -1, 0, 0, 0}, {iq4_xs, 0, -1, 2, 6, 0xFF}})
      if (layout.type == type) return layout;
    FAIL("no such block type");
    return {};
  }

  bool is_header(int byte) const {
    return byte / 2 == layout_.d / 2 || (layout_.min >= 0 && byte / 2 == layout_.min / 2) ||
           (byte >= layout_.scales && byte < layout_.scales + layout_.n_scales);
  }

  static float set_half(Block& block, int at, float value) {
    const std::uint16_t half = mla::quant::f32_to_f16(value);
    std::memcpy(block.data() + at, &half, sizeof half);
    return mla::quant::f16_to_f32(half);
  }

  void set_code(Block& block, std::size_t i, std::size_t code) const {
    for (const auto& [byte, mask] : bits_[i]) {
      if ((code & 1) != 0) block[byte] |= mask;
      code >>= 1;
    }
  }

  std::vector<float> values_of(const Block& block) const {
    std::vector<float> values(bits_.size());
    mla::quant::dequantize(layout_.type, block.data(), values.data(), static_cast<std::int64_t>(values.size()));
    return values;
  }

  void encode_block(const float* in, std::byte* out) const {
    float largest = 0;
    for (std::size_t i = 0; i < bits_.size(); ++i) largest = std::max(largest, std::abs(in[i]));
    const float low = levels_.front().first, high = levels_.back().first;
    Block block = block_;
    const float d = set_half(block, layout_.d, layout_.min >= 0 ? 2 * largest / high : largest / std::min(-low, high));
    const float shift = layout_.min >= 0 ? set_half(block, layout_.min, -largest / min_level_) * min_level_ : 0;
    for (std::size_t i = 0; i < bits_.size(); ++i) set_code(block, i, d > 0 ? nearest((in[i] - shift) / d) : 0);
    std::memcpy(out, block.data(), block.size());
  }

  std::size_t nearest(float level) const {
    const auto above = std::ranges::lower_bound(levels_, level, {}, [](const auto& entry) { return entry.first; });
    if (above == levels_.begin() || (above != levels_.end() && above->first - level < level - std::prev(above)->first)) return above->second;
    return std::prev(above)->second;
  }

  Layout layout_;
  Block block_;  // codes 0, d = 1
  std::vector<std::vector<std::pair<std::size_t, std::uint8_t>>> bits_;  // of each value, the same order for all
  std::vector<std::pair<float, std::size_t>> levels_;  // value and code where d is 1, rising
  float min_level_ = 0;        // of code 0 where d is 0 and min 1
};
