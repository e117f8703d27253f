#include "quant/integers.hpp"

#include <array>
#include <cstddef>
#include <cstring>

#include "quant/ref/blocks.hpp"
#include "quant/ref/codebook.hpp"
#include "quant/ref/grids.hpp"

// Eight values at a time, in the bytes of a 64-bit integer. No sum of bytes below carries into the next one.
namespace mla::quant {
namespace {

using ref::half_at;
using ref::u16_at;
using ref::u32_at;

constexpr std::uint64_t each_byte = 0x0101010101010101u;

// Byte i is 255 where bit i of signs_of(index) is set. Looked up: the base instruction set can't count bits.
template <std::size_t n>
constexpr std::array<std::uint64_t, n> make_masks(unsigned (*signs_of)(unsigned index)) {
  std::array<std::uint64_t, n> masks{};
  for (unsigned index = 0; index < n; ++index)
    for (unsigned i = 0; i < 8; ++i) masks[index] |= std::uint64_t{signs_of(index) >> i & 1u ? 255u : 0u} << 8 * i;
  return masks;
}
constexpr auto masks_of_eight = make_masks<256>([](unsigned index) { return index; });
constexpr auto masks_of_seven = make_masks<128>(ref::signs_of_seven);

template <typename... Entry>
std::uint64_t eight(const Entry&... entries) noexcept {
  std::uint64_t values = 0;
  std::size_t at = 0;
  ((std::memcpy(reinterpret_cast<char*>(&values) + at, entries, sizeof entries), at += sizeof entries), ...);
  return values;
}

// Magnitudes, which are not zero, where the mask says so made negative.
std::uint64_t with_signs(std::uint64_t values, std::uint64_t mask) noexcept { return (values ^ mask) + (mask & each_byte); }

void put(std::int8_t* q, std::uint64_t values) noexcept { std::memcpy(q, &values, sizeof values); }

std::int16_t odd(unsigned scale) noexcept { return static_cast<std::int16_t>(2 * scale + 1); }

template <typename UnpackOne>
void unpack_all(const void* blocks, std::size_t block_bytes, IntegerBlock* out, std::int64_t n_blocks, UnpackOne&& unpack_one) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);
  for (std::int64_t i = 0; i < n_blocks; ++i, block += block_bytes) unpack_one(block, out[i]);
}

// Of IQ1: 8 v + 1, or 8 v - 1, for the values v out of {-1, 0, 1}.
std::uint64_t moved(unsigned index, bool down) noexcept {
  const std::uint64_t times_8 = eight(ref::iq1_s_grid.entries[index]) << 3 & 0xf8 * each_byte;
  if (!down) return times_8 | each_byte;
  const std::uint64_t negative = times_8 ^ (times_8 & 8 * each_byte) * 30;  // 8 and -8 differ in the upper four bits
  return ~negative;
}

}  // namespace

void unpack_iq1_s(const void* blocks, IntegerBlock* out, std::int64_t n_blocks) noexcept {
  unpack_all(blocks, 50, out, n_blocks, [](const std::uint8_t* block, IntegerBlock& w) {
    w.d = half_at(block) * 0.125f;
    for (unsigned sub = 0; sub < 8; ++sub) {
      const unsigned word = u16_at(block + 34 + 2 * sub);
      w.scale[2 * sub] = w.scale[2 * sub + 1] = odd(word >> 12 & 7u);
      for (unsigned l = 0; l < 4; ++l) put(w.q + 32 * sub + 8 * l, moved(block[2 + 4 * sub + l] | (word >> (3 * l) & 7u) << 8, word >> 15 != 0));
    }
  });
}

void unpack_iq1_m(const void* blocks, IntegerBlock* out, std::int64_t n_blocks) noexcept {
  unpack_all(blocks, 56, out, n_blocks, [](const std::uint8_t* block, IntegerBlock& w) {
    unsigned half = 0;
    for (unsigned word = 0; word < 4; ++word) half |= static_cast<unsigned>(u16_at(block + 48 + 2 * word) >> 12) << (4 * word);
    w.d = f16_to_f32(static_cast<std::uint16_t>(half)) * 0.125f;
    for (unsigned sub = 0; sub < 16; ++sub) {
      w.scale[sub] = odd(static_cast<unsigned>(u16_at(block + 48 + sub / 4 * 2)) >> (sub % 4 * 3) & 7u);
      for (unsigned l = 0; l < 2; ++l) {
        const unsigned nibble = static_cast<unsigned>(block[32 + sub]) >> (4 * l) & 15u;
        put(w.q + 16 * sub + 8 * l, moved(block[2 * sub + l] | (nibble & 7u) << 8, nibble >> 3 != 0));
      }
    }
  });
}

