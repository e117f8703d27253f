#include "layers/rope.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace mla::layers {

double RopeParams::score_scale() const noexcept {
  if (factor <= 1) return 1;
  const double mscale = log_multiplier * std::log(factor) + 1;
  return mscale * mscale;
}

Rope::Rope(const RopeParams& p) {
  const int pairs = p.n_rope / 2;
  // The pair that turns `rotations` times within the original context (YaRN, section 3.2).
  const auto pair_of = [&](double rotations) {
    return p.n_rope * std::log(p.original_ctx / (rotations * 2 * std::numbers::pi)) / (2 * std::log(p.base));
  };
  const bool scaled = p.factor != 1;
  const double low = scaled ? std::max(0.0, std::floor(pair_of(p.beta_fast))) : 0;
  const double high = scaled ? std::min(p.n_rope - 1.0, std::ceil(pair_of(p.beta_slow))) : 0;
  for (int i = 0; i < pairs; ++i) {
    const double frequency = std::pow(p.base, -2.0 * i / p.n_rope);
    if (!scaled) {
      frequencies_.push_back(frequency);
      continue;
    }
    const double width = high == low ? 0.001 : high - low;
    const double interpolated = std::clamp((i - low) / width, 0.0, 1.0);  // slow pairs are stretched, fast ones kept
    frequencies_.push_back(frequency / p.factor * interpolated + frequency * (1 - interpolated));
  }
}

void Rope::angles(std::span<const Position> positions, std::vector<float>& cosines, std::vector<float>& sines) const {
  const std::size_t pairs = frequencies_.size();
  cosines.resize(positions.size() * pairs);
  sines.resize(positions.size() * pairs);
  for (std::size_t t = 0; t < positions.size(); ++t) {
    for (std::size_t i = 0; i < pairs; ++i) {
      const double angle = positions[t] * frequencies_[i];
      cosines[t * pairs + i] = static_cast<float>(std::cos(angle));
      sines[t * pairs + i] = static_cast<float>(std::sin(angle));
    }
  }
}

}  // namespace mla::layers
