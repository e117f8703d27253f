// Absorbed form: queries are taken into latent space, and all heads share the cache row as key and as value.
#include <algorithm>
#include <array>
#include <iterator>

#include "attention/attention.hpp"
#include "attention/float_math.hpp"
#include "attention/int16_math.hpp"
#include "attention/split.hpp"
#include "kernels/matmul.hpp"

namespace mla::attention {
namespace {

using platform::Op;

constexpr int block_rows = 2048;     // (query, head) rows worked on at once: bounds the workspace
constexpr int row_tile = 128;        // rows of a task; with a tile of keys they stay in the second-level cache
constexpr int split_keys = 512;      // fewest keys of a task when rows alone are too few to share out
constexpr int max_splits = 32;       // (row tile, split) pairs of a run
constexpr int step_pages = 2;        // of keys that are looked at together: scores, keys and values stay in the second-level cache
constexpr std::size_t max_runs = 64;

int ceil_div(int a, int b) noexcept { return (a + b - 1) / b; }
int queries_per_block(const CacheShape& s) noexcept { return std::max(1, block_rows / s.n_heads); }
int max_block_rows(const CacheShape& s) noexcept { return queries_per_block(s) * s.n_heads; }
int max_partial_rows(const CacheShape& s) noexcept { return std::max(max_splits * row_tile, ceil_div(max_block_rows(s), row_tile) * row_tile); }

// What the steps of a block hand on to each other.
struct Workspace {
  float* queries;         // [block rows, n_latent + n_rope]
  float* latent_out;      // [block rows, n_latent]
  float* partial_out;     // [partial rows, result_stride(n_latent)]
  SoftmaxState* partial;  // [partial rows]

  Workspace(const CacheShape& s, std::span<float> memory) {
    const std::int64_t rows = max_block_rows(s);
    queries = memory.data();
    latent_out = queries + rows * (s.n_latent + s.n_rope);
    partial_out = latent_out + rows * s.n_latent;
    partial = reinterpret_cast<SoftmaxState*>(partial_out + max_partial_rows(s) * result_stride(s.n_latent));
  }
};

// Queries of one sequence, and how their work is cut: by its own sizes alone, whatever the threads and the neighbours.
struct Run {
  std::span<const cache::PageView> pages;
  int first_query = 0, n_queries = 0;  // rows of the ubatch
  int first_row = 0, n_rows = 0;       // of the block: n_queries · n_heads, head innermost
  int n_tiles = 0, tile_rows = 0;
  int n_splits = 0;
  std::size_t pages_per_split = 0;
  int first_tile = 0, first_task = 0, first_partial = 0;  // the block gives

  Run() = default;
  Run(const CacheShape& s, const SequenceRows& sequence, int begin) : pages(sequence.pages), first_query(sequence.first_row + begin) {
    n_queries = std::min(queries_per_block(s), sequence.n_rows - begin);
    n_rows = n_queries * s.n_heads;
    n_tiles = ceil_div(n_rows, row_tile);
    tile_rows = std::min(row_tile, (n_rows + 3) / 4 * 4);
    const int n_pages = static_cast<int>(pages.size());
    const int wanted = std::clamp(ceil_div(n_pages * cache::page_rows, split_keys), 1, std::max(1, max_splits / n_tiles));
    pages_per_split = static_cast<std::size_t>(std::max(1, ceil_div(n_pages, wanted)));
    n_splits = std::max(1, ceil_div(n_pages, static_cast<int>(pages_per_split)));
  }
  int n_tasks() const noexcept { return n_tiles * n_splits; }
  int n_partial_rows() const noexcept { return n_tasks() * tile_rows; }
  int partial_row(int tile, int split) const noexcept { return first_partial + (tile * n_splits + split) * tile_rows; }
  int rows_of(int tile) const noexcept { return std::min(tile_rows, n_rows - tile * tile_rows); }
};

// Runs that are worked on together: neighbours in the ubatch. Weights are read once for all of them.
class Block {
 public:
  explicit Block(const CacheShape& shape) : shape_(shape) {}

  // False if there is no room.
  bool add(Run run) {
    if (n_runs_ > 0 && (n_runs_ == max_runs || n_queries() + run.n_queries > queries_per_block(shape_) ||
                           n_partial_rows_ + run.n_partial_rows() > max_partial_rows(shape_)))
      return false;
    run.first_row = n_queries() * shape_.n_heads, run.first_tile = n_tiles_, run.first_task = n_tasks_, run.first_partial = n_partial_rows_;
    n_tiles_ += run.n_tiles, n_tasks_ += run.n_tasks(), n_partial_rows_ += run.n_partial_rows();
    runs_[n_runs_++] = run;
    return true;
  }
  void clear() noexcept { n_runs_ = 0, n_tiles_ = n_tasks_ = n_partial_rows_ = 0; }

  int first_query() const noexcept { return runs_.front().first_query; }
  int n_queries() const noexcept { return n_runs_ == 0 ? 0 : runs_[n_runs_ - 1].first_query + runs_[n_runs_ - 1].n_queries - first_query(); }
  int n_tiles() const noexcept { return n_tiles_; }
  int n_tasks() const noexcept { return n_tasks_; }
  const Run& run_of_task(int task) const noexcept { return last_from(&Run::first_task, task); }
  const Run& run_of_tile(int tile) const noexcept { return last_from(&Run::first_tile, tile); }

 private:
  const Run& last_from(int Run::*first, int index) const noexcept {
    return *std::prev(std::ranges::upper_bound(runs_.begin(), runs_.begin() + static_cast<std::ptrdiff_t>(n_runs_), index, {}, first));
  }

