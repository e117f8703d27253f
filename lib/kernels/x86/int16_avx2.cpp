// Compiled for AVX2, FMA and F16C.
#include <immintrin.h>

#include "kernels/int16.hpp"
#include "kernels/x86/int16_shared.hpp"

namespace mla::kernels {
namespace {

typedef __m256i I;
typedef __m256 Floats;

inline I load(const void* p) { return _mm256_loadu_si256((const I*)p); }
inline void store(void* p, I x) { _mm256_storeu_si256((I*)p, x); }
inline I broadcast(const int16_t* pair) { return _mm256_castps_si256(_mm256_broadcast_ss((const float*)pair)); }

/// sum += y in place: of a plain sum, GCC 12 makes a copy once a step.
inline void add_to(I& sum, I y) { asm("vpaddd %1, %0, %0" : "+x"(sum) : "x"(y)); }

/// The first n lanes, 0 < n ≤ 8.
inline I lanes(int64_t n) { return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)); }
inline Floats load_floats(const float* p, int64_t n) { return n >= 8 ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, lanes(n)); }

inline float sum_of(Floats x) {
  __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  y = _mm_add_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_add_ss(y, _mm_movehdup_ps(y)));
}
inline float max_of(Floats x) {
  __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  y = _mm_max_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));
}

/// Sixteen floats as integers, nearest, in order.
inline I to_int16(Floats a, Floats b) {
  return _mm256_permute4x64_epi64(_mm256_packs_epi32(_mm256_cvtps_epi32(a), _mm256_cvtps_epi32(b)), 0xd8);
}

/// The first n of sixteen.
inline void store_int16(int16_t* out, I x, int64_t n) {
  if (n >= 16) return store(out, x);
  int16_t all[16];
  store(all, x);
  for (int64_t i = 0; i < n; ++i) out[i] = all[i];
}

/// The squares that the scale of a rounded row depends on, summed up lane by lane. Of its groups the largest sum of each lane counts: a norm
/// is no larger than these together, and a value no larger than the root of one of them.
class RowSize {
 public:
  /// `chain`: 0 to 3; sums in turn don't wait for each other.
  void add(int chain, Floats x) { group_[chain] = _mm256_fmadd_ps(x, x, group_[chain]); }
  void add_squares(int chain, Floats squares) { group_[chain] = _mm256_add_ps(group_[chain], squares); }
  void end_group() {
    const Floats group = _mm256_add_ps(_mm256_add_ps(group_[0], group_[1]), _mm256_add_ps(group_[2], group_[3]));
    sum_ = _mm256_add_ps(sum_, group), worst_ = _mm256_max_ps(worst_, group);
    for (Floats& chain : group_) chain = _mm256_setzero_ps();
  }
  float scale() const {
    const float sum = sum_of(sum_);  // unlike a maximum, a sum keeps what isn't a number
    const float norm2 = sum_of(worst_) / (int16_norm * int16_norm), value2 = max_of(worst_) / (int16_largest * int16_largest);
    return sum - sum == 0.0f ? _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(norm2 > value2 ? norm2 : value2))) : __builtin_nanf("");
  }

 private:
  Floats group_[4] = {}, worst_ = _mm256_setzero_ps(), sum_ = worst_;
};

inline void store_zeros(int16_t* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = 0;
}

/// The scale of a row of which values(i) gives the eight floats from i on, zeros behind the last.
template <typename Values>
inline float scale_of(int64_t n, Values&& values) {
  RowSize size;
  for (int64_t first = 0; first < n; first += int16_group) {
    const int64_t end = smaller(n, first + int16_group);
    int64_t i = first;
    for (; i + 32 <= end; i += 32)
#pragma GCC unroll 4
      for (int chain = 0; chain < 4; ++chain) size.add(chain, values(i + 8 * chain));
    for (; i < end; i += 8) size.add(0, values(i));
    size.end_group();
  }
  return size.scale();
}

float round_row(const float* x, int64_t n, int16_t* out) noexcept {
  const float scale = scale_of(n, [&](int64_t i) { return load_floats(x + i, n - i); }), inverse = int16_inverse(scale);
  if (inverse == 0.0f) return store_zeros(out, n), scale;
  const Floats factor = _mm256_set1_ps(inverse);
  for (int64_t i = 0; i < n; i += 16) {
    const Floats a = load_floats(x + i, n - i), b = n - i > 8 ? load_floats(x + i + 8, n - i - 8) : _mm256_setzero_ps();
    store_int16(out + i, to_int16(_mm256_mul_ps(a, factor), _mm256_mul_ps(b, factor)), n - i);
  }
  return scale;
}

