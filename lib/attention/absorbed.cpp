// Absorbed form: queries are taken into latent space, and all heads share the cache row as key and as value.
#include <algorithm>
#include <cmath>
#include <limits>

#include "attention/attention.hpp"
#include "attention/float_math.hpp"
#include "attention/int16_math.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/matmul.hpp"

namespace mla::attention {
namespace {

using platform::Op;

constexpr int block_rows = 2048;   // (query, head) rows worked on at once: bounds the workspace
constexpr int row_tile = 128;      // rows of a task; with a tile of keys they stay in the second-level cache
constexpr int split_keys = 512;    // fewest keys of a task when rows alone are too few to share out
constexpr int step_pages = 2;      // of keys that are looked at together: scores, keys and values stay in the second-level cache
constexpr int max_partials = 32;   // (row tile, split) pairs of a block

int queries_per_block(const CacheShape& s) noexcept { return std::max(1, block_rows / s.n_heads); }
int max_block_rows(const CacheShape& s) noexcept { return queries_per_block(s) * s.n_heads; }
int ceil_div(int a, int b) noexcept { return (a + b - 1) / b; }
int max_tasks(const CacheShape& s) noexcept { return std::max(max_partials, ceil_div(max_block_rows(s), row_tile)); }

// What the steps of a block hand on to each other.
struct Workspace {
  float* queries;         // [block rows, n_latent + n_rope]
  float* latent_out;      // [block rows, n_latent]
  float* partial_out;     // [tasks, row_tile, result_stride(n_latent)]
  SoftmaxState* partial;  // [tasks, row_tile]

  Workspace(const CacheShape& s, std::span<float> memory) {
    const std::int64_t rows = max_block_rows(s), tasks = max_tasks(s);
    queries = memory.data();
    latent_out = queries + rows * (s.n_latent + s.n_rope);
    partial_out = latent_out + rows * s.n_latent;
    partial = reinterpret_cast<SoftmaxState*>(partial_out + tasks * row_tile * result_stride(s.n_latent));
  }
};

// A run of queries of one sequence, and how its work is cut. The cut depends on sizes alone, never on the threads.
struct Block {
  int first_query, n_queries;  // rows of the ubatch
  int n_rows;                  // n_queries · n_heads, head innermost
  int n_tiles, n_splits;
  std::size_t pages_per_split;

