#include "moe/experts.hpp"

#include <algorithm>

#include "kernels/elementwise.hpp"

namespace mla::moe {

ExpertBuffers::ExpertBuffers(const ExpertSizes& sizes, platform::Scratch& memory) noexcept
    : logits(memory.take<float>(std::int64_t{sizes.n_ubatch} * sizes.router.n_experts)),
      selection(memory.take<float>(std::int64_t{sizes.n_ubatch} * sizes.router.n_experts)),
      inputs(memory.take<float>(sizes.n_slots() * sizes.n_embd)),
      hidden(memory.take<float>(sizes.n_slots() * sizes.n_ff)) {}

std::size_t ExpertBuffers::rounded_bytes(const ExpertSizes& sizes) noexcept {
  return kernels::int8_rows_bytes(sizes.n_slots(), std::max(sizes.n_embd, sizes.n_ff));
}

Experts::Experts(const ExpertSizes& sizes, const ExpertBuffers& buffers, std::span<std::byte> rounded)
    : sizes_(sizes), buffers_(buffers), rounded_(rounded) {
  const auto slots = static_cast<std::size_t>(sizes.n_slots()), experts = static_cast<std::size_t>(sizes.router.n_experts);
  choices_.resize(slots);
  slot_.resize(slots);
  begin_.resize(experts + 1);
  hit_.reserve(experts);
}

void Experts::route_tokens(const ExpertWeights& w, const float* x, int n_tokens, platform::Executor& executor) {
  const RouterParams& p = sizes_.router;
  const auto experts = static_cast<std::size_t>(p.n_experts), used = static_cast<std::size_t>(p.n_used);
  kernels::matmul({x, sizes_.n_embd, n_tokens, w.router, buffers_.logits, p.n_experts}, rounded_, executor);
  const std::span<const float> bias(w.bias, w.bias == nullptr ? 0 : experts);
  executor.parallel_for(n_tokens, [&](int token, int) {
    const auto t = static_cast<std::size_t>(token);
    route(p, {buffers_.logits + t * experts, experts}, bias, {buffers_.selection + t * experts, experts}, {choices_.data() + t * used, used});
  });
  executor.ops().lap(platform::Op::router, kernels::work_of(w.router, n_tokens));
}

// Counting sort of (token, choice) pairs by expert; tokens keep their order within one.
void Experts::group_by_expert(int n_tokens) {
  const std::size_t pairs = static_cast<std::size_t>(n_tokens) * static_cast<std::size_t>(sizes_.router.n_used);
  std::ranges::fill(begin_, 0);
  for (std::size_t i = 0; i < pairs; ++i) ++begin_[static_cast<std::size_t>(choices_[i].expert) + 1];
  hit_.clear();
  for (int e = 0; e < sizes_.router.n_experts; ++e) {
    const auto at = static_cast<std::size_t>(e);
    if (begin_[at + 1] > 0) hit_.push_back(e);
    begin_[at + 1] += begin_[at];
  }
  for (std::size_t i = 0; i < pairs; ++i) slot_[i] = begin_[static_cast<std::size_t>(choices_[i].expert)]++;
  for (std::size_t e = begin_.size() - 1; e > 0; --e) begin_[e] = begin_[e - 1];  // the counting moved each begin to its end
  begin_[0] = 0;
}

// One matrix of every expert that was hit, n_slots rows in all of them together.
platform::Work Experts::work_of_hit(const kernels::Matrix& w, int n_slots) const noexcept {
  return {kernels::work_of(w, 0).bytes * hit_.size(), kernels::work_of(w, n_slots).operations};
}

// Tells an observer what each expert's matrix is multiplied with.
void Experts::show(const kernels::MatrixStack& w, const float* inputs, platform::Executor& executor) const {
  if (executor.observer() == nullptr) return;
  for (const int expert : hit_) {
    const auto at = static_cast<std::size_t>(expert);
    executor.observer()->observe(w.first.data, expert, inputs + begin_[at] * w.first.cols, w.first.cols, begin_[at + 1] - begin_[at], executor);
  }
}

void Experts::run(const ExpertWeights& w, const float* x, int n_tokens, float* y, platform::Executor& executor) {
  route_tokens(w, x, n_tokens, executor);
  group_by_expert(n_tokens);
  const int used = sizes_.router.n_used;
  const std::int64_t n_embd = sizes_.n_embd, n_ff = sizes_.n_ff;
  float *const inputs = buffers_.inputs, *const hidden = buffers_.hidden, *const outputs = inputs;
  executor.parallel_for(n_tokens, [&](int token, int) {
    for (int i = 0; i < used; ++i)
      std::copy_n(x + token * n_embd, n_embd, inputs + slot_[static_cast<std::size_t>(token * used + i)] * n_embd);
  });
  executor.ops().lap(platform::Op::experts_sort);

  const int n_slots = n_tokens * used;
  show(w.gate, inputs, executor);
  show(w.up, inputs, executor);
  kernels::Int8Rows x8 = kernels::round_rows(inputs, n_embd, n_slots, n_embd, {w.gate.first.type, w.up.first.type}, rounded_, executor);

  // One schedule over all (expert, tile) pairs, so that no thread waits for the end of a single expert.
  const auto for_each_tile = [&](const kernels::Matrix& w0, auto&& body) {
    const auto n_hit = static_cast<std::int64_t>(hit_.size());
    const std::int64_t height = kernels::tile_height(w0, n_hit, n_slots, executor.n_threads());
    executor.parallel_for_rows(n_hit, kernels::n_tiles(w0, height), [&](std::int64_t i, std::int64_t tile, int thread) {
      const int expert = hit_[static_cast<std::size_t>(i)];
      const int first = begin_[static_cast<std::size_t>(expert)], m = begin_[static_cast<std::size_t>(expert) + 1] - first;
      body(layers::local(w.expert(expert), executor), first, m, kernels::RowTile{tile, height}, executor.scratch(thread));
    });
  };
  for_each_tile(w.gate.first,
                [&](const layers::FfnWeights& expert, std::int64_t first, int m, kernels::RowTile tile, std::span<float> scratch) {
                  layers::gated_hidden_tile(expert, inputs + first * n_embd, x8.from(first), m, tile, hidden + first * n_ff, scratch);
                });
  executor.ops().lap(platform::Op::experts_gate_up, work_of_hit(w.gate.first, n_slots) + work_of_hit(w.up.first, n_slots));
  show(w.down, hidden, executor);
  x8 = kernels::round_rows(hidden, n_ff, n_slots, n_ff, {w.down.first.type}, rounded_, executor);
  for_each_tile(w.down.first,
                [&](const layers::FfnWeights& expert, std::int64_t first, int m, kernels::RowTile tile, std::span<float> scratch) {
                  kernels::matmul_on_this_thread(
                      kernels::tile_of({hidden + first * n_ff, n_ff, m, expert.down, outputs + first * n_embd, n_embd, x8.from(first)}, tile),
                      scratch);
                });
  executor.ops().lap(platform::Op::experts_down, work_of_hit(w.down.first, n_slots));

  executor.parallel_for(n_tokens, [&](int token, int) {
    for (int i = 0; i < used; ++i) {
      const auto pair = static_cast<std::size_t>(token * used + i);
      kernels::add_scaled(y + token * n_embd, outputs + slot_[pair] * n_embd, choices_[pair].weight, n_embd);
    }
  });
  executor.ops().lap(platform::Op::experts_sum);
}

}  // namespace mla::moe