float round_f16(const std::byte* x, int64_t n, int16_t* out) noexcept {
  const auto values = [&](int64_t i) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)(x + 2 * i))); };
  const float scale = scale_of(n, values), inverse = int16_inverse(scale);
  if (inverse == 0.0f) return store_zeros(out, n), scale;
  const Floats factor = _mm256_set1_ps(inverse);
  for (int64_t i = 0; i < n; i += 16) store(out + i, to_int16(_mm256_mul_ps(values(i), factor), _mm256_mul_ps(values(i + 8), factor)));
  return scale;
}

// Blocks of a half-float scale and 32 bytes. A block's integers need but a factor to be those of the row: 256 q · factor / 2^15.
float round_q8_0(const std::byte* x, int64_t n, int16_t* out) noexcept {
  constexpr int64_t block = 32, block_bytes = 34;
  const auto scale_at = [&](int64_t i) {
    uint16_t bits;
    __builtin_memcpy(&bits, x + i / block * block_bytes, sizeof bits);
    return _cvtsh_ss(bits);
  };
  const auto sixteen = [&](int64_t i) { return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)(x + i / block * block_bytes + 2 + i % block))); };
  const auto squares = [&](int64_t i) {
    const I a = sixteen(i), b = sixteen(i + 16);
    const Floats d = _mm256_set1_ps(scale_at(i));
    return _mm256_mul_ps(_mm256_mul_ps(d, d), _mm256_cvtepi32_ps(_mm256_add_epi32(_mm256_madd_epi16(a, a), _mm256_madd_epi16(b, b))));
  };
  RowSize size;
  int64_t first = 0;
  for (; first + int16_group <= n; first += int16_group) {
#pragma GCC unroll 4
    for (int chain = 0; chain < 4; ++chain) size.add_squares(chain, squares(first + block * chain));
    size.end_group();
  }
  for (; first < n; first += block) size.add_squares(0, squares(first));
  size.end_group();
  const float scale = size.scale(), inverse = int16_inverse(scale);
  if (inverse == 0.0f) return store_zeros(out, n), scale;
  for (int64_t i = 0; i < n; i += 16) {
    const I factor = _mm256_set1_epi16((short)_mm_cvtss_si32(_mm_set_ss(scale_at(i) * inverse * 128.0f)));
    store(out + i, _mm256_mulhrs_epi16(_mm256_slli_epi16(sixteen(i), 8), factor));
  }
  return scale;
}

// Nothing to round: the bytes are integers of the row already, and far from every limit.
float round_q8_row(const std::byte* x, int64_t n, int16_t* out) noexcept {
  for (int64_t i = 0; i < n; i += 16) store(out + i, _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)(x + i))));
  float scale;
  __builtin_memcpy(&scale, x + n, sizeof scale);
  return scale;
}

inline void put_pair(int16_t* p, int bits) { __builtin_memcpy(p, &bits, sizeof bits); }

// Eight rows, eight pairs of each.
inline void interleave8x8(const int16_t* rows, int64_t ld, int16_t* out) {
  I r[8], t[8];
  for (int i = 0; i < 8; ++i) r[i] = load(rows + i * ld);
  for (int i = 0; i < 8; i += 2) t[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]), t[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]), r[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]), r[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    store(out + 32 * i, _mm256_permute2x128_si256(r[i], r[i + 4], 0x20));
    store(out + 32 * (i + 4), _mm256_permute2x128_si256(r[i], r[i + 4], 0x31));
  }
}

void interleave(const int16_t* rows, int64_t ld, int64_t n_pairs, int16_t* panel) noexcept {
  int64_t k = 0;
  for (; k + 8 <= n_pairs; k += 8)
    for (int half = 0; half < 2; ++half) interleave8x8(rows + 8 * half * ld + 2 * k, ld, panel + 32 * k + 16 * half);
  for (; k < n_pairs; ++k)
    for (int i = 0; i < 16; ++i) put_pair(panel + 32 * k + 2 * i, pair_at(rows + i * ld + 2 * k));
}

void pair_rows(const int16_t* row0, const int16_t* row1, int64_t n, int16_t* out, int64_t stride) noexcept {
  for (int64_t first = 0; first < n; first += int16_columns, out += stride) {
    const I a = load(row0 + first), b = load(row1 + first);
    const I low = _mm256_unpacklo_epi16(a, b), high = _mm256_unpackhi_epi16(a, b);
    store(out, _mm256_permute2x128_si256(low, high, 0x20)), store(out + 16, _mm256_permute2x128_si256(low, high, 0x31));
  }
}

/// Of four rows and sixteen columns. Eight sums, two vectors of columns and a broadcast leave registers to spare; each sum has a name because GCC 12
/// keeps an array of them in memory.
struct Sums {
  I s00 = _mm256_setzero_si256(), s01 = s00, s10 = s00, s11 = s00, s20 = s00, s21 = s00, s30 = s00, s31 = s00;

