// Eight blocks at a time, one to a lane, so that the search for a block's scale has no sums across lanes: every block is worked on as scalar
// code would, in the same order. GCC and clang lower these vectors to what the file is compiled for; the results are the same bits
// everywhere (products are not fused: see CMakeLists.txt). Internal linkage, and no C++ library header: see x86/simd.hpp.
#pragma once
#include <stdint.h>
#include <string.h>
#ifdef __AVX__
#include <immintrin.h>
#endif

#include "quant/encode/encoders.hpp"
#include "quant/half.hpp"

namespace mla::quant {
namespace {

constexpr int lanes = 8;
typedef float Lanes __attribute__((vector_size(4 * lanes)));
typedef int32_t Mask __attribute__((vector_size(4 * lanes)));  // -1 where a comparison holds

inline Lanes all(float x) { return x - Lanes{}; }

#ifdef __AVX__
inline Lanes least(Lanes a, Lanes b) { return _mm256_min_ps(a, b); }
inline Lanes most(Lanes a, Lanes b) { return _mm256_max_ps(a, b); }
inline Lanes select(Mask which, Lanes yes, Lanes no) { return _mm256_blendv_ps(no, yes, (__m256)which); }
#else
inline Lanes least(Lanes a, Lanes b) { return a < b ? a : b; }
inline Lanes most(Lanes a, Lanes b) { return a > b ? a : b; }
inline Lanes select(Mask which, Lanes yes, Lanes no) { return which ? yes : no; }
#endif

inline Lanes magnitude(Lanes x) { return (Lanes)((Mask)x & 0x7fffffff); }
inline Lanes clamp(Lanes x, float low, float high) { return least(most(x, all(low)), all(high)); }
/// To the nearest whole number, ties to even; for magnitudes below 2^22.
inline Lanes round(Lanes x) { return (x + 12582912.0f) - 12582912.0f; }
/// 1/x, and 0 for 0.
inline Lanes inverse(Lanes x) { return select(x == 0.0f, all(0), 1.0f / x); }
inline float sum(Lanes x) { return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7])); }

/// n values of each of eight blocks, and their weights.
template <int n>
struct Blocks {
  Lanes x[n], w[n];
};

/// Blocks lie one after another; `weights` is nullptr for equal ones. What is behind n_blocks is zero.
template <int n>
void load_blocks(const float* in, const float* weights, int n_blocks, Blocks<n>& out) {
  if (n_blocks < lanes) memset(&out, 0, sizeof out);
  for (int b = 0; b < n_blocks; ++b)
    for (int i = 0; i < n; ++i) {
      out.x[i][b] = in[b * n + i];
      out.w[i][b] = weights != nullptr ? weights[b * n + i] : 1.0f;
    }
}

/// `best` becomes the last result of settle(result &) whose error was below those before it; three rounds at most.
template <typename Settled, typename Settle>
void settle_while_better(Settled& best, Settle settle) {
  best.error = __builtin_inff();
  for (int round = 0; round < 3; ++round) {
    Settled next;
    settle(next);
    if (!(next.error < best.error)) break;
    best = next;
  }
}

/// The half-precision float nearest to x; the largest one rather than infinity.
inline uint16_t to_half(float x) { return f32_to_f16(x > 65504.0f ? 65504.0f : x < -65504.0f ? -65504.0f : x); }

inline void put_half(uint8_t* at, uint16_t half) { memcpy(at, &half, sizeof half); }

}  // namespace
}  // namespace mla::quant
