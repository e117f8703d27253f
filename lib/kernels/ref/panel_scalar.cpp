// The same products in plain loops: the oracle of the vector kernels, which give the same bits.
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/int8.hpp"
#include "kernels/panel/layout.hpp"
#include "kernels/unpacked.hpp"
#include "quant/half.hpp"
#include "quant/iq4_values.hpp"

namespace mla::kernels {
namespace {

constexpr int Lanes = 16;
struct I {
  uint32_t lane[Lanes];
};
template <typename Op>
I each(Op op) {
  I result;
  for (int i = 0; i < Lanes; ++i) result.lane[i] = op(i);
  return result;
}
I operator&(I a, I b) { return each([&](int i) { return a.lane[i] & b.lane[i]; }); }
I operator|(I a, I b) { return each([&](int i) { return a.lane[i] | b.lane[i]; }); }
I operator^(I a, I b) { return each([&](int i) { return a.lane[i] ^ b.lane[i]; }); }
I load(const void* p) {
  I x;
  memcpy(&x, p, sizeof x);
  return x;
}
void store(void* p, I x) { memcpy(p, &x, sizeof x); }
I all(int x) { return each([&](int) { return (uint32_t)x; }); }
I shr(I x, int n) { return each([&](int i) { return x.lane[i] >> n; }); }
template <int n>
I shr(I x) { return shr(x, n); }
I shl(I x, int n) { return each([&](int i) { return x.lane[i] << n; }); }
template <int n>
I shl(I x) { return shl(x, n); }
I minus(I a, I b) { return each([&](int i) { return a.lane[i] - b.lane[i]; }); }
I sign_extended(I x) { return each([&](int i) { return (uint32_t)(int32_t)(int8_t)x.lane[i]; }); }
uint16_t half_of(const uint8_t* p, int i) {
  uint16_t bits;
  memcpy(&bits, p + 2 * i, sizeof bits);
  return bits;
}
I load_halves(const uint8_t* p) { return each([&](int i) { return (uint32_t)half_of(p, i); }); }
struct Floats {
  float lane[Lanes];
};
Floats load_floats(const float* p) {
  Floats x;
  memcpy(&x, p, sizeof x);
  return x;
}
Floats load_half_floats(const uint8_t* p) {
  Floats x;
  for (int i = 0; i < Lanes; ++i) x.lane[i] = quant::f16_to_f32(half_of(p, i));
  return x;
}
void store(float* p, Floats x) { memcpy(p, &x, sizeof x); }
I look_up_iq4(I index) {
  return each([&](int i) {
    uint32_t x = 0;
    for (int byte = 0; byte < 4; ++byte) x |= (uint32_t)(uint8_t)(int8_t)quant::iq4_values[index.lane[i] >> (8 * byte) & 15] << (8 * byte);
    return x;
  });
}
I scale_lanes(I x) { return x; }

constexpr bool flips_signed = false;
constexpr int tile_tokens = 1;

#include "kernels/panel/formats.inc"
#include "kernels/panel/weights.inc"

/// Sums over `words` words of four products, from word k of block b on, for every row.
template <typename F, typename Weights>
void dot(const Weights& w, int b, int k, int words, const int8_t* x, int32_t (&sum)[panel_rows]) {
  for (int32_t& s : sum) s = 0;
  for (int i = k; i < k + words; ++i) {
    const I q = w.quants(b, i, 0);
    for (int row = 0; row < panel_rows; ++row)
      for (int byte = 0; byte < 4; ++byte) {
        const auto value = (uint8_t)(q.lane[row] >> (8 * byte));
        sum[row] += (F::is_signed ? (int8_t)value : value) * x[32 * b + 4 * i + byte];
      }
  }
}

template <typename F, typename Weights>
void multiply_super(const Weights& w, int c, const Activations& x, int t, float* y) {
  const int16_t* const group_sums = x.pair<F>(t, c, 0);
  constexpr int words = F::group / 4;
  int32_t total[panel_rows] = {}, minimum[panel_rows] = {}, sum[panel_rows];
  for (int g = 0; g < groups<F>; ++g) {
    dot<F>(w, g * words / 8, g * words % 8, words, x.quants(t, c), sum);
    const I scales = w.scale(g, 0);
    for (int row = 0; row < panel_rows; ++row) {
      total[row] += (int32_t)scales.lane[row] * (sum[row] - F::zero * group_sums[g]);
      if constexpr (F::has_min) minimum[row] += (int16_t)(w.minimum(g / 2, 0).lane[row] >> (g % 2 * 16)) * group_sums[g];
    }
  }
  for (int row = 0; row < panel_rows; ++row) {
    y[row] = fmaf((float)total[row], w.d(0).lane[row] * *x.scale_of(t, c), y[row]);
    if constexpr (F::has_min) y[row] = fmaf(-(float)minimum[row], w.dmin(0).lane[row] * *x.scale_of(t, c), y[row]);
  }
}

template <typename F, typename Weights>
void multiply_blocks(const Weights& w, int c, const Activations& x, int t, float* y) {
  float total[panel_rows] = {};
  for (int b = 0; b < w.n_blocks; ++b) {
    int32_t sum[panel_rows];
    dot<F>(w, b, 0, 8, x.quants(t, c), sum);
    const int16_t* const lane = x.lane<F>(t, c, b);
    const int block_sum = lane[0] + lane[1];
    for (int row = 0; row < panel_rows; ++row) {
      total[row] = fmaf((float)(sum[row] - F::zero * block_sum), w.scale(b, 0).lane[row], total[row]);
      if constexpr (F::has_min) total[row] = fmaf((float)block_sum, w.minimum(b, 0).lane[row], total[row]);
    }
  }
  for (int row = 0; row < panel_rows; ++row) y[row] = fmaf(total[row], *x.scale_of(t, c), y[row]);
}

template <typename F, int T, typename Weights>
void multiply_super(const Weights& w, int c, const Activations& x, float (*out)[16]) {
  for (int t = 0; t < T; ++t) multiply_super<F>(w, c, x, t, out[t]);
}
template <typename F, int T, typename Weights>
void multiply_blocks(const Weights& w, int c, const Activations& x, float (*out)[16]) {
  for (int t = 0; t < T; ++t) multiply_blocks<F>(w, c, x, t, out[t]);
}

template <typename F>
using Stored = Unpacked<F>;

#include "kernels/panel/interleave.inc"
using scalar::unpacked_product;
#include "kernels/panel/products.inc"

/// As quantize_row() of the vector kernels, to the bit.
void quantize_row(const float* x, int64_t k, const Int8Rows& out) noexcept {
  for (int64_t c = 0; c < out.n_chunks; ++c) {
    const int64_t n = k - c * 256 < 256 ? k - c * 256 : 256;
    float max = 0, nan_or_0 = 0;
    for (int64_t i = 0; i < n; ++i) {
      const float v = x[c * 256 + i];
      max = fabsf(v) > max ? fabsf(v) : max;
      if (!isfinite(v)) nan_or_0 = NAN;
    }
    const bool usable = max >= 1e-30f && nan_or_0 == 0;
    const float inverse = usable ? 127.0f / max : 0.0f;
    out.scale[c] = (usable ? max / 127.0f : 0.0f) + nan_or_0;
    memset(out.sums16 + c * 16, 0, 16 * sizeof(int16_t));
    memset(out.sums32 + c * 8, 0, 8 * sizeof(int16_t));
    memset(out.lanes16 + c * 32, 0, 32 * sizeof(int16_t));
    memset(out.lanes32 + c * 16, 0, 16 * sizeof(int16_t));
    for (int64_t i = 0; i < 256; ++i) {
      const auto q = usable && i < n ? (int8_t)lrintf(x[c * 256 + i] * inverse) : (int8_t)0;
      out.q[c * 256 + i] = q;
      const int64_t group = c * 16 + i / 16, block = c * 8 + i / 32, lane = i % 4 / 2;
      out.sums16[group] = (int16_t)(out.sums16[group] + q);
      out.sums32[block] = (int16_t)(out.sums32[block] + q);
      out.lanes16[2 * group + lane] = (int16_t)(out.lanes16[2 * group + lane] + q);
      out.lanes32[2 * block + lane] = (int16_t)(out.lanes32[2 * block + lane] + q);
    }
  }
}

}  // namespace

namespace scalar {
const Int8Kernels int8 = {quantize_row, find_product, find_interleave};
}
}  // namespace mla::kernels
