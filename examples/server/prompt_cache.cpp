#include "server/prompt_cache.hpp"

#include <algorithm>
#include <utility>

#include <mla/error.hpp>

namespace server {

PromptCache::PromptCache(mla::KvCache& kv, mla::SequenceId first, std::uint64_t ram_bytes, std::unique_ptr<DiskCache> disk)
    : kv_(kv), next_(first), ram_bytes_(ram_bytes), disk_(std::move(disk)) {}

std::size_t PromptCache::restore(mla::SequenceId seq, Tokens tokens) {
  if (disk_) load_from_disk(tokens);
  const PrefixTree::Match match = tree_.match(tokens);
  if (match.length == 0) return 0;
  kv_.seq_cp(match.id, seq, 0, static_cast<mla::Position>(match.length));
  entries_.at(match.id).last_use = ++clock_;
  return match.length;
}

// A state is loaded whole, as an entry like others, if it brings at least a page. Its rows name their tokens: the entry is what
// reuse_prefix() finds by them, whatever the file of tokens said.
void PromptCache::load_from_disk(Tokens tokens) {
  const PrefixTree::Match on_disk = disk_->match(tokens);
  if (on_disk.length < tree_.match(tokens).length + mla::KvCache::page_rows) return;
  const std::vector<mla::Token> all = disk_->tokens(on_disk.id);
  const int pages = static_cast<int>(all.size()) / mla::KvCache::page_rows + 1;
  while (kv_.n_pages() - kv_.n_pages_used() < pages)
    if (!evict_one()) return;
  const mla::SequenceId loaded = next_++, entry = next_++;
  try {
    if (!disk_->load(on_disk.id, kv_, loaded)) return;
    if (kv_.reuse_prefix(entry, all) == static_cast<int>(all.size())) {
      add(entry, all);
    } else {
      kv_.seq_rm(entry);
      disk_->forget(on_disk.id);
    }
  } catch (const mla::Error&) {  // no room after all: then without
  }
  kv_.seq_rm(loaded);
}

void PromptCache::add(mla::SequenceId seq, Tokens tokens) {
  for (const int shorter : tree_.beginnings_of(tokens)) remove(shorter);
  if (entries_.size() >= most_entries) evict_one();
  tree_.insert(tokens, seq);
  entries_.insert_or_assign(seq, Entry{{tokens.begin(), tokens.end()}, ++clock_});
}

void PromptCache::keep(mla::SequenceId seq, Tokens tokens) {
  if (ram_bytes_ == 0 || tokens.empty()) return;
  const PrefixTree::Match match = tree_.match(tokens);
  if (match.length == tokens.size()) {
    entries_.at(match.id).last_use = ++clock_;
    return;
  }
  const mla::SequenceId kept = next_++;
  kv_.seq_cp(seq, kept);
  add(kept, tokens);
}

void PromptCache::store(mla::SequenceId seq, Tokens tokens) {
  if (disk_) disk_->save(kv_, seq, tokens);
}

void PromptCache::remove(int seq) {
  const auto found = entries_.find(seq);
  tree_.erase(found->second.tokens);
  kv_.seq_rm(seq);
  entries_.erase(found);
}

bool PromptCache::evict_one() {
  if (entries_.empty()) return false;
  remove(std::ranges::min_element(entries_, {}, [](const auto& entry) { return entry.second.last_use; })->first);
  ++n_evicted_;
  return true;
}

void PromptCache::trim(int pages_in_work) {
  const std::uint64_t page_bytes = kv_.row_bytes() * mla::KvCache::page_rows;
  const auto held = [&] { return static_cast<std::uint64_t>(std::max(kv_.n_pages_used() - pages_in_work, 0)) * page_bytes; };
  while (held() > ram_bytes_ && evict_one()) {
  }
}

}  // namespace server
