#include "quant/x86/blocks.hpp"
#include "quant/x86/simd.hpp"

namespace mla::quant::MLA_QUANT_ISA {
namespace {

// out[j] = d * byte j of `bytes`, j < 8
void scale_bytes(uint64_t bytes, float d, float* out) {
  const __m256 scales = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)bytes)));
  _mm256_storeu_ps(out, _mm256_mul_ps(_mm256_set1_ps(d), scales));
}

// The same of signed bytes that are stored with an offset of 32.
void scale_bytes_minus_32(uint64_t bytes, float d, float* out) {
  const __m256i scales = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)bytes));
  _mm256_storeu_ps(out, _mm256_mul_ps(_mm256_set1_ps(d), _mm256_cvtepi32_ps(_mm256_sub_epi32(scales, _mm256_set1_epi32(32)))));
}

// What Q4_K and Q5_K begin with: d, dmin, and eight 6-bit scales and minimums in 12 bytes, four to a 32-bit word.
struct Scales {
  float scale[8], minimum[8];
};

Scales unpack_scales(const uint8_t* block) {
  const uint32_t a = u32_at(block + 4), b = u32_at(block + 8), c = u32_at(block + 12);
  const uint64_t scales_high = (c & 0x0f0f0f0fu) | (a >> 2 & 0x30303030u);
  const uint64_t minimums_high = (c >> 4 & 0x0f0f0f0fu) | (b >> 2 & 0x30303030u);
  Scales s;
  scale_bytes((a & 0x3f3f3f3fu) | scales_high << 32, half_at(block), s.scale);
  scale_bytes((b & 0x3f3f3f3fu) | minimums_high << 32, half_at(block + 2), s.minimum);
  return s;
}

// The sixteen 6-bit scales of Q3_K: 4 low bits each in the first 8 bytes, 2 high bits each in the last 4.
void unpack_q3_scales(const uint8_t* packed, float d, float* out) {
  const uint64_t low = u64_at(packed), high = u32_at(packed + 8);
  constexpr uint64_t low_4 = 0x0f0f0f0f0f0f0f0fu, low_2 = 0x03030303u;
  const uint64_t high_a = (high & low_2) | (high >> 2 & low_2) << 32, high_b = (high >> 4 & low_2) | (high >> 6 & low_2) << 32;
  scale_bytes_minus_32((low & low_4) | high_a << 4, d, out);
  scale_bytes_minus_32((low >> 4 & low_4) | high_b << 4, d, out + 8);
}

}  // namespace

void dequantize_q2_k(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  for (int64_t i = 0; i < n; i += 256, block += 84) {
    const float d = half_at(block + 80), dmin = half_at(block + 82);
    float scale[16], minimum[16];
    for (int j = 0; j < 16; j += lanes) {
      const Ints packed = load_u8(block + j);
      store(scale + j, d * to_float(packed & 15));
      store(minimum + j, dmin * to_float(packed >> 4));
    }
    for (int half = 0; half < 2; ++half) {
      for (int j = 0; j < 32; j += lanes) {
        const Ints q = load_u8(block + 16 + half * 32 + j);
#pragma GCC unroll 4
        for (int row = 0; row < 4; ++row) {
          const int sub = half * 8 + row * 2 + j / 16;
          store(out + i + half * 128 + row * 32 + j, scale[sub] * to_float(q >> (2 * row) & 3) - minimum[sub]);
        }
      }
    }
  }
}

void dequantize_q3_k(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  for (int64_t i = 0; i < n; i += 256, block += 110) {
    float scale[16];
    unpack_q3_scales(block + 96, half_at(block + 108), scale);
    for (int j = 0; j < 32; j += lanes) {
      const Ints third = load_u8(block + j) << 2;
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        const Ints q = load_u8(block + 32 + half * 32 + j);
#pragma GCC unroll 4
        for (int row = 0; row < 4; ++row) {
          const Ints value = (q >> (2 * row) & 3) | (third >> (half * 4 + row) & 4);
          store(out + i + half * 128 + row * 32 + j, scale[half * 8 + row * 2 + j / 16] * to_float(value - 4));
        }
      }
    }
  }
}

void dequantize_q4_k(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  for (int64_t i = 0; i < n; i += 256, block += 144) {
    const Scales s = unpack_scales(block);
    for (int pair = 0; pair < 4; ++pair) {
      for (int j = 0; j < 32; j += lanes) {
        const Ints q = load_u8(block + 16 + pair * 32 + j);
        float* low = out + i + pair * 64 + j;
        store(low, s.scale[2 * pair] * to_float(q & 15) - s.minimum[2 * pair]);
        store(low + 32, s.scale[2 * pair + 1] * to_float(q >> 4) - s.minimum[2 * pair + 1]);
      }
    }
  }
}

void dequantize_q5_k(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  for (int64_t i = 0; i < n; i += 256, block += 176) {
    const Scales s = unpack_scales(block);
    for (int j = 0; j < 32; j += lanes) {
      const Ints fifth = load_u8(block + 16 + j) << 4;
#pragma GCC unroll 4
      for (int pair = 0; pair < 4; ++pair) {
        const Ints q = load_u8(block + 48 + pair * 32 + j);
        const Ints low = (q & 15) | (fifth >> (2 * pair) & 16), high = (q >> 4) | (fifth >> (2 * pair + 1) & 16);
        store(out + i + pair * 64 + j, s.scale[2 * pair] * to_float(low) - s.minimum[2 * pair]);
        store(out + i + pair * 64 + 32 + j, s.scale[2 * pair + 1] * to_float(high) - s.minimum[2 * pair + 1]);
      }
    }
  }
}

void dequantize_q6_k(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  for (int64_t i = 0; i < n; i += 256, block += 210) {
    const float d = half_at(block + 208);
    float scale[16];
    for (int j = 0; j < 16; j += lanes) store(scale + j, d * to_float(load_i8(block + 192 + j)));
    for (int half = 0; half < 2; ++half) {
      for (int j = 0; j < 32; j += lanes) {
        const Ints a = load_u8(block + half * 64 + j), b = load_u8(block + half * 64 + 32 + j);
        const Ints high = load_u8(block + 128 + half * 32 + j);
        float* row = out + i + half * 128 + j;
        const float* s = scale + half * 8 + j / 16;
        store(row, s[0] * to_float(((a & 15) | (high << 4 & 48)) - 32));
        store(row + 32, s[2] * to_float(((b & 15) | (high << 2 & 48)) - 32));
        store(row + 64, s[4] * to_float(((a >> 4) | (high & 48)) - 32));
        store(row + 96, s[6] * to_float(((b >> 4) | (high >> 2 & 48)) - 32));
      }
    }
  }
}

}  // namespace mla::quant::MLA_QUANT_ISA
