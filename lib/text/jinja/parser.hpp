// Parser: tokens to syntax tree, by the grammar of Jinja 3.1.
#pragma once
#include <initializer_list>
#include <string_view>

#include "text/jinja/ast.hpp"
#include "text/jinja/lexer.hpp"

namespace mla::text::jinja {

/// Bytes that a template may have, and how deep its expressions and blocks may nest.
inline constexpr std::size_t max_template_bytes = std::size_t{1} << 20;
inline constexpr int max_nesting = 100;

/// Throws Error(bad_file) for a syntax error, Error(unsupported) for tags, filters and tests that this version lacks.
/// Messages say the line.
Body parse(std::string_view source);

/// The expression half of the parser; Parser (parser.cpp) adds the statements.
class ExprParser {
 public:
  explicit ExprParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

 protected:
  const Token& peek(std::size_t ahead = 0) const;
  Token next();
  bool at(Token::Type type, std::string_view text = {}) const;
  bool at_op(std::string_view text) const { return at(Token::Type::op, text); }
  bool at_name(std::string_view text) const { return at(Token::Type::name, text); }
  bool skip(Token::Type type, std::string_view text);
  bool skip_op(std::string_view text) { return skip(Token::Type::op, text); }
  bool skip_name(std::string_view text) { return skip(Token::Type::name, text); }
  void expect_op(std::string_view text);
  std::string expect_name();
  [[noreturn]] void unexpected(std::string_view wanted) const;

  ExprPtr expression(bool with_conditional = true);
  /// One expression, or a tuple without parentheses. `end_name`: a name that ends it.
  ExprPtr tuple(bool with_conditional = true, std::string_view end_name = {});
  ExprPtr primary();
  /// | filter | filter … applied to `input`; null input and `inline_start` for filter blocks.
  ExprPtr filters(ExprPtr input, bool inline_start = false);

  /// Counts one level of nesting while it lives; throws when there are too many.
  class Nesting {
   public:
    explicit Nesting(ExprParser& parser);
    ~Nesting() { --parser_.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    ExprParser& parser_;
  };

  ExprPtr finish(Expr expr) const;

  /// Which of the names with a meaning inside macros have been seen.
  struct MacroNames {
    bool varargs = false, kwargs = false, caller = false;
  };
  MacroNames seen_;

 private:
  ExprPtr logical_or();
  ExprPtr logical_and();
  ExprPtr logical_not();
  ExprPtr comparison();
  ExprPtr sum();
  ExprPtr concat();
  ExprPtr product();
  ExprPtr power();
  ExprPtr unary(bool with_filter = true);
  ExprPtr postfix(ExprPtr object);
  ExprPtr filters_and_tests(ExprPtr input);
  ExprPtr subscript(ExprPtr object);
  ExprPtr index();
  ExprPtr test(ExprPtr input);
  ExprPtr call(ExprPtr callee);
  void arguments(Expr& call);
  void argument(Expr& call);
  ExprPtr variable(Token token);
  ExprPtr parenthesized();
  ExprPtr list();
  ExprPtr dict();
  /// operand() OPERATOR operand() …, which nest on the left.
  template <typename Operand>
  ExprPtr left_to_right(Token::Type type, std::initializer_list<std::string_view> operators, ExprKind kind, const Operand& operand);

  std::vector<Token> tokens_;
  std::size_t position_ = 0;
  int nesting_ = 0;
};

}  // namespace mla::text::jinja
