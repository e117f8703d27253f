// Q2_K_R4 to Q6_K_R4: super-blocks of 256 values, in sub-blocks of 32 whose values lie together.
#include "quant/interleaved/blocks.hpp"
#include "quant/interleaved/values.hpp"

namespace mla::quant::interleaved {
namespace {

// The inverse of the 12 bytes of Q4_K and Q5_K: see ref/k_quants.cpp.
void put_scales(int sub, int scale, int minimum, std::uint8_t* packed) {
  if (sub < 4) {
    packed[sub] |= static_cast<std::uint8_t>(scale);
    packed[sub + 4] |= static_cast<std::uint8_t>(minimum);
  } else {
    packed[sub + 4] = static_cast<std::uint8_t>(low4(scale) | minimum << 4);
    packed[sub - 4] |= static_cast<std::uint8_t>(scale >> 4 << 6);
    packed[sub] |= static_cast<std::uint8_t>(minimum >> 4 << 6);
  }
}

// d[4], dmin[4], high bits of scales and minima[16], low ones[32]; to d, dmin, scales[12].
void restore_scales_and_minima(Bytes group, int row, std::uint8_t* block) {
  copy_half(group, row, block);
  copy_half(group + 8, row, block + 2);
  for (int sub = 0; sub < 8; ++sub) {
    const int n = 4 * sub + row, low = group[32 + n], high = group[16 + n % 16] >> (4 * (n / 16));
    put_scales(sub, (low & 15) | (high & 3) << 4, low >> 4 | (high >> 2 & 3) << 4, block + 4);
  }
}

}  // namespace

void restore_q2_k_r4(Bytes group, int row, std::uint8_t* block) noexcept {  // d[4], dmin[4], scales[64], quants[256]
  std::uint8_t q[32];
  copy_half(group, row, block + 80);
  copy_half(group + 8, row, block + 82);
  for (int sub = 0; sub < 16; ++sub) block[sub] = group[16 + 4 * sub + row];
  for (int sub = 0; sub < 8; ++sub) {
    take_pairs(group + 80 + 32 * sub, row, q);
    put_pairs(q, sub, block + 16);
  }
}

void restore_q3_k_r4(Bytes group, int row, std::uint8_t* block) noexcept {  // d[4], scales high[16], low[32], third bits[128], quants[256]
  std::uint8_t q[32];
  copy_half(group, row, block + 108);
  std::uint8_t* const scales = block + 96;
  for (int sub = 0; sub < 16; ++sub) {
    const int n = 4 * sub + row;
    scales[sub % 8] |= static_cast<std::uint8_t>(scale_low4(group + 24, n) << (sub / 8 * 4));
    scales[8 + sub % 4] |= static_cast<std::uint8_t>(scale_high2(group + 8, n) << (sub / 4 * 2));
  }
  for (int sub = 0; sub < 8; ++sub) {
    take_pairs(group + 184 + 32 * sub, row, q);
    take_bits(group + 56 + 16 * sub, row, {0, 4, 8, 12, 16, 20, 24, 28}, 2, q);
    put_pairs(q, sub, block + 32);
    put_bits(q, sub, 2, block);
  }
}

void restore_q4_k_r4(Bytes group, int row, std::uint8_t* block) noexcept {  // …, quants[512]
  std::uint8_t q[32];
  restore_scales_and_minima(group, row, block);
  for (int sub = 0; sub < 8; ++sub) {
    take_nibbles(group + 64 + 64 * sub, row, q);
    put_nibbles_of_64(q, sub, block + 16);
  }
}

void restore_q5_k_r4(Bytes group, int row, std::uint8_t* block) noexcept {  // …, fifth bits[128], quants[512]
  std::uint8_t q[32];
  restore_scales_and_minima(group, row, block);
  for (int sub = 0; sub < 8; ++sub) {
    take_nibbles(group + 192 + 64 * sub, row, q);
    take_bits(group + 64 + 16 * sub, row, {0, 8, 4, 12, 16, 24, 20, 28}, 4, q);
    put_nibbles_of_64(q, sub, block + 48);
    put_bits(q, sub, 4, block + 16);
  }
}

void restore_q6_k_r4(Bytes group, int row, std::uint8_t* block) noexcept {  // d[4], int8 scales[64], high bits[256], low bits[512]
  std::uint8_t q[32];
  copy_half(group, row, block + 208);
  for (int sub = 0; sub < 16; ++sub) block[192 + sub] = group[8 + 4 * sub + row];
  constexpr int first[4] = {0, 8, 4, 12};  // of the four fields of a byte of high bits, from below
  for (int sub = 0; sub < 8; ++sub) {
    take_nibbles(group + 328 + 64 * sub, row, q);
    const int line = sub % 4;  // of the half: lines 0 and 1 are the low nibbles of its 64 bytes, 2 and 3 the high ones
    std::uint8_t *low = block + sub / 4 * 64 + line % 2 * 32, *high = block + 128 + sub / 4 * 32;
    for (int half = 0; half < 2; ++half)
      for (int i = 0; i < 4; ++i)
        for (int f = 0; f < 4; ++f) {
          const int j = 16 * half + first[f] + i, top = group[72 + 32 * sub + 16 * half + 4 * row + i] >> (2 * f) & 3;
          low[j] |= static_cast<std::uint8_t>(q[j] << (line / 2 * 4));
          high[j] |= static_cast<std::uint8_t>(top << (2 * line));
        }
  }
}

}  // namespace mla::quant::interleaved
