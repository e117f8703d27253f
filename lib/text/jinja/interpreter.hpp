// Interpreter: runs a template's syntax tree over its variables.
#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "text/jinja/ast.hpp"
#include "text/jinja/runtime.hpp"

namespace mla::text::jinja {

/// The text of a template. `variables` are what it starts with; `input_bytes` is their size, which sets how much work is
/// allowed. Throws Error whose message begins with the line.
MarkedText render(const Body& body, const Dict& variables, std::size_t input_bytes);

/// The functions that every template has: range, dict, namespace, raise_exception, strftime_now; null for other names.
const Value* find_global_function(std::string_view name);

/// Names set so far in a block that has its own (for, macro, set block …); what is not here is looked for outside.
struct Scope {
  std::shared_ptr<Scope> parent;
  std::vector<std::pair<std::string_view, Value>> names;

  const Value* find(std::string_view name) const;
  void set(std::string_view name, Value value);
};
using ScopePtr = std::shared_ptr<Scope>;

class Interpreter : public Runtime {
 public:
  Interpreter(const Dict& variables, std::size_t input_bytes) : Runtime(input_bytes), variables_(variables) {}
  ~Interpreter() override;
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  MarkedText run(const Body& body);
  Value call(const Value& callee, Arguments& arguments) override;
  Value make_namespace(Dict attributes) override;

 private:
  enum class Flow { next, break_, continue_ };
  class Depth;

  Flow execute(const Body& body, const ScopePtr& scope, MarkedText& out);
  Flow execute(const Stmt& stmt, const ScopePtr& scope, MarkedText& out);
  Flow if_statement(const Stmt& stmt, const ScopePtr& scope, MarkedText& out);
  Flow for_statement(const Stmt& stmt, const ScopePtr& scope, MarkedText& out);
  std::vector<Value> loop_items(const Stmt& stmt, const ScopePtr& scope);
  void set_block(const Stmt& stmt, const ScopePtr& scope);
  void filter_block(const Stmt& stmt, const ScopePtr& scope, MarkedText& out);
  void call_block(const Stmt& stmt, const ScopePtr& scope, MarkedText& out);
  void with_block(const Stmt& stmt, const ScopePtr& scope, MarkedText& out);
  void assign(const Expr& target, const Value& value, const ScopePtr& scope);
  Value make_macro(const Stmt& stmt, const ScopePtr& scope);
  Value call_macro(const Stmt& macro, const ScopePtr& scope, Arguments& arguments);
  void bind_parameters(const Stmt& macro, const ScopePtr& scope, Arguments& arguments);

  Value evaluate(const Expr& expr, const ScopePtr& scope);
  Value evaluate_name(const Expr& expr, const ScopePtr& scope) const;
  Value evaluate_item(const Expr& expr, const ScopePtr& scope);
  Value evaluate_dict(const Expr& expr, const ScopePtr& scope);
  Value evaluate_call(const Expr& expr, const ScopePtr& scope, const Value* caller = nullptr);
  Value evaluate_filter(const Expr& expr, const ScopePtr& scope, const Value* block);
  Value evaluate_test(const Expr& expr, const ScopePtr& scope);
  Value evaluate_concat(const Expr& expr, const ScopePtr& scope);
  Value evaluate_comparison(const Expr& expr, const ScopePtr& scope);
  std::vector<Value> evaluate_all(const std::vector<ExprPtr>& exprs, const ScopePtr& scope);
  Arguments evaluate_arguments(const Expr& expr, const ScopePtr& scope);
  Value counted(Value value);

  const Dict& variables_;
  int line_ = 1;
  int depth_ = 0;
  std::vector<std::shared_ptr<Namespace>> namespaces_;  // these two can hold each other in cycles, which
  std::vector<ScopePtr> macro_scopes_;                  // the destructor breaks
};

/// Counts levels of evaluation, so that recursive macros can't overflow the stack.
class Interpreter::Depth {
 public:
  explicit Depth(Interpreter& interpreter);
  ~Depth() { --interpreter_.depth_; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;

 private:
  Interpreter& interpreter_;
};

}  // namespace mla::text::jinja
