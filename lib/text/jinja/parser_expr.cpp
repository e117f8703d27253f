// Expressions: tokens, and operators by their precedence. What they are applied to is in parser_values.cpp.
#include <algorithm>
#include <array>

#include "platform/fail.hpp"
#include "text/jinja/parser.hpp"

namespace mla::text::jinja {

using Type = Token::Type;

ExprParser::Nesting::Nesting(ExprParser& parser) : parser_(parser) {
  if (++parser_.nesting_ > max_nesting) {
    --parser_.nesting_;
    fail(Status::unsupported, "nesting deeper than {} at line {}", max_nesting, parser.peek().line);
  }
}

const Token& ExprParser::peek(std::size_t ahead) const { return tokens_[std::min(position_ + ahead, tokens_.size() - 1)]; }

Token ExprParser::next() {
  Token token = peek();
  if (position_ + 1 < tokens_.size()) ++position_;
  return token;
}

bool ExprParser::at(Type type, std::string_view text) const {
  return peek().type == type && (text.empty() || peek().text == text);
}

bool ExprParser::skip(Type type, std::string_view text) {
  if (!at(type, text)) return false;
  next();
  return true;
}

void ExprParser::expect_op(std::string_view text) {
  if (!skip_op(text)) unexpected(fmt::format("'{}'", text));
}

std::string ExprParser::expect_name() {
  if (!at(Type::name)) unexpected("a name");
  return next().text;
}

void ExprParser::unexpected(std::string_view wanted) const {
  const Token& token = peek();
  static constexpr std::array<std::string_view, 4> tags = {"{{", "}}", "{%", "%}"};
  const std::string_view found = token.type == Type::end    ? "the end of the template"
                                 : token.type == Type::data ? "text"
                                 : token.type < Type::name  ? tags[static_cast<std::size_t>(token.type) - 1]
                                                            : std::string_view(token.text);
  fail(Status::bad_file, "expected {} instead of '{}' at line {}", wanted, found, token.line);
}

/// Sets the depth of a new node; long chains like a + b + … count too, as they nest on the left.
ExprPtr ExprParser::finish(Expr expr) const {
  for (const ExprPtr& child : expr.children)
    if (child) expr.depth = std::max(expr.depth, 1 + child->depth);
  for (const auto& [name, value] : expr.named) expr.depth = std::max(expr.depth, 1 + value->depth);
  if (expr.depth > 2 * max_nesting) fail(Status::unsupported, "an expression of more than {} levels at line {}",
                                         2 * max_nesting, expr.line);
  return std::make_unique<const Expr>(std::move(expr));
}

ExprPtr ExprParser::expression(bool with_conditional) {
  const Nesting nesting(*this);
  ExprPtr value = logical_or();
  while (with_conditional && at_name("if")) {
    Expr node{.kind = ExprKind::conditional, .line = next().line};
    node.children.push_back(logical_or());
    node.children.push_back(std::move(value));
    node.children.push_back(skip_name("else") ? expression() : nullptr);
    value = finish(std::move(node));
  }
  return value;
}

template <typename Operand>
ExprPtr ExprParser::left_to_right(Type type, std::initializer_list<std::string_view> operators, ExprKind kind, const Operand& operand) {
  ExprPtr left = operand();
  while (std::ranges::any_of(operators, [&](std::string_view op) { return at(type, op); })) {
    Expr node{.kind = kind, .line = peek().line, .name = next().text};
    node.children.push_back(std::move(left));
    node.children.push_back(operand());
    left = finish(std::move(node));
  }
  return left;
}

ExprPtr ExprParser::logical_or() {
  return left_to_right(Type::name, {"or"}, ExprKind::logical_or, [this] { return logical_and(); });
}

ExprPtr ExprParser::logical_and() {
  return left_to_right(Type::name, {"and"}, ExprKind::logical_and, [this] { return logical_not(); });
}

ExprPtr ExprParser::logical_not() {
  if (!at_name("not")) return comparison();
  const Nesting nesting(*this);
  Expr node{.kind = ExprKind::unary, .line = next().line, .name = "not"};
  node.children.push_back(logical_not());
  return finish(std::move(node));
}

ExprPtr ExprParser::comparison() {
  Expr node{.kind = ExprKind::comparison, .line = peek().line};
  node.children.push_back(sum());
  for (;;) {
    if (at_name("not") && peek(1).type == Type::name && peek(1).text == "in") {
      next(), next();
      node.operators.push_back("not in");
    } else if (at_name("in") || at_op("==") || at_op("!=") || at_op("<") || at_op("<=") || at_op(">") || at_op(">=")) {
      node.operators.push_back(next().text);
    } else {
      break;
    }
    node.children.push_back(sum());
  }
  return node.operators.empty() ? std::move(node.children[0]) : finish(std::move(node));
}

ExprPtr ExprParser::sum() {
  return left_to_right(Type::op, {"+", "-"}, ExprKind::binary, [this] { return concat(); });
}

ExprPtr ExprParser::concat() {
  Expr node{.kind = ExprKind::concat, .line = peek().line};
  do {
    node.children.push_back(product());
  } while (skip_op("~"));
  return node.children.size() == 1 ? std::move(node.children[0]) : finish(std::move(node));
}

ExprPtr ExprParser::product() {
  return left_to_right(Type::op, {"*", "/", "//", "%"}, ExprKind::binary, [this] { return power(); });
}

ExprPtr ExprParser::power() {
  return left_to_right(Type::op, {"**"}, ExprKind::binary, [this] { return unary(); });
}

ExprPtr ExprParser::unary(bool with_filter) {
  const Nesting nesting(*this);
  ExprPtr node;
  if (at_op("-") || at_op("+")) {
    const Token op = next();
    Expr negated{.kind = ExprKind::unary, .line = op.line, .name = op.text};
    negated.children.push_back(unary(false));
    node = finish(std::move(negated));
  } else {
    node = primary();
  }
  node = postfix(std::move(node));
  return with_filter ? filters_and_tests(std::move(node)) : std::move(node);
}

}  // namespace mla::text::jinja
