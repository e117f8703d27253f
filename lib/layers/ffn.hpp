// The gated feed-forward block: down · (silu(gate · x) · (up · x)).
#pragma once
#include "kernels/matmul.hpp"

namespace mla::layers {

struct FfnWeights {
  kernels::Matrix gate, up;  ///< [n_ff, n_embd]
  kernels::Matrix down;      ///< [n_embd, n_ff]
};

inline FfnWeights local(const FfnWeights& w, const platform::Executor& executor) noexcept {
  return {kernels::local(w.gate, executor), kernels::local(w.up, executor), kernels::local(w.down, executor)};
}

/// Scratch that gated_hidden_tile() needs for up to n_ubatch rows, in floats.
std::size_t gated_scratch_floats(std::int64_t n_embd, int n_ubatch) noexcept;

/// One tile of the hidden row: hidden[:, tile] = silu(x · gateᵀ) · (x · upᵀ) for m rows of x [m, n_embd], which x8 may hold rounded.
void gated_hidden_tile(const FfnWeights& w, const float* x, const kernels::Int8Rows& x8, std::int64_t m, kernels::RowTile tile, float* hidden,
                       std::span<float> scratch);

/// Memory that ffn() works in.
struct FfnMemory {
  float* hidden;                 ///< [m, n_ff]
  std::span<std::byte> rounded;  ///< int8_rows_bytes() of m rows as wide as x or hidden
};

/// What its two steps are timed as.
struct FfnOps {
  platform::Op gate_up, down;
};

/// y = ffn(x): x, y [m, n_embd].
void ffn(const FfnWeights& w, const float* x, std::int64_t m, float* y, const FfnMemory& memory, FfnOps ops, platform::Executor& executor);

}  // namespace mla::layers
