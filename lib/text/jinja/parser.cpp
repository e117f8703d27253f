#include "text/jinja/parser.hpp"

#include <algorithm>

#include "platform/fail.hpp"

namespace mla::text::jinja {
namespace {

using Type = Token::Type;

class Parser : ExprParser {
 public:
  explicit Parser(std::string_view source) : ExprParser(tokenize(source)) {}

  Body run() {
    Body body = block({});
    if (!at(Type::end)) unexpected("text");
    return body;
  }

 private:
  using Names = std::vector<std::string_view>;

  /// Statements up to a tag that begins with one of `ends`, whose name is left as the next token; else to the end.
  Body block(const Names& ends) {
    const Nesting nesting(*this);
    Body body;
    while (!at(Type::end)) {
      Stmt stmt{.kind = StmtKind::data, .line = peek().line};
      if (at(Type::data)) {
        stmt.data = Value::string(next().text);
      } else if (skip(Type::output_begin, {})) {
        stmt.kind = StmtKind::output;
        stmt.value = tuple();
        expect(Type::output_end, "}}");
      } else {
        expect(Type::tag_begin, "{%");
        if (at(Type::name) && std::find(ends.begin(), ends.end(), peek().text) != ends.end()) return body;
        statement(stmt);
        expect(Type::tag_end, "%}");
      }
      body.push_back(std::move(stmt));
    }
    if (!ends.empty()) unexpected(fmt::format("'{}'", fmt::join(ends, "' or '")));
    return body;
  }

  void expect(Type type, std::string_view text) {
    if (!at(type)) unexpected(fmt::format("'{}'", text));
    next();
  }

  /// The body of a block tag: from the tag's end to one of `ends`.
  Body body_until(const Names& ends) {
    skip_op(":");
    expect(Type::tag_end, "%}");
    return block(ends);
  }

  Body whole_body(std::string_view end) {
    Body body = body_until({end});
    next();
    return body;
  }

  void statement(Stmt& stmt) {
    const int line = peek().line;
    const std::string tag = expect_name();
    if (tag == "if") return if_statement(stmt);
    if (tag == "for") return for_statement(stmt);
    if (tag == "set") return set_statement(stmt);
    if (tag == "macro") return macro(stmt);
    if (tag == "call") return call_block(stmt);
    if (tag == "with") return with(stmt);
    if (tag == "filter") {
      stmt.kind = StmtKind::filter_block;
      stmt.value = filters(nullptr, true);
      stmt.body = whole_body("endfilter");
    } else if (tag == "generation") {
      stmt.kind = StmtKind::scope;
      stmt.body = isolated_body("endgeneration");
    } else if (tag == "break" || tag == "continue") {
      if (loops_ == 0) fail(Status::bad_file, "'{}' outside of a loop at line {}", tag, line);
      stmt.kind = tag == "break" ? StmtKind::break_ : StmtKind::continue_;
    } else {
      fail(tag.starts_with("end") || tag == "else" || tag == "elif" ? Status::bad_file : Status::unsupported,
           "the tag '{}' at line {}", tag, line);
    }
  }

  void if_statement(Stmt& stmt) {
    stmt.kind = StmtKind::if_;
    for (bool more = true; more;) {
      ExprPtr condition = tuple(false);
      Body body = body_until({"elif", "else", "endif"});
      stmt.branches.push_back({std::move(condition), std::move(body)});
      const std::string tag = next().text;
      more = tag == "elif";
      if (tag == "else") stmt.branches.push_back({nullptr, whole_body("endif")});
    }
  }

  void for_statement(Stmt& stmt) {
    stmt.kind = StmtKind::for_;
    stmt.target = target("in");
    if (!skip_name("in")) unexpected("'in'");
    stmt.value = tuple(false, "recursive");
    if (skip_name("if")) stmt.condition = expression();
    if (at_name("recursive")) fail(Status::unsupported, "a recursive loop at line {}", stmt.line);
    ++loops_;
    stmt.body = body_until({"endfor", "else"});
    --loops_;
    if (next().text == "else") stmt.else_body = whole_body("endfor");
  }

