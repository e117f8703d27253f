// Compiled for AVX-512 F, BW, DQ, VL and VNNI.
#include <immintrin.h>

#include "kernels/int16.hpp"
#include "kernels/x86/int16_shared.hpp"

namespace mla::kernels {
namespace {

typedef __m512i I;
typedef __m512 Floats;

// R rows with a panel of columns: enough sums at once to hide how long an instruction takes.
template <int R>
inline void multiply_panel(const Int16Product& p, int64_t i, int64_t j, Ahead& ahead) {
  const int64_t group = p.one_group ? p.k : int16_group;
  const int16_t* a[R];
  for (int t = 0; t < R; ++t) a[t] = p.a + (i + t) * p.a_row;
  const int16_t* b = p.b + j / int16_columns * p.b_stride;
  Floats total[R] = {};
  for (int64_t first = 0; first < p.k; first += group) {
    I sum[R] = {};
    ahead.fetch_share();
    int64_t at = first / 2 * p.a_pair;
    for (const int16_t* const end = b + 16 * smaller(p.k - first, group); b < end; at += p.a_pair, b += 32) {
      const I columns = _mm512_loadu_si512(b);
#pragma GCC unroll 16
      for (int t = 0; t < R; ++t) sum[t] = _mm512_dpwssd_epi32(sum[t], columns, _mm512_set1_epi32(pair_at(a[t] + at)));
    }
#pragma GCC unroll 16
    for (int t = 0; t < R; ++t) total[t] = _mm512_add_ps(total[t], _mm512_cvtepi32_ps(sum[t]));
  }
#pragma GCC unroll 16
  for (int t = 0; t < R; ++t) {
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
  const int64_t m8 = p.m / 8 * 8;
  Ahead ahead(p, (m8 / 8 + (p.m - m8) / 4) * (p.n / int16_columns) * groups_of(p));
  for (int64_t j = 0; j < p.n; j += int16_columns) {
    for (int64_t i = 0; i < m8; i += 8) multiply_panel<8>(p, i, j, ahead);
    if (m8 < p.m) multiply_panel<4>(p, m8, j, ahead);
  }
}

}  // namespace mla::kernels
