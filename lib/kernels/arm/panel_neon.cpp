// Compiled for ARMv8.2 with the dot product instructions.
#include <arm_neon.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/int8.hpp"
#include "kernels/panel/layout.hpp"

namespace mla::kernels {
namespace {

typedef uint32x4_t I;
typedef float32x4_t Floats;
constexpr int Lanes = 4;
inline I load(const void* p) { return vreinterpretq_u32_u8(vld1q_u8((const uint8_t*)p)); }
inline void store(void* p, I x) { vst1q_u8((uint8_t*)p, vreinterpretq_u8_u32(x)); }
inline I all(int x) { return vdupq_n_u32((uint32_t)x); }
template <int n>
inline I shl(I x) { return x << n; }
template <int n>
inline I shr(I x) { return x >> n; }
inline I shr(I x, int n) { return x >> (uint32_t)n; }
inline I shl(I x, int n) { return x << (uint32_t)n; }
inline I minus(I a, I b) { return a - b; }
inline I sign_extended(I x) { return vreinterpretq_u32_s32(vshrq_n_s32(vreinterpretq_s32_u32(x << 24), 24)); }
inline I load_halves(const uint8_t* p) { return vmovl_u16(vreinterpret_u16_u8(vld1_u8(p))); }
inline Floats load_floats(const float* p) { return vld1q_f32(p); }
inline Floats load_half_floats(const uint8_t* p) { return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p))); }
inline void store(float* p, Floats x) { vst1q_f32(p, x); }
/// Values of IQ4_NL and IQ4_XS (quant/iq4_values.hpp).
alignas(16) constexpr int8_t iq4_table[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
inline I look_up_iq4(I index) { return vreinterpretq_u32_s8(vqtbl1q_s8(vld1q_s8(iq4_table), vreinterpretq_u8_u32(index))); }
inline I scale_lanes(I x) { return x; }

constexpr bool flips_signed = false;  // sdot takes bytes with a sign, and quants without one are at most 63
constexpr int tile_tokens = 4;

#include "kernels/panel/formats.inc"
#include "kernels/panel/weights.inc"

typedef int32x4_t Sum;
inline Sum as_signed(I x) { return vreinterpretq_s32_u32(x); }
inline Floats floats(Sum x) { return vcvtq_f32_s32(x); }

/// Rows that are computed at a time: the sums of four rows of activations, weights and activations stay in the registers.
constexpr int rows_at_once = 2 * Lanes;

/// Sums of products of group g with T rows of activations, for the rows from `row` on.
template <typename F, int T, typename Weights>
inline __attribute__((always_inline)) void multiply_group(const Weights& w, int g, int row, const Activations& x, int c, Sum (&sum)[T][2]) {
  constexpr int words = F::group / 4;
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
    const int16_t* const lane = x.lane<F>(t, c, g);
    sum[t][0] = sum[t][1] = vdupq_n_s32(zero_of<F> == 0 ? 0 : -zero_of<F> * (lane[0] + lane[1]));
  }
#pragma GCC unroll 8
  for (int i = 0; i < words; ++i) {
    const int b = g * words / 8, k = g * words % 8 + i;
    const int8x16_t w0 = vreinterpretq_s8_u32(w.quants(b, k, row)), w1 = vreinterpretq_s8_u32(w.quants(b, k, row + Lanes));
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      const int8x16_t four = vreinterpretq_s8_s32(vld1q_dup_s32((const int32_t*)(x.quants(t, c) + 4 * (g * words + i))));
      sum[t][0] = vdotq_s32(sum[t][0], w0, four), sum[t][1] = vdotq_s32(sum[t][1], w1, four);
    }
  }
}

/// Two products of 16-bit numbers in each lane, added to a sum.
inline Sum add_pairs(Sum sum, I a, const int16_t* pair) {
  const int16x8_t x = vreinterpretq_s16_u32(a), y = vreinterpretq_s16_s32(vld1q_dup_s32((const int32_t*)pair));
  return vaddq_s32(sum, vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y)));
}

template <typename F, int T, typename Weights>
inline void multiply_super(const Weights& w, int c, int row, const Activations& x, float (*out)[16]) {
  Sum totals[T][2] = {}, minimums[T][2] = {};
  repeat<Weights::in_place, groups<F>>([&](int g) __attribute__((always_inline)) {
    Sum sum[T][2];
    multiply_group<F, T>(w, g, row, x, c, sum);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const Sum scale = as_signed(w.scale(g, row + half * Lanes));
#pragma GCC unroll 4
      for (int t = 0; t < T; ++t) totals[t][half] = vmlaq_s32(totals[t][half], sum[t][half], scale);
    }
  });
  if constexpr (F::has_min)
    repeat<Weights::in_place, groups<F> / 2>([&](int i) __attribute__((always_inline)) {
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        const I minimum = w.minimum(i, row + half * Lanes);
#pragma GCC unroll 4
        for (int t = 0; t < T; ++t) minimums[t][half] = add_pairs(minimums[t][half], minimum, x.pair<F>(t, c, i));
      }
    });
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    const int first = row + half * Lanes;
    const Floats d = w.d(first);
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      const Floats scale = vld1q_dup_f32(x.scale_of(t, c));
      Floats y = vfmaq_f32(load_floats(out[t] + first), floats(totals[t][half]), vmulq_f32(d, scale));
      if constexpr (F::has_min) y = vfmsq_f32(y, floats(minimums[t][half]), vmulq_f32(w.dmin(first), scale));
      store(out[t] + first, y);
    }
  }
}

