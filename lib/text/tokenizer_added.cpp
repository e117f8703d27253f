#include "text/tokenizer_added.hpp"

namespace mla::text {
namespace {

std::uint64_t edge(std::uint32_t node, char byte) noexcept {
  return static_cast<std::uint64_t>(node) << 8 | static_cast<unsigned char>(byte);
}

}  // namespace

void AddedTokens::add(std::string_view text, Token token) {
  std::uint32_t node = 0;
  for (const char byte : text) {
    const auto next = static_cast<std::uint32_t>(token_at_.size());
    const auto [found, inserted] = edges_.try_emplace(edge(node, byte), next);
    if (inserted) token_at_.push_back(-1);
    node = found->second;
  }
  begins_[static_cast<unsigned char>(text[0])] = true;
  if (token_at_[node] < 0) token_at_[node] = token;
}

AddedTokens::Match AddedTokens::longest_at(std::string_view text, std::size_t position) const noexcept {
  Match best{position, 0, -1};
  std::uint32_t node = 0;
  for (std::size_t i = position; i < text.size(); ++i) {
    const auto next = edges_.find(edge(node, text[i]));
    if (next == edges_.end()) break;
    node = next->second;
    if (token_at_[node] >= 0) best = {position, i + 1 - position, token_at_[node]};
  }
  return best;
}

AddedTokens::Match AddedTokens::find(std::string_view text, std::size_t from) const noexcept {
  for (std::size_t i = from; i < text.size(); ++i) {
    if (!begins_[static_cast<unsigned char>(text[i])]) continue;
    const Match match = longest_at(text, i);
    if (match.token >= 0) return match;
  }
  return {text.size(), 0, -1};
}

Token AddedTokens::exact(std::string_view text) const noexcept {
  const Match match = text.empty() ? Match{0, 0, -1} : longest_at(text, 0);
  return match.length == text.size() ? match.token : -1;
}

}  // namespace mla::text