  void set_statement(Stmt& stmt) {
    stmt.target = target({});
    if (skip_op("=")) {
      stmt.kind = StmtKind::set;
      stmt.value = tuple();
      return;
    }
    stmt.kind = StmtKind::set_block;
    stmt.value = at_op("|") ? filters(nullptr) : nullptr;
    stmt.body = whole_body("endset");
  }

  /// What for and set assign to: a name, name.attribute (of a namespace), or a tuple of these.
  ExprPtr target(std::string_view end_name) {
    Expr node{.kind = ExprKind::tuple, .line = peek().line};
    node.children.push_back(single_target(end_name.empty()));
    bool is_tuple = false;
    while (skip_op(",")) {
      is_tuple = true;
      if (at_op(")") || at_op("=") || at(Type::tag_end) || (!end_name.empty() && at_name(end_name))) break;
      node.children.push_back(single_target(end_name.empty()));
    }
    return is_tuple ? finish(std::move(node)) : std::move(node.children[0]);
  }

  ExprPtr single_target(bool with_attribute) {
    const Nesting nesting(*this);
    if (skip_op("(")) {
      ExprPtr inner = target({});
      expect_op(")");
      return inner;
    }
    Expr node{.kind = ExprKind::name, .line = peek().line, .name = expect_name()};
    static constexpr std::string_view constants[] = {"true", "false", "none", "True", "False", "None"};
    if (std::find(std::begin(constants), std::end(constants), node.name) != std::end(constants))
      fail(Status::bad_file, "'{}' can't be assigned to at line {}", node.name, node.line);
    if (!with_attribute || !skip_op(".")) return finish(std::move(node));
    Expr attribute{.kind = ExprKind::attribute, .line = node.line, .name = expect_name()};
    attribute.children.push_back(finish(std::move(node)));
    return finish(std::move(attribute));
  }

  void signature(Stmt& stmt) {
    expect_op("(");
    while (!at_op(")")) {
      if (!stmt.parameters.empty()) expect_op(",");
      Parameter parameter{expect_name(), skip_op("=") ? expression() : nullptr};
      if (!parameter.value && !stmt.parameters.empty() && stmt.parameters.back().value) unexpected("a default value");
      stmt.parameters.push_back(std::move(parameter));
    }
    next();
  }

  /// A body that no break leaves.
  Body isolated_body(std::string_view end) {
    const int outer_loops = std::exchange(loops_, 0);
    Body body = whole_body(end);
    loops_ = outer_loops;
    return body;
  }

  void macro_body(Stmt& stmt, std::string_view end) {
    const MacroNames outer = std::exchange(seen_, {});
    stmt.body = isolated_body(end);
    stmt.uses_varargs = seen_.varargs, stmt.uses_kwargs = seen_.kwargs, stmt.uses_caller = seen_.caller;
    seen_ = {outer.varargs || seen_.varargs, outer.kwargs || seen_.kwargs, outer.caller || seen_.caller};
  }

  void macro(Stmt& stmt) {
    stmt.kind = StmtKind::macro;
    stmt.name = expect_name();
    signature(stmt);
    macro_body(stmt, "endmacro");
  }

  void call_block(Stmt& stmt) {
    stmt.kind = StmtKind::call_block;
    stmt.name = "caller";
    if (at_op("(")) signature(stmt);
    stmt.value = expression();
    if (stmt.value->kind != ExprKind::call) fail(Status::bad_file, "a call block without a call at line {}", stmt.line);
    macro_body(stmt, "endcall");
  }

  void with(Stmt& stmt) {
    stmt.kind = StmtKind::with;
    while (!at(Type::tag_end)) {
      if (!stmt.parameters.empty()) expect_op(",");
      std::string name = expect_name();
      expect_op("=");
      stmt.parameters.push_back({std::move(name), expression()});
    }
    stmt.body = whole_body("endwith");
  }

  int loops_ = 0;  ///< around the current place, within the innermost macro
};

}  // namespace

Body parse(std::string_view source) {
  if (source.size() > max_template_bytes)
    fail(Status::unsupported, "it has more than {} KiB", max_template_bytes >> 10);
  return Parser(source).run();
}

}  // namespace mla::text::jinja
