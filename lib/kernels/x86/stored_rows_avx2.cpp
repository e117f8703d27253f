// Compiled for AVX2, FMA and F16C.
#include <immintrin.h>

#include "kernels/stored_rows.hpp"

namespace mla::kernels {

StoredRowKernels stored_row_kernels_avx2(StoredType type) noexcept;

namespace {

typedef __m256 Floats;

inline Floats from_bytes(const std::byte* x) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)x))); }

// How each type gives the eight floats from the i-th on, and a factor that all of a row's values share.
struct OneScale {
  static float scale(const std::byte*, int64_t) { return 1.0f; }
};
struct F32 : OneScale {
  static constexpr int64_t bytes(int64_t i) { return 4 * i; }
  static Floats eight(const std::byte* x, int64_t i) { return _mm256_loadu_ps((const float*)(x + bytes(i))); }
};
struct F16 : OneScale {
  static constexpr int64_t bytes(int64_t i) { return 2 * i; }
  static Floats eight(const std::byte* x, int64_t i) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)(x + bytes(i)))); }
};
struct Bf16 : OneScale {
  static constexpr int64_t bytes(int64_t i) { return 2 * i; }
  static Floats eight(const std::byte* x, int64_t i) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)(x + bytes(i)))), 16));
  }
};
// Blocks of 32 values begin with an f16 scale.
inline Floats block_scale(const std::byte* block) {
  uint16_t bits;
  __builtin_memcpy(&bits, block, sizeof bits);
  return _mm256_set1_ps(_cvtsh_ss(bits));
}
struct Q8_0 : OneScale {
  static constexpr int64_t bytes(int64_t i) { return i / 32 * 34 + i % 32; }
  static Floats eight(const std::byte* x, int64_t i) {
    const std::byte* const block = x + i / 32 * 34;
    return _mm256_mul_ps(block_scale(block), from_bytes(block + 2 + i % 32));
  }
};
// Eight values of the two halves of a block: the low and the high four bits of the same bytes.
inline __m128i half_bytes(const std::byte* quants, int64_t i) {
  const __m128i both = _mm_loadl_epi64((const __m128i*)(quants + i % 16));
  return _mm_and_si128(i % 32 < 16 ? both : _mm_srli_epi16(both, 4), _mm_set1_epi8(15));
}
inline Floats scaled(const std::byte* block, __m128i bytes, int zero) {
  return _mm256_mul_ps(block_scale(block), _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_cvtepu8_epi32(bytes), _mm256_set1_epi32(zero))));
}
struct Q4_0 : OneScale {
  static constexpr int64_t bytes(int64_t i) { return i / 32 * 18 + i % 32 / 2; }
  static Floats eight(const std::byte* x, int64_t i) {
    const std::byte* const block = x + i / 32 * 18;
    return scaled(block, half_bytes(block + 2, i), 8);
  }
};
// Bits 4 and 5 are in eight bytes before: of values j, j + 8, j + 16 and j + 24 in byte j, two bits each.
struct Q6_0 : OneScale {
  static constexpr int64_t bytes(int64_t i) { return i / 32 * 26 + i % 32 * 26 / 32; }
  static Floats eight(const std::byte* x, int64_t i) {
    constexpr int shifts[] = {0, 4, 2, 6};
    const std::byte* const block = x + i / 32 * 26;
    const __m128i high = _mm_srl_epi16(_mm_loadl_epi64((const __m128i*)(block + 2)), _mm_cvtsi32_si128(shifts[i % 32 / 8]));
    const __m128i top = _mm_slli_epi16(_mm_and_si128(high, _mm_set1_epi8(3)), 4);
    return scaled(block, _mm_or_si128(half_bytes(block + 10, i), top), 32);
  }
};
template <int size>
struct ScaledIntegers {
  static constexpr int64_t bytes(int64_t i) { return size * i; }
  static float scale(const std::byte* x, int64_t width) {
    float scale;
    __builtin_memcpy(&scale, x + bytes(width), sizeof scale);
    return scale;
  }
};
struct Q8Row : ScaledIntegers<1> {
  static Floats eight(const std::byte* x, int64_t i) { return from_bytes(x + i); }
};
struct Q16Row : ScaledIntegers<2> {
  static Floats eight(const std::byte* x, int64_t i) { return _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i*)(x + bytes(i))))); }
};

