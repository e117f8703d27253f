// Compiled for AVX-512 (F, BW, DQ, VL) with VNNI.
#include "kernels/int8.hpp"
#include "kernels/x86/int8_quantize.hpp"
#include "kernels/x86/unpack.hpp"

namespace mla::kernels {
namespace {

typedef __m512 Floats;
inline Floats zeros() { return _mm512_setzero_ps(); }
inline Floats broadcast(const float* p) { return _mm512_set1_ps(*p); }
inline __m512 fma(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(a, b, c); }
inline float sum_of(__m512 x) { return _mm512_reduce_add_ps(x); }

template <typename F>
inline __m512 dot_chunk(const Chunk& w, const int8_t* a, const float* sums16, const float* sums32) {
  __m512 s0 = _mm512_setzero_ps(), s1 = s0;
#pragma GCC unroll 4
  for (int b = 0; b < 4; ++b) {
    const __m512i q = _mm512_load_si512(w.q + 64 * b), x = _mm512_loadu_si512(a + 64 * b);
    const __m512i sum = _mm512_dpbusd_epi32(_mm512_setzero_si512(), q, x);
    __m512 scale;
    if constexpr (F::group == 32)
      scale = _mm512_mask_broadcastss_ps(_mm512_set1_ps(w.scale[2 * b]), 0xff00, _mm_load_ss(w.scale + 2 * b + 1));
    else  // each scale four times
      scale = _mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3), _mm512_castps128_ps512(_mm_load_ps(w.scale + 4 * b)));
    __m512& s = b % 2 == 0 ? s0 : s1;
    s = fma(_mm512_cvtepi32_ps(sum), scale, s);
  }
  const __m512 offset = F::group == 32 ? _mm512_zextps256_ps512(_mm256_load_ps(w.offset)) : _mm512_load_ps(w.offset);
  const __m512 sums = F::group == 32 ? _mm512_zextps256_ps512(_mm256_loadu_ps(sums32)) : _mm512_loadu_ps(sums16);
  return _mm512_add_ps(fma(offset, sums, s0), s1);
}

// 16 rows of weights, T of activations.
template <typename F, int T>
inline void multiply_tile(const PackedChunk* packed, int n, const Int8Product& p, int64_t row, int64_t chunk, float (*out)[16]) {
  constexpr int steps = F::group / 4;
  for (int c = 0; c < n; ++c) {
    const PackedChunk& w = packed[c];
    const int64_t at = row * p.a.n_chunks + chunk + c;
    const int8_t* a = p.a.q + at * 256;
    const float* sums = F::group == 32 ? p.a.sums32 + at * 8 : p.a.sums16 + at * 16;
    const int64_t a_stride = p.a.n_chunks * 256, sums_stride = p.a.n_chunks * (256 / F::group);
    __m512 s[T];
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) s[t] = _mm512_setzero_ps();
    for (int b = 0; b < 256 / F::group; ++b) {
      __m512i sum[T];
#pragma GCC unroll 8
      for (int t = 0; t < T; ++t) sum[t] = _mm512_setzero_si512();
#pragma GCC unroll 8
      for (int k = 0; k < steps; ++k) {
        const __m512i q = _mm512_load_si512(w.q[b * steps + k]);
#pragma GCC unroll 8
        for (int t = 0; t < T; ++t) {
          int32_t four;
          memcpy(&four, a + t * a_stride + 4 * (b * steps + k), sizeof four);
          sum[t] = _mm512_dpbusd_epi32(sum[t], q, _mm512_set1_epi32(four));
        }
      }
      const __m512 scale = _mm512_load_ps(w.scale[b]), offset = _mm512_load_ps(w.offset[b]);
#pragma GCC unroll 8
      for (int t = 0; t < T; ++t) {
        s[t] = fma(_mm512_cvtepi32_ps(sum[t]), scale, s[t]);
        s[t] = fma(offset, _mm512_set1_ps(sums[t * sums_stride + b]), s[t]);
      }
    }
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t)
      _mm512_storeu_ps(out[t], fma(s[t], _mm512_set1_ps(p.a.scale[at + t * p.a.n_chunks]), _mm512_loadu_ps(out[t])));
  }
}

constexpr int tile_tokens = 8;

#include "kernels/x86/int8_products.inc"

}  // namespace

namespace avx512 {
const Int8Kernels int8 = {quantize_row, find_gemv, find_gemm};
}
}  // namespace mla::kernels
