// IQ2_K_R4 to IQ5_K_R4, IQ4_KS_R4, IQ5_KS_R4, IQ4_XS_R8: indices into tables of values.
#include "quant/interleaved/blocks.hpp"
#include "quant/interleaved/values.hpp"

namespace mla::quant::interleaved {
namespace {

// Bit `sub` of byte `row` (of the first halves of sub-blocks) and 4 + row (of the second) says which table: to 16 bits.
void put_tables(Bytes tables, int row, std::uint8_t* to) {
  unsigned bits = 0;
  for (unsigned sub = 0; sub < 8; ++sub) bits |= (tables[row] >> sub & 1u) << (2 * sub) | (tables[4 + row] >> sub & 1u) << (2 * sub + 1);
  to[0] = static_cast<std::uint8_t>(bits);
  to[1] = static_cast<std::uint8_t>(bits >> 8);
}

// Low nibbles of the scales of 16 sub-blocks: two to a byte.
void put_low_scales(Bytes scales, int row, std::uint8_t* to) {
  for (int sub = 0; sub < 16; ++sub) to[sub / 2] |= static_cast<std::uint8_t>(scale_low4(scales, 4 * sub + row) << (sub % 2 * 4));
}

// Two high bits of the same: four to a byte.
void put_high_scales(Bytes scales, int row, std::uint8_t* to) {
  for (int sub = 0; sub < 16; ++sub) to[sub / 4] |= static_cast<std::uint8_t>(scale_high2(scales, 4 * sub + row) << (sub % 4 * 2));
}

// 8 sub-blocks of 5-bit indices: nibbles[512] and fifth bits[128] of four rows to nibbles[128] and fifth bits[32].
void restore_fives(Bytes nibbles, Bytes fifth, int row, std::uint8_t* to_nibbles, std::uint8_t* to_fifth) {
  std::uint8_t q[32];
  for (int sub = 0; sub < 8; ++sub) {
    take_nibbles(nibbles + 64 * sub, row, q);
    take_bits(fifth + 16 * sub, row, {0, 8, 16, 24, 4, 12, 20, 28}, 4, q);
    put_nibbles_of_64(q, sub, to_nibbles);
    put_bits(q, sub, 4, to_fifth);
  }
}

void restore_fours(Bytes nibbles, int row, std::uint8_t* to) {
  std::uint8_t q[32];
  for (int sub = 0; sub < 8; ++sub) {
    take_nibbles(nibbles + 64 * sub, row, q);
    put_nibbles(q, to + 16 * sub);
  }
}

}  // namespace

void restore_iq2_k_r4(Bytes group, int row, std::uint8_t* block) noexcept {  // d[4], tables[8], scales[32], quants[256]
  std::uint8_t q[32];
  copy_half(group, row, block);
  put_tables(group + 8, row, block + 2);
  put_low_scales(group + 16, row, block + 4);
  for (int sub = 0; sub < 8; ++sub) {
    take_pairs(group + 48 + 32 * sub, row, q);
    put_pairs(q, sub, block + 12);
  }
}

// d[4], tables[8], signs of scales[8], low[32], quants[256], third bits[128]
void restore_iq3_k_r4(Bytes group, int row, std::uint8_t* block) noexcept {
  std::uint8_t q[32];
  copy_half(group, row, block);
  put_tables(group + 8, row, block + 2);
  for (int sub = 0; sub < 16; ++sub) {
    const int n = 4 * sub + row, negative = group[16 + n % 8] >> (n / 8) & 1;
    block[4 + sub / 8] |= static_cast<std::uint8_t>(negative << (sub % 8));
  }
  put_low_scales(group + 24, row, block + 6);
  for (int sub = 0; sub < 8; ++sub) {
    take_pairs(group + 56 + 32 * sub, row, q);
    take_bits(group + 312 + 16 * sub, row, {0, 4, 8, 12, 16, 20, 24, 28}, 2, q);
    put_pairs(q, sub, block + 14);
    put_bits(q, sub, 2, block + 78);
  }
}

void restore_iq4_k_r4(Bytes group, int row, std::uint8_t* block) noexcept {  // d[4], tables[8], scales high[16], low[32], quants[512]
  copy_half(group, row, block);
  put_tables(group + 8, row, block + 2);
  put_high_scales(group + 16, row, block + 4);
  put_low_scales(group + 32, row, block + 8);
  restore_fours(group + 64, row, block + 16);
}

// d[4], tables[8], scales high[16], low[32], quants[512], fifth bits[128]
void restore_iq5_k_r4(Bytes group, int row, std::uint8_t* block) noexcept {
  copy_half(group, row, block);
  put_tables(group + 8, row, block + 2);
  put_high_scales(group + 16, row, block + 4);
  put_low_scales(group + 32, row, block + 8);
  restore_fives(group + 64, group + 576, row, block + 16, block + 144);
}

void restore_iq4_ks_r4(Bytes group, int row, std::uint8_t* block) noexcept {  // scales[32], quants[512]
  for (int sub = 0; sub < 8; ++sub) block[sub] = group[4 * sub + row];
  restore_fours(group + 32, row, block + 8);
}

void restore_iq5_ks_r4(Bytes group, int row, std::uint8_t* block) noexcept {  // scales[32], quants[512], fifth bits[128]
  for (int sub = 0; sub < 8; ++sub) block[sub] = group[4 * sub + row];
  restore_fives(group + 32, group + 544, row, block + 8, block + 136);
}

void restore_iq4_xs_r8(Bytes group, int row, std::uint8_t* block) noexcept {  // d[8], scales high[16], low[32], quants[1024]
  copy_half(group, row, block);
  for (int sub = 0; sub < 8; ++sub) {
    const int n = 8 * sub + row;
    block[2 + sub / 4] |= static_cast<std::uint8_t>(scale_high2(group + 16, n) << (sub % 4 * 2));
    block[4 + sub / 2] |= static_cast<std::uint8_t>(scale_low4(group + 32, n) << (sub % 2 * 4));
    std::uint8_t q[32];
    for (int run = 0; run < 4; ++run)
      for (int i = 0; i < 4; ++i) {
        const std::uint8_t byte = group[64 + 128 * sub + 32 * run + 4 * row + i];
        q[8 * run + i] = byte & 15;
        q[8 * run + 4 + i] = byte >> 4;
      }
    put_nibbles(q, block + 8 + 16 * sub);
  }
}

}  // namespace mla::quant::interleaved
