#include "attention/absorbed_block.hpp"

#include <algorithm>
#include <bit>

#include "attention/key_tile.hpp"

namespace mla::attention {
namespace {

constexpr int block_rows = 2048;
constexpr int partial_tiles = 32;

int ceil_div(int a, int b) noexcept { return (a + b - 1) / b; }
int queries_per_block(const CacheShape& s) noexcept { return std::max(1, block_rows / s.n_heads); }

// Keys in whole splits with which both begin.
int shared_keys(std::span<const cache::PageView> a, std::span<const cache::PageView> b) noexcept {
  int n = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()) && a[i].data == b[i].data && a[i].live == b[i].live; ++i) n += std::popcount(a[i].live);
  return split_begin(whole_splits(n));
}

}  // namespace

int max_block_rows(const CacheShape& s) noexcept { return queries_per_block(s) * s.n_heads; }

// For own keys and shared ones each what padding to whole tiles can make of a block's rows, and as much as keeps many threads at work.
int max_partial_rows(const CacheShape& s) noexcept { return 2 * std::max(partial_tiles * row_tile, 2 * max_block_rows(s)); }

Block::Block(const CacheShape& shape, Queue& queue) : shape_(shape) {
  while (!queue.is_empty() && add(next_group(queue), queue)) {
  }
  plan_rounds();
}

// Sharing pays as long as queries are too few to make whole tiles: it spares what loading a key costs, and makes larger products.
Block::Group Block::next_group(const Queue& queue) const noexcept {
  const SequenceRows& first = queue.left_.front();
  const int most = queries_per_block(shape_);
  Group group{1, std::min(most, first.n_rows - queue.begin_), 0};
  if (queue.begin_ > 0 || group.n_queries * shape_.n_heads >= row_tile) return group;
  for (const SequenceRows& next : queue.left_.subspan(1)) {
    if (group.n_queries + next.n_rows > most || static_cast<std::size_t>(group.n_sequences) + 2 > max_runs / 2) break;
    const int common = shared_keys(first.pages, next.pages), shared = group.n_sequences == 1 ? common : std::min(common, group.n_shared);
    if (shared == 0 || group.n_sequences * shared < (group.n_sequences - 1) * group.n_shared) break;  // fewer keys would be spared
    group = {group.n_sequences + 1, group.n_queries + next.n_rows, shared};
  }
  return group;
}

bool Block::add(const Group& group, Queue& queue) {
  const auto n = static_cast<std::size_t>(group.n_sequences);
  if (n_runs_ > 0 && (n_queries_ + group.n_queries > queries_per_block(shape_) || n_runs_ + n + 1 > max_runs)) return false;
  if (group.n_shared > 0) push(queue.left_.front().pages, 0, group.n_shared, queue.left_.front().first_row, group.n_queries);
  for (const SequenceRows& rows : queue.left_.first(n)) {
    const int n_queries = n == 1 ? group.n_queries : rows.n_rows;
    push(rows.pages, group.n_shared, count_keys(rows.pages) - group.n_shared, rows.first_row + queue.begin_, n_queries);
    n_queries_ += n_queries;
    queue.begin_ += n_queries;
    if (queue.begin_ == rows.n_rows) queue.left_ = queue.left_.subspan(1), queue.begin_ = 0;
  }
  return true;
}

void Block::push(std::span<const cache::PageView> pages, int first_key, int n_keys, int first_query, int n_queries) noexcept {
  const int first_split = whole_splits(first_key);  // runs begin with one
  const int n_rows = n_queries * shape_.n_heads, first_row = n_runs_ == 0 ? 0 : (first_query - this->first_query()) * shape_.n_heads;
  runs_[n_runs_++] = {pages,     first_key, n_keys, first_query, n_queries, first_row, n_rows, ceil_div(n_rows, row_tile), std::min(row_tile, (n_rows + 3) / 4 * 4),
                      first_split, whole_splits(first_key + n_keys - 1) + 1 - first_split};
}

// As many splits at once as find room. A query's own keys follow in the round in which its shared ones end.
void Block::plan_rounds() noexcept {
  const auto is_shared = [&](std::size_t i) { return i + 1 < n_runs_ && runs_[i + 1].first_query == runs_[i].first_query; };
  std::array<int, 2> rows{};
  for (std::size_t i = 0; i < n_runs_; ++i) rows[is_shared(i)] += runs_[i].padded_rows();
  const Run* shared = nullptr;
  int next_partial = 0;
  for (std::size_t i = 0; i < n_runs_; ++i) {
    Run& run = runs_[i];
    run.splits_at_once = std::clamp(max_partial_rows(shape_) / 2 / rows[is_shared(i)], 1, std::max(1, run.n_splits));
    run.first_partial = next_partial;
    next_partial += run.splits_at_once * run.padded_rows();
    if (is_shared(i))
      shared = &run;
    else if (shared != nullptr && run.first_query < shared->first_query + shared->n_queries)
      run.first_round = shared->last_round();
    n_rounds_ = std::max(n_rounds_, run.last_round() + 1);
  }
}

int Block::n_tasks(int round) const noexcept {
  int n = 0;
  for (const Run& run : runs()) n += run.tasks_of(round);
  return n;
}

Task Block::task(int round, int index) const noexcept {
  const Run* run = runs_.data();
  for (; index >= run->tasks_of(round); ++run) index -= run->tasks_of(round);
  const int split = run->begin_of(round) + index / run->n_tiles, first = split_begin(run->first_split + split);
  const int end = std::min(split_begin(run->first_split + split + 1), run->first_key + run->n_keys);
  return {*run, index % run->n_tiles, split, first, end - first};
}

}  // namespace mla::attention
