#include <immintrin.h>

#include "kernels/unpacked.hpp"

namespace mla::kernels::avx2 {
namespace {

using I = __m256i;

// Of 32 weights and activations, eight sums; the sign of each weight moves to its activation.
inline I products(const quant::IntegerBlock& w, int b, I x) {
  const I q = _mm256_load_si256((const I*)(w.q + 32 * b));
  int two_scales;
  __builtin_memcpy(&two_scales, w.scale + 2 * b, sizeof two_scales);
  const I scale = _mm256_shuffle_epi8(_mm256_set1_epi32(two_scales), _mm256_setr_epi64x(0x0100010001000100, 0x0100010001000100, 0x0302030203020302, 0x0302030203020302));
  return _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_abs_epi8(q), _mm256_sign_epi8(x, q)), scale);
}

inline void add_products(const quant::IntegerBlock* const (&w)[4], const int8_t* q, const float* scale, int64_t n, float (&y)[4]) {
  __m128 sums = _mm_loadu_ps(y);
  for (int64_t c = 0; c < n; ++c) {
    I s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;
#pragma GCC unroll 2
    for (int b = 0; b < 8; ++b) {
      const I x = _mm256_loadu_si256((const I*)(q + c * 256 + 32 * b));
      s0 = _mm256_add_epi32(s0, products(w[0][c], b, x)), s1 = _mm256_add_epi32(s1, products(w[1][c], b, x));
      s2 = _mm256_add_epi32(s2, products(w[2][c], b, x)), s3 = _mm256_add_epi32(s3, products(w[3][c], b, x));
    }
    const I all = _mm256_hadd_epi32(_mm256_hadd_epi32(s0, s1), _mm256_hadd_epi32(s2, s3));
    const __m128i total = _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
    const __m128 d = _mm_mul_ps(_mm_setr_ps(w[0][c].d, w[1][c].d, w[2][c].d, w[3][c].d), _mm_set1_ps(scale[c]));
    sums = _mm_fmadd_ps(_mm_cvtepi32_ps(total), d, sums);
  }
  _mm_storeu_ps(y, sums);
}

#include "kernels/unpacked.inc"

}  // namespace

Int8Kernels::ProductFn unpacked_product(quant::Type type) noexcept { return find_unpacked(type); }

}  // namespace mla::kernels::avx2
