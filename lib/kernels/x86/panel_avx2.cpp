// Compiled for AVX2, FMA and F16C.
#include "kernels/int8.hpp"
#include "kernels/unpacked.hpp"
#include "kernels/x86/int8_quantize.hpp"
#include "kernels/x86/panel_interleave.hpp"

namespace mla::kernels {
namespace {

typedef __m256i I;
typedef __m256 Floats;
constexpr int Lanes = 8;
inline I load(const void* p) { return _mm256_loadu_si256((const __m256i*)p); }
inline void store(void* p, I x) { _mm256_storeu_si256((__m256i*)p, x); }
inline I all(int x) { return _mm256_set1_epi32(x); }
template <int n>
inline I shl(I x) { return _mm256_slli_epi32(x, n); }
template <int n>
inline I shr(I x) { return _mm256_srli_epi32(x, n); }
inline I shr(I x, int n) { return _mm256_srli_epi32(x, n); }
inline I shl(I x, int n) { return _mm256_slli_epi32(x, n); }
inline I minus(I a, I b) { return _mm256_sub_epi32(a, b); }
inline I sign_extended(I x) { return _mm256_srai_epi32(_mm256_slli_epi32(x, 24), 24); }
inline I load_halves(const uint8_t* p) { return _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p)); }
inline Floats load_floats(const float* p) { return _mm256_loadu_ps(p); }
inline Floats load_half_floats(const uint8_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p)); }
inline void store(float* p, Floats x) { _mm256_storeu_ps(p, x); }
inline I look_up_iq4(I index) { return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(iq4_table()), index); }

/// Both 16-bit halves of a lane: vpmaddwd multiplies them with two sums of products.
inline I scale_lanes(I x) { return _mm256_or_si256(_mm256_and_si256(x, all(0xffff)), _mm256_slli_epi32(x, 16)); }

constexpr bool flips_signed = false;
constexpr int tile_tokens = 4;

#include "kernels/panel/formats.inc"
#include "kernels/panel/weights.inc"

// vpmaddubsw adds two products of an unsigned and a signed byte in 16 bits: at most 2 · 127 · max_q, and so many of these fit. Where a
// zero is taken off beforehand, no sum on the way exceeds that of zero alone. With |w| up to 128 only one fits.
template <typename F>
constexpr int run = F::is_signed ? 1 : 32767 / (2 * 127 * (F::zero != 0 ? F::zero : F::max_q));

inline I broadcast(const void* p) { return _mm256_castps_si256(_mm256_broadcast_ss((const float*)p)); }
inline __m256 floats(I x) { return _mm256_cvtepi32_ps(x); }

constexpr int log2_of(int power_of_two) { return __builtin_ctz((unsigned)power_of_two | 1u << 31); }

/// Keeps a sum in its register. Left alone, GCC 12 adds products up as a tree, holds all of them for it, and spills (docs/kernels.md).
inline void pin(I& x) { asm("" : "+x"(x)); }

/// Sums of products of the words k to k + n - 1 of block b, for rows 0 to 7 and 8 to 15, with T rows of activations.
template <typename F, int T, int n, typename Weights>
inline __attribute__((always_inline)) void multiply_run(const Weights& w, int b, int k, const int8_t* const (&q)[T], const int16_t* const (&lanes)[T],
                                                                I (&sum)[T][2]) {
  static_assert(F::zero == 0 || n == F::group / 4);
  const int64_t at = opaque(32 * b + 4 * k);
#pragma GCC unroll 8
  for (int i = 0; i < n; ++i) {
    const I w0 = w.quants(b, k + i, 0), w1 = w.quants(b, k + i, 8);
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      const I four = broadcast(q[t] + at + 4 * i);
      I y0, y1;
      if constexpr (F::is_signed) {  // |w| is unsigned, and its sign goes to the activation
        y0 = _mm256_maddubs_epi16(_mm256_abs_epi8(w0), _mm256_sign_epi8(four, w0));
        y1 = _mm256_maddubs_epi16(_mm256_abs_epi8(w1), _mm256_sign_epi8(four, w1));
      } else {
        y0 = _mm256_maddubs_epi16(w0, four), y1 = _mm256_maddubs_epi16(w1, four);
      }
      if (i == 0 && F::zero != 0) {
        const I zeros = _mm256_slli_epi16(broadcast(lanes[t] + at * 2 / F::group), log2_of(F::zero));
        sum[t][0] = _mm256_sub_epi16(y0, zeros), sum[t][1] = _mm256_sub_epi16(y1, zeros);
      } else {
        sum[t][0] = i == 0 ? y0 : _mm256_add_epi16(sum[t][0], y0);
        sum[t][1] = i == 0 ? y1 : _mm256_add_epi16(sum[t][1], y1);
      }
      pin(sum[t][0]), pin(sum[t][1]);
    }
  }
}

// Sums across the runs of a chunk stay in memory: with them in registers too, sixteen are not enough.
template <typename Vector, int T>
inline auto zeros_in_memory(Vector (&sums)[T][2]) {
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) sums[t][0] = sums[t][1] = Vector{};
  Vector(*p)[2] = sums;
  asm volatile("" : "+r"(p) : : "memory");
  return p;
}

