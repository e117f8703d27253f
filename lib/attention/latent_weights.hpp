// The per-head matrices between the latent and keys and values.
#pragma once
#include "kernels/matmul.hpp"
#include "platform/op_timer.hpp"

namespace mla::attention {

/// The per-head matrices between the latent and keys and values; H heads each.
struct LatentWeights {
  kernels::MatrixStack k_b;     ///< H × [n_latent, n_nope]: takes q_nope into latent space (absorbed form)
  kernels::MatrixStack v_b;     ///< H × [n_value, n_latent]: takes a latent to a value
  kernels::MatrixStack k_nope;  ///< H × [n_nope, n_latent]: takes a latent to a key; empty where the file has only k_b
};

/// The same as the calling thread multiplies with them: kernels::local().
inline LatentWeights local(LatentWeights w, const platform::Executor& executor) noexcept {
  for (kernels::MatrixStack* stack : {&w.k_b, &w.v_b, &w.k_nope}) stack->first = kernels::local(stack->first, executor);
  return w;
}

/// What expanding n latents for one head has to do.
platform::Work expansion_work(const LatentWeights& weights, std::int64_t n) noexcept;

}  // namespace mla::attention
