// Expressions: constants, names and collections, and what may follow them: items, calls, filters and tests.
#include <charconv>
#include <cmath>

#include "platform/fail.hpp"
#include "text/jinja/filters.hpp"
#include "text/jinja/parser.hpp"

namespace mla::text::jinja {

using Type = Token::Type;

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
