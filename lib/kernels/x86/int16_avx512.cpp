// Compiled for AVX-512 F, BW, DQ, VL and VNNI.
#include <immintrin.h>

#include "kernels/int16.hpp"

namespace mla::kernels {
namespace {

typedef __m512i I;
typedef __m512 Floats;

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

inline int pair_at(const int16_t* p) {
  int bits;
  __builtin_memcpy(&bits, p, sizeof bits);
  return bits;
}

// A panel of columns with R panels of rows: enough sums at once to hide how long an instruction takes.
template <int R>
inline void multiply_panels(const Int16Product& p, int64_t i, int64_t j) {
  const int64_t group = p.one_group ? p.k : int16_group;
  const int16_t* a = p.a + i * p.k;
  const int16_t* b = p.b + j / int16_columns * p.b_stride;
  Floats total[4 * R] = {};
  for (int64_t first = 0; first < p.k; first += group) {
    I sum[4 * R] = {};
    for (const int16_t* const end = a + 4 * smaller(p.k - first, group); a < end; a += 8, b += 32) {
      const I columns = _mm512_loadu_si512(b);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int t = 0; t < 4; ++t) sum[4 * r + t] = _mm512_dpwssd_epi32(sum[4 * r + t], columns, _mm512_set1_epi32(pair_at(a + r * 4 * p.k + 2 * t)));
    }
#pragma GCC unroll 16
    for (int t = 0; t < 4 * R; ++t) total[t] = _mm512_add_ps(total[t], _mm512_cvtepi32_ps(sum[t]));
  }
#pragma GCC unroll 16
  for (int t = 0; t < 4 * R; ++t) {
    Floats scale = _mm512_set1_ps(p.a_scale[i + t]);
    if (p.b_scale != nullptr) scale = _mm512_mul_ps(scale, _mm512_loadu_ps(p.b_scale + j));
    float* const c = p.c + (i + t) * p.ldc + j;
    Floats y = _mm512_mul_ps(total[t], scale);
    if (p.c_factor != nullptr) y = _mm512_fmadd_ps(_mm512_set1_ps(p.c_factor[i + t]), _mm512_loadu_ps(c), y);
    _mm512_storeu_ps(c, y);
  }
}

}  // namespace

void avx512::multiply_int16(const Int16Product& p) noexcept {
  for (int64_t j = 0; j < p.n; j += int16_columns) {
    int64_t i = 0;
    for (; i + 12 <= p.m; i += 12) multiply_panels<3>(p, i, j);
    if (p.m - i == 8) multiply_panels<2>(p, i, j);
    if (p.m - i == 4) multiply_panels<1>(p, i, j);
  }
}

}  // namespace mla::kernels
