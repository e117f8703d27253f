// What was computed before: the beginnings of new prompts come from here, in memory or on disk.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include <mla/kv_cache.hpp>

#include "server/disk_cache.hpp"
#include "server/prefix_tree.hpp"

namespace server {

/// Sequences of a KvCache that nobody computes on any more. They share pages with each other and with the sequences in work, so an entry
/// costs only the pages that nobody else has. Those not used for longest go first. Used by the thread that owns the cache.
class PromptCache {
 public:
  using Tokens = PrefixTree::Tokens;

  /// Sequence ids from `first` on are the prompt cache's. `disk` may be null.
  PromptCache(mla::KvCache& kv, mla::SequenceId first, std::uint64_t ram_bytes, std::unique_ptr<DiskCache> disk);

  /// Makes `seq` hold the longest known beginning of `tokens`, and returns its length.
  std::size_t restore(mla::SequenceId seq, Tokens tokens);

  /// Remembers `seq`, which holds `tokens`.
  void keep(mla::SequenceId seq, Tokens tokens);
  /// Saves it to disk, where there is one and it is worth it.
  void store(mla::SequenceId seq, Tokens tokens);

  /// Forgets the entry not used for longest; false if there is none.
  bool evict_one();
  /// Evicts until what entries hold beside the `pages_in_work` of other sequences is within the limit.
  void trim(int pages_in_work);

  std::size_t size() const noexcept { return entries_.size(); }
  std::uint64_t n_evicted() const noexcept { return n_evicted_; }
  const DiskCache* disk() const noexcept { return disk_.get(); }

 private:
  static constexpr std::size_t most_entries = 4096;

  struct Entry {
    std::vector<mla::Token> tokens;
    std::uint64_t last_use;
  };

  void add(mla::SequenceId seq, Tokens tokens);
  void remove(int seq);
  void load_from_disk(Tokens tokens);

  mla::KvCache& kv_;
  mla::SequenceId next_;
  std::uint64_t ram_bytes_;
  std::unique_ptr<DiskCache> disk_;
  PrefixTree tree_;
  std::map<mla::SequenceId, Entry> entries_;  // sequence ids are the tree's ids
  std::uint64_t clock_ = 0, n_evicted_ = 0;
};

}  // namespace server
