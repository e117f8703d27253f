#include "attention/latent_expansion.hpp"

#include "kernels/matmul.hpp"
#include "kernels/sgemm.hpp"

namespace mla::attention {

LatentExpansion::LatentExpansion(const LatentWeights& weights, const CacheShape& s, int head, std::span<float> memory)
    : shape_(s),
      transposed_(!weights.k_nope),
      fixed_order_(weights.v_b.first.fixed_order),
      k_weights_(memory.data()),
      v_weights_(memory.data() + std::int64_t{s.n_nope} * s.n_latent) {
  if (transposed_)
    kernels::dequantize_matrix(weights.k_b[head], k_weights_, s.n_nope);
  else
    kernels::dequantize_matrix(weights.k_nope[head], k_weights_, s.n_latent);
  kernels::dequantize_matrix(weights.v_b[head], v_weights_, s.n_latent);
}

std::size_t LatentExpansion::scratch_floats(const CacheShape& s) noexcept {
  return static_cast<std::size_t>(s.n_latent) * static_cast<std::size_t>(s.n_nope + s.n_value);
}

void LatentExpansion::run(const float* latents, std::int64_t latent_stride, int n, float* keys, std::int64_t key_stride, float* values,
                          std::int64_t value_stride) const {
  using kernels::Transpose;
  kernels::sgemm({latents, latent_stride, k_weights_, transposed_ ? shape_.n_nope : shape_.n_latent,
                  transposed_ ? Transpose::no : Transpose::yes, keys, key_stride, n, shape_.n_nope, shape_.n_latent, 0.0f, fixed_order_});
  kernels::sgemm({latents, latent_stride, v_weights_, shape_.n_latent, Transpose::yes, values, value_stride, n, shape_.n_value,
                  shape_.n_latent, 0.0f, fixed_order_});
}

platform::Work expansion_work(const LatentWeights& weights, std::int64_t n) noexcept {
  const kernels::Matrix& keys = weights.k_nope ? weights.k_nope.first : weights.k_b.first;
  return kernels::work_of(keys, n) + kernels::work_of(weights.v_b.first, n);
}

}  // namespace mla::attention
