// Block formats as bytes: value = scale · q + offset, the same value that quant/ref dequantises to.
// Everything here has internal linkage, and includes no C++ library header: files for several instruction sets include it,
// and the linker must never find a wide copy of an inline function that other files share.
#pragma once
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

namespace mla::kernels {
namespace {

/// 256 values of a row: up to 16 sub-blocks, each with a scale and an offset.
struct Chunk {
  alignas(64) uint8_t q[256];
  alignas(64) float scale[16];
  alignas(64) float offset[16];
};

inline float half_at(const uint8_t* p) {
  uint16_t bits;
  memcpy(&bits, p, sizeof bits);
  return _cvtsh_ss(bits);
}
inline short u16_at(const uint8_t* p) {
  short bits;
  memcpy(&bits, p, sizeof bits);
  return bits;
}
inline uint32_t u32_at(const uint8_t* p) {
  uint32_t bits;
  memcpy(&bits, p, sizeof bits);
  return bits;
}
inline __m256i load32(const uint8_t* p) { return _mm256_loadu_si256((const __m256i*)p); }
inline void store32(uint8_t* p, __m256i x) { _mm256_store_si256((__m256i*)p, x); }
inline __m256i low_nibbles(__m256i x) { return _mm256_and_si256(x, _mm256_set1_epi8(15)); }
inline __m256i high_nibbles(__m256i x) { return low_nibbles(_mm256_srli_epi16(x, 4)); }
/// Bit `bit` of each byte, moved to bit `to`. (Shifts carry bits across bytes; the mask drops them.)
template <int bit, int to>
inline __m256i move_bit(__m256i x) {
  if constexpr (bit > to) return _mm256_and_si256(_mm256_srli_epi16(x, bit - to), _mm256_set1_epi8(1 << to));
  else return _mm256_and_si256(_mm256_slli_epi16(x, to - bit), _mm256_set1_epi8(1 << to));
}
/// The two bits from `bit` on, moved to bit `to`.
template <int bit, int to>
inline __m256i move_bits(__m256i x) {
  if constexpr (bit > to) return _mm256_and_si256(_mm256_srli_epi16(x, bit - to), _mm256_set1_epi8(3 << to));
  else return _mm256_and_si256(_mm256_slli_epi16(x, to - bit), _mm256_set1_epi8(3 << to));
}
/// Eight bytes, lowest first, as floats.
inline __m256 bytes_to_floats(uint64_t bytes) { return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)bytes))); }
/// 16 bytes of nibbles: the low ones first.
inline __m256i nibbles_of_32(const uint8_t* p) {
  const __m128i x = _mm_loadu_si128((const __m128i*)p);
  return low_nibbles(_mm256_set_m128i(_mm_srli_epi16(x, 4), x));
}
/// Bit i of `bits` to bit 4 of byte i.
inline __m256i fifth_bits(uint32_t bits) {
  const __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32((int)bits),
      _mm256_setr_epi64x(0x0000000000000000, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303));
  const __m256i one_each = _mm256_set1_epi64x((long long)0x8040201008040201);
  return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(spread, one_each), one_each), _mm256_set1_epi8(16));
}

/// The eight 6-bit scales and minimums of Q4_K and Q5_K (quant/ref/k_quants.cpp).
inline void unpack_k_scales(const uint8_t* block, Chunk& c) {
  const float d = half_at(block), dmin = half_at(block + 2);
  const uint32_t x = u32_at(block + 4), y = u32_at(block + 8), z = u32_at(block + 12);
  const uint64_t scales = (x & 0x3f3f3f3f) | (uint64_t)((z & 0x0f0f0f0f) | (x >> 2 & 0x30303030)) << 32;
  const uint64_t minimums = (y & 0x3f3f3f3f) | (uint64_t)((z >> 4 & 0x0f0f0f0f) | (y >> 2 & 0x30303030)) << 32;
  _mm256_store_ps(c.scale, _mm256_mul_ps(_mm256_set1_ps(d), bytes_to_floats(scales)));
  _mm256_store_ps(c.offset, _mm256_mul_ps(_mm256_set1_ps(-dmin), bytes_to_floats(minimums)));
}

/// The f16 at the same place in eight neighbouring blocks. Gathered in registers: what is stored in pieces and loaded as one
/// has to wait for all the stores.
template <int stride>
inline __m256 halves_of_blocks(const uint8_t* p) {
  return _mm256_cvtph_ps(_mm_setr_epi16(u16_at(p), u16_at(p + stride), u16_at(p + 2 * stride), u16_at(p + 3 * stride), u16_at(p + 4 * stride),
                                        u16_at(p + 5 * stride), u16_at(p + 6 * stride), u16_at(p + 7 * stride)));
}

