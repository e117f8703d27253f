// How the absorbed form cuts its work: every query meets every key of its own once, in order, and shared pages are gone through once.
#include "attention/absorbed_block.hpp"

#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "attention/key_tile.hpp"
#include "catch.hpp"

using namespace mla;
using namespace mla::attention;

namespace {

// Sequences in pages that hold nothing but positions.
class Sequences {
 public:
  explicit Sequences(int n_pages) : positions_(static_cast<std::size_t>(n_pages * cache::page_rows)) {}

  // Pages of `keys` more keys behind those that are there.
  std::vector<cache::PageView> extend(std::vector<cache::PageView> pages, int keys) {
    for (int at = count_keys(pages); keys > 0; ++next_) {
      const int n = std::min(keys, cache::page_rows);
      Position* const positions = positions_.data() + next_ * cache::page_rows;
      std::iota(positions, positions + n, at);
      pages.push_back({reinterpret_cast<const std::byte*>(positions), positions, n == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1, at, at + n - 1});
      at += n, keys -= n;
    }
    return pages;
  }

  void add(std::vector<cache::PageView> pages, int n_rows) {
    pages_.push_back(std::make_unique<std::vector<cache::PageView>>(std::move(pages)));
    const int first = rows_.empty() ? 0 : rows_.back().first_row + rows_.back().n_rows;
    rows_.push_back({first, n_rows, *pages_.back()});
  }

  std::span<const SequenceRows> rows() const { return rows_; }

 private:
  std::vector<Position> positions_;
  int next_ = 0;
  std::vector<std::unique_ptr<std::vector<cache::PageView>>> pages_;
  std::vector<SequenceRows> rows_;
};

CacheShape shape_of(int n_heads) { return {.n_layers = 1, .n_heads = n_heads, .n_nope = 16, .n_rope = 16, .n_value = 16, .n_latent = 16}; }

// REQUIREs that tasks of all rounds give every row its keys, in rising rank, without overlap in partial results; returns the number of tasks.
int check_blocks(const CacheShape& shape, std::span<const SequenceRows> sequences) {
  std::map<int, int> keys_of;  // query → keys so far
  int n_tasks = 0, next_query = 0;
  for (Queue queue(sequences); !queue.is_empty();) {
    const Block block(shape, queue);
    REQUIRE(block.first_query() == next_query);
    REQUIRE(block.n_rows() <= max_block_rows(shape));
    next_query += block.n_queries();
    for (int round = 0; round < block.n_rounds(); ++round) {
      struct Keys {
        int first = 0, n = -1;
      };
      std::vector<Keys> part(static_cast<std::size_t>(max_partial_rows(shape)));  // what each partial row was given
      n_tasks += block.n_tasks(round);
      for (int i = 0; i < block.n_tasks(round); ++i) {
        const Task task = block.task(round, i);
        const int first_row = task.tile * task.run.tile_rows;
        const int partial = task.run.partial_row(round, task.split, task.run.first_row + first_row);
        for (int row = 0; row < task.run.rows_of(task.tile); ++row) {
          const auto at = static_cast<std::size_t>(partial + row);
          if (at >= part.size() || part[at].n >= 0) FAIL("two tasks write to partial row " << at);
          part[at] = {task.first_key, task.n_keys};
        }
      }
      // As results are joined: run by run, split by split.
      for (int query = block.first_query(); query < block.first_query() + block.n_queries(); ++query)
        for (const Run& run : block.runs())
          if (query >= run.first_query && query < run.first_query + run.n_queries)
            for (int split = run.begin_of(round); split < run.end_of(round); ++split) {
              const int row = (query - block.first_query()) * shape.n_heads;
              const Keys keys = part[static_cast<std::size_t>(run.partial_row(round, split, row))];
              if (keys.first != keys_of[query]) FAIL("query " << query << " doesn't go on with key " << keys_of[query]);
              keys_of[query] += keys.n;
            }
    }
  }
  for (const SequenceRows& rows : sequences)
    for (int query = rows.first_row; query < rows.first_row + rows.n_rows; ++query) REQUIRE(keys_of[query] == count_keys(rows.pages));
  return n_tasks;
}

}  // namespace

TEST_CASE("keys are cut at ranks that rise, whatever the number of keys") {
  CHECK(split_begin(0) == 0);
  for (int split = 0; split < 300; ++split) {
    CHECK(split_begin(split + 1) > split_begin(split));
    CHECK(whole_splits(split_begin(split)) == split);
    CHECK(whole_splits(split_begin(split + 1) - 1) == split);
  }
}

TEST_CASE("sequences with a common prefix go through it once") {
  Sequences sequences(200);
  const auto prefix = sequences.extend({}, 1100);
  for (int s = 0; s < 8; ++s) sequences.add(sequences.extend(prefix, 40 + s), 1);
  Queue queue(sequences.rows());
  const Block block(shape_of(16), queue);
  CHECK(queue.is_empty());
  REQUIRE(block.runs().size() == 9);
  CHECK(block.runs()[0].n_queries == 8);
  CHECK(block.runs()[0].n_keys == 1024);
  CHECK(block.runs()[1].first_key == 1024);
  CHECK(check_blocks(shape_of(16), sequences.rows()) == 8 + 8);
}

TEST_CASE("a group ends where more would be lost than gained, and none is made of whole tiles") {
  Sequences sequences(400);
  const auto first = sequences.extend({}, 2048), second = sequences.extend({}, 1024);
  for (int s = 0; s < 3; ++s) sequences.add(sequences.extend(first, 10), 1);
  for (int s = 0; s < 2; ++s) sequences.add(sequences.extend(second, 10), 2);
  Queue queue(sequences.rows());
  const Block block(shape_of(16), queue);
  REQUIRE(block.runs().size() == 3 + 2 + 2);
  CHECK(block.runs()[0].n_queries == 3);
  CHECK(block.runs()[4].n_queries == 4);
  Queue again(sequences.rows());
  CHECK(Block(shape_of(128), again).runs().size() == 5);
}

TEST_CASE("whatever the sequences, every query meets its keys once and in order") {
  std::mt19937 random(3);
  const auto in = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  for (int round = 0; round < 60; ++round) {
    Sequences sequences(3000);
    std::vector<std::vector<cache::PageView>> prefixes{{}};
    for (int i = in(1, 90); i > 0; --i) {
      const int n_rows = in(0, 3) > 0 ? in(1, 3) : in(1, 600);
      auto pages = sequences.extend(prefixes[static_cast<std::size_t>(in(0, static_cast<int>(prefixes.size()) - 1))], in(0, 5) > 0 ? n_rows + in(0, 100) : n_rows + in(0, 3000));
      if (in(0, 3) == 0 && prefixes.size() < 4) prefixes.push_back(pages);
      sequences.add(std::move(pages), n_rows);
    }
    check_blocks(shape_of(std::array{1, 3, 16, 20, 128}[static_cast<std::size_t>(in(0, 4))]), sequences.rows());
  }
}
