#include "cache/kv_cache_impl.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "platform/fail.hpp"

namespace mla {
namespace {

// Visits the set bits of a mask, lowest first.
template <typename Visit>
void for_each_bit(std::uint64_t mask, Visit&& visit) {
  for (; mask != 0; mask &= mask - 1) visit(std::countr_zero(mask));
}

int filled_rows(std::uint64_t live) noexcept { return 64 - std::countl_zero(live); }

}  // namespace

KvCache::Impl::Impl(const CacheShape& s, const KvCacheOptions& o)
    : shape(s), options(o), format(cache::RowFormat::of(s, o)), max_pages_(static_cast<int>((std::int64_t{o.n_ctx} + page_rows - 1) / page_rows)) {
  // All bookkeeping is made up front: later only page memory itself can be missing.
  pages_.reserve(static_cast<std::size_t>(max_pages_));
  free_.reserve(static_cast<std::size_t>(max_pages_));
  vacant_.reserve(static_cast<std::size_t>(max_pages_));
}

void KvCache::Impl::bind(CacheModel m) {
  if (!m.rope_frequencies.empty() && m.rope_frequencies.size() * 2 != static_cast<std::size_t>(shape.n_rope))
    fail(Status::invalid_argument, "a model with {} rope frequencies, and a cache with {} rope values", m.rope_frequencies.size(), shape.n_rope);
  if (!sequences_.empty() && model.fingerprint != 0 && m.fingerprint != 0 && model.fingerprint != m.fingerprint)
    fail(Status::invalid_argument, "the cache holds rows of another model: clear() it first");
  model = std::move(m);
}

int KvCache::Impl::take_page() {
  if (free_.empty() && !vacant_.empty()) {
    pages_[static_cast<std::size_t>(vacant_.back())].memory = platform::Buffer(options.allocator, page_bytes(), "a KV-cache page");
    free_.push_back(vacant_.back());
    vacant_.pop_back();
  } else if (free_.empty()) {
    if (static_cast<int>(pages_.size()) == max_pages_)
      fail(Status::cache_full, "the KV cache is full: all {} pages of {} rows are in use; remove sequences or make it with a larger n_ctx",
           max_pages_, page_rows);
    Page page;
    page.memory = platform::Buffer(options.allocator, page_bytes(), "a KV-cache page");
    pages_.push_back(std::move(page));
    free_.push_back(static_cast<int>(pages_.size()) - 1);
  }
  const int index = free_.back();
  free_.pop_back();
  Page& page = pages_[static_cast<std::size_t>(index)];
  page.refs = 1;
  page.filled = 0;
  ++used_;
  return index;
}

void KvCache::Impl::release_page(int index) noexcept {
  Page& page = pages_[static_cast<std::size_t>(index)];
  if (--page.refs > 0) return;
  free_.push_back(index);  // reserved for every page there can be
  --used_;
}

void KvCache::Impl::release(const Sequence& sequence) noexcept {
  for (const Entry& entry : sequence) release_page(entry.page);
}

// A page of one's own with the live rows of a shared one, packed to its front.
int KvCache::Impl::copy_live_rows(const Entry& from) {
  const int index = take_page();
  Page& target = pages_[static_cast<std::size_t>(index)];
  const Page& source = pages_[static_cast<std::size_t>(from.page)];
  for_each_bit(from.live, [&](int row) {
    target.positions[static_cast<std::size_t>(target.filled)] = source.positions[static_cast<std::size_t>(row)];
    target.tokens[static_cast<std::size_t>(target.filled)] = source.tokens[static_cast<std::size_t>(row)];
    for (int layer = 0; layer < shape.n_layers; ++layer)
      std::memcpy(this->row({index, target.filled}, layer), this->row({from.page, row}, layer), format.bytes);
    ++target.filled;
  });
  return index;
}

const KvCache::Impl::Sequence* KvCache::Impl::find(SequenceId seq) const noexcept {
  const auto found = sequences_.find(seq);
  return found == sequences_.end() ? nullptr : &found->second;
}

void KvCache::Impl::view(SequenceId seq, Position last, std::vector<cache::PageView>& views) const {
  const Sequence* sequence = find(seq);
  if (sequence == nullptr) return;
  for (const Entry& entry : *sequence) {
    const Page& page = pages_[static_cast<std::size_t>(entry.page)];
    cache::PageView seen{page.memory.data(), page.positions.data(), 0, std::numeric_limits<Position>::max(), -1};
    for_each_bit(entry.live, [&](int row) {
      const Position position = page.positions[static_cast<std::size_t>(row)];
      if (position > last) return;
      seen.live |= std::uint64_t{1} << row;
      seen.min_position = std::min(seen.min_position, position);
      seen.max_position = std::max(seen.max_position, position);
    });
    if (seen.live != 0) views.push_back(seen);
  }
}

void KvCache::Impl::Transaction::remember(SequenceId seq) {
  for (const Undo& known : cache_.undo_)
    if (known.seq == seq) return;
  const Sequence* sequence = cache_.find(seq);
  Undo undo{seq, sequence == nullptr ? 0 : sequence->size(), {}, 0};
  if (undo.n_entries > 0) {
    undo.last = sequence->back();
    undo.last_filled = cache_.pages_[static_cast<std::size_t>(undo.last.page)].filled;
  }
  cache_.undo_.push_back(undo);
}

cache::RowRef KvCache::Impl::Transaction::append(SequenceId seq, Position position, Token token) {
  if (const Position last = cache_.seq_pos_max(seq); position <= last)
    fail(Status::invalid_argument, "position {} of sequence {} is not behind its last one, {}: remove those with seq_rm first", position,
         seq, last);
  remember(seq);
  Sequence& entries = cache_.sequences_[seq];
  const auto page_of = [&](const Entry& entry) -> Page& { return cache_.pages_[static_cast<std::size_t>(entry.page)]; };
  if (!entries.empty() && page_of(entries.back()).refs > 1 && std::popcount(entries.back().live) < page_rows) {
    Entry& last = entries.back();  // shared and not full: copy on write
    last = {cache_.copy_live_rows(last), ~std::uint64_t{0} >> (page_rows - std::popcount(last.live))};
  } else if (entries.empty() || page_of(entries.back()).filled == page_rows || page_of(entries.back()).refs > 1) {
    entries.reserve(static_cast<std::size_t>(cache_.max_pages_));  // once: a sequence that grows never moves
    entries.push_back({cache_.take_page(), 0});
  }
  Entry& entry = entries.back();
  Page& page = page_of(entry);
  const int row = page.filled++;
  page.positions[static_cast<std::size_t>(row)] = position;
  page.tokens[static_cast<std::size_t>(row)] = token;
  entry.live |= std::uint64_t{1} << row;
  return {entry.page, row};
}

void KvCache::Impl::Transaction::commit() noexcept {
  for (const Undo& undo : cache_.undo_) {
    if (undo.n_entries == 0) continue;
    const Entry& now = (*cache_.find(undo.seq))[undo.n_entries - 1];
    if (now.page != undo.last.page) cache_.release_page(undo.last.page);  // left for a copy
  }
  committed_ = true;
}

KvCache::Impl::Transaction::~Transaction() {
  if (committed_) return;
  for (const Undo& undo : cache_.undo_) {
    const auto found = cache_.sequences_.find(undo.seq);
    if (found == cache_.sequences_.end()) continue;
    Sequence& entries = found->second;
    for (std::size_t i = undo.n_entries; i < entries.size(); ++i) cache_.release_page(entries[i].page);
    entries.resize(undo.n_entries);
    if (undo.n_entries == 0) {
      cache_.sequences_.erase(found);
      continue;
    }
    if (entries.back().page != undo.last.page) cache_.release_page(entries.back().page);  // the copy; the original is still held
    entries.back() = undo.last;
    cache_.pages_[static_cast<std::size_t>(undo.last.page)].filled = undo.last_filled;
  }
}

std::uint64_t KvCache::Impl::rows_between(const Entry& entry, Position p0, Position p1) const noexcept {
  std::uint64_t rows = 0;
  for_each_bit(entry.live, [&](int row) {
    const Position position = pages_[static_cast<std::size_t>(entry.page)].positions[static_cast<std::size_t>(row)];
    if (position >= p0 && (p1 < 0 || position < p1)) rows |= std::uint64_t{1} << row;
  });
  return rows;
}

bool KvCache::Impl::seq_rm(SequenceId seq, Position p0, Position p1) {
  const auto found = sequences_.find(seq);
  if (found == sequences_.end()) return false;
  bool removed = false;
  std::erase_if(found->second, [&](Entry& entry) {
    const std::uint64_t rows = rows_between(entry, p0, p1);
    removed |= rows != 0;
    entry.live &= ~rows;
    Page& page = pages_[static_cast<std::size_t>(entry.page)];
    if (page.refs == 1) page.filled = filled_rows(entry.live);  // rows at the end are free again
    if (entry.live == 0) release_page(entry.page);
    return entry.live == 0;
  });
  if (found->second.empty()) sequences_.erase(found);
  return removed;
}

void KvCache::Impl::seq_cp(SequenceId from, SequenceId to, Position p0, Position p1) {
  if (from == to) fail(Status::invalid_argument, "cannot copy sequence {} onto itself", from);
  Sequence copy;
  if (const Sequence* source = find(from)) {
    copy.reserve(static_cast<std::size_t>(max_pages_));
    for (const Entry& entry : *source)
      if (const std::uint64_t rows = rows_between(entry, p0, p1); rows != 0) copy.push_back({entry.page, rows});
  }
  Sequence& target = sequences_[to];  // the last thing that can fail
  for (const Entry& entry : copy) ++pages_[static_cast<std::size_t>(entry.page)].refs;
  release(target);
  target = std::move(copy);
  if (target.empty()) sequences_.erase(to);
}

void KvCache::Impl::seq_keep(SequenceId seq) {
  std::erase_if(sequences_, [&](const auto& item) {
    if (item.first == seq) return false;
    release(item.second);
    return true;
  });
}

// Rows at the front of the sequence that are the positions 0, 1, 2, … of these tokens.
int KvCache::Impl::prefix_length(const Sequence& sequence, std::span<const Token> tokens) const noexcept {
  std::size_t n = 0;
  for (const Entry& entry : sequence) {
    const Page& page = pages_[static_cast<std::size_t>(entry.page)];
    for (std::uint64_t live = entry.live; live != 0; live &= live - 1, ++n) {
      const auto row = static_cast<std::size_t>(std::countr_zero(live));
      if (n == tokens.size() || page.positions[row] != static_cast<Position>(n) || page.tokens[row] != tokens[n]) return static_cast<int>(n);
    }
  }
  return static_cast<int>(n);
}

int KvCache::Impl::reuse_prefix(SequenceId to, std::span<const Token> tokens) {
  SequenceId best = to;
  const Sequence* own = find(to);
  int longest = own == nullptr ? 0 : prefix_length(*own, tokens);
  for (const auto& [seq, sequence] : sequences_)
    if (const int length = prefix_length(sequence, tokens); length > longest) best = seq, longest = length;
  if (best == to)
    seq_rm(to, longest, -1);
  else
    seq_cp(best, to, 0, longest);
  return longest;
}

void KvCache::Impl::clear() noexcept {
  for (const auto& [seq, sequence] : sequences_) release(sequence);
  sequences_.clear();
}

int KvCache::Impl::seq_len(SequenceId seq) const noexcept {
  int length = 0;
  if (const Sequence* sequence = find(seq))
    for (const Entry& entry : *sequence) length += std::popcount(entry.live);
  return length;
}

// Rows are appended in rising position, so the first and last live rows hold the extremes.
Position KvCache::Impl::seq_pos_min(SequenceId seq) const noexcept {
  const Sequence* sequence = find(seq);
  if (sequence == nullptr) return -1;
  const Entry& first = sequence->front();
  return pages_[static_cast<std::size_t>(first.page)].positions[static_cast<std::size_t>(std::countr_zero(first.live))];
}

Position KvCache::Impl::seq_pos_max(SequenceId seq) const noexcept {
  const Sequence* sequence = find(seq);
  if (sequence == nullptr) return -1;
  const Entry& last = sequence->back();
  return pages_[static_cast<std::size_t>(last.page)].positions[static_cast<std::size_t>(filled_rows(last.live) - 1)];
}

}  // namespace mla
