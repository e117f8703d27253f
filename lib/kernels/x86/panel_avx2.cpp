// Compiled for AVX2, FMA and F16C.
#include "kernels/int8.hpp"
#include "kernels/x86/int8_quantize.hpp"
#include "kernels/x86/panel_interleave.hpp"

namespace mla::kernels {
namespace {

typedef __m256i I;
constexpr int Lanes = 8;
inline I load(const void* p) { return _mm256_loadu_si256((const __m256i*)p); }
inline void store(void* p, I x) { _mm256_storeu_si256((__m256i*)p, x); }
inline I all(int x) { return _mm256_set1_epi32(x); }
template <int n>
inline I shl(I x) { return _mm256_slli_epi32(x, n); }
template <int n>
inline I shr(I x) { return _mm256_srli_epi32(x, n); }
inline I shr(I x, int n) { return _mm256_srli_epi32(x, n); }
inline I minus(I a, I b) { return _mm256_sub_epi32(a, b); }
inline I sign_extended(I x) { return _mm256_srai_epi32(_mm256_slli_epi32(x, 24), 24); }
inline I load_halves(const uint8_t* p) { return _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p)); }
inline void store_halves(float* to, const uint8_t* p) { _mm256_storeu_ps(to, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p))); }
inline I look_up_iq4(I index) { return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(iq4_table()), index); }

/// Both 16-bit halves of a lane: vpmaddwd multiplies them with two sums of products.
inline I scale_lanes(I x) { return _mm256_or_si256(_mm256_and_si256(x, all(0xffff)), _mm256_slli_epi32(x, 16)); }

constexpr bool flips_signed = false;
constexpr int tile_tokens = 4;

#include "kernels/panel/formats.inc"
#include "kernels/panel/products.inc"

// vpmaddubsw adds two products of an unsigned and a signed byte in 16 bits: at most 2 · 127 · max_q, and so many of these fit:
template <typename F>
constexpr int run = F::is_signed ? 1 : F::max_q <= 15 ? 8 : F::max_q <= 31 ? 4 : 2;

inline I broadcast(const void* p) { return _mm256_castps_si256(_mm256_broadcast_ss((const float*)p)); }
inline __m256 floats(I x) { return _mm256_cvtepi32_ps(x); }

/// Keeps a sum in its register. Left alone, GCC 12 adds products up as a tree, holds all of them for it, and spills (docs/kernels.md).
inline void pin(I& x) { asm("" : "+x"(x)); }

/// Sums of products of `run` words of weights, for rows 0 to 7 and 8 to 15, with T rows of activations.
template <typename F, int T, int n>
inline void multiply_run(const uint8_t (*q)[64], const int8_t* x, int64_t x_stride, I (&sum)[T][2]) {
#pragma GCC unroll 8
  for (int k = 0; k < n; ++k) {
    const I w0 = load(q[k]), w1 = load(q[k] + 32);
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      const I four = broadcast(x + t * x_stride + 4 * k);
      I y0, y1;
      if constexpr (F::is_signed) {  // |w| is unsigned, and its sign goes to the activation
        y0 = _mm256_maddubs_epi16(_mm256_abs_epi8(w0), _mm256_sign_epi8(four, w0));
        y1 = _mm256_maddubs_epi16(_mm256_abs_epi8(w1), _mm256_sign_epi8(four, w1));
      } else {
        y0 = _mm256_maddubs_epi16(w0, four), y1 = _mm256_maddubs_epi16(w1, four);
      }
      sum[t][0] = k == 0 ? y0 : _mm256_add_epi16(sum[t][0], y0), pin(sum[t][0]);
      sum[t][1] = k == 0 ? y1 : _mm256_add_epi16(sum[t][1], y1), pin(sum[t][1]);
    }
  }
}

// Sums across the runs of a chunk stay in memory: with them in registers too, sixteen are not enough.
template <int T>
struct Sums {
  I value[T][2];
  void add(int t, int half, I x) { value[t][half] = _mm256_add_epi32(value[t][half], x); }
};
template <int T>
inline Sums<T>* in_memory(Sums<T>& sums) {
  Sums<T>* p = &sums;
  asm volatile("" : "+r"(p) : : "memory");
  return p;
}

