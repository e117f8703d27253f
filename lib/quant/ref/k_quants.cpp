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

void dequantize_q2_k(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // scales[16], quants[64], d, dmin
  for (std::int64_t i = 0; i < n; i += 256, block += 84) {
    const std::uint8_t* quants = block + 16;
    const float d = half_at(block + 80), dmin = half_at(block + 82);
    for (int j = 0; j < 256; ++j) {
      const int scales = block[j / 16];
      const int q = quants[j / 128 * 32 + j % 32] >> (j / 32 % 4 * 2) & 3;
      const float scaled = d * static_cast<float>(scales & 15) * static_cast<float>(q);
      const float minimum = dmin * static_cast<float>(scales >> 4);
      out[i + j] = scaled - minimum;
    }
  }
}

void dequantize_q3_k(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // high bits[32], quants[64], scales[12], d
  for (std::int64_t i = 0; i < n; i += 256, block += 110) {
    const std::uint8_t* quants = block + 32;
    const float d = half_at(block + 108);
    for (int j = 0; j < 256; ++j) {
      const int low = quants[j / 128 * 32 + j % 32] >> (j / 32 % 4 * 2) & 3;
      const int high = block[j % 32] >> (j / 32) & 1;
      out[i + j] = d * static_cast<float>(q3_scale(block + 96, j / 16)) * static_cast<float>(low + 4 * high - 4);
    }
  }
}

void dequantize_q4_k(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // d, dmin, scales[12], quants[128]
  for (std::int64_t i = 0; i < n; i += 256, block += 144) {
    const std::uint8_t* quants = block + 16;
    const float d = half_at(block), dmin = half_at(block + 2);
    for (int sub = 0; sub < 8; ++sub) {
      int scale, minimum;
      unpack_scales(block + 4, sub, scale, minimum);
      const float ds = d * static_cast<float>(scale), m = dmin * static_cast<float>(minimum);
      for (int j = 0; j < 32; ++j) {
        const int q = quants[sub / 2 * 32 + j] >> (sub % 2 * 4) & 15;
        const float product = ds * static_cast<float>(q);
        out[i + sub * 32 + j] = product - m;
      }
    }
  }
}

void dequantize_q5_k(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // d, dmin, scales[12], fifth bits[32], quants[128]
  for (std::int64_t i = 0; i < n; i += 256, block += 176) {
    const std::uint8_t *fifth = block + 16, *quants = block + 48;
    const float d = half_at(block), dmin = half_at(block + 2);
    for (int sub = 0; sub < 8; ++sub) {
      int scale, minimum;
      unpack_scales(block + 4, sub, scale, minimum);
      const float ds = d * static_cast<float>(scale), m = dmin * static_cast<float>(minimum);
      for (int j = 0; j < 32; ++j) {
        const int q = (quants[sub / 2 * 32 + j] >> (sub % 2 * 4) & 15) | (fifth[j] >> sub & 1) << 4;
        const float product = ds * static_cast<float>(q);
        out[i + sub * 32 + j] = product - m;
      }
    }
  }
}

void dequantize_q6_k(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // low bits[128], high bits[64], int8 scales[16], d
  for (std::int64_t i = 0; i < n; i += 256, block += 210) {
    const float d = half_at(block + 208);
    for (int j = 0; j < 256; ++j) {
      const int half = j / 128, row = j / 32 % 4;  // a half: low nibbles of 64 bytes, then high nibbles; 2 high bits a row
      const int low = block[half * 64 + j % 64] >> (row / 2 * 4) & 15;
      const int high = block[128 + half * 32 + j % 32] >> (row * 2) & 3;
      const auto scale = static_cast<std::int8_t>(block[192 + j / 16]);
      out[i + j] = d * static_cast<float>(scale) * static_cast<float>((low | high << 4) - 32);
    }
  }
}

}  // namespace mla::quant::ref
