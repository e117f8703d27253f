// How the work of the absorbed form is cut into tasks. Keys are cut at fixed ranks and the parts joined from the first key to the last, so
// that what a query finds is the same to the bit whatever the threads, the rest of the ubatch, and the pages.
#pragma once
#include <algorithm>
#include <array>
#include <span>

#include "attention/attention.hpp"

namespace mla::attention {

// Keys are cut at fixed ranks: short parts first, that short sequences give work to many threads, then longer ones, that hide what a task
// costs.
constexpr int short_splits = 8, short_split = 128, long_split = 512;
/// Rank of the first key of a split.
constexpr int split_begin(int split) noexcept {
  return split <= short_splits ? split * short_split : short_splits * short_split + (split - short_splits) * long_split;
}
/// Splits that lie within the first n keys as a whole.
constexpr int whole_splits(int n) noexcept {
  constexpr int of_short = short_splits * short_split;
  return n < of_short ? n / short_split : short_splits + (n - of_short) / long_split;
}

constexpr int row_tile = 128;  ///< most (query, head) rows of a task; with a step of keys they stay in the second-level cache

/// Most (query, head) rows of a block: bounds the workspace.
int max_block_rows(const CacheShape& s) noexcept;
/// Most rows of partial results that a block keeps.
int max_partial_rows(const CacheShape& s) noexcept;

/// Some keys of one sequence, and the queries that see them: those of the sequence, or of several that share these keys. Rows are
/// (query, head) pairs, heads innermost.
struct Run {
  std::span<const cache::PageView> pages;
  int first_key, n_keys;       ///< ranks in `pages`
  int first_query, n_queries;  ///< rows of the ubatch
  int first_row, n_rows;       ///< of the block
  int n_tiles, tile_rows;
  int first_split, n_splits;
  int splits_at_once = 0, first_round = 0, first_partial = 0;

  int padded_rows() const noexcept { return n_tiles * tile_rows; }
  int rows_of(int tile) const noexcept { return std::min(tile_rows, n_rows - tile * tile_rows); }
  /// Splits of a round of the block: [begin, end).
  int begin_of(int round) const noexcept { return std::clamp((round - first_round) * splits_at_once, 0, n_splits); }
  int end_of(int round) const noexcept { return std::clamp((round - first_round + 1) * splits_at_once, 0, n_splits); }
  int tasks_of(int round) const noexcept { return n_tiles * (end_of(round) - begin_of(round)); }
  int last_round() const noexcept { return first_round + std::max(0, (n_splits - 1) / splits_at_once); }
  /// Where a row of the block keeps what a split of this round gave it.
  int partial_row(int round, int split, int row) const noexcept { return first_partial + (split - begin_of(round)) * padded_rows() + row - first_row; }
};

/// A tile of a run's rows against a split of its keys.
struct Task {
  const Run& run;
  int tile, split;
  int first_key, n_keys;
};

/// Sequences of an ubatch that are yet to be worked on.
class Queue {
 public:
  explicit Queue(std::span<const SequenceRows> sequences) noexcept : left_(sequences) {}
  bool is_empty() const noexcept { return left_.empty(); }

 private:
  friend class Block;
  std::span<const SequenceRows> left_;
  int begin_ = 0;  // queries of the first one that are done
};

/// Queries that are worked on together: neighbours in the ubatch. Weights are read once for all of them. There may be more splits than
/// partial results find room for: they are then worked on in rounds, and joined after each.
class Block {
 public:
  /// Takes what there is room for.
  Block(const CacheShape& shape, Queue& queue);

  int first_query() const noexcept { return runs_.front().first_query; }
  int n_queries() const noexcept { return n_queries_; }
  int n_rows() const noexcept { return n_queries_ * shape_.n_heads; }
  int n_rounds() const noexcept { return n_rounds_; }
  int n_tasks(int round) const noexcept;
  Task task(int round, int index) const noexcept;
  /// In the order of their keys, for each query.
  std::span<const Run> runs() const noexcept { return std::span(runs_).first(n_runs_); }

 private:
  static constexpr std::size_t max_runs = 96;
  // The first sequence's next queries, or several short sequences that begin with the same pages.
  struct Group {
    int n_sequences, n_queries, n_shared;
  };

  Group next_group(const Queue& queue) const noexcept;
  bool add(const Group& group, Queue& queue);
  void push(std::span<const cache::PageView> pages, int first_key, int n_keys, int first_query, int n_queries) noexcept;
  void plan_rounds() noexcept;

  const CacheShape& shape_;
  std::array<Run, max_runs> runs_;
  std::size_t n_runs_ = 0;
  int n_queries_ = 0, n_rounds_ = 0;
};

}  // namespace mla::attention
