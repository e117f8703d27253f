#include "text/bpe.hpp"

#include <algorithm>

namespace mla::text {
namespace {

// Orders a heap so that the best rule comes first and, among equals, the leftmost pair.
bool comes_later(const BytePairs::Candidate& a, const BytePairs::Candidate& b) noexcept {
  return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
}

}  // namespace

void BytePairs::add(Token left, Token right, Token merged) {
  rules_.insert_or_assign(key(left, right), Rule{n_added_++, merged});
}

void BytePairs::push_candidate(std::int32_t position, Scratch& scratch) const {
  const Symbol& left = scratch.symbols[position];
  if (left.next < 0) return;
  const Token right = scratch.symbols[left.next].token;
  const auto rule = rules_.find(key(left.token, right));
  if (rule == rules_.end()) return;
  scratch.heap.push_back({rule->second.rank, position, left.token, right, rule->second.merged});
  std::ranges::push_heap(scratch.heap, comes_later);
}

void BytePairs::encode(std::string_view word, std::vector<Token>& out, Scratch& scratch) const {
  const auto n = static_cast<std::int32_t>(word.size());
  std::vector<Symbol>& symbols = scratch.symbols;
  symbols.resize(word.size());
  scratch.heap.clear();
  for (std::int32_t i = 0; i < n; ++i)
    symbols[i] = {byte_tokens[static_cast<unsigned char>(word[i])], i - 1, i + 1 < n ? i + 1 : -1};
  for (std::int32_t i = 0; i < n; ++i) push_candidate(i, scratch);

  constexpr Token merged_away = -1;
  while (!scratch.heap.empty()) {
    std::ranges::pop_heap(scratch.heap, comes_later);
    const Candidate best = scratch.heap.back();
    scratch.heap.pop_back();
    Symbol& left = symbols[best.position];
    // The pair may be gone: one side has merged with another neighbour since.
    if (left.token != best.left || left.next < 0 || symbols[left.next].token != best.right) continue;
    Symbol& right = symbols[left.next];
    left.token = best.merged;
    left.next = right.next;
    right.token = merged_away;
    if (left.next >= 0) symbols[left.next].previous = best.position;
    push_candidate(best.position, scratch);
    if (left.previous >= 0) push_candidate(left.previous, scratch);
  }
  for (std::int32_t i = n > 0 ? 0 : -1; i >= 0; i = symbols[i].next) out.push_back(symbols[i].token);
}

}  // namespace mla::text
