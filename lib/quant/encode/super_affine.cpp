// Q2_K, Q4_K, Q5_K: 256 values in sub-blocks, whose small whole scales and minimums share one f16 scale each.
#include "quant/encode/affine.hpp"

namespace mla::quant::MLA_QUANT_ISA {
namespace {

// n values in a sub-block, quants from 0 to `largest`, whole scales and minimums from 0 to `most`.
template <int n_values, int largest, int most_whole>
struct Format {
  static constexpr int n = n_values, groups = 256 / (n * lanes);
  static constexpr float last = largest, most = most_whole;
};

template <typename F>
struct Settled {
  Line whole[F::groups] = {};
  uint16_t half_scale = 0, half_minimum = 0;
  float error = 0;
};

template <typename F>
struct SuperBlock {
  SubBlocks<F> sub[F::groups];
  Settled<F> settled;
};

// Of scales near largest / most, the one at which values rounded to whole multiples have the least weighted error.
template <typename F>
float shared_scale(const Lanes (&wish)[F::groups], const Lanes (&weight)[F::groups]) {
  float largest = 0;
  for (int g = 0; g < F::groups; ++g)
    for (int k = 0; k < lanes; ++k)
      if (wish[g][k] > largest) largest = wish[g][k];
  if (largest == 0) return 0;
  float chosen = 0, least_error = __builtin_inff();
  for (int i = 0; i < 20; ++i) {
    const float shared = largest / (F::most + 0.45f - 0.3f * (float)i), per_shared = 1 / shared;
    Lanes error = all(0);
    for (int g = 0; g < F::groups; ++g) {
      const Lanes difference = wish[g] - shared * round(clamp(wish[g] * per_shared, 0, F::most));
      error += weight[g] * difference * difference;
    }
    if (const float total = sum(error); total < least_error) least_error = total, chosen = shared;
  }
  return chosen;
}

struct Shared {
  float scale, minimum;
};

// Scales first, each judged by what it costs with the minimum that is best for it; then minimums that are best for the scales as rounded.
template <typename F>
Shared shared_scales(const SuperBlock<F>& s) {
  Lanes wish[F::groups], weight[F::groups];
  for (int g = 0; g < F::groups; ++g) {
    const auto& sub = s.sub[g];
    wish[g] = sub.best.scale;
    weight[g] = sub.sums.qq - sub.sums.q * sub.sums.q * inverse(sub.moments.w);
  }
  Shared shared;
  shared.scale = shared_scale<F>(wish, weight);
  const float per_scale = shared.scale != 0 ? 1 / shared.scale : 0;
  for (int g = 0; g < F::groups; ++g) {
    const auto& sub = s.sub[g];
    const Lanes scale = shared.scale * round(clamp(wish[g] * per_scale, 0, F::most));
    wish[g] = most((scale * sub.sums.q - sub.moments.x) * inverse(sub.moments.w), all(0));
    weight[g] = sub.moments.w;
  }
  shared.minimum = shared_scale<F>(wish, weight);
  return shared;
}

constexpr float nearest_steps[] = {0, -1, 1};

// Whole scales and minimums for given f16 ones: of those around the best line, the ones that give the least error. Returns the f16 ones that
// are best for the quants.
template <typename F>
Shared settle(const SuperBlock<F>& from, Shared shared, Settled<F>& to) {
  to.half_scale = to_half(shared.scale);
  to.half_minimum = to_half(shared.minimum);
  const float scale = f16_to_f32(to.half_scale), minimum = f16_to_f32(to.half_minimum);
  const float per_scale = scale != 0 ? 1 / scale : 0, per_minimum = minimum != 0 ? 1 / minimum : 0;
  Lanes total = all(0), ss = all(0), sm = all(0), mm = all(0), sx = all(0), mx = all(0);
  for (int g = 0; g < F::groups; ++g) {
    const auto& sub = from.sub[g];
    const Lanes middle = round(clamp(sub.best.scale * per_scale, 0, F::most));
    Lanes least_error = all(__builtin_inff());
    for (const float step : nearest_steps) {
      Line whole;
      whole.scale = clamp(middle + step, 0, F::most);
      const Lanes best = (scale * whole.scale * sub.sums.q - sub.moments.x) * inverse(sub.moments.w);
      const Lanes nearest = round(clamp(best * per_minimum, 0, F::most));
      for (const float minimum_step : nearest_steps) {
        whole.minimum = clamp(nearest + minimum_step, 0, F::most);
        const Lanes error = error_at<F>(sub.b, {scale * whole.scale, minimum * whole.minimum});
        const Mask better = error < least_error;
        least_error = select(better, error, least_error);
        to.whole[g].scale = select(better, whole.scale, to.whole[g].scale);
        to.whole[g].minimum = select(better, whole.minimum, to.whole[g].minimum);
      }
    }
    total += least_error;
    const Lanes s = to.whole[g].scale, m = to.whole[g].minimum;
    const Sums sums = sums_at<F>(sub.b, {scale * s, minimum * m});
    ss += s * s * sums.qq;
    sm += s * m * sums.q;
    mm += m * m * sub.moments.w;
    sx += s * sums.qx;
    mx += m * sub.moments.x;
  }
  to.error = sum(total);
  // x ≈ scale · (s q) - minimum · m over the whole super-block.
  const float a = sum(ss), b = sum(sm), c = sum(mm), p = sum(sx), q = sum(mx), determinant = a * c - b * b;
  if (determinant > 1e-6f * a * c) return {(p * c - b * q) / determinant, (b * p - a * q) / determinant};
  return {a > 0 ? p / a : scale, minimum};
}

template <typename F>
void encode_super_block(SuperBlock<F>& s) {
  for (int g = 0; g < F::groups; ++g) search_line<F>(s.sub[g]);
  Shared shared = shared_scales<F>(s);
  settle_while_better(s.settled, [&](Settled<F>& next) { shared = settle<F>(s, shared, next); });
}

// pack(whole scales and minimums of the sub-blocks, quants, block) writes all but the f16 scales, which lie at `scales_at`.
template <typename F, int block_bytes, int scales_at, typename Pack>
void encode_blocks(const float* in, const float* weights, void* blocks, int64_t n, Pack pack) {
  for_super_blocks<block_bytes>(in, weights, blocks, n, [&](const float* x, const float* w, uint8_t* block) {
    SuperBlock<F> s;
    constexpr int of_group = F::n * lanes;
    for (int g = 0; g < F::groups; ++g) load_blocks(x + g * of_group, w != nullptr ? w + g * of_group : nullptr, s.sub[g].b);
    encode_super_block<F>(s);
    uint8_t scales[F::groups * lanes], minimums[F::groups * lanes], quants[256];
    const float scale = f16_to_f32(s.settled.half_scale), minimum = f16_to_f32(s.settled.half_minimum);
    for (int g = 0; g < F::groups; ++g) {
      const Line& whole = s.settled.whole[g];
      const Lanes inverse_scale = inverse(scale * whole.scale);
      for (int k = 0; k < lanes; ++k) {
        scales[g * lanes + k] = (uint8_t)whole.scale[k];
        minimums[g * lanes + k] = (uint8_t)whole.minimum[k];
      }
      const auto index_of = [&](int i) { return quants_at<F>(s.sub[g].b.x[i], inverse_scale, minimum * whole.minimum); };
      store_indices<F::n>(index_of, quants + g * of_group);
    }
    put_half(block + scales_at, s.settled.half_scale);
    put_half(block + scales_at + 2, s.settled.half_minimum);
    pack(scales, minimums, quants, block);
  });
}

// The 12 bytes of Q4_K and Q5_K: the first four of each in 6 bits of a byte, the low 4 bits of the others in a byte together and their high 2
// bits on top of the first.
void pack_scales(const uint8_t* scales, const uint8_t* minimums, uint8_t* out) {
  for (int j = 0; j < 4; ++j) {
    out[j] = (uint8_t)(scales[j] | scales[j + 4] >> 4 << 6);
    out[j + 4] = (uint8_t)(minimums[j] | minimums[j + 4] >> 4 << 6);
    out[j + 8] = (uint8_t)((scales[j + 4] & 15) | (minimums[j + 4] & 15) << 4);
  }
}

// 128 bytes: rows of 32 values in pairs, the first in the low nibbles.
void pack_nibbles(const uint8_t* quants, uint8_t* out) {
  for (int pair = 0; pair < 4; ++pair)
    for (int i = 0; i < 32; ++i) out[pair * 32 + i] = (uint8_t)((quants[pair * 64 + i] & 15) | quants[pair * 64 + 32 + i] << 4);
}

}  // namespace

void encode_q2_k(const float* in, const float* weights, void* blocks, int64_t n) noexcept {
  // scales[16], quants[64], d, dmin
  const auto pack = [](const uint8_t* scales, const uint8_t* minimums, const uint8_t* quants, uint8_t* block) {
    for (int j = 0; j < 16; ++j) block[j] = (uint8_t)(scales[j] | minimums[j] << 4);
    for (int i = 0; i < 256; ++i) block[16 + i / 128 * 32 + i % 32] |= (uint8_t)(quants[i] << (i / 32 % 4 * 2));
  };
  encode_blocks<Format<16, 3, 15>, 84, 80>(in, weights, blocks, n, pack);
}

void encode_q4_k(const float* in, const float* weights, void* blocks, int64_t n) noexcept {
  // d, dmin, scales[12], nibbles[128]
  const auto pack = [](const uint8_t* scales, const uint8_t* minimums, const uint8_t* quants, uint8_t* block) {
    pack_scales(scales, minimums, block + 4);
    pack_nibbles(quants, block + 16);
  };
  encode_blocks<Format<32, 15, 63>, 144, 0>(in, weights, blocks, n, pack);
}

void encode_q5_k(const float* in, const float* weights, void* blocks, int64_t n) noexcept {
  // d, dmin, scales[12], fifth bits[32], nibbles[128]
  const auto pack = [](const uint8_t* scales, const uint8_t* minimums, const uint8_t* quants, uint8_t* block) {
    pack_scales(scales, minimums, block + 4);
    for (int i = 0; i < 256; ++i) block[16 + i % 32] |= (uint8_t)(quants[i] >> 4 << (i / 32));
    pack_nibbles(quants, block + 48);
  };
  encode_blocks<Format<32, 31, 63>, 176, 0>(in, weights, blocks, n, pack);
}

}  // namespace mla::quant::MLA_QUANT_ISA
