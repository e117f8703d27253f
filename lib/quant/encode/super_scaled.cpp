// Q3_K, Q6_K, IQ4_XS: 256 values in sub-blocks, whose small whole scales share one f16 scale.
#include "quant/encode/scaled.hpp"

namespace mla::quant::MLA_QUANT_ISA {
namespace {

// Values of the sub-blocks, n each, and the range of their whole scales.
template <typename ValuesOf, int n_values, int low, int high>
struct Format {
  using Values = ValuesOf;
  static constexpr int n = n_values, groups = 256 / (n * lanes);
  static constexpr float least_scale = low, most_scale = high;
};

template <typename F>
struct Settled {
  Lanes whole[F::groups] = {};  // the sub-blocks' scales
  uint16_t half = 0;            // the f16 scale
  float error = 0;
};

template <typename F>
struct SuperBlock {
  Blocks<F::n> b[F::groups];
  Settled<F> settled;
};

// The f16 scale for which the sub-blocks' best ones, rounded to whole multiples of it, add the least error: vv·(difference)² for fixed values.
template <typename F>
float shared_scale(const ScaledSums (&best)[F::groups]) {
  Lanes scale[F::groups];
  float extreme = 0;
  for (int g = 0; g < F::groups; ++g) {
    scale[g] = best[g].scale();
    for (int k = 0; k < lanes; ++k)
      if (__builtin_fabsf(scale[g][k]) > __builtin_fabsf(extreme)) extreme = scale[g][k];
  }
  if (extreme == 0) return 0;
  float chosen = 0, least_error = __builtin_inff();
  const float ends[] = {F::least_scale, F::most_scale};
  for (const float end : ends) {
    for (int i = 0; i < 16; ++i) {
      const float shared = extreme / (end + (end < 0 ? 0.5f : -0.5f) * (float)(i - 1)), per_shared = 1 / shared;
      Lanes error = all(0);
      for (int g = 0; g < F::groups; ++g) {
        const Lanes difference = scale[g] - shared * round(clamp(scale[g] * per_shared, F::least_scale, F::most_scale));
        error += best[g].vv * difference * difference;
      }
      if (const float total = sum(error); total < least_error) least_error = total, chosen = shared;
    }
  }
  return chosen;
}

constexpr float nearest_steps[] = {0, -1, 1};

// Whole scales for a given f16 one: of those next to `wish` the ones that give the least error. Returns the f16 scale that is best for them.
template <typename F>
float settle(const SuperBlock<F>& from, const Lanes (&wish)[F::groups], float shared, Settled<F>& to) {
  to.half = to_half(shared);
  const float stored = f16_to_f32(to.half);
  Lanes xv = all(0), vv = all(0), total = all(0);
  for (int g = 0; g < F::groups; ++g) {
    const Lanes middle = round(clamp(wish[g], F::least_scale, F::most_scale));
    Lanes least_error = all(__builtin_inff());
    for (const float step : nearest_steps) {
      const Lanes whole = clamp(middle + step, F::least_scale, F::most_scale);
      const Lanes error = error_at<typename F::Values>(from.b[g], stored * whole);
      const Mask better = error < least_error;
      least_error = select(better, error, least_error);
      to.whole[g] = select(better, whole, to.whole[g]);
    }
    total += least_error;
    const ScaledSums s = sums_at<typename F::Values>(from.b[g], inverse(stored * to.whole[g]));
    xv += to.whole[g] * s.xv;
    vv += to.whole[g] * to.whole[g] * s.vv;
  }
  to.error = sum(total);
  const float all_vv = sum(vv);
  return all_vv > 0 ? sum(xv) / all_vv : stored;
}

template <typename F>
void encode_super_block(SuperBlock<F>& s) {
  ScaledSums best[F::groups];
  for (int g = 0; g < F::groups; ++g) best[g] = search_scale<typename F::Values>(s.b[g]);
  float shared = shared_scale<F>(best);
  settle_while_better(s.settled, [&](Settled<F>& next) {
    Lanes wish[F::groups];
    const float per_shared = shared != 0 ? 1 / shared : 0;
    for (int g = 0; g < F::groups; ++g) wish[g] = best[g].scale() * per_shared;
    shared = settle<F>(s, wish, shared, next);
  });
}

// pack(whole scale of each sub-block, index of each value, block) writes all but the f16 scale, which lies at `scale_at`.
template <typename F, int block_bytes, int scale_at, typename Pack>
void encode_blocks(const float* in, const float* weights, void* blocks, int64_t n, Pack pack) {
  for_super_blocks<block_bytes>(in, weights, blocks, n, [&](const float* x, const float* w, uint8_t* block) {
    SuperBlock<F> s;
    constexpr int of_group = F::n * lanes;
    for (int g = 0; g < F::groups; ++g) load_blocks(x + g * of_group, w != nullptr ? w + g * of_group : nullptr, s.b[g]);
    encode_super_block<F>(s);
    int scales[F::groups * lanes];
    uint8_t index[256];
    for (int g = 0; g < F::groups; ++g) {
      const Lanes inverse_scale = inverse(f16_to_f32(s.settled.half) * s.settled.whole[g]);
      for (int k = 0; k < lanes; ++k) scales[g * lanes + k] = (int)s.settled.whole[g][k];
      store_indices<F::n>([&](int i) { return F::Values::index(F::Values::nearest(s.b[g].x[i] * inverse_scale)); }, index + g * of_group);
    }
    put_half(block + scale_at, s.settled.half);
    pack(scales, index, block);
  });
}

}  // namespace

void encode_q3_k(const float* in, const float* weights, void* blocks, int64_t n) noexcept {
  using F = Format<WholeNumbers<-4, 3>, 16, -32, 31>;
  // third bits[32], quants[64], scales[12], d
  encode_blocks<F, 110, 108>(in, weights, blocks, n, [](const int* scales, const uint8_t* index, uint8_t* block) {
    for (int i = 0; i < 256; ++i) {
      block[i % 32] |= (uint8_t)(index[i] >> 2 << (i / 32));
      block[32 + i / 128 * 32 + i % 32] |= (uint8_t)((index[i] & 3) << (i / 32 % 4 * 2));
    }
    for (int j = 0; j < 16; ++j) {
      const int scale = scales[j] + 32;
      block[96 + j % 8] |= (uint8_t)((scale & 15) << (j / 8 * 4));
      block[104 + j % 4] |= (uint8_t)(scale >> 4 << (j / 4 * 2));
    }
  });
}

void encode_q6_k(const float* in, const float* weights, void* blocks, int64_t n) noexcept {
  using F = Format<WholeNumbers<-32, 31>, 16, -128, 127>;
  // low 4 bits[128], high 2 bits[64], scales[16], d: of each half, values 0 to 63 have low nibbles
  encode_blocks<F, 210, 208>(in, weights, blocks, n, [](const int* scales, const uint8_t* index, uint8_t* block) {
    for (int i = 0; i < 256; ++i) {
      block[i / 128 * 64 + i % 64] |= (uint8_t)((index[i] & 15) << (i / 64 % 2 * 4));
      block[128 + i / 128 * 32 + i % 32] |= (uint8_t)(index[i] >> 4 << (i / 32 % 4 * 2));
    }
    for (int j = 0; j < 16; ++j) block[192 + j] = (uint8_t)scales[j];
  });
}

void encode_iq4_xs(const float* in, const float* weights, void* blocks, int64_t n) noexcept {
  using F = Format<Iq4Values, 32, -32, 31>;
  // d, high 2 bits of the scales, low 4 bits[4], nibbles[128]
  encode_blocks<F, 136, 0>(in, weights, blocks, n, [](const int* scales, const uint8_t* index, uint8_t* block) {
    uint16_t high = 0;
    for (int j = 0; j < 8; ++j) {
      const int scale = scales[j] + 32;
      block[4 + j / 2] |= (uint8_t)((scale & 15) << (j % 2 * 4));
      high |= (uint16_t)(scale >> 4 << (2 * j));
      for (int i = 0; i < 16; ++i) block[8 + 16 * j + i] = (uint8_t)(index[32 * j + i] | index[32 * j + 16 + i] << 4);
    }
    memcpy(block + 2, &high, sizeof high);
  });
}

}  // namespace mla::quant::MLA_QUANT_ISA