  const CacheShape& shape_;
  std::array<Run, max_runs> runs_;
  std::size_t n_runs_ = 0;
  int n_tiles_ = 0, n_tasks_ = 0, n_partial_rows_ = 0;
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
        tile(scratch, step_pages * cache::page_rows, {s.n_latent, s.n_rope}, s.n_latent, true, row_tile) {}
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

// A tile of rows against a split of the pages: weights of the softmax and the weighted sum of latents, not yet divided.
template <typename Math>
void attend_tile(const Params& p, const Run& run, int tile_index, int split, const Workspace& w, std::span<float> memory,
                 platform::OpTimer::ThreadLaps laps) {
  const CacheShape& s = p.shape;
  const std::int64_t width = s.n_latent + s.n_rope;
  const int first_row = tile_index * run.tile_rows, n = run.rows_of(tile_index);
  const auto position = [&](int row) { return p.positions[run.first_query + (first_row + row) / s.n_heads]; };
  const std::size_t first_page = static_cast<std::size_t>(split) * run.pages_per_split;
  const auto pages = run.pages.subspan(first_page, std::min(run.pages_per_split, run.pages.size() - first_page));
  Scratch scratch(memory);
  TaskScratch<Math> task(scratch, s);

  SoftmaxState* const states = w.partial + run.partial_row(tile_index, split);
  float* const out = w.partial_out + run.partial_row(tile_index, split) * result_stride(s.n_latent);
  std::fill_n(states, n, SoftmaxState{});
  std::fill_n(out, (n + 3) / 4 * 4 * result_stride(s.n_latent), 0.0f);
  task.queries.set(n, w.queries + (run.first_row + first_row) * width, width);
  for (std::size_t first = 0; first < pages.size(); first += step_pages) {
    const KeyTile keys(pages.subspan(first, std::min<std::size_t>(step_pages, pages.size() - first)), p.layer_offset, p.row_format->bytes, position(n - 1));
    if (keys.n == 0) continue;
    load_keys<Math>(p, keys, task.tile);
    laps.lap(Op::rows, {static_cast<std::uint64_t>(keys.n) * p.row_format->bytes, 0});
    // The next rows come from memory while these are multiplied.
    const auto ahead = [&](std::size_t page) { return page < pages.size() ? Ahead(pages[page].data + p.layer_offset, cache::page_rows * p.row_format->bytes) : Ahead(); };
    task.tile.score(task.queries, 0, n, keys.n, ahead(first + step_pages));
    laps.lap(Op::kq, {0, 2 * static_cast<std::uint64_t>(n * keys.n * width)});
    task.tile.weigh(n, [&](int row) { return keys.visible(position(row)); }, states, out);
    laps.lap(Op::softmax);
    task.tile.add_values(n, out, ahead(first + step_pages + 1));
    laps.lap(Op::kqv, {0, 2 * static_cast<std::uint64_t>(std::int64_t{n} * keys.n * s.n_latent)});
  }
}

void merge_tile(const CacheShape& s, const Run& run, int tile_index, const Workspace& w) {
  const std::int64_t stride = result_stride(s.n_latent), first = run.partial_row(tile_index, 0);
  for (int row = 0; row < run.rows_of(tile_index); ++row)
    merge_splits({w.partial + first + row, w.partial_out + (first + row) * stride, run.n_splits, run.tile_rows, stride},
                 w.latent_out + (std::int64_t{run.first_row} + tile_index * run.tile_rows + row) * s.n_latent, s.n_latent);
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
  const auto attend = p.row_format->key.type == CacheType::f32 ? attend_tile<FloatMath> : attend_tile<Int16Math>;
  const auto n_heads = static_cast<std::uint64_t>(s.n_heads);
  absorb_queries(p, block, w, executor);
  executor.ops().lap(Op::q_k_b, kernels::work_of(p.weights.k_b.first, block.n_queries()) * n_heads);
  executor.parallel_for(block.n_tasks(), [&](int task, int thread) {
    const Run& run = block.run_of_task(task);
    const int of_run = task - run.first_task;
    attend(p, run, of_run / run.n_splits, of_run % run.n_splits, w, executor.scratch(thread), executor.ops().thread_laps(thread));
  });
  executor.ops().join(Op::attention_wait);
  executor.parallel_for(block.n_tiles(), [&](int tile, int) {
    const Run& run = block.run_of_tile(tile);
    merge_tile(s, run, tile - run.first_tile, w);
  });
  executor.ops().lap(Op::kqv_merge);
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
  const auto rows = static_cast<std::size_t>(max_block_rows(s)), partial_rows = static_cast<std::size_t>(max_partial_rows(s));
  const auto latent = static_cast<std::size_t>(s.n_latent), rope = static_cast<std::size_t>(s.n_rope);
  return rows * (2 * latent + rope) + partial_rows * (static_cast<std::size_t>(result_stride(s.n_latent)) + sizeof(SoftmaxState) / sizeof(float));
}

std::size_t absorbed_scratch_floats(const CacheShape& s) noexcept { return std::max(scratch_floats<Int16Math>(s), scratch_floats<FloatMath>(s)); }

void absorbed_form(const Params& p, std::span<const SequenceRows> sequences, std::span<float> workspace, platform::Executor& executor) {
  const Workspace w(p.shape, workspace);
  Block block(p.shape);
  for (const SequenceRows& sequence : sequences)
    for (int begin = 0; begin < sequence.n_rows; begin += queries_per_block(p.shape)) {
      const Run run(p.shape, sequence, begin);
      if (block.add(run)) continue;
      run_block(p, block, w, executor);
      block.clear();
      block.add(run);
    }
  run_block(p, block, w, executor);
}

}  // namespace mla::attention