/// Formats of 32 values a block. At the end of a row there may be less than eight; zeros stand for the others.
template <typename F>
inline void unpack_blocks_of_32(const uint8_t* block, int n, Chunk& c) {
  uint8_t padded[8 * F::block_bytes];
  if (n < 8) {
    memset(padded, 0, sizeof padded);
    memcpy(padded, block, (size_t)(n * F::block_bytes));
    block = padded;
  }
  const __m256 scale = halves_of_blocks<F::block_bytes>(block);
  _mm256_store_ps(c.scale, scale);
  _mm256_store_ps(c.offset, F::has_min ? halves_of_blocks<F::block_bytes>(block + 2) : _mm256_mul_ps(scale, _mm256_set1_ps(-F::zero)));
#pragma GCC unroll 8
  for (int b = 0; b < 8; ++b) store32(c.q + 32 * b, F::values(block + b * F::block_bytes));
}

// Each format: values of a sub-block, bytes of a block, the largest q, and unpack(block, sub-blocks of 32, chunk).

struct Q4_0 {
  static constexpr int group = 32, block_values = 32, block_bytes = 18, max_q = 15;
  static constexpr bool has_min = false;
  static constexpr float zero = 8;
  static __m256i values(const uint8_t* block) { return nibbles_of_32(block + 2); }
  static void unpack(const uint8_t* block, int n, Chunk& c) { unpack_blocks_of_32<Q4_0>(block, n, c); }
};

struct Q4_1 {
  static constexpr int group = 32, block_values = 32, block_bytes = 20, max_q = 15;
  static constexpr bool has_min = true;
  static constexpr float zero = 0;
  static __m256i values(const uint8_t* block) { return nibbles_of_32(block + 4); }
  static void unpack(const uint8_t* block, int n, Chunk& c) { unpack_blocks_of_32<Q4_1>(block, n, c); }
};

struct Q5_0 {
  static constexpr int group = 32, block_values = 32, block_bytes = 22, max_q = 31;
  static constexpr bool has_min = false;
  static constexpr float zero = 16;
  static __m256i values(const uint8_t* block) { return _mm256_or_si256(nibbles_of_32(block + 6), fifth_bits(u32_at(block + 2))); }
  static void unpack(const uint8_t* block, int n, Chunk& c) { unpack_blocks_of_32<Q5_0>(block, n, c); }
};

struct Q5_1 {
  static constexpr int group = 32, block_values = 32, block_bytes = 24, max_q = 31;
  static constexpr bool has_min = true;
  static constexpr float zero = 0;
  static __m256i values(const uint8_t* block) { return _mm256_or_si256(nibbles_of_32(block + 8), fifth_bits(u32_at(block + 4))); }
  static void unpack(const uint8_t* block, int n, Chunk& c) { unpack_blocks_of_32<Q5_1>(block, n, c); }
};

// Q8_0 and IQ4 values are signed: q is the value plus 128.

struct Q8_0 {
  static constexpr int group = 32, block_values = 32, block_bytes = 34, max_q = 255;
  static constexpr bool has_min = false;
  static constexpr float zero = 128;
  static __m256i values(const uint8_t* block) { return _mm256_xor_si256(load32(block + 2), _mm256_set1_epi8(-128)); }
  static void unpack(const uint8_t* block, int n, Chunk& c) { unpack_blocks_of_32<Q8_0>(block, n, c); }
};

inline __m256i iq4_look_up(__m256i index) {
  // quant/iq4_values.hpp, plus 128
  const __m128i table = _mm_setr_epi8(1, 24, 45, 63, 79, 93, 106, 118, (char)129, (char)141, (char)153, (char)166, (char)181, (char)197, (char)217, (char)241);
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), index);
}

struct IQ4_NL {
  static constexpr int group = 32, block_values = 32, block_bytes = 18, max_q = 255;
  static constexpr bool has_min = false;
  static constexpr float zero = 128;
  static __m256i values(const uint8_t* block) { return iq4_look_up(nibbles_of_32(block + 2)); }
  static void unpack(const uint8_t* block, int n, Chunk& c) { unpack_blocks_of_32<IQ4_NL>(block, n, c); }
};

