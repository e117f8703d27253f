// Rotary position embedding with YaRN (Peng et al. 2023), as DeepSeek-V2 uses it.
#pragma once
#include <mla/types.hpp>
#include <span>
#include <vector>

namespace mla::layers {

struct RopeParams {
  int n_rope = 0;        ///< width; pairs (2i, 2i+1) turn together
  double base = 10000;   ///< frequency base
  double factor = 1;     ///< YaRN scale; 1: plain rope
  int original_ctx = 0;  ///< context length before scaling
  double beta_fast = 32, beta_slow = 1;
  /// 0.1 · mscale_all_dim. cos and sin themselves are not scaled: mscale equals mscale_all_dim in every model there is.
  double log_multiplier = 0;

  /// What scores are multiplied with besides 1/sqrt(key width): mscale².
  double score_scale() const noexcept;
};

class Rope {
 public:
  explicit Rope(const RopeParams& params);

  /// Cosines and sines of a batch's positions, [n, n_rope / 2] each. The vectors keep their memory between calls.
  void angles(std::span<const Position> positions, std::vector<float>& cosines, std::vector<float>& sines) const;

  const std::vector<double>& frequencies() const noexcept { return frequencies_; }

 private:
  std::vector<double> frequencies_;  // [n_rope / 2] radians per position
};

}  // namespace mla::layers
