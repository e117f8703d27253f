// The gated feed-forward block: down · (silu(gate · x) · (up · x)).
#pragma once
#include "kernels/matmul.hpp"

namespace mla::layers {

struct FfnWeights {
  kernels::Matrix gate, up;  ///< [n_ff, n_embd]
  kernels::Matrix down;      ///< [n_embd, n_ff]
};

/// One tile of the hidden row: hidden[:, tile] = silu(x · gateᵀ) · (x · upᵀ) for m rows of x [m, n_embd]. `up_out` is as
/// hidden, [m, n_ff], and only memory to work in.
void gated_hidden_tile(const FfnWeights& w, const float* x, std::int64_t m, std::int64_t tile, float* hidden, float* up_out,
                       std::span<float> scratch);

/// y = ffn(x): x, y [m, n_embd]; hidden, up_out [m, n_ff] are memory to work in.
void ffn(const FfnWeights& w, const float* x, std::int64_t m, float* y, float* hidden, float* up_out, platform::Executor& executor);

}  // namespace mla::layers
