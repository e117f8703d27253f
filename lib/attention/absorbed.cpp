// Absorbed form: queries are taken into latent space, and all heads share the cache row as key and as value.
#include <algorithm>

#include "attention/absorbed_block.hpp"
#include "attention/attention.hpp"
#include "attention/float_math.hpp"
#include "attention/int16_math.hpp"
#include "attention/split.hpp"
#include "kernels/matmul.hpp"

namespace mla::attention {
namespace {

using platform::Op;

constexpr int step_keys = 128;  // that are looked at together: scores, keys and values stay in the second-level cache
constexpr int join_rows = 16;   // of a task that joins results

// What the steps of a block hand on to each other.
struct Workspace {
  float* queries;         // [block rows, n_latent + n_rope]
  float* latent_out;      // [block rows, n_latent]
  float* partial_out;     // [partial rows, result_stride(n_latent)]
  SoftmaxState* partial;  // [partial rows]
  SoftmaxState* states;   // [block rows] of latent_out

  Workspace(Scratch& scratch, const CacheShape& s) {
    const std::int64_t rows = max_block_rows(s), partial_rows = max_partial_rows(s);
    queries = scratch.take<float>(rows * (s.n_latent + s.n_rope));
    latent_out = scratch.take<float>(rows * s.n_latent);
    partial_out = scratch.take<float>(partial_rows * result_stride(s.n_latent));
    partial = scratch.take<SoftmaxState>(partial_rows);
    states = scratch.take<SoftmaxState>(rows);
  }
};

// q' = (k_b · q_nope | q_pe) for every head.
void absorb_queries(const Params& p, const Block& block, const Workspace& w, platform::Executor& executor) {
  const CacheShape& s = p.shape;
  const std::int64_t q_width = s.n_nope + s.n_rope, width = s.n_latent + s.n_rope;
  executor.parallel_for(s.n_heads, [&](int head, int thread) {
    const float* q = p.q + (std::int64_t{block.first_query()} * s.n_heads + head) * q_width;
    float* absorbed = w.queries + head * width;
    kernels::round_and_matmul_on_this_thread({q, s.n_heads * q_width, block.n_queries(), kernels::local(p.weights.k_b[head], executor), absorbed, s.n_heads * width},
                                   executor.scratch(thread));
    for (int i = 0; i < block.n_queries(); ++i)
      std::copy_n(q + i * s.n_heads * q_width + s.n_nope, s.n_rope, absorbed + i * s.n_heads * width + s.n_latent);
  });
}

// What a task keeps in its thread's scratch.
template <typename Math>
struct TaskScratch {
  typename Math::Rows queries;
  typename Math::Tile tile;

