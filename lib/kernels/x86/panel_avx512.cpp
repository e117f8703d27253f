// Compiled for AVX-512 (F, BW, DQ, VL) with VNNI.
#include "kernels/int8.hpp"
#include "kernels/x86/int8_quantize.hpp"
#include "kernels/x86/panel_interleave.hpp"

namespace mla::kernels {
namespace {

typedef __m512i I;
constexpr int Lanes = 16;
inline I load(const void* p) { return _mm512_loadu_si512(p); }
inline void store(void* p, I x) { _mm512_storeu_si512(p, x); }
inline I all(int x) { return _mm512_set1_epi32(x); }
template <int n>
inline I shl(I x) { return _mm512_slli_epi32(x, n); }
template <int n>
inline I shr(I x) { return _mm512_srli_epi32(x, n); }
inline I shr(I x, int n) { return _mm512_srli_epi32(x, (unsigned)n); }
inline I minus(I a, I b) { return _mm512_sub_epi32(a, b); }
inline I sign_extended(I x) { return _mm512_srai_epi32(_mm512_slli_epi32(x, 24), 24); }
inline I load_halves(const uint8_t* p) { return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p)); }
inline void store_halves(float* to, const uint8_t* p) { _mm512_storeu_ps(to, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p))); }
inline I look_up_iq4(I index) { return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(iq4_table()), index); }
inline I scale_lanes(I x) { return x; }

constexpr bool flips_signed = true;  // vpdpbusd wants weights without a sign
constexpr int tile_tokens = 8;

#include "kernels/panel/formats.inc"
#include "kernels/panel/products.inc"

inline I broadcast(const void* p) { return _mm512_set1_epi32(*(const int*)p); }
inline __m512 floats(I x) { return _mm512_cvtepi32_ps(x); }

/// sum[t] += products of n words of weights with T rows of activations.
template <int T, int n>
inline void multiply_run(const uint8_t (*q)[64], const int8_t* x, int64_t x_stride, I (&sum)[T]) {
#pragma GCC unroll 8
  for (int k = 0; k < n; ++k) {
    const I w = load(q[k]);
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) sum[t] = _mm512_dpbusd_epi32(sum[t], w, broadcast(x + t * x_stride + 4 * k));
  }
}

template <typename F, int T>
inline void multiply_super(const Chunk<F>& w, int c, const Activations& x, float (*out)[16]) {
  constexpr int steps = F::group / 4;
  const int64_t stride = x.n_chunks * 256;
  I total[T];
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t) total[t] = all(0);
  for (int g = 0; g < groups<F>; ++g) {
    I sum[T];
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) sum[t] = all(0);
    multiply_run<T, steps>(w.q + g * steps, x.quants(0, c) + 4 * g * steps, stride, sum);
    const I scale = load(w.scale[g]);
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) total[t] = _mm512_add_epi32(total[t], _mm512_mullo_epi32(sum[t], scale));
  }
  I minimums[T];
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t) minimums[t] = F::has_min ? all(0) : total[t];
  if constexpr (F::has_min || zero_of<F> != 0)
    for (int i = 0; i < groups<F> / 2; ++i) {
      const I minimum = load(w.minimum[i]);
#pragma GCC unroll 8
      for (int t = 0; t < T; ++t) minimums[t] = _mm512_dpwssd_epi32(minimums[t], minimum, broadcast(x.pair<F>(t, c, i)));
    }
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t) {
    const __m512 scale = _mm512_set1_ps(*x.scale_of(t, c));
    __m512 y = _mm512_load_ps(out[t]);
    y = _mm512_fmadd_ps(floats(F::has_min ? total[t] : minimums[t]), _mm512_mul_ps(_mm512_load_ps(w.d), scale), y);
    if constexpr (F::has_min) y = _mm512_fnmadd_ps(floats(minimums[t]), _mm512_mul_ps(_mm512_load_ps(w.dmin), scale), y);
    _mm512_store_ps(out[t], y);
  }
}

template <typename F, int T>
inline void multiply_blocks(const Chunk<F>& w, int c, const Activations& x, float (*out)[16]) {
  const int64_t stride = x.n_chunks * 256;
  const I minus_zero = _mm512_set1_epi16(-zero_of<F>), ones = _mm512_set1_epi16(1);
  __m512 total[T];
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t) total[t] = _mm512_setzero_ps();
  for (int b = 0; b < w.n_blocks; ++b) {
    I sum[T];
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t)
      sum[t] = zero_of<F> == 0 ? all(0) : _mm512_dpwssd_epi32(all(0), minus_zero, broadcast(x.halves(t, c, b)));
    multiply_run<T, 8>(w.q + 8 * b, x.quants(0, c) + 32 * b, stride, sum);
    const __m512 scale = _mm512_load_ps(w.scale[b]);
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
      total[t] = _mm512_fmadd_ps(floats(sum[t]), scale, total[t]);
      if constexpr (F::has_min)
        total[t] = _mm512_fmadd_ps(floats(_mm512_madd_epi16(broadcast(x.halves(t, c, b)), ones)), _mm512_load_ps(w.minimum[b]), total[t]);
    }
  }
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t)
    _mm512_store_ps(out[t], _mm512_fmadd_ps(total[t], _mm512_set1_ps(*x.scale_of(t, c)), _mm512_load_ps(out[t])));
}

template <typename F, int T>
void multiply_tile(const Chunk<F>* chunks, int n, const Activations& x, float (*out)[16]) {
  for (int c = 0; c < n; ++c) {
    if constexpr (F::is_super) multiply_super<F, T>(chunks[c], c, x, out);
    else multiply_blocks<F, T>(chunks[c], c, x, out);
  }
}

}  // namespace

namespace avx512 {
const Int8Kernels int8 = {quantize_row, find_product};
}
}  // namespace mla::kernels
