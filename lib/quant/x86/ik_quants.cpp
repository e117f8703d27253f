// ik_llama.cpp's IQ2_K to IQ6_K and IQ2_KS to IQ5_KS: indices into tables of 4 to 64 values, two to choose from for each sub-block.
#include "quant/ref/ik_values.hpp"
#include "quant/x86/blocks.hpp"
#include "quant/x86/simd.hpp"

namespace mla::quant::MLA_QUANT_ISA {
namespace {

/// Sixteen values for each four bits of an index, lowest first.
template <int n>
struct Tables {
  Table of[n];
};

template <int n_values>
auto load_tables(const int8_t (&values)[n_values]) {
  Tables<n_values / 16> tables;
  for (int i = 0; i < n_values / 16; ++i) tables.of[i] = load_table(values + 16 * i);
  return tables;
}

/// The two tables of a type.
template <int n_values>
struct Pair {
  Tables<n_values / 16> of[2];
  explicit Pair(const int8_t (&values)[2][n_values]) : of{load_tables(values[0]), load_tables(values[1])} {}
};

Floats look_up(const Tables<1>& t, Ints index) { return look_up(t.of[0], index); }
Floats look_up(const Tables<2>& t, Ints index) { return select(look_up(t.of[0], index), look_up(t.of[1], index), index << 27); }
Floats look_up(const Tables<4>& t, Ints index) {
  const Floats low = select(look_up(t.of[0], index), look_up(t.of[1], index), index << 27);
  return select(low, select(look_up(t.of[2], index), look_up(t.of[3], index), index << 27), index << 26);
}

/// n values, a multiple of sixteen: scale times what index(j) stands for, j the first lane's.
template <int n, typename AnyTables, typename Index>
void put(float scale, const AnyTables& tables, Index&& index, float* out) {
#pragma GCC unroll 4
  for (int j = 0; j < n; j += lanes) store(out + j, scale * look_up(tables, index(j)));
}

/// Scale `sub` of 16 in IQ4_K and IQ5_K: 4 low bits, two to a byte; 2 high bits, four to a byte.
int scale_of_6_bits(const uint8_t* high, const uint8_t* low, int sub) {
  return ((low[sub / 2] >> (sub % 2 * 4) & 15) | (high[sub / 4] >> (sub % 4 * 2) & 3) << 4) - 32;
}

/// A byte: the scale in steps of 2, and below it which table.
float scale_of_byte(float d, int byte) { return d * (float)((byte & 254) - 127); }

float half_header(const void* header) { return half_at((const uint8_t*)header); }

float float_header(const void* header) {
  float d;
  memcpy(&d, header, sizeof d);
  return d;
}

/// 32 values from 16 bytes of nibbles, the low ones first.
void put_nibbles(float scale, const Tables<1>& tables, const uint8_t* quants, float* out) {
  put<16>(scale, tables, [&](int j) { return load_u8(quants + j); }, out);  // looked up by the low four bits
  put<16>(scale, tables, [&](int j) { return load_u8(quants + j) >> 4; }, out + 16);
}

}  // namespace

void dequantize_iq2_k(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  const Pair pair(ref::iq2_k_values);
  for (int64_t i = 0; i < n; i += 256, block += 76) {
    const float d = half_at(block);
    const int tables = u16_at(block + 2);
    for (int sub = 0; sub < 16; ++sub) {
      const int line = sub / 2;
      const uint8_t* quants = block + 12 + line / 4 * 32 + sub % 2 * 16;
      put<16>(d * (float)((block[4 + line] >> (sub % 2 * 4) & 15) - 8), pair.of[tables >> sub & 1],
              [&](int j) { return load_u8(quants + j) >> (line % 4 * 2) & 3; }, out + i + 16 * sub);
    }
  }
}

void dequantize_iq3_k(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  const Pair pair(ref::iq3_k_values);
  for (int64_t i = 0; i < n; i += 256, block += 110) {
    const float d = half_at(block);
    const int tables = u16_at(block + 2), negative = u16_at(block + 4);
    for (int sub = 0; sub < 16; ++sub) {
      const int line = sub / 2, magnitude = 2 * (block[6 + line] >> (sub % 2 * 4) & 15) + 1;
      const uint8_t *quants = block + 14 + line / 4 * 32 + sub % 2 * 16, *third = block + 78 + sub % 2 * 16;
      put<16>(d * (float)(negative >> sub & 1 ? -magnitude : magnitude), pair.of[tables >> sub & 1],
              [&](int j) { return (load_u8(quants + j) >> (line % 4 * 2) & 3) | (load_u8(third + j) >> line & 1) << 2; }, out + i + 16 * sub);
    }
  }
}

void dequantize_iq4_k(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  const Pair pair(ref::iq4_k_values);
  for (int64_t i = 0; i < n; i += 256, block += 144) {
    const float d = half_at(block);
    const int tables = u16_at(block + 2);
    for (int sub = 0; sub < 16; ++sub) {
      const uint8_t* quants = block + 16 + sub / 2 * 16;
      put<16>(d * (float)scale_of_6_bits(block + 4, block + 8, sub), pair.of[tables >> sub & 1], [&](int j) { return load_u8(quants + j) >> (sub % 2 * 4); },
              out + i + 16 * sub);
    }
  }
}

void dequantize_iq5_k(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  const Pair pair(ref::iq5_k_values);
  for (int64_t i = 0; i < n; i += 256, block += 176) {
    const float d = half_at(block);
    const int tables = u16_at(block + 2);
    for (int sub = 0; sub < 16; ++sub) {
      const int line = sub / 2;
      const uint8_t *quants = block + 16 + line / 2 * 32 + sub % 2 * 16, *fifth = block + 144 + sub % 2 * 16;
      put<16>(d * (float)scale_of_6_bits(block + 4, block + 8, sub), pair.of[tables >> sub & 1],
              [&](int j) { return (load_u8(quants + j) >> (line % 2 * 4) & 15) | (load_u8(fifth + j) >> line & 1) << 4; }, out + i + 16 * sub);
    }
  }
}

void dequantize_iq6_k(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  const auto table = load_tables(ref::iq6_k_values);
  for (int64_t i = 0; i < n; i += 256, block += 212) {
    const float d = half_at(block);
    const int tables = u16_at(block + 2);
    for (int sub = 0; sub < 16; ++sub) {
      const int line = sub / 2;
      const float scale = d * (float)(int8_t)block[4 + sub], higher = (float)(tables >> sub & 1);
      const uint8_t *quants = block + 20 + line / 2 * 32 + sub % 2 * 16, *high = block + 148 + line / 4 * 32 + sub % 2 * 16;
      for (int j = 0; j < 16; j += lanes) {
        const Ints index = (load_u8(quants + j) >> (line % 2 * 4) & 15) | (load_u8(high + j) >> (line % 4 * 2) & 3) << 4;
        store(out + i + 16 * sub + j, scale * (look_up(table, index) + higher));
      }
    }
  }
}

void dequantize_iq2_ks(const void* header, const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  const float d = half_header(header);
  const Pair pair(ref::iq2_k_values);
  for (int64_t i = 0; i < n; i += 256, block += 70)
    for (int sub = 0; sub < 8; ++sub) {
      const int scale = (block[2 + sub / 2] >> (sub % 2 * 4) & 15) | (block[1] >> sub & 1) << 4;
      const uint8_t* quants = block + 6 + sub / 4 * 32;
      put<32>(d * (float)(scale - 16), pair.of[block[0] >> sub & 1], [&](int j) { return load_u8(quants + j) >> (sub % 4 * 2) & 3; }, out + i + 32 * sub);
    }
}

void dequantize_iq3_ks(const void* header, const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  const float d = half_header(header);
  const Pair pair(ref::iq3_k_values);
  for (int64_t i = 0; i < n; i += 256, block += 102)
    for (int sub = 0; sub < 8; ++sub) {
      const int scale = (block[2 + sub % 4] >> (sub / 4 * 4) & 15) | (block[0] >> sub & 1) << 4;
      const uint8_t *quants = block + 6 + sub / 4 * 32, *third = block + 70;
      put<32>(d * (float)(scale - 16), pair.of[block[1] >> sub & 1],
              [&](int j) { return (load_u8(quants + j) >> (sub % 4 * 2) & 3) | (load_u8(third + j) >> sub & 1) << 2; }, out + i + 32 * sub);
    }
}

void dequantize_iq4_ks(const void* header, const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  const float d = float_header(header);
  const Pair pair(ref::iq4_k_values);
  for (int64_t i = 0; i < n; i += 256, block += 136)
    for (int sub = 0; sub < 8; ++sub) put_nibbles(scale_of_byte(d, block[sub]), pair.of[block[sub] & 1], block + 8 + 16 * sub, out + i + 32 * sub);
}

void dequantize_iq4_kss(const void* header, const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  const float d = float_header(header);
  const Pair pair(ref::iq4_k_values);
  for (int64_t i = 0; i < n; i += 32, block += 16) {
    const __m128i words = _mm_loadu_si128((const __m128i*)block), above = _mm_andnot_si128(_mm_set1_epi16(1), words);
    const __m128i lowest = _mm_slli_epi16(words, 15);
    const int byte = _mm_movemask_epi8(_mm_packs_epi16(lowest, lowest)) & 255;
    uint8_t quants[16];
    _mm_storeu_si128((__m128i*)quants, _mm_xor_si128(above, _mm_srli_epi16(above, 1)));
    put_nibbles(scale_of_byte(d, byte), pair.of[byte & 1], quants, out + i);
  }
}

void dequantize_iq5_ks(const void* header, const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  const float d = float_header(header);
  const Pair pair(ref::iq5_k_values);
  for (int64_t i = 0; i < n; i += 256, block += 168)
    for (int sub = 0; sub < 8; ++sub) {
      const uint8_t *quants = block + 8 + sub / 2 * 32, *fifth = block + 136;
      put<32>(scale_of_byte(d, block[sub]), pair.of[block[sub] & 1],
              [&](int j) { return (load_u8(quants + j) >> (sub % 2 * 4) & 15) | (load_u8(fifth + j) >> sub & 1) << 4; }, out + i + 32 * sub);
    }
}

}  // namespace mla::quant::MLA_QUANT_ISA
