// Compiled for AVX-512 (F, BW, DQ, VL) with VNNI.
#include "kernels/int8.hpp"
#include "kernels/unpacked.hpp"
#include "kernels/x86/int8_quantize.hpp"
#include "kernels/x86/panel_interleave.hpp"

namespace mla::kernels {
namespace {

typedef __m512i I;
typedef __m512 Floats;
constexpr int Lanes = 16;
inline I load(const void* p) { return _mm512_loadu_si512(p); }
inline void store(void* p, I x) { _mm512_storeu_si512(p, x); }
inline I all(int x) { return _mm512_set1_epi32(x); }
template <int n>
inline I shl(I x) { return _mm512_slli_epi32(x, n); }
template <int n>
inline I shr(I x) { return _mm512_srli_epi32(x, n); }
inline I shr(I x, int n) { return _mm512_srli_epi32(x, (unsigned)n); }
inline I shl(I x, int n) { return _mm512_slli_epi32(x, (unsigned)n); }
inline I minus(I a, I b) { return _mm512_sub_epi32(a, b); }
inline I sign_extended(I x) { return _mm512_srai_epi32(_mm512_slli_epi32(x, 24), 24); }
inline I load_halves(const uint8_t* p) { return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p)); }
inline Floats load_floats(const float* p) { return _mm512_loadu_ps(p); }
inline Floats load_half_floats(const uint8_t* p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p)); }
inline void store(float* p, Floats x) { _mm512_storeu_ps(p, x); }
inline I look_up_iq4(I index) { return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(iq4_table()), index); }
inline I scale_lanes(I x) { return x; }

constexpr bool flips_signed = true;  // vpdpbusd wants weights without a sign
constexpr int tile_tokens = 8;

#include "kernels/panel/formats.inc"
#include "kernels/panel/weights.inc"

inline I broadcast(const void* p) { return _mm512_set1_epi32(*(const int*)p); }
inline __m512 floats(I x) { return _mm512_cvtepi32_ps(x); }

/// Sums of products of group g with T rows of activations.
template <typename F, int T, typename Weights>
inline __attribute__((always_inline)) void multiply_group(const Weights& w, int g, const Activations& x, int c, I (&sum)[T]) {
  constexpr int words = F::group / 4;
  const int b = g * words / 8, k = g * words % 8;
  const int64_t at = opaque(4 * g * words);
  const int8_t* q[T];
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t) q[t] = x.quants(t, c);
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t)
    sum[t] = zero_of<F> == 0 ? all(0) : _mm512_dpwssd_epi32(all(0), _mm512_set1_epi16(-zero_of<F>), broadcast(x.lane<F>(t, c, g)));
#pragma GCC unroll 8
  for (int i = 0; i < words; ++i) {
    const I bytes = w.quants(b, k + i, 0);
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) sum[t] = _mm512_dpbusd_epi32(sum[t], bytes, broadcast(q[t] + at + 4 * i));
  }
}

template <typename F, int T, typename Weights>
inline void multiply_super(const Weights& w, int c, const Activations& x, float (*out)[16]) {
  I total[T];
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t) total[t] = all(0);
  repeat<Weights::in_place, groups<F>>([&](int g) __attribute__((always_inline)) {
    I sum[T];
    multiply_group<F, T>(w, g, x, c, sum);
    const I scale = w.scale(g, 0);
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) total[t] = _mm512_add_epi32(total[t], _mm512_mullo_epi32(sum[t], scale));
  });
  I minimums[T];
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t) minimums[t] = all(0);
  if constexpr (F::has_min)
    repeat<Weights::in_place, groups<F> / 2>([&](int i) __attribute__((always_inline)) {
      const I minimum = w.minimum(i, 0);
#pragma GCC unroll 8
      for (int t = 0; t < T; ++t) minimums[t] = _mm512_dpwssd_epi32(minimums[t], minimum, broadcast(x.pair<F>(t, c, i)));
    });
  const Floats d = w.d(0);
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t) {
    const Floats scale = _mm512_set1_ps(*x.scale_of(t, c));
    Floats y = load_floats(out[t]);
    y = _mm512_fmadd_ps(floats(total[t]), _mm512_mul_ps(d, scale), y);
    if constexpr (F::has_min) y = _mm512_fnmadd_ps(floats(minimums[t]), _mm512_mul_ps(w.dmin(0), scale), y);
    store(out[t], y);
  }
}

template <typename F, int T, typename Weights>
inline void multiply_blocks(const Weights& w, int c, const Activations& x, float (*out)[16]) {
  const I ones = _mm512_set1_epi16(1);
  Floats total[T];
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t) total[t] = _mm512_setzero_ps();
  for (int b = 0; b < w.n_blocks; ++b) {
    w.fetch_ahead(b);
    I sum[T];
    multiply_group<F, T>(w, b, x, c, sum);
    const Floats scale = w.scale(b, 0);
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
      total[t] = _mm512_fmadd_ps(floats(sum[t]), scale, total[t]);
      if constexpr (F::has_min)
        total[t] = _mm512_fmadd_ps(floats(_mm512_madd_epi16(broadcast(x.lane<F>(t, c, b)), ones)), w.minimum(b, 0), total[t]);
    }
  }
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t) store(out[t], _mm512_fmadd_ps(total[t], _mm512_set1_ps(*x.scale_of(t, c)), load_floats(out[t])));
}

template <typename F>
using Stored = Unpacked<F>;

using avx2::unpacked_product;
#include "kernels/panel/products.inc"

}  // namespace

namespace avx512 {
const Int8Kernels int8 = {quantize_row, find_product, find_interleave};
}
}  // namespace mla::kernels
