// Vectors of 32-bit lanes, 8 with AVX2 and 16 with AVX-512, so that each format is written once and compiled twice.
// The usual operators work on them (a GCC and clang extension). Everything here has internal linkage, and the files
// that include it take no C++ library header: the linker must never find a wide copy of an inline function
// that other files share.
#pragma once
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

namespace mla::quant {
namespace {

#ifdef __AVX512F__
constexpr int lanes = 16;
#else
constexpr int lanes = 8;
#endif
typedef float Floats __attribute__((vector_size(4 * lanes)));
typedef int32_t Ints __attribute__((vector_size(4 * lanes)));
typedef int16_t Halves __attribute__((vector_size(2 * lanes)));  // the bits of half-precision floats, or 16-bit integers

/// Sixteen signed bytes.
using Bytes = __m128i;

#ifdef __AVX512F__

// Each load reads one element per lane, at any alignment.
inline Ints load_u8(const uint8_t* p) { return (Ints)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)p)); }
inline Ints load_i8(const uint8_t* p) { return (Ints)_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)p)); }
inline Ints load_u16(const uint8_t* p) { return (Ints)_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p)); }
inline Ints to_ints(Bytes x, int) { return (Ints)_mm512_cvtepi8_epi32(x); }
inline Halves load_i8_as_halves(const uint8_t* p) { return (Halves)_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)p)); }
inline Floats halves_to_floats(Halves x) { return _mm512_cvtph_ps((__m256i)x); }
inline Floats load_f16(const uint8_t* p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p)); }
inline Floats load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, Floats x) { _mm512_storeu_ps(p, x); }
inline Floats to_float(Ints x) { return _mm512_cvtepi32_ps((__m512i)x); }
inline Floats as_float(Ints x) { return (Floats)x; }
inline Ints lane_numbers() { return Ints{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}; }

/// Of b the lanes whose sign bit is set in `which`, of a the others.
inline Floats select(Floats a, Floats b, Ints which) { return _mm512_mask_blend_ps(_mm512_movepi32_mask((__m512i)which), a, b); }

/// The low 16 bits of each lane.
inline void store_u16(uint8_t* p, Ints x) { _mm256_storeu_si256((__m256i*)p, _mm512_cvtepi32_epi16((__m512i)x)); }
inline void store_f16(uint8_t* p, Floats x) {
  _mm256_storeu_si256((__m256i*)p, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

/// Sixteen floats to look up by the low four bits of an index.
struct Table {
  Floats values;
};
inline Table load_table(const float* p) { return {load(p)}; }
inline Table load_table(const int8_t* p) { return {to_float(load_i8((const uint8_t*)p))}; }
inline Table operator*(float factor, Table t) { return {factor * t.values}; }
inline Floats look_up(Table t, Ints index) { return _mm512_permutexvar_ps((__m512i)index, t.values); }

#else

inline Ints load_u8(const uint8_t* p) { return (Ints)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)p)); }
inline Ints load_i8(const uint8_t* p) { return (Ints)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p)); }
inline Ints load_u16(const uint8_t* p) { return (Ints)_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p)); }
/// The bytes from `first` on, 0 or 8, one to a lane.
inline Ints to_ints(Bytes x, int first) { return (Ints)_mm256_cvtepi8_epi32(first == 0 ? x : _mm_unpackhi_epi64(x, x)); }
inline Halves load_i8_as_halves(const uint8_t* p) { return (Halves)_mm_cvtepi8_epi16(_mm_loadl_epi64((const __m128i*)p)); }
inline Floats halves_to_floats(Halves x) { return _mm256_cvtph_ps((__m128i)x); }
inline Floats load_f16(const uint8_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p)); }
inline Floats load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, Floats x) { _mm256_storeu_ps(p, x); }
inline Floats to_float(Ints x) { return _mm256_cvtepi32_ps((__m256i)x); }
inline Floats as_float(Ints x) { return (Floats)x; }
inline Ints lane_numbers() { return Ints{0, 1, 2, 3, 4, 5, 6, 7}; }

inline Floats select(Floats a, Floats b, Ints which) { return _mm256_blendv_ps(a, b, as_float(which)); }

inline void store_u16(uint8_t* p, Ints x) {
  const __m256i low = (__m256i)(x & 0xffff);  // packing saturates
  const __m256i packed = _mm256_packus_epi32(low, low);
  _mm_storeu_si128((__m128i*)p, _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08)));
}
inline void store_f16(uint8_t* p, Floats x) {
  _mm_storeu_si128((__m128i*)p, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

struct Table {
  Floats low, high;
};
inline Table load_table(const float* p) { return {load(p), load(p + 8)}; }
inline Table load_table(const int8_t* p) { return {to_float(load_i8((const uint8_t*)p)), to_float(load_i8((const uint8_t*)p + 8))}; }
inline Table operator*(float factor, Table t) { return {factor * t.low, factor * t.high}; }
inline Floats look_up(Table t, Ints index) {
  const __m256 low = _mm256_permutevar8x32_ps(t.low, (__m256i)index);
  const __m256 high = _mm256_permutevar8x32_ps(t.high, (__m256i)index);
  return select(low, high, index << 28);  // bit 3 of the index moved to the sign
}

#endif

inline uint16_t u16_at(const uint8_t* p) {
  uint16_t x;
  memcpy(&x, p, sizeof x);
  return x;
}
inline uint32_t u32_at(const uint8_t* p) {
  uint32_t x;
  memcpy(&x, p, sizeof x);
  return x;
}
inline uint64_t u64_at(const uint8_t* p) {
  uint64_t x;
  memcpy(&x, p, sizeof x);
  return x;
}
inline float half_at(const uint8_t* p) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(u16_at(p)))); }

}  // namespace
}  // namespace mla::quant
