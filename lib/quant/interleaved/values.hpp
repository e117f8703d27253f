// Shared by the interleaved layouts: the 32 values of a sub-block, one byte each, out of a group and into a plain block.
#pragma once
#include <cstdint>
#include <cstring>

namespace mla::quant::interleaved {

using Bytes = const std::uint8_t*;

inline std::uint8_t low4(int value) { return static_cast<std::uint8_t>(value & 15); }

/// The 16-bit scale of row `row`, the scales of a group being one after another.
inline void copy_half(Bytes scales, int row, std::uint8_t* to) { std::memcpy(to, scales + 2 * row, 2); }

// From 4 rows. In each run of 16 bytes, 4 belong to a row; i is the byte among them.

/// 64 bytes: in run p, the low nibbles are values first[p] + i, the high ones those 8 later.
inline void take_nibbles(Bytes group, int row, std::uint8_t* q) {
  constexpr int first[4] = {0, 16, 4, 20};
  for (int p = 0; p < 4; ++p)
    for (int i = 0; i < 4; ++i) {
      const std::uint8_t byte = group[16 * p + 4 * row + i];
      q[first[p] + i] = byte & 15;
      q[first[p] + 8 + i] = byte >> 4;
    }
}

/// 32 bytes: in run p, the f-th two bits from below are value 16p + 4f + i.
inline void take_pairs(Bytes group, int row, std::uint8_t* q) {
  for (int p = 0; p < 2; ++p)
    for (int i = 0; i < 4; ++i)
      for (int f = 0; f < 4; ++f) q[16 * p + 4 * f + i] = group[16 * p + 4 * row + i] >> (2 * f) & 3;
}

/// 16 bytes: bit b becomes bit `to` of value first[b] + i.
inline void take_bits(Bytes group, int row, const int (&first)[8], int to, std::uint8_t* q) {
  for (int i = 0; i < 4; ++i)
    for (int b = 0; b < 8; ++b) q[first[b] + i] |= static_cast<std::uint8_t>((group[4 * row + i] >> b & 1) << to);
}

// Scale n = 4 · sub-block + row of the 64 that 16 sub-blocks of 4 rows have.
inline int scale_low4(Bytes scales, int n) { return scales[n % 32] >> (4 * (n / 32)) & 15; }
inline int scale_high2(Bytes scales, int n) { return scales[n % 16] >> (2 * (n / 16)) & 3; }

// To a plain block, whose bits are zero before. Sub-block `sub` has 32 values.

/// 16 bytes: values 0 to 15 low, 16 to 31 high.
inline void put_nibbles(const std::uint8_t* q, std::uint8_t* to) {
  for (int j = 0; j < 16; ++j) to[j] = low4(q[j]) | static_cast<std::uint8_t>(q[j + 16] << 4);
}

/// 32 bytes for two sub-blocks: the even one low, the odd one high.
inline void put_nibbles_of_64(const std::uint8_t* q, int sub, std::uint8_t* to) {
  for (int j = 0; j < 32; ++j) to[sub / 2 * 32 + j] |= static_cast<std::uint8_t>(low4(q[j]) << (sub % 2 * 4));
}

/// 32 bytes for four sub-blocks, the first in the lowest two bits.
inline void put_pairs(const std::uint8_t* q, int sub, std::uint8_t* to) {
  for (int j = 0; j < 32; ++j) to[sub / 4 * 32 + j] |= static_cast<std::uint8_t>((q[j] & 3) << (sub % 4 * 2));
}

/// 32 bytes for eight sub-blocks, one bit each: bit `from` of the values.
inline void put_bits(const std::uint8_t* q, int sub, int from, std::uint8_t* to) {
  for (int j = 0; j < 32; ++j) to[j] |= static_cast<std::uint8_t>((q[j] >> from & 1) << sub);
}

}  // namespace mla::quant::interleaved
