// Compiled for AVX-512 (F, BW, DQ, VL) with VNNI.
#include "kernels/int8.hpp"
#include "kernels/x86/int8_quantize.hpp"
#include "kernels/x86/unpack.hpp"

namespace mla::kernels {
namespace {

inline __m512 fma(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(a, b, c); }

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

template <typename F, int M>
void gemv_rows(const Int8Product& p, int64_t first) {
  Chunk w = {};
  for (int64_t j = 0; j < p.n; ++j) {
    const uint8_t* block = (const uint8_t*)p.w + j * (int64_t)p.row_bytes;
    __m512 y[M];
    for (int i = 0; i < M; ++i) y[i] = _mm512_setzero_ps();
    int64_t left = p.k / 32;
    for (int64_t c = 0; c < p.a.n_chunks; ++c, left -= 8) {
      F::unpack(block, left < 8 ? (int)left : 8, w);
      block += 256 / F::block_values * F::block_bytes;
#pragma GCC unroll 4
      for (int i = 0; i < M; ++i) {
        const int64_t at = (first + i) * p.a.n_chunks + c;
        y[i] = fma(dot_chunk<F>(w, p.a.q + at * 256, p.a.sums16 + at * 16, p.a.sums32 + at * 8), _mm512_set1_ps(p.a.scale[at]), y[i]);
      }
    }
    for (int i = 0; i < M; ++i) p.y[(first + i) * p.ldy + j] = _mm512_reduce_add_ps(y[i]);
  }
}

template <typename F>
void gemv(const Int8Product& p, void*) noexcept {
  int64_t i = 0;
  for (; i + 4 <= p.m; i += 4) gemv_rows<F, 4>(p, i);
  if (p.m - i == 3) gemv_rows<F, 3>(p, i);
  if (p.m - i == 2) gemv_rows<F, 2>(p, i);
  if (p.m - i == 1) gemv_rows<F, 1>(p, i);
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

#include "kernels/x86/int8_gemm.inc"

}  // namespace

namespace avx512 {
const Int8Kernels int8 = {quantize_row, find_gemv, find_gemm};
}
}  // namespace mla::kernels