template <typename F, int T>
inline void multiply_super(const Chunk<F>& w, int c, const Activations& x, float (*out)[16]) {
  constexpr int steps = F::group / 4, n = run<F> < steps ? run<F> : steps;
  const int64_t stride = x.n_chunks * 256;
  Sums<T> sums = {};
  Sums<T>* const total = in_memory(sums);
  for (int g = 0; g < groups<F>; ++g) {
    const I scale0 = load(w.scale[g]), scale1 = load(w.scale[g] + 8);
#pragma GCC unroll 8
    for (int first = 0; first < steps; first += n) {
      I sum[T][2];
      multiply_run<F, T, n>(w.q + g * steps + first, x.quants(0, c) + 4 * (g * steps + first), stride, sum);
#pragma GCC unroll 4
      for (int t = 0; t < T; ++t) {
        total->add(t, 0, _mm256_madd_epi16(sum[t][0], scale0));
        total->add(t, 1, _mm256_madd_epi16(sum[t][1], scale1));
      }
    }
  }
  I minimums[T][2];
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t)
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) minimums[t][half] = F::has_min ? all(0) : total->value[t][half];
  if constexpr (F::has_min || zero_of<F> != 0) {
#pragma GCC unroll 1
    for (int i = 0; i < groups<F> / 2; ++i) {
      const I minimum0 = load(w.minimum[i]), minimum1 = load(w.minimum[i] + 8);
#pragma GCC unroll 4
      for (int t = 0; t < T; ++t) {
        const I pair = broadcast(x.pair<F>(t, c, i));
        minimums[t][0] = _mm256_add_epi32(minimums[t][0], _mm256_madd_epi16(minimum0, pair));
        minimums[t][1] = _mm256_add_epi32(minimums[t][1], _mm256_madd_epi16(minimum1, pair));
      }
    }
  }
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
    const __m256 scale = _mm256_broadcast_ss(x.scale_of(t, c));
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      __m256 y = _mm256_load_ps(out[t] + 8 * half);
      y = _mm256_fmadd_ps(floats(F::has_min ? total->value[t][half] : minimums[t][half]), _mm256_mul_ps(_mm256_load_ps(w.d + 8 * half), scale), y);
      if constexpr (F::has_min)
        y = _mm256_fnmadd_ps(floats(minimums[t][half]), _mm256_mul_ps(_mm256_load_ps(w.dmin + 8 * half), scale), y);
      _mm256_store_ps(out[t] + 8 * half, y);
    }
  }
}

template <typename F, int T>
inline void multiply_blocks(const Chunk<F>& w, int c, const Activations& x, float (*out)[16]) {
  constexpr int n = run<F>;
  const int64_t stride = x.n_chunks * 256;
  const I ones = _mm256_set1_epi16(1);
  alignas(32) float sums[T][16] = {};
  float(*total)[16] = sums;
  asm volatile("" : "+r"(total) : : "memory");
  for (int b = 0; b < w.n_blocks; ++b) {
    Sums<T> block = {};
#pragma GCC unroll 8
    for (int first = 0; first < 8; first += n) {
      I sum[T][2];
      multiply_run<F, T, n>(w.q + 8 * b + first, x.quants(0, c) + 4 * (8 * b + first), stride, sum);
#pragma GCC unroll 4
      for (int t = 0; t < T; ++t)
#pragma GCC unroll 2
        for (int half = 0; half < 2; ++half) {
          const I y = _mm256_madd_epi16(sum[t][half], ones);
          block.value[t][half] = first == 0 ? y : _mm256_add_epi32(block.value[t][half], y);
        }
    }
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      const I halves = broadcast(x.halves(t, c, b));
      const I zeros = _mm256_madd_epi16(halves, _mm256_set1_epi16(-zero_of<F>));
      const __m256 sum = floats(_mm256_madd_epi16(halves, ones));
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        if constexpr (zero_of<F> != 0) block.add(t, half, zeros);
        __m256 y = _mm256_load_ps(total[t] + 8 * half);
        y = _mm256_fmadd_ps(floats(block.value[t][half]), _mm256_load_ps(w.scale[b] + 8 * half), y);
        if constexpr (F::has_min) y = _mm256_fmadd_ps(sum, _mm256_load_ps(w.minimum[b] + 8 * half), y);
        _mm256_store_ps(total[t] + 8 * half, y);
      }
    }
  }
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
    const __m256 scale = _mm256_broadcast_ss(x.scale_of(t, c));
    for (int half = 0; half < 16; half += 8)
      _mm256_store_ps(out[t] + half, _mm256_fmadd_ps(_mm256_load_ps(total[t] + half), scale, _mm256_load_ps(out[t] + half)));
  }
}

template <typename F, int T>
void multiply_tile(const Chunk<F>* chunks, int n, const Activations& x, float (*out)[16]) {
  for (int c = 0; c < n; ++c) {
    if constexpr (F::is_super) multiply_super<F, T>(chunks[c], c, x, out);
    else multiply_blocks<F, T>(chunks[c], c, x, out);
  }
}

}  // namespace

namespace avx2 {
const Int8Kernels int8 = {quantize_row, find_product};
}
}  // namespace mla::kernels
