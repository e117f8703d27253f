// KvCache::Impl: pages, the sequences that refer to them, and the transaction that a decode writes in.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <map>
#include <mla/kv_cache.hpp>
#include <span>
#include <vector>

#include "cache/row_format.hpp"
#include "platform/memory.hpp"

namespace mla {

namespace cache {

constexpr int page_rows = KvCache::page_rows;
constexpr Token no_token = -1;  // of a row that was made from an embedding

/// A page as attention sees it: the rows of 64 tokens in every layer.
struct PageView {
  const std::byte* data;        ///< [n_layers, page_rows] rows
  const Position* positions;    ///< [page_rows]
  std::uint64_t live;           ///< bit r: row r belongs to the sequence
  Position min_position, max_position;  ///< of the live rows
};

/// Where a new token's row is.
struct RowRef {
  int page;
  int row;
};

class StateSink;
class StateSource;
struct StateHeader;

}  // namespace cache

class KvCache::Impl {
  /// A sequence's hold on a page: the rows of it that are the sequence's.
  struct Entry {
    int page;
    std::uint64_t live;
  };

 public:
  Impl(const CacheShape& shape, const KvCacheOptions& options);

  void bind(CacheModel model);

  const CacheShape shape;
  const KvCacheOptions options;
  const cache::RowFormat format;
  CacheModel model;  ///< empty until bind()

  std::size_t layer_bytes() const noexcept { return page_rows * format.bytes; }
  std::size_t page_bytes() const noexcept { return static_cast<std::size_t>(shape.n_layers) * layer_bytes(); }

  std::byte* row(cache::RowRef ref, int layer) noexcept {
    return pages_[static_cast<std::size_t>(ref.page)].memory.data() + static_cast<std::size_t>(layer) * layer_bytes() +
           static_cast<std::size_t>(ref.row) * format.bytes;
  }

  /// The sequence's rows with positions up to `last`, appended to `views`.
  void view(SequenceId seq, Position last, std::vector<cache::PageView>& views) const;

  /// Rows added by one decode; undone by the destructor unless commit() was called. A cache has one at a time, and nothing else
  /// changes the cache meanwhile. Allocates only cache pages, and memory for sequences that are new.
  class Transaction {
   public:
    explicit Transaction(Impl& cache) noexcept : cache_(cache) { cache.undo_.clear(); }
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    /// `token` is what reuse_prefix() will compare; none for a row that no token made.
    /// Throws Error: cache_full, out_of_memory, or invalid_argument if `position` isn't behind the sequence's last.
    cache::RowRef append(SequenceId seq, Position position, Token token = cache::no_token);
    void commit() noexcept;

   private:
    void remember(SequenceId seq);
    Impl& cache_;
    bool committed_ = false;
  };

  bool seq_rm(SequenceId seq, Position p0, Position p1);
  void seq_cp(SequenceId from, SequenceId to, Position p0, Position p1);
  void seq_keep(SequenceId seq);
  void seq_add(SequenceId seq, Position p0, Position p1, Position delta);
  void defrag();
  void save(cache::StateSink& sink, SequenceId seq) const;
  void load(cache::StateSource& source, SequenceId seq);
  int reuse_prefix(SequenceId to, std::span<const Token> tokens);
  void clear() noexcept;
  int seq_len(SequenceId seq) const noexcept;
  Position seq_pos_min(SequenceId seq) const noexcept;
  Position seq_pos_max(SequenceId seq) const noexcept;
  int pages_used() const noexcept { return used_; }
  int max_pages() const noexcept { return max_pages_; }

 private:
  struct Page {
    platform::Buffer memory;
    std::array<Position, page_rows> positions{};
    std::array<Token, page_rows> tokens{};
    int refs = 0;
    int filled = 0;  ///< rows ever written since the page was taken; the next row goes here
  };
  using Sequence = std::vector<Entry>;
  /// What a sequence was before a transaction touched it.
  struct Undo {
    SequenceId seq;
    std::size_t n_entries;
    Entry last;       ///< if n_entries > 0; its page is still referred to where a copy took its place
    int last_filled;  ///< rows of the last page
  };

  struct Holder;
  using Holders = std::vector<Holder>;
  struct SavePlan;
  struct Loaded;

  int take_page();
  void release_page(int page) noexcept;
  void release(const Sequence& sequence) noexcept;
  int copy_live_rows(const Entry& from);
  const Sequence* find(SequenceId seq) const noexcept;
  std::uint64_t rows_between(const Entry& entry, Position p0, Position p1) const noexcept;
  void check_shift(SequenceId seq, const Sequence& sequence, Position p0, Position p1, Position delta) const;
  void unshare(Sequence& sequence, Position p0, Position p1);
  static bool held_alike(const Holders& a, const Holders& b) noexcept;
  void pack(std::span<Holders* const> run) noexcept;
  void move_row(cache::RowRef from, cache::RowRef to) noexcept;
  SavePlan plan_save(SequenceId seq) const;
  void check_state(const cache::StateHeader& header, const std::string& name) const;
  void read_pages(cache::StateSource& source, Loaded& loaded);
  bool is_valid_page(int page, std::uint64_t live) noexcept;
  int prefix_length(const Sequence& sequence, std::span<const Token> tokens) const noexcept;

  int max_pages_;
  int used_ = 0;
  std::vector<Page> pages_;
  std::vector<int> free_;    // pages that nobody refers to
  std::vector<int> vacant_;  // the same, without memory
  std::map<SequenceId, Sequence> sequences_;
  std::vector<Undo> undo_;  // of the transaction in work; kept so that a decode allocates nothing
};

}  // namespace mla
