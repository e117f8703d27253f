#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "platform/fail.hpp"
#include "text/jinja/filters.hpp"
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

ExprPtr ExprParser::binary(std::string_view op, ExprKind kind, int line, ExprPtr left, ExprPtr right) {
  Expr node{.kind = kind, .line = line, .name = std::string(op)};
  node.children.push_back(std::move(left));
  node.children.push_back(std::move(right));
  return finish(std::move(node));
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

ExprPtr ExprParser::logical_or() {
  ExprPtr left = logical_and();
  while (at_name("or")) {
    const int line = next().line;
    left = binary("or", ExprKind::logical_or, line, std::move(left), logical_and());
  }
  return left;
}

ExprPtr ExprParser::logical_and() {
  ExprPtr left = logical_not();
  while (at_name("and")) {
    const int line = next().line;
    left = binary("and", ExprKind::logical_and, line, std::move(left), logical_not());
  }
  return left;
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
  ExprPtr left = concat();
  while (at_op("+") || at_op("-")) {
    const Token op = next();
    left = binary(op.text, ExprKind::binary, op.line, std::move(left), concat());
  }
  return left;
}

ExprPtr ExprParser::concat() {
  Expr node{.kind = ExprKind::concat, .line = peek().line};
  do {
    node.children.push_back(product());
  } while (skip_op("~"));
  return node.children.size() == 1 ? std::move(node.children[0]) : finish(std::move(node));
}

ExprPtr ExprParser::product() {
  ExprPtr left = power();
  while (at_op("*") || at_op("/") || at_op("//") || at_op("%")) {
    const Token op = next();
    left = binary(op.text, ExprKind::binary, op.line, std::move(left), power());
  }
  return left;
}

ExprPtr ExprParser::power() {
  ExprPtr left = unary();
  while (at_op("**")) {
    const int line = next().line;
    left = binary("**", ExprKind::binary, line, std::move(left), unary());
  }
  return left;
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

ExprPtr ExprParser::primary() {
  Token token = next();
  Expr node{.kind = ExprKind::constant, .line = token.line};
  switch (token.type) {
    case Type::name:
      if (token.text == "true" || token.text == "True") node.constant = Value::boolean(true);
      else if (token.text == "false" || token.text == "False") node.constant = Value::boolean(false);
      else if (token.text != "none" && token.text != "None") return variable(std::move(token));
      break;
    case Type::string:
      while (at(Type::string)) token.text += next().text;
      node.constant = Value::string(token.text);
      break;
    case Type::integer: node.constant = Value::integer(std::stoll(token.text)); break;
    case Type::real: {
      double value = 0;
      const auto result = std::from_chars(token.text.data(), token.text.data() + token.text.size(), value);
      if (result.ec == std::errc::result_out_of_range && token.text.find('-') == std::string::npos) value = HUGE_VAL;
      node.constant = Value::real(value);
      break;
    }
    case Type::op:
      if (token.text == "(") return parenthesized();
      if (token.text == "[") return list();
      if (token.text == "{") return dict();
      [[fallthrough]];
    default:
      if (token.type != Type::end) --position_;
      unexpected("a value");
  }
  return finish(std::move(node));
}

ExprPtr ExprParser::variable(Token token) {
  seen_.varargs |= token.text == "varargs";
  seen_.kwargs |= token.text == "kwargs";
  seen_.caller |= token.text == "caller";
  return finish(Expr{.kind = ExprKind::name, .line = token.line, .name = std::move(token.text)});
}

ExprPtr ExprParser::parenthesized() {
  if (skip_op(")")) return finish(Expr{.kind = ExprKind::tuple, .line = peek().line});
  ExprPtr value = tuple();
  expect_op(")");
  return value;
}

ExprPtr ExprParser::tuple(bool with_conditional, std::string_view end_name) {
  Expr node{.kind = ExprKind::tuple, .line = peek().line};
  node.children.push_back(expression(with_conditional));
  bool is_tuple = false;
  while (skip_op(",")) {
    is_tuple = true;
    if (at_op(")") || at(Type::output_end) || at(Type::tag_end) || (!end_name.empty() && at_name(end_name))) break;
    node.children.push_back(expression(with_conditional));
  }
  return is_tuple ? finish(std::move(node)) : std::move(node.children[0]);
}

ExprPtr ExprParser::list() {
  Expr node{.kind = ExprKind::list, .line = peek().line};
  while (!at_op("]")) {
    if (!node.children.empty()) {
      expect_op(",");
      if (at_op("]")) break;
    }
    node.children.push_back(expression());
  }
  next();
  return finish(std::move(node));
}

ExprPtr ExprParser::dict() {
  Expr node{.kind = ExprKind::dict, .line = peek().line};
  while (!at_op("}")) {
    if (!node.children.empty()) {
      expect_op(",");
      if (at_op("}")) break;
    }
    node.children.push_back(expression());
    expect_op(":");
    node.children.push_back(expression());
  }
  next();
  return finish(std::move(node));
}

ExprPtr ExprParser::postfix(ExprPtr object) {
  for (;;) {
    if (at_op(".") || at_op("[")) object = subscript(std::move(object));
    else if (at_op("(")) object = call(std::move(object));
    else return object;
  }
}

ExprPtr ExprParser::subscript(ExprPtr object) {
  const Token token = next();
  Expr node{.kind = ExprKind::item, .line = token.line};
  node.children.push_back(std::move(object));
  if (token.text == ".") {
    if (at(Type::name)) {
      node.kind = ExprKind::attribute;
      node.name = next().text;
    } else if (at(Type::integer)) {
      node.children.push_back(primary());
    } else {
      unexpected("a name or number after '.'");
    }
    return finish(std::move(node));
  }
  node.children.push_back(index());
  if (at_op(",")) fail(Status::unsupported, "an index of several values at line {}", token.line);
  expect_op("]");
  return finish(std::move(node));
}

ExprPtr ExprParser::index() {
  Expr slice{.kind = ExprKind::slice, .line = peek().line};
  if (!at_op(":")) {
    ExprPtr first = expression();
    if (!at_op(":")) return first;
    slice.children.push_back(std::move(first));
  } else {
    slice.children.push_back(nullptr);
  }
  for (int part = 1; part < 3; ++part) {
    const bool has_part = skip_op(":") && !at_op(":") && !at_op("]") && !at_op(",");
    slice.children.push_back(has_part ? expression() : nullptr);
  }
  return finish(std::move(slice));
}

ExprPtr ExprParser::call(ExprPtr callee) {
  Expr node{.kind = ExprKind::call, .line = peek().line};
  node.children.push_back(std::move(callee));
  arguments(node);
  return finish(std::move(node));
}

void ExprParser::arguments(Expr& call) {
  expect_op("(");
  while (!at_op(")")) {
    argument(call);
    if (!at_op(")")) expect_op(",");
  }
  next();
}

void ExprParser::argument(Expr& call) {
  if (at_op("*") || at_op("**")) {
    const Token star = next();
    Expr splat{.kind = ExprKind::splat, .line = star.line, .name = star.text};
    splat.children.push_back(expression());
    call.children.push_back(finish(std::move(splat)));
  } else if (at(Type::name) && peek(1).type == Type::op && peek(1).text == "=") {
    std::string name = next().text;
    next();
    call.named.emplace_back(std::move(name), expression());
  } else {
    if (!call.named.empty() || (!call.children.empty() && call.children.back() && call.children.back()->kind == ExprKind::splat))
      unexpected("a named argument");
    call.children.push_back(expression());
  }
}

ExprPtr ExprParser::filters_and_tests(ExprPtr input) {
  for (;;) {
    if (at_op("|")) input = filters(std::move(input));
    else if (at_name("is")) input = test(std::move(input));
    else if (at_op("(")) input = call(std::move(input));
    else return input;
  }
}

ExprPtr ExprParser::filters(ExprPtr input, bool inline_start) {
  while (inline_start || skip_op("|")) {
    inline_start = false;
    Expr node{.kind = ExprKind::filter, .line = peek().line, .name = expect_name()};
    if (!has_filter(node.name)) fail(Status::unsupported, "the filter '{}' at line {}", node.name, node.line);
    node.children.push_back(std::move(input));
    if (at_op("(")) arguments(node);
    input = finish(std::move(node));
  }
  return input;
}

ExprPtr ExprParser::test(ExprPtr input) {
  next();  // is
  const bool negated = skip_name("not");
  Expr node{.kind = ExprKind::test, .line = peek().line, .name = expect_name()};
  if (!has_test(node.name)) fail(Status::unsupported, "the test '{}' at line {}", node.name, node.line);
  node.children.push_back(std::move(input));
  const bool starts_value = at(Type::name) || at(Type::string) || at(Type::integer) || at(Type::real) || at_op("[") || at_op("{");
  if (at_op("(")) {
    arguments(node);
  } else if (starts_value && !at_name("else") && !at_name("or") && !at_name("and")) {
    if (at_name("is")) unexpected("one test only");
    node.children.push_back(postfix(primary()));
  }
  ExprPtr result = finish(std::move(node));
  if (!negated) return result;
  Expr inverse{.kind = ExprKind::unary, .line = result->line, .name = "not"};
  inverse.children.push_back(std::move(result));
  return finish(std::move(inverse));
}

}  // namespace mla::text::jinja
