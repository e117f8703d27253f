// IQ1_S to IQ3_S, sixteen values at a time: entries of the codebooks come together in a vector of bytes, signs are moved to the top of their
// lanes.
#include "quant/ref/grids.hpp"
#include "quant/x86/blocks.hpp"
#include "quant/x86/simd.hpp"

namespace mla::quant::MLA_QUANT_ISA {
namespace {

Bytes entries(const int8_t* a, const int8_t* b) {
  return _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i*)a), _mm_loadl_epi64((const __m128i*)b));
}

int word_at(const int8_t* p) { return (int)u32_at((const uint8_t*)p); }
Bytes entries(const int8_t* a, const int8_t* b, const int8_t* c, const int8_t* d) { return _mm_setr_epi32(word_at(a), word_at(b), word_at(c), word_at(d)); }

// Bit first + i of `bits` as the sign bit of lane i, all else zero.
Ints sign_bits(uint32_t bits, int first) { return (int32_t)bits << (31 - first - lane_numbers()) & INT32_MIN; }

// Sixteen values times scale; bit j of `signs` makes value j negative.
void put_signed(float scale, Bytes values, uint32_t signs, float* out) {
  for (int j = 0; j < 16; j += lanes) store(out + j, as_float((Ints)(scale * to_float(to_ints(values, j))) ^ sign_bits(signs, j)));
}

// Seven stored signs; the eighth makes the number of negative values even.
uint32_t signs_of_seven(uint32_t bits) { return (bits & 127) | (uint32_t)__builtin_parity(bits & 127) << 7; }
uint32_t two_signs_of_seven(uint32_t bits) { return signs_of_seven(bits) | signs_of_seven(bits >> 7) << 8; }

float quarter_scale(float d, int scale) { return d * (0.5f + (float)scale) * 0.25f; }

// Sixteen values of IQ1, moved by an eighth up, or down where the bit is set.
void put_moved(float scale, uint32_t index0, uint32_t index1, uint32_t down, float* out) {
  const Bytes values = entries(ref::iq1_s_grid.entries[index0], ref::iq1_s_grid.entries[index1]);
  const Ints eighth = (Ints)(Floats{} + 0.125f);
  for (int j = 0; j < 16; j += lanes) store(out + j, scale * (to_float(to_ints(values, j)) + as_float(eighth | sign_bits(down, j))));
}

// 32 values of IQ1_S: low bits of four indices, and a word of their high bits (3 each), a scale (3) and the offset's sign.
void put_iq1_s(float d, const uint8_t* low, uint32_t word, float* out) {
  const float scale = d * (float)(int)(2 * (word >> 12 & 7) + 1);
  for (int l = 0; l < 4; l += 2)
    put_moved(scale, low[l] | (word >> (3 * l) & 7) << 8, low[l + 1] | (word >> (3 * l + 3) & 7) << 8, word >> 15 ? 0xffff : 0, out + 8 * l);
}

// 16 values of IQ1_M: low bits of two indices, and a byte with a nibble for each: 3 high bits, and the offset's sign.
void put_iq1_m(float scale, const uint8_t* low, uint32_t high, float* out) {
  put_moved(scale, low[0] | (high & 7) << 8, low[1] | (high >> 4 & 7) << 8, (high & 8 ? 0xff : 0) | (high & 128 ? 0xff00 : 0), out);
}

}  // namespace

void dequantize_iq1_s(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  for (int64_t i = 0; i < n; i += 256, block += 50) {
    const float d = half_at(block);
    for (int sub = 0; sub < 8; ++sub) put_iq1_s(d, block + 2 + 4 * sub, u16_at(block + 34 + 2 * sub), out + i + 32 * sub);
  }
}

void dequantize_iq1_m(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  for (int64_t i = 0; i < n; i += 256, block += 56) {
    const uint64_t scales = u64_at(block + 48);
    const uint8_t half[2] = {(uint8_t)((scales >> 12 & 15) | (scales >> 24 & 0xf0)), (uint8_t)((scales >> 44 & 15) | (scales >> 56 & 0xf0))};
    const float d = half_at(half);
    for (int sub = 0; sub < 16; ++sub) {
      const int scale = (int)(scales >> (sub / 4 * 16 + sub % 4 * 3) & 7);
      put_iq1_m(d * (float)(2 * scale + 1), block + 2 * sub, block[32 + sub], out + i + 16 * sub);
    }
  }
}

