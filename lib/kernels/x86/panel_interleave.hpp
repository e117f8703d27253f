// Sixteen rows of a block as a panel has them, with AVX2. Internal linkage, as in panel/formats.inc.
#pragma once
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernels/panel/layout.hpp"

namespace mla::kernels {
namespace {

template <int n>
inline __m256i load_words(const uint8_t* p) {
  if constexpr (n >= 8) return _mm256_loadu_si256((const __m256i*)p);
  else return _mm256_maskload_epi32((const int*)p, _mm256_setr_epi32(-(n > 0), -(n > 1), -(n > 2), -(n > 3), -(n > 4), -(n > 5), -(n > 6), 0));
}

/// n ≤ 8 words of eight rows, at rows[i] + at: word w of the rows goes to out + 64w.
template <int n>
inline void interleave_words(const uint8_t* const* rows, int at, uint8_t* out) {
  __m256i r[8], t[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) r[i] = load_words<n>(rows[i] + at);
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) t[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]), t[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]), r[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]), r[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    if (i < n) _mm256_storeu_si256((__m256i*)(out + 64 * i), _mm256_permute2x128_si256(r[i], r[i + 4], 0x20));
    if (i + 4 < n) _mm256_storeu_si256((__m256i*)(out + 64 * (i + 4)), _mm256_permute2x128_si256(r[i], r[i + 4], 0x31));
  }
}

template <int n>
inline void interleave_all_words(const uint8_t* const* rows, int at, uint8_t* out) {
  if constexpr (n > 0) {
    interleave_words<(n < 8 ? n : 8)>(rows, at, out);
    interleave_all_words<n - 8>(rows, at + 32, out + 64 * 8);
  }
}

inline __m256i swap_bits(__m256i x, int mask, int shift) {
  const __m256i difference = _mm256_and_si256(_mm256_xor_si256(x, _mm256_srli_epi32(x, shift)), _mm256_set1_epi32(mask));
  return _mm256_xor_si256(x, _mm256_xor_si256(difference, _mm256_slli_epi32(difference, shift)));
}

/// As spread_fifth_bits() in panels.cpp.
inline __m256i spread_fifth_bits(__m256i x) {
  return swap_bits(swap_bits(swap_bits(swap_bits(x, 0x22222222, 1), 0x0a0a0a0a, 3), 0x00cc00cc, 6), 0x0000f0f0, 12);
}

inline short short_at(const uint8_t* p) {
  short bits;
  memcpy(&bits, p, sizeof bits);
  return bits;
}

/// Gathered in registers: what is stored in pieces and loaded as one has to wait for all the stores.
inline void interleave_halves(const uint8_t* const* rows, int at, uint8_t* out) {
  _mm_storeu_si128((__m128i*)out, _mm_setr_epi16(short_at(rows[0] + at), short_at(rows[1] + at), short_at(rows[2] + at), short_at(rows[3] + at),
                                                 short_at(rows[4] + at), short_at(rows[5] + at), short_at(rows[6] + at), short_at(rows[7] + at)));
}

alignas(64) constexpr uint8_t no_row[256] = {};

/// The block at `block` of `n_rows` rows, row_bytes apart; missing rows are zeros.
template <typename F>
inline void interleave_block(const uint8_t* block, int64_t row_bytes, int n_rows, uint8_t* panel) {
  constexpr PanelLayout l = F::layout;
  for (int first = 0; first < panel_rows; first += 8) {
    const uint8_t* rows[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) rows[i] = first + i < n_rows ? block + (first + i) * row_bytes : no_row;
    uint8_t* out = panel;
    for (int i = 0; i < l.n_halves; ++i, out += 2 * panel_rows) interleave_halves(rows, l.halves_at + 2 * i, out + 2 * first);
    if constexpr (l.fifth_bits_at >= 0) {
      interleave_words<1>(rows, l.fifth_bits_at, out + 4 * first);
      _mm256_storeu_si256((__m256i*)(out + 4 * first), spread_fifth_bits(_mm256_loadu_si256((const __m256i*)(out + 4 * first))));
      out += 4 * panel_rows;
    }
    interleave_all_words<l.n_words>(rows, l.words_at, out + 4 * first);
  }
}

}  // namespace
}  // namespace mla::kernels
