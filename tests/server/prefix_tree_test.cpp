// The radix tree against a list of all sequences.
#include "server/prefix_tree.hpp"

#include <algorithm>
#include <map>
#include <random>

#include "catch.hpp"

using server::PrefixTree;
using Tokens = std::vector<mla::Token>;

namespace {

std::size_t common(const Tokens& a, const Tokens& b) { return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin()); }

}  // namespace

TEST_CASE("prefix tree: inserting, erasing and matching as a list of sequences does") {
  std::mt19937 random(2);
  const auto below = [&](unsigned n) { return random() % n; };
  std::map<Tokens, int> list;
  PrefixTree tree;
  int n_matches = 0, n_erased = 0;
  for (int round = 0; round < 20000; ++round) {
    Tokens tokens(1 + below(12));
    for (mla::Token& token : tokens) token = static_cast<mla::Token>(below(3));
    switch (below(4)) {
      case 0: {
        list[tokens] = round;
        tree.insert(tokens, round);
        break;
      }
      case 1: {
        if (!list.empty() && below(2)) tokens = std::next(list.begin(), below(static_cast<unsigned>(list.size())))->first;
        const bool there = list.erase(tokens) > 0;
        CHECK(tree.erase(tokens) == there);
        n_erased += there;
        break;
      }
      case 2: {
        std::size_t longest = 0;
        for (const auto& [sequence, id] : list) longest = std::max(longest, common(sequence, tokens));
        const PrefixTree::Match match = tree.match(tokens);
        REQUIRE(match.length == longest);
        REQUIRE((match.id >= 0) == (longest > 0));
        if (match.id >= 0) {  // any of those that have as much in common
          const auto found = std::ranges::find_if(list, [&](const auto& entry) { return entry.second == match.id; });
          REQUIRE(found != list.end());
          REQUIRE(common(found->first, tokens) == longest);
          ++n_matches;
        }
        break;
      }
      default: {
        std::vector<int> expected;
        for (std::size_t n = 1; n < tokens.size(); ++n)
          if (const auto found = list.find(Tokens(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(n))); found != list.end())
            expected.push_back(found->second);
        CHECK(tree.beginnings_of(tokens) == expected);
      }
    }
    REQUIRE(tree.size() == list.size());
  }
  CHECK(n_matches > 1000);
  CHECK(n_erased > 1000);
}

TEST_CASE("prefix tree: nothing matches in an empty one") {
  PrefixTree tree;
  CHECK(tree.match(Tokens{1, 2}).length == 0);
  CHECK(tree.match(Tokens{}).id == -1);
  CHECK_FALSE(tree.erase(Tokens{1}));
  tree.insert(Tokens{1, 2, 3}, 7);
  CHECK(tree.match(Tokens{}).length == 0);
  CHECK(tree.match(Tokens{1, 2, 4}).length == 2);
  CHECK_FALSE(tree.erase(Tokens{1, 2}));
  CHECK(tree.erase(Tokens{1, 2, 3}));
  CHECK(tree.match(Tokens{1, 2, 3}).id == -1);
}