template <typename F, int T, typename Weights>
inline void multiply_super(const Weights& w, int c, const Activations& x, float (*out)[16]) {
  constexpr int words = F::group / 4, n = run<F> < words ? run<F> : words;
  const int8_t* q[T];
  const int16_t* lanes[T];
  for (int t = 0; t < T; ++t) q[t] = x.quants(t, c), lanes[t] = x.lane<F>(t, c, 0);
  I sums[T][2];
  I(*const totals)[2] = zeros_in_memory(sums);
  repeat<Weights::in_place, groups<F>>([&](int g) __attribute__((always_inline)) {
    const I scale0 = w.scale(g, 0), scale1 = w.scale(g, 8);
#pragma GCC unroll 8
    for (int first = 0; first < words; first += n) {
      I sum[T][2];
      multiply_run<F, T, n>(w, g * words / 8, g * words % 8 + first, q, lanes, sum);
#pragma GCC unroll 4
      for (int t = 0; t < T; ++t) {
        totals[t][0] = _mm256_add_epi32(totals[t][0], _mm256_madd_epi16(sum[t][0], scale0));
        totals[t][1] = _mm256_add_epi32(totals[t][1], _mm256_madd_epi16(sum[t][1], scale1));
      }
    }
  });
  I minimums[T][2];
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t)
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) minimums[t][half] = all(0);
  if constexpr (F::has_min)
    repeat<Weights::in_place, groups<F> / 2>([&](int i) __attribute__((always_inline)) {
      const I minimum0 = w.minimum(i, 0), minimum1 = w.minimum(i, 8);
#pragma GCC unroll 4
      for (int t = 0; t < T; ++t) {
        const I pair = broadcast(x.pair<F>(t, c, i));
        minimums[t][0] = _mm256_add_epi32(minimums[t][0], _mm256_madd_epi16(minimum0, pair)), pin(minimums[t][0]);
        minimums[t][1] = _mm256_add_epi32(minimums[t][1], _mm256_madd_epi16(minimum1, pair)), pin(minimums[t][1]);
      }
    });
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    const Floats d = w.d(8 * half);
    Floats dmin;
    if constexpr (F::has_min) dmin = w.dmin(8 * half);
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      const Floats scale = _mm256_broadcast_ss(x.scale_of(t, c));
      Floats y = load_floats(out[t] + 8 * half);
      y = _mm256_fmadd_ps(floats(totals[t][half]), _mm256_mul_ps(d, scale), y);
      if constexpr (F::has_min) y = _mm256_fnmadd_ps(floats(minimums[t][half]), _mm256_mul_ps(dmin, scale), y);
      store(out[t] + 8 * half, y);
    }
  }
}

/// The sums of a chunk's blocks, times the scale of the activations.
template <int T>
inline __attribute__((always_inline)) void add_blocks(const Floats (*totals)[2], int c, const Activations& x, float (*out)[16]) {
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
    const Floats scale = _mm256_broadcast_ss(x.scale_of(t, c));
    for (int half = 0; half < 2; ++half)
      store(out[t] + 8 * half, _mm256_fmadd_ps(totals[t][half], scale, load_floats(out[t] + 8 * half)));
  }
}

template <typename F, int T, typename Weights>
inline void multiply_blocks(const Weights& w, int c, const Activations& x, float (*out)[16]) {
  constexpr int n = run<F> < 8 ? run<F> : 8;
  const I ones = _mm256_set1_epi16(1);
  const int8_t* q[T];
  const int16_t* lanes[T];
  for (int t = 0; t < T; ++t) q[t] = x.quants(t, c), lanes[t] = x.lane<F>(t, c, 0);
  Floats sums[T][2];
  Floats(*const totals)[2] = zeros_in_memory(sums);
  for (int b = 0; b < w.n_blocks; ++b) {
    w.fetch_ahead(b);
    I block[T][2];
#pragma GCC unroll 8
    for (int first = 0; first < 8; first += n) {
      I sum[T][2];
      multiply_run<F, T, n>(w, b, first, q, lanes, sum);
#pragma GCC unroll 4
      for (int t = 0; t < T; ++t)
#pragma GCC unroll 2
        for (int half = 0; half < 2; ++half) {
          const I y = _mm256_madd_epi16(sum[t][half], ones);
          block[t][half] = first == 0 ? y : _mm256_add_epi32(block[t][half], y), pin(block[t][half]);
        }
    }
    const Floats scale0 = w.scale(b, 0), scale1 = w.scale(b, 8);
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      Floats y0 = _mm256_fmadd_ps(floats(block[t][0]), scale0, totals[t][0]);
      Floats y1 = _mm256_fmadd_ps(floats(block[t][1]), scale1, totals[t][1]);
      if constexpr (F::has_min) {
        const Floats sum = floats(_mm256_madd_epi16(broadcast(lanes[t] + 2 * b), ones));
        y0 = _mm256_fmadd_ps(sum, w.minimum(b, 0), y0), y1 = _mm256_fmadd_ps(sum, w.minimum(b, 8), y1);
      }
      totals[t][0] = y0, totals[t][1] = y1;
    }
  }
  add_blocks<T>(totals, c, x, out);
}

#include "kernels/x86/panel_widened.hpp"
using avx2::unpacked_product;
#include "kernels/panel/products.inc"

}  // namespace

namespace avx2 {
const Int8Kernels int8 = {quantize_row, find_product, find_interleave};
}
}  // namespace mla::kernels
