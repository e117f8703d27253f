// Keys and values of one head from latents.
#pragma once
#include <span>

#include "attention/attention.hpp"

namespace mla::attention {

/// One head's part of kv_b as floats. Where the file has only k_b, its transpose stands in: nothing is rebuilt in memory.
class LatentExpansion {
 public:
  /// memory: at least scratch_floats().
  LatentExpansion(const LatentWeights& weights, const CacheShape& shape, int head, std::span<float> memory);
  static std::size_t scratch_floats(const CacheShape& shape) noexcept;

  /// keys [n, n_nope] and values [n, n_value], rows key_stride and value_stride apart, from latents [n, n_latent], rows
  /// latent_stride apart.
  void run(const float* latents, std::int64_t latent_stride, int n, float* keys, std::int64_t key_stride, float* values,
           std::int64_t value_stride) const;

 private:
  const CacheShape& shape_;
  bool transposed_, fixed_order_;
  float* k_weights_;  // [n_nope, n_latent], or [n_latent, n_nope] if transposed
  float* v_weights_;  // [n_value, n_latent]
};

}  // namespace mla::attention
