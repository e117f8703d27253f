// Which of many token sequences begins with the most tokens of a new one.
#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include <mla/types.hpp>

namespace server {

/// A radix tree of token sequences, each with a number of the caller's. A look-up costs as much as the tokens that match.
class PrefixTree {
 public:
  using Tokens = std::span<const mla::Token>;

  struct Match {
    std::size_t length = 0;  ///< tokens in common
    int id = -1;             ///< of a sequence that has them; -1: none
  };

  PrefixTree();
  ~PrefixTree();
  PrefixTree(const PrefixTree&) = delete;
  PrefixTree& operator=(const PrefixTree&) = delete;

  /// Adds a sequence; one that is there already gets the new id (0 or more).
  void insert(Tokens tokens, int id);
  /// False if there is no such sequence.
  bool erase(Tokens tokens);
  Match match(Tokens tokens) const;
  /// Ids of the sequences that `tokens` begins with, itself left out; the shortest first.
  std::vector<int> beginnings_of(Tokens tokens) const;
  std::size_t size() const noexcept { return size_; }

 private:
  struct Node;
  static void merge_with_only_child(Node& node);

  std::unique_ptr<Node> root_;
  std::size_t size_ = 0;
};

}  // namespace server
