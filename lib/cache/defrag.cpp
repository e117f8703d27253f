// Packs the live rows of sequences into as few pages as possible and gives the others back.
#include <algorithm>
#include <cstring>

#include "cache/kv_cache_impl.hpp"

namespace mla {

// Who refers to a page: the sequences, in rising order, and the entry of each.
struct KvCache::Impl::Holder {
  SequenceId seq;
  std::size_t index;
  Entry* entry;
};

namespace {

std::uint64_t first_rows(int n) noexcept { return n == 0 ? 0 : ~std::uint64_t{0} >> (64 - n); }

// Whether all that refer to a page hold the same rows of it.
constexpr auto same_rows = [](const auto& holders) {
  return std::ranges::all_of(holders, [&](const auto& holder) { return holder.entry->live == holders.front().entry->live; });
};

}  // namespace

// Whether rows can move between two pages: the same sequences hold the same rows of each, and in all of them the pages are neighbours.
bool KvCache::Impl::held_alike(const Holders& a, const Holders& b) noexcept {
  return same_rows(a) && same_rows(b) && std::ranges::equal(a, b, [](const Holder& x, const Holder& y) { return x.seq == y.seq && x.index + 1 == y.index; });
}

// The pages of a run, one behind the other: rows move towards the front, each to a place that was read before. Pages that end up without rows
// are left with empty entries.
void KvCache::Impl::pack(std::span<Holders* const> run) noexcept {
  const auto page_number = [&](std::size_t i) { return run[i]->front().entry->page; };
  std::size_t to = 0;
  int filled = 0;
  for (std::size_t from = 0; from < run.size(); ++from)
    for (std::uint64_t live = run[from]->front().entry->live; live != 0; live &= live - 1) {
      if (filled == page_rows) ++to, filled = 0;
      move_row({page_number(from), std::countr_zero(live)}, {page_number(to), filled++});
    }
  for (std::size_t i = 0; i < run.size(); ++i) {
    const int n = i < to ? page_rows : i == to ? filled : 0;
    pages_[static_cast<std::size_t>(page_number(i))].filled = n;
    for (const Holder& holder : *run[i]) holder.entry->live = first_rows(n);
  }
}

void KvCache::Impl::move_row(cache::RowRef from, cache::RowRef to) noexcept {
  if (from.page == to.page && from.row == to.row) return;
  const Page& source = pages_[static_cast<std::size_t>(from.page)];
  Page& target = pages_[static_cast<std::size_t>(to.page)];
  target.positions[static_cast<std::size_t>(to.row)] = source.positions[static_cast<std::size_t>(from.row)];
  target.tokens[static_cast<std::size_t>(to.row)] = source.tokens[static_cast<std::size_t>(from.row)];
  for (int layer = 0; layer < shape.n_layers; ++layer) std::memcpy(row(to, layer), row(from, layer), format.bytes);
}

void KvCache::Impl::defrag() {
  std::vector<Holders> holders(pages_.size());
  std::vector<Holders*> run;  // pages of one sequence that can be packed together
  run.reserve(pages_.size());
  for (auto& [seq, sequence] : sequences_)
    for (std::size_t i = 0; i < sequence.size(); ++i) holders[static_cast<std::size_t>(sequence[i].page)].push_back({seq, i, &sequence[i]});
  for (auto& [seq, sequence] : sequences_) {
    for (std::size_t i = 0; i < sequence.size(); i += run.size()) {
      run.clear();
      for (std::size_t next = i; next < sequence.size(); ++next) {
        Holders& page = holders[static_cast<std::size_t>(sequence[next].page)];
        if (!run.empty() && !held_alike(*run.back(), page)) break;
        run.push_back(&page);
      }
      if (same_rows(*run.front()) && run.front()->front().seq == seq) pack(run);  // once, in the first sequence that has the run
    }
  }
  for (auto& [seq, sequence] : sequences_)
    std::erase_if(sequence, [&](const Entry& entry) {
      if (entry.live == 0) release_page(entry.page);
      return entry.live == 0;
    });
  for (const int page : free_) {
    pages_[static_cast<std::size_t>(page)].memory = {};
    vacant_.push_back(page);  // reserved, as free_ is
  }
  free_.clear();
}

}  // namespace mla