struct IQ4_XS {
  static constexpr int group = 32, block_values = 256, block_bytes = 136, max_q = 255;
  static void unpack(const uint8_t* block, int, Chunk& c) {
    const __m256i low = _mm256_srlv_epi32(_mm256_set1_epi32((int)u32_at(block + 4)), _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28));
    const __m256i high = _mm256_srlv_epi32(_mm256_set1_epi32(block[2] | block[3] << 8), _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14));
    const __m256i integer = _mm256_or_si256(_mm256_and_si256(low, _mm256_set1_epi32(15)), _mm256_slli_epi32(_mm256_and_si256(high, _mm256_set1_epi32(3)), 4));
    const __m256 scale = _mm256_mul_ps(_mm256_set1_ps(half_at(block)), _mm256_cvtepi32_ps(_mm256_sub_epi32(integer, _mm256_set1_epi32(32))));
    _mm256_store_ps(c.scale, scale);
    _mm256_store_ps(c.offset, _mm256_mul_ps(scale, _mm256_set1_ps(-128)));
    for (int b = 0; b < 8; ++b) store32(c.q + 32 * b, iq4_look_up(nibbles_of_32(block + 8 + 16 * b)));
  }
};

struct Q4_K {
  static constexpr int group = 32, block_values = 256, block_bytes = 144, max_q = 15;
  static void unpack(const uint8_t* block, int, Chunk& c) {
    unpack_k_scales(block, c);
    for (int pair = 0; pair < 4; ++pair) {
      const __m256i x = load32(block + 16 + 32 * pair);
      store32(c.q + 64 * pair, low_nibbles(x));
      store32(c.q + 64 * pair + 32, high_nibbles(x));
    }
  }
};

struct Q5_K {
  static constexpr int group = 32, block_values = 256, block_bytes = 176, max_q = 31;
  template <int pair>
  static void unpack_pair(const uint8_t* block, __m256i fifth, Chunk& c) {
    const __m256i x = load32(block + 48 + 32 * pair);
    store32(c.q + 64 * pair, _mm256_or_si256(low_nibbles(x), move_bit<2 * pair, 4>(fifth)));
    store32(c.q + 64 * pair + 32, _mm256_or_si256(high_nibbles(x), move_bit<2 * pair + 1, 4>(fifth)));
  }
  static void unpack(const uint8_t* block, int, Chunk& c) {
    unpack_k_scales(block, c);
    const __m256i fifth = load32(block + 16);
    unpack_pair<0>(block, fifth, c), unpack_pair<1>(block, fifth, c), unpack_pair<2>(block, fifth, c), unpack_pair<3>(block, fifth, c);
  }
};

struct Q6_K {
  static constexpr int group = 16, block_values = 256, block_bytes = 210, max_q = 63;
  static void unpack(const uint8_t* block, int, Chunk& c) {
    const __m256 d = _mm256_set1_ps(half_at(block + 208));
    for (int i = 0; i < 16; i += 8) {
      const __m256 scale = _mm256_mul_ps(d, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)(block + 192 + i)))));
      _mm256_store_ps(c.scale + i, scale);
      _mm256_store_ps(c.offset + i, _mm256_mul_ps(_mm256_set1_ps(-32), scale));
    }
    for (int half = 0; half < 2; ++half) {
      const __m256i a = load32(block + 64 * half), b = load32(block + 64 * half + 32), high = load32(block + 128 + 32 * half);
      uint8_t* q = c.q + 128 * half;
      store32(q, _mm256_or_si256(low_nibbles(a), move_bits<0, 4>(high)));
      store32(q + 32, _mm256_or_si256(low_nibbles(b), move_bits<2, 4>(high)));
      store32(q + 64, _mm256_or_si256(high_nibbles(a), move_bits<4, 4>(high)));
      store32(q + 96, _mm256_or_si256(high_nibbles(b), move_bits<6, 4>(high)));
    }
  }
};