  Block(const CacheShape& s, const SequenceRows& rows, int begin) {
    first_query = rows.first_row + begin;
    n_queries = std::min(queries_per_block(s), rows.n_rows - begin);
    n_rows = n_queries * s.n_heads;
    n_tiles = ceil_div(n_rows, row_tile);
    const int n_pages = static_cast<int>(rows.pages.size());
    const int wanted = std::clamp(ceil_div(n_pages * cache::page_rows, split_keys), 1, std::max(1, max_partials / n_tiles));
    pages_per_split = static_cast<std::size_t>(std::max(1, ceil_div(n_pages, wanted)));
    n_splits = std::max(1, ceil_div(n_pages, static_cast<int>(pages_per_split)));
  }
};

// q' = (k_b · q_nope | q_pe) for every head.
void absorb_queries(const Params& p, const Block& block, const Workspace& w, platform::Executor& executor) {
  const CacheShape& s = p.shape;
  const std::int64_t q_width = s.n_nope + s.n_rope, width = s.n_latent + s.n_rope;
  executor.parallel_for(s.n_heads, [&](int head, int thread) {
    const float* q = p.q + (std::int64_t{block.first_query} * s.n_heads + head) * q_width;
    float* absorbed = w.queries + head * width;
    kernels::round_and_matmul_on_this_thread({q, s.n_heads * q_width, block.n_queries, p.weights.k_b[head], absorbed, s.n_heads * width},
                                   executor.scratch(thread));
    for (int i = 0; i < block.n_queries; ++i)
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

// A tile of rows against a run of pages: weights of the softmax and the weighted sum of latents, not yet divided.
template <typename Math>
void attend_tile(const Params& p, const Block& block, std::span<const cache::PageView> pages, int tile_index, const Workspace& w,
                 float* out, SoftmaxState* states, std::span<float> memory, platform::OpTimer::ThreadLaps laps) {
  const CacheShape& s = p.shape;
  const std::int64_t width = s.n_latent + s.n_rope;
  const int first_row = tile_index * row_tile, n = std::min(row_tile, block.n_rows - first_row);
  const auto position = [&](int row) { return p.positions[block.first_query + (first_row + row) / s.n_heads]; };
  Scratch scratch(memory);
  TaskScratch<Math> task(scratch, s);

  std::fill_n(states, n, SoftmaxState{});
  std::fill_n(out, (n + 3) / 4 * 4 * result_stride(s.n_latent), 0.0f);
  task.queries.set(0, n, w.queries + first_row * width, width);
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

// Joins the splits of a tile by their maxima and sums (log-sum-exp).
void merge_tile(const CacheShape& s, const Block& block, int tile_index, const Workspace& w) {
  const int first_row = tile_index * row_tile, n = std::min(row_tile, block.n_rows - first_row);
  const std::int64_t first_task = std::int64_t{tile_index} * block.n_splits;
  const auto state = [&](int split, int row) -> const SoftmaxState& { return w.partial[(first_task + split) * row_tile + row]; };
  for (int row = 0; row < n; ++row) {
    float max = -std::numeric_limits<float>::infinity(), sum = 0;
    for (int split = 0; split < block.n_splits; ++split) max = std::max(max, state(split, row).max);
    for (int split = 0; split < block.n_splits; ++split) sum += state(split, row).sum * std::exp(state(split, row).max - max);
    float* out = w.latent_out + (std::int64_t{first_row} + row) * s.n_latent;
    std::fill_n(out, s.n_latent, 0.0f);
    for (int split = 0; split < block.n_splits; ++split)
      kernels::add_scaled(out, w.partial_out + ((first_task + split) * row_tile + row) * result_stride(s.n_latent),
                          std::exp(state(split, row).max - max) / sum, s.n_latent);
  }
}

// v = v_b · (weighted sum of latents), for every head.
void latents_to_values(const Params& p, const Block& block, const Workspace& w, platform::Executor& executor) {
  const CacheShape& s = p.shape;
  const std::int64_t out_stride = std::int64_t{s.n_heads} * s.n_value;
  executor.parallel_for(s.n_heads, [&](int head, int thread) {
    kernels::round_and_matmul_on_this_thread({w.latent_out + std::int64_t{head} * s.n_latent, std::int64_t{s.n_heads} * s.n_latent, block.n_queries,
                                    p.weights.v_b[head], p.out + block.first_query * out_stride + std::int64_t{head} * s.n_value, out_stride},
                                   executor.scratch(thread));
  });
}

template <typename Math>
std::size_t scratch_floats(const CacheShape& s) noexcept {
  Scratch scratch;
  const TaskScratch<Math> task(scratch, s);
  return scratch.floats();
}

}  // namespace

std::size_t absorbed_workspace_floats(const CacheShape& s) noexcept {
  const auto rows = static_cast<std::size_t>(max_block_rows(s)), tasks = static_cast<std::size_t>(max_tasks(s));
  const auto latent = static_cast<std::size_t>(s.n_latent), rope = static_cast<std::size_t>(s.n_rope);
  const std::size_t partial = static_cast<std::size_t>(result_stride(s.n_latent)) + sizeof(SoftmaxState) / sizeof(float);
  return rows * (latent + rope) + rows * latent + tasks * row_tile * partial;
}

std::size_t absorbed_scratch_floats(const CacheShape& s) noexcept { return std::max(scratch_floats<Int16Math>(s), scratch_floats<FloatMath>(s)); }

void absorbed_form(const Params& p, const SequenceRows& rows, std::span<float> workspace, platform::Executor& executor) {
  const CacheShape& s = p.shape;
  const Workspace w(s, workspace);
  const auto attend = p.row_format->key.type == CacheType::f32 ? attend_tile<FloatMath> : attend_tile<Int16Math>;
  for (int begin = 0; begin < rows.n_rows; begin += queries_per_block(s)) {
    const Block block(s, rows, begin);
    const auto n_heads = static_cast<std::uint64_t>(s.n_heads);
    absorb_queries(p, block, w, executor);
    executor.ops().lap(Op::q_k_b, kernels::work_of(p.weights.k_b.first, block.n_queries) * n_heads);
    executor.parallel_for(block.n_tiles * block.n_splits, [&](int task, int thread) {
      const auto split = static_cast<std::size_t>(task % block.n_splits) * block.pages_per_split;
      attend(p, block, rows.pages.subspan(split, std::min(block.pages_per_split, rows.pages.size() - split)), task / block.n_splits, w,
             w.partial_out + task * row_tile * result_stride(s.n_latent), w.partial + std::int64_t{task} * row_tile, executor.scratch(thread),
             executor.ops().thread_laps(thread));
    });
    executor.ops().join(Op::attention_wait);
    executor.parallel_for(block.n_tiles, [&](int tile, int) { merge_tile(s, block, tile, w); });
    executor.ops().lap(Op::kqv_merge);
    latents_to_values(p, block, w, executor);
    executor.ops().lap(Op::v_b, kernels::work_of(p.weights.v_b.first, block.n_queries) * n_heads);
  }
}

}  // namespace mla::attention
