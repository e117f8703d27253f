// Computed prompts in files, so that they outlive the process.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <mla/kv_cache.hpp>

#include "server/prefix_tree.hpp"

namespace server {

/// A folder of states (KvCache::save), each beside a small file with its tokens. Both are named by the model and a hash of the tokens, and
/// written under another name first, so a process that is killed leaves whole files or none. What is in them is checked when it is loaded.
/// Used by one thread; one server per folder.
class DiskCache {
 public:
  using Tokens = PrefixTree::Tokens;
  static constexpr std::size_t least_tokens = 256;  ///< shorter prompts are computed faster than they are worth a file

  /// For states of a model with this fingerprint in a cache with these options. Throws std::filesystem::filesystem_error.
  DiskCache(std::filesystem::path folder, std::uint64_t limit_bytes, std::uint64_t fingerprint, const mla::KvCacheOptions& options);

  PrefixTree::Match match(Tokens tokens) const { return tree_.match(tokens); }
  const std::vector<mla::Token>& tokens(int id) const { return entries_.at(id).tokens; }

  /// Puts a state into `seq`. False if the file can't be used, which is then forgotten. Throws mla::Error(cache_full).
  bool load(int id, mla::KvCache& kv, mla::SequenceId seq);
  void forget(int id);

  /// Saves `seq`, whose tokens are `tokens`, if that is worth it, and removes states that are its beginnings; then the ones not used for
  /// longest that are beyond the limit.
  void save(const mla::KvCache& kv, mla::SequenceId seq, Tokens tokens);

  std::size_t size() const noexcept { return entries_.size(); }
  std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  struct Entry {
    std::string name;  // of the files, without their endings
    std::vector<mla::Token> tokens;
    std::uint64_t bytes = 0;
    std::filesystem::file_time_type last_use;
  };

  void read_folder();
  void add(Entry entry);
  std::filesystem::path state_file(const std::string& name) const { return folder_ / (name + ".state"); }
  std::filesystem::path tokens_file(const std::string& name) const { return folder_ / (name + ".tokens"); }

  std::filesystem::path folder_;
  std::uint64_t limit_bytes_;
  std::string prefix_;
  PrefixTree tree_;
  std::map<int, Entry> entries_;
  int next_id_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace server
