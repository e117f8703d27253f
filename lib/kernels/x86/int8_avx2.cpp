// Compiled for AVX2, FMA and F16C.
#include "kernels/int8.hpp"
#include "kernels/x86/int8_quantize.hpp"
#include "kernels/x86/unpack.hpp"

namespace mla::kernels {
namespace {

inline __m256i load_s8(const int8_t* p) { return _mm256_loadu_si256((const __m256i*)p); }
typedef __m256 Floats;
inline Floats zeros() { return _mm256_setzero_ps(); }
inline Floats broadcast(const float* p) { return _mm256_broadcast_ss(p); }
inline __m256 fma(__m256 a, __m256 b, __m256 c) { return _mm256_fmadd_ps(a, b, c); }
inline __m256i pairs_to_i32(__m256i x) { return _mm256_madd_epi16(x, _mm256_set1_epi16(1)); }
inline __m256i minus_128(__m256i q) { return _mm256_xor_si256(q, _mm256_set1_epi8(-128)); }

// vpmaddubsw adds two products of an unsigned and a signed byte in 16 bits: 2 · 127 · q must stay below 32,768. Formats whose q
// is the value plus 128 take |value| instead, with the activation's sign turned where the value is negative.
template <typename F>
constexpr bool wide = F::max_q > 127;

inline __m256i multiply_signed(__m256i w, __m256i a) { return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(a, w)); }

inline float sum_of(__m256 x) {
  __m128 r = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  r = _mm_add_ps(r, _mm_movehl_ps(r, r));
  return _mm_cvtss_f32(_mm_add_ss(r, _mm_movehdup_ps(r)));
}

template <typename F>
inline __m256 dot_chunk(const Chunk& w, const int8_t* a, const float* sums16, const float* sums32) {
  __m256 s0 = _mm256_setzero_ps(), s1 = s0;
#pragma GCC unroll 8
  for (int b = 0; b < 8; ++b) {
    const __m256i q = _mm256_load_si256((const __m256i*)(w.q + 32 * b)), x = load_s8(a + 32 * b);
    const __m256i products = wide<F> ? multiply_signed(minus_128(q), x) : _mm256_maddubs_epi16(q, x);
    const __m256 scale = F::group == 32 ? _mm256_broadcast_ss(w.scale + b)
                                        : _mm256_set_m128(_mm_broadcast_ss(w.scale + 2 * b + 1), _mm_broadcast_ss(w.scale + 2 * b));
    __m256& s = b % 2 == 0 ? s0 : s1;
    s = fma(_mm256_cvtepi32_ps(pairs_to_i32(products)), scale, s);
  }
  if constexpr (!wide<F>) {
    if constexpr (F::group == 32) {
      s0 = fma(_mm256_load_ps(w.offset), _mm256_loadu_ps(sums32), s0);
    } else {
      s0 = fma(_mm256_load_ps(w.offset), _mm256_loadu_ps(sums16), s0);
      s1 = fma(_mm256_load_ps(w.offset + 8), _mm256_loadu_ps(sums16 + 8), s1);
    }
  }
  return _mm256_add_ps(s0, s1);
}

// 16 rows of weights, T of activations.
template <typename F, int T>
inline void multiply_tile(const PackedChunk* packed, int n, const Int8Product& p, int64_t row, int64_t chunk, float (*out)[16]) {
  constexpr int steps = F::group / 4;
  constexpr int run = wide<F> ? 1 : F::max_q <= 15 ? 8 : F::max_q <= 31 ? 4 : 2;  // products that 16 bits can add up
  constexpr int in_a_row = run < steps ? run : steps;
  for (int c = 0; c < n; ++c) {
    const PackedChunk& w = packed[c];
    const int8_t* a[T];
    __m256 s[T][2];
    for (int t = 0; t < T; ++t) {
      a[t] = p.a.q + ((row + t) * p.a.n_chunks + chunk + c) * 256;
      s[t][0] = s[t][1] = _mm256_setzero_ps();
    }
    for (int b = 0; b < 256 / F::group; ++b) {
      const __m256 scale0 = _mm256_load_ps(w.scale[b]), scale1 = _mm256_load_ps(w.scale[b] + 8);
      for (int first = b * steps; first < (b + 1) * steps; first += wide<F> ? steps : in_a_row) {
        __m256i sum[T][2];
#pragma GCC unroll 8
        for (int k = 0; k < (wide<F> ? steps : in_a_row); ++k) {
          __m256i w0 = _mm256_load_si256((const __m256i*)w.q[first + k]), w1 = _mm256_load_si256((const __m256i*)w.q[first + k][8]);
          if (wide<F>) w0 = minus_128(w0), w1 = minus_128(w1);
#pragma GCC unroll 4
          for (int t = 0; t < T; ++t) {
            int32_t four;
            memcpy(&four, a[t] + 4 * (first + k), sizeof four);
            const __m256i x = _mm256_set1_epi32(four);
            if constexpr (wide<F>) {
              const __m256i y0 = pairs_to_i32(multiply_signed(w0, x)), y1 = pairs_to_i32(multiply_signed(w1, x));
              sum[t][0] = k == 0 ? y0 : _mm256_add_epi32(sum[t][0], y0);
              sum[t][1] = k == 0 ? y1 : _mm256_add_epi32(sum[t][1], y1);
            } else {
              const __m256i y0 = _mm256_maddubs_epi16(w0, x), y1 = _mm256_maddubs_epi16(w1, x);
              sum[t][0] = k == 0 ? y0 : _mm256_add_epi16(sum[t][0], y0);
              sum[t][1] = k == 0 ? y1 : _mm256_add_epi16(sum[t][1], y1);
            }
          }
        }
#pragma GCC unroll 4
        for (int t = 0; t < T; ++t) {
          s[t][0] = fma(_mm256_cvtepi32_ps(wide<F> ? sum[t][0] : pairs_to_i32(sum[t][0])), scale0, s[t][0]);
          s[t][1] = fma(_mm256_cvtepi32_ps(wide<F> ? sum[t][1] : pairs_to_i32(sum[t][1])), scale1, s[t][1]);
        }
      }
      if constexpr (!wide<F>) {
        const __m256 offset0 = _mm256_load_ps(w.offset[b]), offset1 = _mm256_load_ps(w.offset[b] + 8);
        for (int t = 0; t < T; ++t) {
          const int64_t at = (row + t) * p.a.n_chunks + chunk + c;
          const __m256 sum = _mm256_broadcast_ss(F::group == 32 ? p.a.sums32 + at * 8 + b : p.a.sums16 + at * 16 + b);
          s[t][0] = fma(offset0, sum, s[t][0]);
          s[t][1] = fma(offset1, sum, s[t][1]);
        }
      }
    }
    for (int t = 0; t < T; ++t) {
      const __m256 scale = _mm256_broadcast_ss(p.a.scale + (row + t) * p.a.n_chunks + chunk + c);
      _mm256_storeu_ps(out[t], fma(s[t][0], scale, _mm256_loadu_ps(out[t])));
      _mm256_storeu_ps(out[t] + 8, fma(s[t][1], scale, _mm256_loadu_ps(out[t] + 8)));
    }
  }
}

constexpr int tile_tokens = 3;

#include "kernels/x86/int8_products.inc"

}  // namespace

namespace avx2 {
const Int8Kernels int8 = {quantize_row, find_gemv, find_gemm};
}
}  // namespace mla::kernels
