#include "layers/ffn.hpp"

#include <algorithm>

#include "kernels/elementwise.hpp"

namespace mla::layers {

std::size_t gated_scratch_floats(std::int64_t n_embd, int n_ubatch) noexcept {
  return kernels::matmul_scratch_floats(n_embd) + static_cast<std::size_t>(kernels::tile_rows * n_ubatch);
}

// In steps of as many rows as the scratch holds of the second product.
void gated_hidden_tile(const FfnWeights& w, const float* x, const kernels::Int8Rows& x8, std::int64_t m, kernels::RowTile tile, float* hidden,
                       std::span<float> scratch) {
  const std::int64_t n_embd = w.gate.cols, n_ff = w.gate.rows;
  const auto gate = kernels::tile_of({x, n_embd, m, w.gate, hidden, n_ff, x8}, tile);
  const kernels::Matrix up = w.up.slice(tile.index * tile.height, gate.w.rows);
  const std::span<float> of_product = scratch.first(kernels::matmul_scratch_floats(n_embd)), up_out = scratch.subspan(of_product.size());
  const std::int64_t step = std::max<std::int64_t>(1, std::ssize(up_out) / m / kernels::tile_rows) * kernels::tile_rows;
  for (std::int64_t first = 0; first < gate.w.rows; first += step) {
    const std::int64_t n = std::min(step, gate.w.rows - first);
    kernels::matmul_on_this_thread({x, n_embd, m, gate.w.slice(first, n), gate.y + first, n_ff, x8}, of_product);
    kernels::matmul_on_this_thread({x, n_embd, m, up.slice(first, n), up_out.data(), n, x8}, of_product);
    for (std::int64_t i = 0; i < m; ++i) kernels::silu_multiply(gate.y + i * n_ff + first, up_out.data() + i * n, n);
  }
}

void ffn(const FfnWeights& w, const float* x, std::int64_t m, float* y, const FfnMemory& memory, FfnOps ops, platform::Executor& executor) {
  if (executor.observer() != nullptr)
    for (const kernels::Matrix* matrix : {&w.gate, &w.up}) executor.observer()->observe(matrix->data, 0, x, matrix->cols, m, executor);
  const kernels::Int8Rows x8 = kernels::round_rows(x, w.gate.cols, m, w.gate.cols, {w.gate.type, w.up.type}, memory.rounded, executor);
  const std::int64_t height = kernels::tile_height(w.gate, 1, m, executor.n_threads());
  executor.parallel_for_rows(1, kernels::n_tiles(w.gate, height), [&](std::int64_t, std::int64_t tile, int thread) {
    gated_hidden_tile(local(w, executor), x, x8, m, {tile, height}, memory.hidden, executor.scratch(thread));
  });
  executor.ops().lap(ops.gate_up, kernels::work_of(w.gate, m) + kernels::work_of(w.up, m));
  kernels::matmul({memory.hidden, w.down.cols, m, w.down, y, w.down.rows}, memory.rounded, executor);
  executor.ops().lap(ops.down, kernels::work_of(w.down, m));
}

}  // namespace mla::layers