template <typename F, int T, typename Weights>
inline void multiply_blocks(const Weights& w, int c, int row, const Activations& x, float (*out)[16]) {
  Floats totals[T][2] = {};
  for (int b = 0; b < w.n_blocks; ++b) {
    if (row == 0) w.fetch_ahead(b);
    Sum sum[T][2];
    multiply_group<F, T>(w, b, row, x, c, sum);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const Floats scale = w.scale(b, row + half * Lanes);
#pragma GCC unroll 4
      for (int t = 0; t < T; ++t) {
        totals[t][half] = vfmaq_f32(totals[t][half], floats(sum[t][half]), scale);
        if constexpr (F::has_min) {
          const int16_t* const lane = x.lane<F>(t, c, b);
          totals[t][half] = vfmaq_f32(totals[t][half], vdupq_n_f32((float)(lane[0] + lane[1])), w.minimum(b, row + half * Lanes));
        }
      }
    }
  }
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t)
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      float* const y = out[t] + row + half * Lanes;
      store(y, vfmaq_f32(load_floats(y), totals[t][half], vld1q_dup_f32(x.scale_of(t, c))));
    }
}

template <typename F, int T, typename Weights>
inline void multiply_super(const Weights& w, int c, const Activations& x, float (*out)[16]) {
  for (int row = 0; row < panel_rows; row += rows_at_once) multiply_super<F, T>(w, c, row, x, out);
}
template <typename F, int T, typename Weights>
inline void multiply_blocks(const Weights& w, int c, const Activations& x, float (*out)[16]) {
  for (int row = 0; row < panel_rows; row += rows_at_once) multiply_blocks<F, T>(w, c, row, x, out);
}

template <typename F>
using Stored = Unpacked<F>;

#include "kernels/panel/interleave.inc"
Int8Kernels::ProductFn unpacked_product(quant::Type) noexcept { return nullptr; }  // they run in floats
#include "kernels/panel/products.inc"

/// The largest magnitude, by its bits: their order is that of the numbers, with infinity and NaN above all others.
inline uint32_t largest_magnitude(const float* x, int64_t n) {
  I largest = all(0);
  for (int64_t i = 0; i < n; i += 4) largest = vmaxq_u32(largest, vreinterpretq_u32_f32(vld1q_f32(x + i)) & all(0x7fffffff));
  return vmaxvq_u32(largest);
}

inline int8x16_t round_16(const float* x, Floats inverse) {
  int16x4_t r[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) r[i] = vmovn_s32(vcvtnq_s32_f32(vmulq_f32(vld1q_f32(x + 4 * i), inverse)));
  return vcombine_s8(vmovn_s16(vcombine_s16(r[0], r[1])), vmovn_s16(vcombine_s16(r[2], r[3])));
}

/// The largest magnitude becomes 127. A chunk with an infinity or NaN gets a NaN scale: the result then says so.
void quantize_row(const float* x, int64_t k, const Int8Rows& out) noexcept {
  constexpr uint32_t infinity = 0x7f800000;
  for (int64_t c = 0; c < out.n_chunks; ++c) {
    const int64_t n = k - c * 256 < 256 ? k - c * 256 : 256;  // a multiple of 32
    const uint32_t bits = largest_magnitude(x + c * 256, n);
    float max;
    memcpy(&max, &bits, sizeof max);
    const bool usable = bits < infinity && max >= 1e-30f;  // below it 127 / max overflows
    const Floats inverse = vdupq_n_f32(usable ? 127.0f / max : 0.0f);
    out.scale[c] = usable ? max / 127.0f : bits < infinity ? 0.0f : NAN;
    for (int64_t g = c * 16; g < c * 16 + 16; ++g) {
      const int8x16_t q = usable && 16 * g < k ? round_16(x + 16 * g, inverse) : vdupq_n_s8(0);
      vst1q_s8(out.q + 16 * g, q);
      int16x8_t pairs = vpaddlq_s8(q);  // of every other pair the sums end up in the first two lanes
      pairs = vaddq_s16(pairs, vextq_s16(pairs, pairs, 4));
      pairs = vaddq_s16(pairs, vextq_s16(pairs, pairs, 2));
      out.lanes16[2 * g] = vgetq_lane_s16(pairs, 0), out.lanes16[2 * g + 1] = vgetq_lane_s16(pairs, 1);
      out.sums16[g] = (int16_t)(out.lanes16[2 * g] + out.lanes16[2 * g + 1]);
    }
    for (int64_t b = c * 8; b < c * 8 + 8; ++b) {
      out.sums32[b] = (int16_t)(out.sums16[2 * b] + out.sums16[2 * b + 1]);
      for (int i = 0; i < 2; ++i) out.lanes32[2 * b + i] = (int16_t)(out.lanes16[4 * b + i] + out.lanes16[4 * b + 2 + i]);
    }
  }
}

}  // namespace

namespace neon {
const Int8Kernels int8 = {quantize_row, find_product, find_interleave};
}
}  // namespace mla::kernels
