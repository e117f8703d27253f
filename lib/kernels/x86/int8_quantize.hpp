// Activations to 8-bit integers, with AVX2. Internal linkage, as in unpack.hpp.
#pragma once
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernels/int8.hpp"

namespace mla::kernels {
namespace {

inline __m256i round_32(const float* x, __m256 inverse) {
  __m256i r[4];
  for (int i = 0; i < 4; ++i) r[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), inverse));
  const __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(r[0], r[1]), _mm256_packs_epi32(r[2], r[3]));
  return _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));  // packing works in 128-bit halves
}

/// The largest magnitude becomes 127. A chunk with an infinity or NaN gets a NaN scale: the result then says so.
void quantize_row(const float* x, int64_t k, const Int8Rows& out) noexcept {
  for (int64_t c = 0; c < out.n_chunks; ++c) {
    const int64_t n = k - c * 256 < 256 ? k - c * 256 : 256;  // a multiple of 32
    const float* chunk = x + c * 256;
    __m256 largest = _mm256_setzero_ps(), poison = largest;
    for (int64_t i = 0; i < n; i += 8) {
      const __m256 v = _mm256_loadu_ps(chunk + i);
      largest = _mm256_max_ps(largest, _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v));
      poison = _mm256_fmadd_ps(v, _mm256_setzero_ps(), poison);  // 0, or NaN
    }
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(largest), _mm256_extractf128_ps(largest, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    const float max = _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
    __m128 z = _mm_add_ps(_mm256_castps256_ps128(poison), _mm256_extractf128_ps(poison, 1));
    z = _mm_add_ps(z, _mm_movehl_ps(z, z));
    const float nan_or_0 = _mm_cvtss_f32(_mm_add_ss(z, _mm_movehdup_ps(z)));
    const bool usable = max >= 1e-30f && nan_or_0 == 0;  // below it 127 / max overflows
    const __m256 inverse = _mm256_set1_ps(usable ? 127.0f / max : 0.0f);
    out.scale[c] = (usable ? max / 127.0f : 0.0f) + nan_or_0;
    for (int b = 0; b < 8; ++b) {
      const __m256i q = usable && 32 * b < n ? round_32(chunk + 32 * b, inverse) : _mm256_setzero_si256();
      _mm256_storeu_si256((__m256i*)(out.q + c * 256 + 32 * b), q);
      // Sums of pairs; of every fourth pair, in each 128-bit half: 16 values.
      __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), q);
      pairs = _mm256_add_epi16(pairs, _mm256_shuffle_epi32(pairs, 0x4e));
      pairs = _mm256_add_epi16(pairs, _mm256_shuffle_epi32(pairs, 0xb1));
      const __m128i low = _mm256_castsi256_si128(pairs), high = _mm256_extracti128_si256(pairs, 1);
      _mm_storeu_si64(out.lanes16 + (c * 8 + b) * 4, _mm_unpacklo_epi32(low, high));
      _mm_storeu_si32(out.lanes32 + (c * 8 + b) * 2, _mm_add_epi16(low, high));
      const __m256i sums = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
      const int sum0 = _mm256_cvtsi256_si32(sums), sum1 = _mm256_extract_epi32(sums, 4);
      out.sums16[c * 16 + 2 * b] = (int16_t)sum0, out.sums16[c * 16 + 2 * b + 1] = (int16_t)sum1;
      out.sums32[c * 8 + b] = (int16_t)(sum0 + sum1);
    }
  }
}

/// Values of IQ4_NL and IQ4_XS (quant/iq4_values.hpp).
inline __m128i iq4_table() { return _mm_setr_epi8(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113); }

}  // namespace
}  // namespace mla::kernels