struct Q3_K {
  static constexpr int group = 16, block_values = 256, block_bytes = 110, max_q = 7;
  template <int half>
  static void unpack_half(const uint8_t* block, __m256i third, Chunk& c) {
    const __m256i x = load32(block + 32 + 32 * half);
    uint8_t* q = c.q + 128 * half;
    store32(q, _mm256_or_si256(move_bits<0, 0>(x), move_bit<4 * half, 2>(third)));
    store32(q + 32, _mm256_or_si256(move_bits<2, 0>(x), move_bit<4 * half + 1, 2>(third)));
    store32(q + 64, _mm256_or_si256(move_bits<4, 0>(x), move_bit<4 * half + 2, 2>(third)));
    store32(q + 96, _mm256_or_si256(move_bits<6, 0>(x), move_bit<4 * half + 3, 2>(third)));
  }
  static void unpack(const uint8_t* block, int, Chunk& c) {
    // Scale j has its low 4 bits in byte j % 8, its high 2 in byte 8 + j % 4 (quant/ref/k_quants.cpp).
    const uint64_t low = u32_at(block + 96) | (uint64_t)u32_at(block + 100) << 32, four = 0x0f0f0f0f0f0f0f0f;
    const uint32_t high = u32_at(block + 104), two = 0x03030303;
    const __m256 d = _mm256_set1_ps(half_at(block + 108));
    for (int i = 0; i < 2; ++i) {
      const uint64_t top = (high >> (4 * i) & two) | (uint64_t)(high >> (4 * i + 2) & two) << 32;
      const __m256 scale = _mm256_mul_ps(d, _mm256_sub_ps(bytes_to_floats((low >> (4 * i) & four) | top << 4), _mm256_set1_ps(32)));
      _mm256_store_ps(c.scale + 8 * i, scale);
      _mm256_store_ps(c.offset + 8 * i, _mm256_mul_ps(scale, _mm256_set1_ps(-4)));
    }
    const __m256i third = load32(block);
    unpack_half<0>(block, third, c), unpack_half<1>(block, third, c);
  }
};

struct Q2_K {
  static constexpr int group = 16, block_values = 256, block_bytes = 84, max_q = 3;
  static void unpack(const uint8_t* block, int, Chunk& c) {
    const float d = half_at(block + 80), dmin = half_at(block + 82);
    for (int i = 0; i < 16; i += 8) {
      const __m256i x = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)(block + i)));
      _mm256_store_ps(c.scale + i, _mm256_mul_ps(_mm256_set1_ps(d), _mm256_cvtepi32_ps(_mm256_and_si256(x, _mm256_set1_epi32(15)))));
      _mm256_store_ps(c.offset + i, _mm256_mul_ps(_mm256_set1_ps(-dmin), _mm256_cvtepi32_ps(_mm256_srli_epi32(x, 4))));
    }
    for (int half = 0; half < 2; ++half) {
      const __m256i x = load32(block + 16 + 32 * half);
      uint8_t* q = c.q + 128 * half;
      store32(q, move_bits<0, 0>(x));
      store32(q + 32, move_bits<2, 0>(x));
      store32(q + 64, move_bits<4, 0>(x));
      store32(q + 96, move_bits<6, 0>(x));
    }
  }
};

/// 16 rows of a chunk, interleaved: one 64-byte load has four consecutive values of every row.
struct PackedChunk {
  alignas(64) uint8_t q[64][16][4];
  alignas(64) float scale[16][16];   // [sub-block, row]
  alignas(64) float offset[16][16];
};

inline void transpose_8x8(const int32_t* in, int64_t in_stride, int32_t* out, int64_t out_stride) {
  __m256i r[8], t[8];
  for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_si256((const __m256i*)(in + i * in_stride));
  for (int i = 0; i < 8; i += 2) t[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]), t[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]), r[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]), r[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    _mm256_store_si256((__m256i*)(out + i * out_stride), _mm256_permute2x128_si256(r[i], r[i + 4], 0x20));
    _mm256_store_si256((__m256i*)(out + (i + 4) * out_stride), _mm256_permute2x128_si256(r[i], r[i + 4], 0x31));
  }
}

/// Rows w, w + row_bytes, … of which `n_rows` exist; the others become zeros.
template <typename F>
inline void pack_chunk(const uint8_t* w, int64_t row_bytes, int n_rows, int blocks_of_32, PackedChunk& out) {
  Chunk rows[8];
  constexpr int groups = 256 / F::group;
  for (int half = 0; half < 16; half += 8) {
    for (int r = 0; r < 8; ++r) {
      if (half + r < n_rows) F::unpack(w + (half + r) * row_bytes, blocks_of_32, rows[r]);
      else memset(&rows[r], 0, sizeof rows[r]);
    }
    constexpr int64_t stride = sizeof(Chunk) / 4;
    for (int i = 0; i < 64; i += 8) transpose_8x8((const int32_t*)rows[0].q + i, stride, (int32_t*)out.q[i][half], 16);
    for (int i = 0; i < groups; i += 8) {
      transpose_8x8((const int32_t*)rows[0].scale + i, stride, (int32_t*)&out.scale[i][half], 16);
      transpose_8x8((const int32_t*)rows[0].offset + i, stride, (int32_t*)&out.offset[i][half], 16);
    }
  }
}

constexpr int chunks_at_once = 4;  // 24 KB of packed weights stay in the first-level cache
static_assert(sizeof(PackedChunk) * chunks_at_once <= 32 << 10);

}  // namespace
}  // namespace mla::kernels
