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
inline Lanes round(Lanes x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
#else
inline Lanes least(Lanes a, Lanes b) { return a < b ? a : b; }
inline Lanes most(Lanes a, Lanes b) { return a > b ? a : b; }
inline Lanes select(Mask which, Lanes yes, Lanes no) { return which ? yes : no; }
/// To the nearest whole number, ties to even; for magnitudes below 2^22.
inline Lanes round(Lanes x) { return (x + 12582912.0f) - 12582912.0f; }
#endif

inline Lanes magnitude(Lanes x) { return (Lanes)((Mask)x & 0x7fffffff); }
inline Lanes clamp(Lanes x, float low, float high) { return least(most(x, all(low)), all(high)); }
/// 1/x, and 0 for 0.
inline Lanes inverse(Lanes x) { return select(x == 0.0f, all(0), 1.0f / x); }
inline float sum(Lanes x) { return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7])); }

/// Eight rows, `stride` floats apart, to their columns.
inline void transpose(const float* rows, int stride, Lanes* columns) {
#ifdef __AVX__
  __m256 half[8], pairs[8];
  for (int i = 0; i < 4; ++i) {  // half i: four values of rows i and i + 4; half i + 4: the other four
    const float *low = rows + i * stride, *high = low + 4 * stride;
    half[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1);
    half[i + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low + 4)), _mm_loadu_ps(high + 4), 1);
  }
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_ps(half[i], half[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_ps(half[i], half[i + 1]);
  }
  for (int i = 0; i < 8; i += 4)
    for (int k = 0; k < 2; ++k) {
      columns[i + 2 * k] = _mm256_shuffle_ps(pairs[i + k], pairs[i + k + 2], 0x44);
      columns[i + 2 * k + 1] = _mm256_shuffle_ps(pairs[i + k], pairs[i + k + 2], 0xee);
    }
#else
  for (int i = 0; i < lanes; ++i)
    for (int k = 0; k < lanes; ++k) columns[i][k] = rows[k * stride + i];
#endif
}

/// n values of each of eight blocks, and their weights.
template <int n>
struct Blocks {
  Lanes x[n], w[n];
};

/// Eight blocks that lie one after another, and their weights; `weights` is nullptr for equal ones.
template <int n>
void load_blocks(const float* in, const float* weights, Blocks<n>& out) {
  for (int i = 0; i < n; i += lanes) transpose(in + i, n, out.x + i);
  for (int i = 0; i < n && weights != nullptr; i += lanes) transpose(weights + i, n, out.w + i);
  for (int i = 0; i < n && weights == nullptr; ++i) out.w[i] = all(1);
}

/// index_of(i), small whole numbers, for each of the n values of eight blocks, to bytes: block after block.
template <int n, typename IndexOf>
void store_indices(IndexOf index_of, uint8_t* out) {
  alignas(sizeof(Lanes)) float values[n * lanes], rows[n * lanes];
  for (int i = 0; i < n; ++i) {
    const Lanes index = index_of(i);
    memcpy(values + i * lanes, &index, sizeof index);
  }
  for (int i = 0; i < n; i += lanes) {
    Lanes piece[lanes];
    transpose(values + i * lanes, lanes, piece);
    for (int k = 0; k < lanes; ++k) memcpy(rows + k * n + i, &piece[k], sizeof piece[k]);
  }
  for (int i = 0; i < n * lanes; ++i) out[i] = (uint8_t)(int32_t)rows[i];
}

/// encode_one(values, their weights or nullptr, block of zeros) for each 256 values.
template <int block_bytes, typename EncodeOne>
void for_super_blocks(const float* in, const float* weights, void* blocks, int64_t n, EncodeOne encode_one) {
  uint8_t* block = (uint8_t*)blocks;
  for (int64_t done = 0; done < n; done += 256, block += block_bytes) {
    memset(block, 0, block_bytes);
    encode_one(in + done, weights != nullptr ? weights + done : nullptr, block);
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
