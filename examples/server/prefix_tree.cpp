#include "server/prefix_tree.hpp"

#include <algorithm>
#include <utility>

namespace server {

struct PrefixTree::Node {
  std::vector<mla::Token> edge;  // tokens that lead here from the parent; not empty but for the root
  int id = -1;                   // of the sequence that ends here
  std::map<mla::Token, std::unique_ptr<Node>> children;

  Node* child(mla::Token token) const {
    const auto found = children.find(token);
    return found == children.end() ? nullptr : found->second.get();
  }
};

namespace {

std::size_t common_length(PrefixTree::Tokens a, PrefixTree::Tokens b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

}  // namespace

PrefixTree::PrefixTree() : root_(std::make_unique<Node>()) {}
PrefixTree::~PrefixTree() = default;

void PrefixTree::insert(Tokens tokens, int id) {
  Node* node = root_.get();
  while (!tokens.empty()) {
    std::unique_ptr<Node>& place = node->children[tokens.front()];
    if (!place) {
      place = std::make_unique<Node>();
      place->edge.assign(tokens.begin(), tokens.end());
    }
    const std::size_t common = common_length(place->edge, tokens);
    if (common < place->edge.size()) {  // the sequences part within the edge: a node goes between
      auto upper = std::make_unique<Node>();
      const auto cut = place->edge.begin() + static_cast<std::ptrdiff_t>(common);
      upper->edge.assign(place->edge.begin(), cut);
      place->edge.erase(place->edge.begin(), cut);
      upper->children[place->edge.front()] = std::move(place);
      place = std::move(upper);
    }
    node = place.get();
    tokens = tokens.subspan(common);
  }
  if (node->id < 0) ++size_;
  node->id = id;
}

bool PrefixTree::erase(Tokens tokens) {
  Node *node = root_.get(), *parent = nullptr;
  mla::Token key = 0;
  while (!tokens.empty()) {
    Node* const next = node->child(tokens.front());
    if (next == nullptr || common_length(next->edge, tokens) < next->edge.size()) return false;
    key = tokens.front();
    tokens = tokens.subspan(next->edge.size());
    parent = std::exchange(node, next);
  }
  if (node->id < 0) return false;
  node->id = -1;
  --size_;
  if (parent == nullptr) return true;
  if (node->children.empty()) {
    parent->children.erase(key);
    if (parent != root_.get() && parent->id < 0) merge_with_only_child(*parent);
  } else {
    merge_with_only_child(*node);
  }
  return true;
}

void PrefixTree::merge_with_only_child(Node& node) {
  if (node.children.size() != 1) return;
  const std::unique_ptr<Node> child = std::move(node.children.begin()->second);
  node.edge.insert(node.edge.end(), child->edge.begin(), child->edge.end());
  node.id = child->id;
  node.children = std::move(child->children);
}

PrefixTree::Match PrefixTree::match(Tokens tokens) const {
  const Node* node = root_.get();
  Match match;
  while (!tokens.empty()) {
    const Node* const next = node->child(tokens.front());
    if (next == nullptr) break;
    const std::size_t common = common_length(next->edge, tokens);
    match.length += common;
    node = next;
    if (common < next->edge.size()) break;
    tokens = tokens.subspan(common);
  }
  if (match.length == 0) return {};
  while (node->id < 0) node = node->children.begin()->second.get();  // all below have the matched tokens
  match.id = node->id;
  return match;
}

std::vector<int> PrefixTree::beginnings_of(Tokens tokens) const {
  std::vector<int> ids;
  const Node* node = root_.get();
  while (!tokens.empty()) {
    const Node* const next = node->child(tokens.front());
    if (next == nullptr || common_length(next->edge, tokens) < next->edge.size()) break;
    node = next;
    tokens = tokens.subspan(next->edge.size());
    if (node->id >= 0 && !tokens.empty()) ids.push_back(node->id);
  }
  return ids;
}

}  // namespace server