void unpack_iq2_xxs(const void* blocks, IntegerBlock* out, std::int64_t n_blocks) noexcept {
  unpack_all(blocks, 66, out, n_blocks, [](const std::uint8_t* block, IntegerBlock& w) {
    w.d = half_at(block) * 0.125f;
    for (unsigned sub = 0; sub < 8; ++sub) {
      const std::uint8_t* indices = block + 2 + 8 * sub;
      const std::uint32_t word = u32_at(indices + 4);
      w.scale[2 * sub] = w.scale[2 * sub + 1] = odd(word >> 28);
      for (unsigned l = 0; l < 4; ++l)
        put(w.q + 32 * sub + 8 * l, with_signs(eight(ref::iq2_xxs_grid.entries[indices[l]]), masks_of_seven[word >> (7 * l) & 127u]));
    }
  });
}

void unpack_iq2_xs(const void* blocks, IntegerBlock* out, std::int64_t n_blocks) noexcept {
  unpack_all(blocks, 74, out, n_blocks, [](const std::uint8_t* block, IntegerBlock& w) {
    w.d = half_at(block) * 0.125f;
    for (unsigned sub = 0; sub < 16; ++sub) w.scale[sub] = odd(static_cast<unsigned>(block[66 + sub / 2]) >> (sub % 2 * 4) & 15u);
    for (unsigned l = 0; l < 32; ++l) {
      const unsigned word = u16_at(block + 2 + 2 * l);
      put(w.q + 8 * l, with_signs(eight(ref::iq2_xs_grid.entries[word & 511u]), masks_of_seven[word >> 9]));
    }
  });
}

void unpack_iq2_s(const void* blocks, IntegerBlock* out, std::int64_t n_blocks) noexcept {
  unpack_all(blocks, 82, out, n_blocks, [](const std::uint8_t* block, IntegerBlock& w) {
    w.d = half_at(block) * 0.125f;
    for (unsigned sub = 0; sub < 16; ++sub) w.scale[sub] = odd(static_cast<unsigned>(block[74 + sub / 2]) >> (sub % 2 * 4) & 15u);
    for (unsigned l = 0; l < 32; ++l) {
      const unsigned index = block[2 + l] | (static_cast<unsigned>(block[66 + l / 4]) >> (l % 4 * 2) & 3u) << 8;
      put(w.q + 8 * l, with_signs(eight(ref::iq2_s_grid.entries[index]), masks_of_eight[block[34 + l]]));
    }
  });
}

void unpack_iq3_xxs(const void* blocks, IntegerBlock* out, std::int64_t n_blocks) noexcept {
  unpack_all(blocks, 98, out, n_blocks, [](const std::uint8_t* block, IntegerBlock& w) {
    const auto& grid = ref::iq3_xxs_grid.entries;
    w.d = half_at(block) * 0.25f;
    for (unsigned sub = 0; sub < 8; ++sub) {
      const std::uint32_t word = u32_at(block + 66 + 4 * sub);
      w.scale[2 * sub] = w.scale[2 * sub + 1] = odd(word >> 28);
      for (unsigned l = 0; l < 4; ++l) {
        const std::uint8_t* indices = block + 2 + 8 * sub + 2 * l;
        put(w.q + 32 * sub + 8 * l, with_signs(eight(grid[indices[0]], grid[indices[1]]), masks_of_seven[word >> (7 * l) & 127u]));
      }
    }
  });
}

void unpack_iq3_s(const void* blocks, IntegerBlock* out, std::int64_t n_blocks) noexcept {
  unpack_all(blocks, 110, out, n_blocks, [](const std::uint8_t* block, IntegerBlock& w) {
    const auto& grid = ref::iq3_s_grid.entries;
    w.d = half_at(block);
    for (unsigned sub = 0; sub < 8; ++sub)
      w.scale[2 * sub] = w.scale[2 * sub + 1] = odd(static_cast<unsigned>(block[106 + sub / 2]) >> (sub % 2 * 4) & 15u);
    for (unsigned l = 0; l < 32; ++l) {
      const unsigned ninth = static_cast<unsigned>(block[66 + l / 4]) >> (l % 4 * 2);
      put(w.q + 8 * l, with_signs(eight(grid[block[2 + 2 * l] | (ninth & 1u) << 8], grid[block[3 + 2 * l] | (ninth & 2u) << 7]), masks_of_eight[block[74 + l]]));
    }
  });
}

}  // namespace mla::quant
