// Q2_K to Q6_K: super-blocks of 256 values in sub-blocks of 16 or 32, whose small integer scales share one f16 scale.
#include "quant/ref/blocks.hpp"

namespace mla::quant::ref {
namespace {

// The 12 bytes of Q4_K and Q5_K: eight 6-bit scales and eight 6-bit minimums. The first four of each have a byte
// of their own; the last four have their low bits in bytes 8 to 11 and their high bits on top of the first eight.
void unpack_scales(const std::uint8_t* packed, int j, int& scale, int& minimum) {
  if (j < 4) {
    scale = packed[j] & 63;
    minimum = packed[j + 4] & 63;
  } else {
    scale = (packed[j + 4] & 15) | (packed[j - 4] >> 6 << 4);
    minimum = packed[j + 4] >> 4 | (packed[j] >> 6 << 4);
  }
}

// Scale j (of 16) of Q3_K: 4 low bits in bytes 0 to 7, 2 high bits in bytes 8 to 11.
int q3_scale(const std::uint8_t* packed, int j) {
  const int low = packed[j % 8] >> (j / 8 * 4) & 15, high = packed[8 + j % 4] >> (j / 4 * 2) & 3;
  return (low | high << 4) - 32;
}

}  // namespace

// Q2_K, Q3_K and Q6_K cut a block into 16 sub-blocks of 16 values: two to a row of 32, four rows to a half. Each
// half has 32 bytes of 2-bit fields: the rows of the half, from the low bits up.

void dequantize_q2_k(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // scales[16], quants[64], d, dmin
  for (std::int64_t i = 0; i < n; i += 256, block += 84) {
    const float d = half_at(block + 80), dmin = half_at(block + 82);
    for (int sub = 0; sub < 16; ++sub) {
      const std::uint8_t* quants = block + 16 + sub / 8 * 32 + sub % 2 * 16;
      const int row = sub / 2 % 4;
      const float scale = d * static_cast<float>(block[sub] & 15), minimum = dmin * static_cast<float>(block[sub] >> 4);
      for (int j = 0; j < 16; ++j) {
        const float product = scale * static_cast<float>(quants[j] >> (2 * row) & 3);
        out[i + sub * 16 + j] = product - minimum;
      }
    }
  }
}

void dequantize_q3_k(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // third bits[32], quants[64], scales[12], d
  for (std::int64_t i = 0; i < n; i += 256, block += 110) {
    const float d = half_at(block + 108);
    for (int sub = 0; sub < 16; ++sub) {
      const std::uint8_t *third = block + sub % 2 * 16, *quants = block + 32 + sub / 8 * 32 + sub % 2 * 16;
      const int row = sub / 2 % 4;
      const float scale = d * static_cast<float>(q3_scale(block + 96, sub));
      for (int j = 0; j < 16; ++j) {
        const int q = (quants[j] >> (2 * row) & 3) | (third[j] >> (sub / 2) & 1) << 2;
        out[i + sub * 16 + j] = scale * static_cast<float>(q - 4);
      }
    }
  }
}

namespace {

// d, dmin, scales[12], in Q5_K fifth bits[32], quants[128]
template <bool fifth_bits>
void dequantize_with_minima(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);
  for (std::int64_t i = 0; i < n; i += 256, block += fifth_bits ? 176 : 144) {
    const std::uint8_t *fifth = block + 16, *quants = fifth_bits ? block + 48 : block + 16;
    const float d = half_at(block), dmin = half_at(block + 2);
    for (int sub = 0; sub < 8; ++sub) {
      int scale, minimum;
      unpack_scales(block + 4, sub, scale, minimum);
      const float ds = d * static_cast<float>(scale), m = dmin * static_cast<float>(minimum);
      for (int j = 0; j < 32; ++j) {
        int q = quants[sub / 2 * 32 + j] >> (sub % 2 * 4) & 15;
        if constexpr (fifth_bits) q |= (fifth[j] >> sub & 1) << 4;
        const float product = ds * static_cast<float>(q);
        out[i + sub * 32 + j] = product - m;
      }
    }
  }
}

}  // namespace

void dequantize_q4_k(const void* blocks, float* out, std::int64_t n) noexcept { dequantize_with_minima<false>(blocks, out, n); }

void dequantize_q5_k(const void* blocks, float* out, std::int64_t n) noexcept { dequantize_with_minima<true>(blocks, out, n); }

void dequantize_q6_k(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // low bits[128], high bits[64], int8 scales[16], d
  for (std::int64_t i = 0; i < n; i += 256, block += 210) {
    const float d = half_at(block + 208);
    for (int sub = 0; sub < 16; ++sub) {
      const int row = sub / 2 % 4;  // rows 0 and 1 of a half are the low nibbles of its 64 bytes, 2 and 3 the high ones
      const std::uint8_t* low = block + sub / 8 * 64 + row % 2 * 32 + sub % 2 * 16;
      const std::uint8_t* high = block + 128 + sub / 8 * 32 + sub % 2 * 16;
      const float scale = d * static_cast<float>(static_cast<std::int8_t>(block[192 + sub]));
      for (int j = 0; j < 16; ++j) {
        const int q = (low[j] >> (row / 2 * 4) & 15) | (high[j] >> (2 * row) & 3) << 4;
        out[i + sub * 16 + j] = scale * static_cast<float>(q - 32);
      }
    }
  }
}

}  // namespace mla::quant::ref
