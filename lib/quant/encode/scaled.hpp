// Types without an offset: x ≈ scale · v, with v from a set of values. For fixed v the best scale is Σwxv / Σwvv and takes (Σwxv)² / Σwvv off
// the error Σwxx; so the search compares that gain over scales that differ enough to change most v, then over two beside the best of them,
// then lets v and scale settle. Four times as many scales would lower the error by 0.2 % at most.
#pragma once
#include "quant/encode/lanes.hpp"
#include "quant/iq4_values.hpp"

namespace mla::quant {
namespace {

/// Whole numbers from `low` to `high`.
template <int low, int high>
struct WholeNumbers {
  static constexpr float first = low, last = high;
  static constexpr float step = high - low <= 16 ? 0.48f : 0.66f;  // of the search: see first_beyond
  static Lanes nearest(Lanes t) { return round(clamp(t, first, last)); }
  static Lanes index(Lanes v) { return v - first; }
};

/// Those of IQ4_NL and IQ4_XS.
struct Iq4Values {
  static constexpr float first = iq4_values[0], last = iq4_values[15];
  static constexpr float step = 7.8f;
  static constexpr float middle(int i) { return (iq4_values[i] + iq4_values[i + 1]) / 2; }
  static Lanes nearest(Lanes t) {
    Lanes v = all(first);
#pragma GCC unroll 15
    for (int i = 0; i < 15; ++i) v += (Lanes)((Mask)all(iq4_values[i + 1] - iq4_values[i]) & (Mask)(t > middle(i)));
    return v;
  }
  static Lanes index(Lanes v) {
    Lanes i = all(0);
    for (int k = 0; k < 15; ++k) i += (Lanes)((Mask)all(1) & (Mask)(v > middle(k)));
    return i;
  }
};

/// Of the eight blocks for some choice of values v: Σwxv and Σwvv.
struct ScaledSums {
  Lanes xv = all(0), vv = all(0);
  Lanes gain() const { return xv * xv / vv; }  // NaN, which is larger than nothing, where all v are zero
  Lanes scale() const { return xv * inverse(vv); }
};

template <typename Values, int n>
ScaledSums sums_at(const Blocks<n>& b, Lanes inverse_scale) {
  ScaledSums s;
  for (int i = 0; i < n; ++i) {
    const Lanes v = Values::nearest(b.x[i] * inverse_scale), wv = b.w[i] * v;
    s.xv += wv * b.x[i];
    s.vv += wv * v;
  }
  return s;
}

/// Error of the blocks at a scale, the nearest values taken.
template <typename Values, int n>
Lanes error_at(const Blocks<n>& b, Lanes scale) {
  const Lanes inverse_scale = inverse(scale);
  Lanes error = all(0);
  for (int i = 0; i < n; ++i) {
    const Lanes e = b.x[i] - scale * Values::nearest(b.x[i] * inverse_scale);
    error += b.w[i] * e * e;
  }
  return error;
}

/// The value of each block that is furthest from zero.
template <int n>
Lanes extreme_of(const Blocks<n>& b) {
  Lanes extreme = b.x[0];
  for (int i = 1; i < n; ++i) extreme = select(magnitude(b.x[i]) > magnitude(extreme), b.x[i], extreme);
  return extreme;
}

// How many steps the extreme value first lies beyond an end of the values: less than none is inside. Five places a step apart are tried.
constexpr float first_beyond = -4.0f / 3;

/// The best scale that the search finds for each block, with its sums. The extreme value lies near either end of the values, or beyond it.
template <typename Values, int n>
ScaledSums search_scale(const Blocks<n>& b) {
  const Lanes per_extreme = inverse(extreme_of(b));
  ScaledSums best;
  Lanes best_gain = all(0), best_target = all(0);
  const auto consider = [&](Lanes target, Lanes inverse_scale) {
    const ScaledSums s = sums_at<Values>(b, inverse_scale);
    const Lanes gain = s.gain();
    const Mask better = gain > best_gain;
    best_gain = select(better, gain, best_gain);
    best_target = select(better, target, best_target);
    best.xv = select(better, s.xv, best.xv);
    best.vv = select(better, s.vv, best.vv);
  };
  const auto consider_target = [&](Lanes target) { consider(target, target * per_extreme); };
  const float ends[] = {Values::first, Values::last};
  for (const float end : ends) {
    const float outward = end < 0 ? -Values::step : Values::step;
    for (int i = 0; i < 5; ++i) consider_target(all(end + (first_beyond + static_cast<float>(i)) * outward));
  }
  const Lanes middle = best_target;
  consider_target(middle - 0.4f * Values::step);
  consider_target(middle + 0.4f * Values::step);
  consider(best_target, inverse(best.scale()));
  return best;
}

}  // namespace
}  // namespace mla::quant