  /// A pair along k of each row with those of the columns.
  void add(I b0, I b1, I x0, I x1, I x2, I x3) {
    add_to(s00, _mm256_madd_epi16(x0, b0)), add_to(s01, _mm256_madd_epi16(x0, b1));
    add_to(s10, _mm256_madd_epi16(x1, b0)), add_to(s11, _mm256_madd_epi16(x1, b1));
    add_to(s20, _mm256_madd_epi16(x2, b0)), add_to(s21, _mm256_madd_epi16(x2, b1));
    add_to(s30, _mm256_madd_epi16(x3, b0)), add_to(s31, _mm256_madd_epi16(x3, b1));
  }
};

/// The products of k values of the rows, which begin at a, with a panel's columns, which begin at b.
inline Sums products(const Int16Product& p, const int16_t* a, const int16_t* b, int64_t k) {
  const int64_t row = p.a_row, pair = p.a_pair;
  const int16_t* a3 = a + 3 * row;
  Sums sums;
#pragma GCC unroll 2
  for (const int16_t* const end = b + int16_columns * k; b < end; a += pair, a3 += pair, b += 2 * int16_columns)
    sums.add(load(b), load(b + 16), broadcast(a), broadcast(a + row), broadcast(a + 2 * row), broadcast(a3));
  return sums;
}

/// The floats of a tile of the result, before scales.
struct Total {
  Floats of[4][2];

  explicit Total(const Sums& s) : of{{floats(s.s00), floats(s.s01)}, {floats(s.s10), floats(s.s11)}, {floats(s.s20), floats(s.s21)}, {floats(s.s30), floats(s.s31)}} {}
  static Floats floats(I x) { return _mm256_cvtepi32_ps(x); }
  void add(const Total& more) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) of[i / 2][i % 2] = _mm256_add_ps(of[i / 2][i % 2], more.of[i / 2][i % 2]);
  }
};

inline void put(const Int16Product& p, int64_t i, int64_t j, const Total& total) {
  const Floats one = _mm256_set1_ps(1.0f);
  const Floats b_scale[2] = {p.b_scale != nullptr ? _mm256_loadu_ps(p.b_scale + j) : one, p.b_scale != nullptr ? _mm256_loadu_ps(p.b_scale + j + 8) : one};
  float* c = p.c + i * p.ldc + j;
#pragma GCC unroll 4
  for (int t = 0; t < 4; ++t, c += p.ldc) {
    const Floats a_scale = _mm256_broadcast_ss(p.a_scale + i + t);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      Floats y = _mm256_mul_ps(total.of[t][half], _mm256_mul_ps(a_scale, b_scale[half]));
      if (p.c_factor != nullptr) y = _mm256_fmadd_ps(_mm256_broadcast_ss(p.c_factor + i + t), _mm256_loadu_ps(c + 8 * half), y);
      _mm256_storeu_ps(c + 8 * half, y);
    }
  }
}

// A panel of columns stays in the first-level cache while all rows meet it.
void multiply(const Int16Product& p) noexcept {
  Ahead ahead(p, p.m / int16_rows * (p.n / int16_columns) * groups_of(p));
  const int64_t group = smaller(p.k, p.one_group ? p.k : int16_group);
  for (int64_t j = 0; j < p.n; j += int16_columns) {
    const int16_t* const b = p.b + j / int16_columns * p.b_stride;
    for (int64_t i = 0; i < p.m; i += int16_rows) {
      const int16_t* const a = p.a + i * p.a_row;
      ahead.fetch_share();
      Total total(products(p, a, b, group));
      for (int64_t first = group; first < p.k; first += group) {  // groups add up in floats
        ahead.fetch_share();
        total.add(Total(products(p, a + first / 2 * p.a_pair, b + int16_columns * first, smaller(p.k - first, group))));
      }
      put(p, i, j, total);
    }
  }
}

/// exp(x) for x ≤ 0: 2^n · e^r with |r| ≤ ln(2)/2, the polynomial with the coefficients of Cephes' expf; below -87 it is 0.
inline Floats exp_of(Floats x) {
  const Floats n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  Floats r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), x);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
  Floats y = _mm256_set1_ps(1.9875691500e-4f);
  y = _mm256_fmadd_ps(y, r, _mm256_set1_ps(1.3981999507e-3f));
  y = _mm256_fmadd_ps(y, r, _mm256_set1_ps(8.3334519073e-3f));
  y = _mm256_fmadd_ps(y, r, _mm256_set1_ps(4.1665795894e-2f));
  y = _mm256_fmadd_ps(y, r, _mm256_set1_ps(1.6666665459e-1f));
  y = _mm256_fmadd_ps(y, r, _mm256_set1_ps(5.0000001201e-1f));
  y = _mm256_add_ps(_mm256_fmadd_ps(_mm256_mul_ps(r, r), y, r), _mm256_set1_ps(1.0f));
  const I power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  const Floats tiny = _mm256_cmp_ps(x, _mm256_set1_ps(-87.0f), _CMP_LT_OQ);  // not so for what isn't a number
  return _mm256_andnot_ps(tiny, _mm256_mul_ps(y, _mm256_castsi256_ps(power)));
}

