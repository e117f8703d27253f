// Quants with a sign as 16-bit numbers, for AVX2 and many rows of activations: vpmaddwd takes those as they are, where bytes need
// vpsignb, vpmaddubsw and vpmaddwd, which share the multiplier's ports. Included inside the namespace of panel_avx2.cpp, after weights.inc.

/// 256 values of 16 rows, as Unpacked. Of every four neighbours the first and third stand together, and the second and fourth: one
/// 64-byte load has such a pair of every row. Super-blocks have the groups' scales in their quants: 127 · 32 needs 13 bits, and 256
/// products with activations 28.
template <typename F>
struct alignas(64) Widened {
  static constexpr bool in_place = false;
  static constexpr int at_once = 4;  // 36 KB
  int16_t q[128][32];                // of each 32 values first the eight even pairs, then the odd ones
  float scales[8][16];               // of super-blocks only the first
  int n_blocks;

  /// Activations in the same order, for all panels of a product.
  static constexpr int64_t stride = at_once * 256, n_rows = 128;
  static Extent extent(int64_t, int64_t) { return {n_rows, at_once}; }
  static int chunks_unpacked(int64_t) { return at_once; }
  struct Rows {
    alignas(64) int16_t q[n_rows * stride];  // 256 KB

    void prepare(const Activations& x, int64_t rows, int64_t chunks) {
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t i = 0; i < chunks * 256; i += 32)
          widen(load(x.quants((int)row, 0) + i), q + row * stride + i, q + row * stride + i + 16);
    }
    const int16_t* from(int64_t row) const { return q + row * stride; }
  };

  /// Bytes 0, 2, 4 … and 1, 3, 5 …
  static void widen(I bytes, int16_t* even, int16_t* odd) {
    store(even, _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8));
    store(odd, _mm256_srai_epi16(bytes, 8));
  }
};

template <typename F>
inline void unpack(const InPlace<F>& from, Widened<F>& out) {
  int n_blocks = 8;
  if constexpr (!F::is_super) n_blocks = from.n_blocks;
  out.n_blocks = n_blocks;
  for (int row = 0; row < panel_rows; row += Lanes) {
    if constexpr (F::is_super) store(&out.scales[0][row], from.d(row));
    repeat<F::is_super, 8>([&](int b) __attribute__((always_inline)) {
      if (!F::is_super && b >= n_blocks) return;
      if constexpr (!F::is_super) store(&out.scales[b][row], from.scale(b, row));
#pragma GCC unroll 8
      for (int k = 0; k < 8; ++k) {
        int16_t *const even = out.q[16 * b + k] + 2 * row, *const odd = out.q[16 * b + 8 + k] + 2 * row;
        Widened<F>::widen(from.quants(b, k, row), even, odd);
        if constexpr (F::is_super) {
          const I scale = from.scale(b, row);
          store(even, _mm256_mullo_epi16(load(even), scale)), store(odd, _mm256_mullo_epi16(load(odd), scale));
        }
      }
    });
  }
}

/// Adds the products of 32 values, for rows 0 to 7 and 8 to 15, with T rows of activations; begins the sums where `first`.
template <bool first, typename F, int T>
inline __attribute__((always_inline)) void multiply_widened(const Widened<F>& w, int b, const int16_t* const (&q)[T], I (&sum)[T][2]) {
  const int64_t at = opaque(32 * b);
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) {
    const I w0 = load(w.q[16 * b + i]), w1 = load(w.q[16 * b + i] + 16);
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      const I pair = broadcast(q[t] + at + 2 * i), y0 = _mm256_madd_epi16(w0, pair), y1 = _mm256_madd_epi16(w1, pair);
      sum[t][0] = first && i == 0 ? y0 : _mm256_add_epi32(sum[t][0], y0), pin(sum[t][0]);
      sum[t][1] = first && i == 0 ? y1 : _mm256_add_epi32(sum[t][1], y1), pin(sum[t][1]);
    }
  }
}

template <typename F, int T>
inline void multiply_super(const Widened<F>& w, int c, const Activations& x, float (*out)[16]) {
  const int16_t* q[T];
  I sum[T][2];
  for (int t = 0; t < T; ++t) q[t] = x.widened + t * Widened<F>::stride + c * 256;
  multiply_widened<true>(w, 0, q, sum);
  for (int b = 1; b < 8; ++b) multiply_widened<false>(w, b, q, sum);
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
    const Floats scale = _mm256_broadcast_ss(x.scale_of(t, c));
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const Floats d = load_floats(w.scales[0] + 8 * half), y = load_floats(out[t] + 8 * half);
      store(out[t] + 8 * half, _mm256_fmadd_ps(floats(sum[t][half]), _mm256_mul_ps(d, scale), y));
    }
  }
}

template <typename F, int T>
inline void multiply_blocks(const Widened<F>& w, int c, const Activations& x, float (*out)[16]) {
  const int16_t* q[T];
  for (int t = 0; t < T; ++t) q[t] = x.widened + t * Widened<F>::stride + c * 256;
  Floats sums[T][2];
  Floats(*const totals)[2] = zeros_in_memory(sums);
  for (int b = 0; b < w.n_blocks; ++b) {
    I sum[T][2];
    multiply_widened<true>(w, b, q, sum);
    const Floats scale0 = load_floats(w.scales[b]), scale1 = load_floats(w.scales[b] + 8);
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      totals[t][0] = _mm256_fmadd_ps(floats(sum[t][0]), scale0, totals[t][0]);
      totals[t][1] = _mm256_fmadd_ps(floats(sum[t][1]), scale1, totals[t][1]);
    }
  }
  add_blocks<T>(totals, c, x, out);
}

template <typename F, bool is_signed = F::is_signed>
struct StoredAs {
  using Type = Unpacked<F>;
};
template <typename F>
struct StoredAs<F, true> {
  using Type = Widened<F>;
};
template <typename F>
using Stored = typename StoredAs<F>::Type;