template <typename Row>
inline void fetch_next(const StoredRowList& list, int64_t row, int64_t first, int64_t n) {
  if (row >= list.n_next) return;
  const char* const x = (const char*)(list.rows[list.n + row] + list.offset);
  for (int64_t at = Row::bytes(first); at < Row::bytes(first + n); at += 64) _mm_prefetch(x + at, _MM_HINT_T1);
}

template <typename Row>
void add_dots(const StoredRowList& list, const float* x, float* out) noexcept {
  for (int64_t row = 0; row < list.n; ++row) {
    const std::byte* const values = list.rows[row] + list.offset;
    fetch_next<Row>(list, row, 0, list.width);
    Floats sum[4] = {};  // chains that don't wait for each other
    int64_t i = 0;
    for (; i + 32 <= list.width; i += 32)
#pragma GCC unroll 4
      for (int chain = 0; chain < 4; ++chain) sum[chain] = _mm256_fmadd_ps(_mm256_loadu_ps(x + i + 8 * chain), Row::eight(values, i + 8 * chain), sum[chain]);
    for (; i < list.width; i += 8) sum[0] = _mm256_fmadd_ps(_mm256_loadu_ps(x + i), Row::eight(values, i), sum[0]);
    const Floats all = _mm256_add_ps(_mm256_add_ps(sum[0], sum[1]), _mm256_add_ps(sum[2], sum[3]));
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    out[row] += Row::scale(values, list.width) * _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
  }
}

// Columns first … first + 8 · vectors - 1 stay in registers while the rows go by.
template <typename Row, int vectors>
inline void add_columns(const StoredRowList& list, const float* weights, int64_t first, float* y) {
  Floats sum[vectors];
  for (int v = 0; v < vectors; ++v) sum[v] = _mm256_loadu_ps(y + first + 8 * v);
  for (int64_t row = 0; row < list.n; ++row) {
    fetch_next<Row>(list, row, first, 8 * vectors);
    if (weights[row] == 0.0f) continue;
    const std::byte* const values = list.rows[row] + list.offset;
    const Floats weight = _mm256_set1_ps(weights[row] * Row::scale(values, list.width));
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sum[v] = _mm256_fmadd_ps(weight, Row::eight(values, first + 8 * v), sum[v]);
  }
  for (int v = 0; v < vectors; ++v) _mm256_storeu_ps(y + first + 8 * v, sum[v]);
}

template <typename Row>
void add_weighted(const StoredRowList& list, const float* weights, float* y) noexcept {
  int64_t first = 0;
  for (; first + 64 <= list.width; first += 64) add_columns<Row, 8>(list, weights, first, y);
  for (; first < list.width; first += 8) add_columns<Row, 1>(list, weights, first, y);
}

template <typename Row>
constexpr StoredRowKernels kernels_of = {add_dots<Row>, add_weighted<Row>};

}  // namespace

StoredRowKernels stored_row_kernels_avx2(StoredType type) noexcept {
  switch (type) {
    case StoredType::f32: return kernels_of<F32>;
    case StoredType::f16: return kernels_of<F16>;
    case StoredType::bf16: return kernels_of<Bf16>;
    case StoredType::q8_0: return kernels_of<Q8_0>;
    case StoredType::q6_0: return kernels_of<Q6_0>;
    case StoredType::q4_0: return kernels_of<Q4_0>;
    case StoredType::q8_row: return kernels_of<Q8Row>;
    case StoredType::q16_row: break;
  }
  return kernels_of<Q16Row>;
}

}  // namespace mla::kernels