// Eight of the sixteen rows, a lane each. `masked`: some don't see all keys.
template <bool masked>
inline void softmax_lanes(const Int16Softmax& p, int first) {
  const I visible = load(p.visible + first);
  const auto keep = [&](int64_t key) { return _mm256_castsi256_ps(_mm256_cmpgt_epi32(visible, _mm256_set1_epi32((int)key))); };
  const auto scores = [&](int64_t key) { return p.scores + key * int16_columns + first; };
  const Floats old_max = _mm256_loadu_ps(p.max + first);
  Floats max = old_max;
  for (int64_t key = 0; key < p.n; ++key) {
    const Floats larger = _mm256_max_ps(max, _mm256_loadu_ps(scores(key)));
    max = masked ? _mm256_blendv_ps(max, larger, keep(key)) : larger;
  }
  Floats sum = _mm256_setzero_ps(), total = sum, largest = sum;
  for (int64_t key = 0; key < p.n; ++key) {
    Floats y = exp_of(_mm256_sub_ps(_mm256_loadu_ps(scores(key)), max));
    if (masked) y = _mm256_and_ps(y, keep(key));
    sum = _mm256_add_ps(sum, y);
    y = _mm256_mul_ps(y, _mm256_set1_ps(p.value_scale[key]));
    if (masked) y = _mm256_and_ps(y, keep(key));  // a scale that isn't a number must not show where it isn't seen
    total = _mm256_add_ps(total, y), largest = _mm256_max_ps(largest, y);
    _mm256_storeu_ps(scores(key), y);
  }
  const Floats same = _mm256_cmp_ps(old_max, max, _CMP_EQ_OQ);  // also where no key has been seen yet: both are -infinity
  const Floats factor = _mm256_blendv_ps(exp_of(_mm256_sub_ps(old_max, max)), _mm256_set1_ps(1.0f), same);
  _mm256_storeu_ps(p.factor + first, factor), _mm256_storeu_ps(p.max + first, max);
  _mm256_storeu_ps(p.sum + first, _mm256_fmadd_ps(_mm256_loadu_ps(p.sum + first), factor, sum));

  const Floats scale = _mm256_max_ps(_mm256_mul_ps(largest, _mm256_set1_ps(1 / int16_largest_weight)), _mm256_mul_ps(total, _mm256_set1_ps(1 / int16_weight_sum)));
  float inverses[8];
  _mm256_storeu_ps(inverses, scale);
  for (float& x : inverses) x = int16_inverse(x);
  const Floats inverse = _mm256_loadu_ps(inverses), any = _mm256_cmp_ps(inverse, _mm256_setzero_ps(), _CMP_NEQ_OQ);
  const auto integer = [&](int64_t key) { return _mm256_cvtps_epi32(_mm256_and_ps(_mm256_mul_ps(_mm256_loadu_ps(scores(key)), inverse), any)); };
  I integers = _mm256_setzero_si256();
  for (int64_t key = 0; key < p.n; key += 2) {
    const I even = integer(key), odd = integer(key + 1);
    integers = _mm256_add_epi32(integers, _mm256_add_epi32(even, odd));
    store(p.weights + key * int16_columns + 2 * first, _mm256_or_si256(even, _mm256_slli_epi32(odd, 16)));
  }
  const Floats rounded = _mm256_cvtepi32_ps(integers);
  _mm256_storeu_ps(p.weight_scale + first, _mm256_blendv_ps(scale, _mm256_div_ps(total, rounded), _mm256_cmp_ps(rounded, _mm256_setzero_ps(), _CMP_GT_OQ)));
}

void softmax(const Int16Softmax& p) noexcept {
  for (int first = 0; first < int16_columns; first += 8) {
    bool masked = false;
    for (int i = first; i < first + 8; ++i) masked |= p.visible[i] < p.n;
    masked ? softmax_lanes<true>(p, first) : softmax_lanes<false>(p, first);
  }
}

}  // namespace

namespace avx2 {
const Int16Kernels int16 = {round_row, round_f16, round_q8_0, round_q8_row, interleave, pair_rows, multiply, softmax};
}
}  // namespace mla::kernels
