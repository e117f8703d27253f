// Added tokens: strings that are cut out of the text before anything else looks at it.
#pragma once
#include <array>
#include <cstdint>
#include <mla/types.hpp>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mla::text {

/// A trie that finds the leftmost match and, of those, the longest. Immutable once filled.
class AddedTokens {
 public:
  static constexpr std::size_t max_length = 1024;  ///< bytes; bounds the steps at each place of a text

  /// `text` has 1 to max_length bytes. A string that is there already keeps its first token.
  void add(std::string_view text, Token token);

  struct Match {
    std::size_t position, length;
    Token token;  // -1: none found
  };
  /// The first match at or after `from`.
  Match find(std::string_view text, std::size_t from) const noexcept;

  /// The token that is exactly this string, or -1.
  Token exact(std::string_view text) const noexcept;

 private:
  Match longest_at(std::string_view text, std::size_t position) const noexcept;

  std::array<bool, 256> begins_{};
  std::unordered_map<std::uint64_t, std::uint32_t> edges_;  // node << 8 | byte -> node
  std::vector<Token> token_at_{-1};                         // by node; 0 is the root
};

}  // namespace mla::text
