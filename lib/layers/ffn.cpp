#include "layers/ffn.hpp"

#include "kernels/elementwise.hpp"

namespace mla::layers {

void gated_hidden_tile(const FfnWeights& w, const float* x, const kernels::Int8Rows& x8, std::int64_t m, kernels::RowTile tile, float* hidden,
                       float* up_out, std::span<float> scratch) {
  const std::int64_t n_embd = w.gate.cols, n_ff = w.gate.rows;
  const auto gate = kernels::tile_of({x, n_embd, m, w.gate, hidden, n_ff, x8}, tile);
  const auto up = kernels::tile_of({x, n_embd, m, w.up, up_out, n_ff, x8}, tile);
  kernels::matmul_on_this_thread(gate, scratch);
  kernels::matmul_on_this_thread(up, scratch);
  for (std::int64_t i = 0; i < m; ++i) kernels::silu_multiply(gate.y + i * n_ff, up.y + i * n_ff, gate.w.rows);
}

void ffn(const FfnWeights& w, const float* x, std::int64_t m, float* y, const FfnMemory& memory, FfnOps ops, platform::Executor& executor) {
  if (executor.observer() != nullptr)
    for (const kernels::Matrix* matrix : {&w.gate, &w.up}) executor.observer()->observe(matrix->data, 0, x, matrix->cols, m, executor);
  const kernels::Int8Rows x8 = kernels::round_rows(x, w.gate.cols, m, w.gate.cols, {w.gate.type, w.up.type}, memory.rounded, executor);
  const std::int64_t height = kernels::tile_height(w.gate, 1, m, executor.n_threads());
  executor.parallel_for_rows(1, kernels::n_tiles(w.gate, height), [&](std::int64_t, std::int64_t tile, int thread) {
    gated_hidden_tile(local(w, executor), x, x8, m, {tile, height}, memory.hidden, memory.up, executor.scratch(thread));
  });
  executor.ops().lap(ops.gate_up, kernels::work_of(w.gate, m) + kernels::work_of(w.up, m));
  kernels::matmul({memory.hidden, w.down.cols, m, w.down, y, w.down.rows}, memory.rounded, executor);
  executor.ops().lap(ops.down, kernels::work_of(w.down, m));
}

}  // namespace mla::layers
