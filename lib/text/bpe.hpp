// Byte-pair encoding of one word.
#pragma once
#include <array>
#include <cstdint>
#include <mla/types.hpp>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mla::text {

/// Merge rules and the working memory's shape; immutable once the rules are in.
class BytePairs {
 public:
  /// Tokens of the 256 bytes; -1 for those that never occur in UTF-8.
  std::array<Token, 256> byte_tokens;

  /// Adds the next best rule; one for a pair that has a rule already takes its place, as in Hugging Face's library.
  void add(Token left, Token right, Token merged);
  void reserve(std::size_t n_merges) { rules_.reserve(n_merges); }

  struct Symbol {
    Token token;
    std::int32_t previous, next;  // neighbours in the word; -1: none
  };
  struct Candidate {
    std::int32_t rank, position;
    Token left, right, merged;
  };
  /// Working memory of encode(), kept between words.
  struct Scratch {
    std::vector<Symbol> symbols;
    std::vector<Candidate> heap;
  };

  /// Appends the tokens of a word, which must be UTF-8 of less than 2 GiB. O(n log n).
  void encode(std::string_view word, std::vector<Token>& out, Scratch& scratch) const;

 private:
  struct Rule {
    std::int32_t rank;
    Token merged;
  };
  static std::uint64_t key(Token left, Token right) noexcept {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
  }
  void push_candidate(std::int32_t position, Scratch& scratch) const;

  std::unordered_map<std::uint64_t, Rule> rules_;
  std::int32_t n_added_ = 0;
};

}  // namespace mla::text