void dequantize_iq1_s_row(const void* header, const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  const float d = half_at((const uint8_t*)header);
  for (int64_t i = 0; i < n; i += 32, block += 6) put_iq1_s(d, block, u16_at(block + 4), out + i);
}

void dequantize_iq1_m_row(const void* header, const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  const float d = half_at((const uint8_t*)header);
  for (int64_t i = 0; i < n; i += 32, block += 7)
    for (int half = 0; half < 2; ++half) put_iq1_m(d * (float)(block[6] >> (4 * half) & 15), block + 2 * half, block[4 + half], out + i + 16 * half);
}

void dequantize_iq2_xxs(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  for (int64_t i = 0; i < n; i += 256, block += 66) {
    const float d = half_at(block);
    for (int sub = 0; sub < 8; ++sub) {
      const uint8_t* index = block + 2 + 8 * sub;
      const uint32_t word = u32_at(index + 4);
      const float scale = quarter_scale(d, (int)(word >> 28));
      for (int l = 0; l < 4; l += 2)
        put_signed(scale, entries(ref::iq2_xxs_grid.entries[index[l]], ref::iq2_xxs_grid.entries[index[l + 1]]), two_signs_of_seven(word >> (7 * l)),
                   out + i + 32 * sub + 8 * l);
    }
  }
}

void dequantize_iq2_xs(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  for (int64_t i = 0; i < n; i += 256, block += 74) {
    const float d = half_at(block);
    for (int sub = 0; sub < 16; ++sub) {
      const uint32_t words = u32_at(block + 2 + 4 * sub), a = words & 0xffff, b = words >> 16;
      put_signed(quarter_scale(d, block[66 + sub / 2] >> (sub % 2 * 4) & 15), entries(ref::iq2_xs_grid.entries[a & 511], ref::iq2_xs_grid.entries[b & 511]),
                 signs_of_seven(a >> 9) | signs_of_seven(b >> 9) << 8, out + i + 16 * sub);
    }
  }
}

void dequantize_iq2_s(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  for (int64_t i = 0; i < n; i += 256, block += 82) {
    const float d = half_at(block);
    for (int sub = 0; sub < 16; ++sub) {
      const uint32_t high = block[66 + sub / 2] >> (sub % 2 * 4);
      const uint8_t* low = block + 2 + 2 * sub;
      put_signed(quarter_scale(d, block[74 + sub / 2] >> (sub % 2 * 4) & 15),
                 entries(ref::iq2_s_grid.entries[low[0] | (high & 3) << 8], ref::iq2_s_grid.entries[low[1] | (high >> 2 & 3) << 8]),
                 u16_at(block + 34 + 2 * sub), out + i + 16 * sub);
    }
  }
}

void dequantize_iq3_xxs(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  const auto& grid = ref::iq3_xxs_grid.entries;
  for (int64_t i = 0; i < n; i += 256, block += 98) {
    const float d = half_at(block);
    for (int sub = 0; sub < 8; ++sub) {
      const uint32_t word = u32_at(block + 66 + 4 * sub);
      const float scale = d * (0.5f + (float)(int)(word >> 28)) * 0.5f;
      for (int half = 0; half < 2; ++half) {
        const uint8_t* index = block + 2 + 8 * sub + 4 * half;
        put_signed(scale, entries(grid[index[0]], grid[index[1]], grid[index[2]], grid[index[3]]), two_signs_of_seven(word >> (14 * half)),
                   out + i + 32 * sub + 16 * half);
      }
    }
  }
}

void dequantize_iq3_s(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  const auto& grid = ref::iq3_s_grid.entries;
  for (int64_t i = 0; i < n; i += 256, block += 110) {
    const float d = half_at(block);
    for (int sub = 0; sub < 16; ++sub) {
      const uint8_t* low = block + 2 + 4 * sub;
      const uint32_t ninth = (uint32_t)block[66 + sub / 2] << 8 >> (sub % 2 * 4);
      const float scale = d * (float)(1 + 2 * (block[106 + sub / 4] >> (sub / 2 % 2 * 4) & 15));
      const auto entry = [&](int l) { return grid[low[l] | (ninth >> l & 256)]; };
      put_signed(scale, entries(entry(0), entry(1), entry(2), entry(3)), u16_at(block + 74 + 2 * sub), out + i + 16 * sub);
    }
  }
}

}  // namespace mla::quant::MLA_QUANT_ISA