  TaskScratch(Scratch& scratch, const CacheShape& s)
      : queries(scratch, row_tile, {s.n_latent, s.n_rope}),
        tile(scratch, step_keys, {s.n_latent, s.n_rope}, s.n_latent, true, row_tile) {}
};

template <typename Math>
void load_keys(const Params& p, const KeyTile& keys, typename Math::Tile& tile) {
  tile.begin(keys.n);
  const StoredRows latents{keys.rows.data(), &p.row_format->key, 0, p.shape.n_latent}, ropes{keys.rows.data(), &p.row_format->rope, 0, p.shape.n_rope};
  for (int at = 0; at < keys.n; at += Math::key_step) {
    const int n = std::min(Math::key_step, keys.n - at);
    tile.set_first(at, n, latents.from(at));
    tile.set_second(at, n, ropes.from(at));
  }
}

// Weights of the softmax and the weighted sum of latents, not yet divided, for the rows of a task.
template <typename Math>
void attend(const Params& p, const Task& task, int next_key, int first_partial, const Workspace& w, std::span<float> memory, platform::OpTimer::ThreadLaps laps) {
  const CacheShape& s = p.shape;
  const std::int64_t width = s.n_latent + s.n_rope;
  const int first_row = task.tile * task.run.tile_rows, n = task.run.rows_of(task.tile);
  const auto position = [&](int row) { return p.positions[task.run.first_query + (first_row + row) / s.n_heads]; };
  Position last = 0;
  for (int row = 0; row < n; ++row) last = std::max(last, position(row));
  Scratch scratch(memory);
  TaskScratch<Math> pieces(scratch, s);

  SoftmaxState* const states = w.partial + first_partial;
  float* const out = w.partial_out + first_partial * result_stride(s.n_latent);
  std::fill_n(states, n, SoftmaxState{});
  std::fill_n(out, (n + 3) / 4 * 4 * result_stride(s.n_latent), 0.0f);
  pieces.queries.set(n, w.queries + (task.run.first_row + first_row) * width, width);
  const KeyRows rows{task.run.pages, p.layer_offset, p.row_format->bytes};
  KeyWalk walk(rows, task.first_key, task.n_keys);
  const KeyWalk next(rows, next_key, step_keys);
  const auto ahead = [&](std::size_t page) { return walk.is_at_end() ? next.ahead(page) : walk.ahead(page); };
  for (;;) {
    const KeyTile keys = walk.next(step_keys, last);
    if (keys.n == 0) break;
    load_keys<Math>(p, keys, pieces.tile);
    laps.lap(Op::rows, {static_cast<std::uint64_t>(keys.n) * p.row_format->bytes, 0});
    // The next rows come from memory while these are multiplied.
    pieces.tile.score(pieces.queries, 0, n, keys.n, ahead(0));
    laps.lap(Op::kq, {0, 2 * static_cast<std::uint64_t>(n * keys.n * width)});
    pieces.tile.weigh(n, [&](int row) { return keys.visible(position(row)); }, states, out);
    laps.lap(Op::softmax);
    pieces.tile.add_values(n, out, ahead(1));
    laps.lap(Op::kqv, {0, 2 * static_cast<std::uint64_t>(std::int64_t{n} * keys.n * s.n_latent)});
  }
}

// What this round's splits have given a row of the block joins what those before have.
void join_row(const CacheShape& s, const Block& block, int round, int row, const Workspace& w) {
  const int query = block.first_query() + row / s.n_heads;
  const PartialRow result{w.states[row], w.latent_out + std::int64_t{row} * s.n_latent};
  if (round == 0) result.state = {};
  for (const Run& run : block.runs()) {
    if (query < run.first_query || query >= run.first_query + run.n_queries) continue;
    for (int split = run.begin_of(round); split < run.end_of(round); ++split) {
      const int part = run.partial_row(round, split, row);
      join({w.partial[part], w.partial_out + part * result_stride(s.n_latent)}, result, s.n_latent);
    }
  }
  if (round + 1 == block.n_rounds()) divide(result, s.n_latent);
}

void run_round(const Params& p, const Block& block, int round, const Workspace& w, platform::Executor& executor) {
  const auto run_task = in_floats(p, executor) ? attend<FloatMath> : attend<Int16Math>;
  executor.parallel_for(block.n_tasks(round), [&](int index, int thread) {
    const Task task = block.task(round, index);
    const int first_row = task.run.first_row + task.tile * task.run.tile_rows;
    const int next_key = split_begin(task.run.first_split + task.split + executor.n_threads());  // of the task that likely comes next on this thread
    run_task(p, task, next_key, task.run.partial_row(round, task.split, first_row), w, executor.scratch(thread), executor.ops().thread_laps(thread));
  });
  executor.ops().join(Op::attention_wait);
  const int n_rows = block.n_rows();
  executor.parallel_for((n_rows + join_rows - 1) / join_rows, [&](int task, int) {
    for (int row = task * join_rows; row < std::min(n_rows, (task + 1) * join_rows); ++row) join_row(p.shape, block, round, row, w);
  });
  executor.ops().lap(Op::kqv_merge);
}

// v = v_b · (weighted sum of latents), for every head.
void latents_to_values(const Params& p, const Block& block, const Workspace& w, platform::Executor& executor) {
  const CacheShape& s = p.shape;
  const std::int64_t out_stride = std::int64_t{s.n_heads} * s.n_value;
  executor.parallel_for(s.n_heads, [&](int head, int thread) {
    kernels::round_and_matmul_on_this_thread({w.latent_out + std::int64_t{head} * s.n_latent, std::int64_t{s.n_heads} * s.n_latent, block.n_queries(),
                                    kernels::local(p.weights.v_b[head], executor), p.out + block.first_query() * out_stride + std::int64_t{head} * s.n_value, out_stride},
                                   executor.scratch(thread));
  });
}

void run_block(const Params& p, const Block& block, const Workspace& w, platform::Executor& executor) {
  const CacheShape& s = p.shape;
  const auto n_heads = static_cast<std::uint64_t>(s.n_heads);
  absorb_queries(p, block, w, executor);
  executor.ops().lap(Op::q_k_b, kernels::work_of(p.weights.k_b.first, block.n_queries()) * n_heads);
  for (int round = 0; round < block.n_rounds(); ++round) run_round(p, block, round, w, executor);
  if (executor.observer() != nullptr)
    for (int head = 0; head < s.n_heads; ++head)
      executor.observer()->observe(p.weights.v_b.first.data, head, w.latent_out + std::int64_t{head} * s.n_latent, std::int64_t{s.n_heads} * s.n_latent, block.n_queries(), executor);
  latents_to_values(p, block, w, executor);
  executor.ops().lap(Op::v_b, kernels::work_of(p.weights.v_b.first, block.n_queries()) * n_heads);
}

template <typename Math>
std::size_t scratch_floats(const CacheShape& s) noexcept {
  Scratch scratch;
  const TaskScratch<Math> task(scratch, s);
  return scratch.floats();
}

}  // namespace

std::size_t absorbed_workspace_floats(const CacheShape& s) noexcept {
  Scratch scratch;
  const Workspace workspace(scratch, s);
  return scratch.floats();
}

std::size_t absorbed_scratch_floats(const CacheShape& s) noexcept { return std::max(scratch_floats<Int16Math>(s), scratch_floats<FloatMath>(s)); }

void absorbed_form(const Params& p, std::span<const SequenceRows> sequences, std::span<float> workspace, platform::Executor& executor) {
  Scratch scratch(workspace);
  const Workspace w(scratch, p.shape);
  for (Queue queue(sequences); !queue.is_empty();) run_block(p, Block(p.shape, queue), w, executor);
}

}  // namespace mla::attention
