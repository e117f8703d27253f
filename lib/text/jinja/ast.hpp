// The syntax tree of a template.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/value.hpp"

namespace mla::text::jinja {

struct Expr;
using ExprPtr = std::unique_ptr<const Expr>;

/// What an expression is, and what its `name` and `children` hold.
enum class ExprKind {
  constant,     // `constant`
  name,         // name
  list,         // items
  tuple,        // items
  dict,         // key, value, key, value …
  attribute,    // object . name
  item,         // object [ index ]
  slice,        // start : stop : step, each may be null; only as the index of an item
  call,         // callee, positional arguments …, `named` ones
  filter,       // input (null in a filter block), positional arguments …, `named` ones
  test,         // input, positional arguments …, `named` ones
  unary,        // name is "-", "+" or "not"
  binary,       // name is the operator: + - * / // % **
  concat,       // operands of ~
  comparison,   // first operand, then one for each of `operators`
  logical_and,  // two operands
  logical_or,   // two operands
  conditional,  // condition, value, alternative (may be null)
  splat,        // *children[0] among the positional arguments; ** if name is "**"
};

struct Expr {
  ExprKind kind;
  int line;
  int depth = 1;  ///< of the tree below; bounded by the parser
  std::string name{};
  Value constant{};
  std::vector<ExprPtr> children{};
  std::vector<std::pair<std::string, ExprPtr>> named{};
  std::vector<std::string> operators{};
};

struct Stmt;
using Body = std::vector<Stmt>;

enum class StmtKind {
  data,          // `data` as it stands
  output,        // {{ value }}
  if_,           // `branches`; one without a condition is the else
  for_,          // target, value, condition (may be null), body, else_body
  set,           // target, value
  set_block,     // target, value: the filters (may be null), body
  macro,         // name, parameters, body
  call_block,    // parameters, value: the call, body
  filter_block,  // value: the filters, body
  with,          // parameters: targets' names and values, body
  scope,         // body of {% generation %}
  break_,
  continue_,
};

// Before Stmt: clang wants the type of a vector's elements complete where a member is initialised.
struct Branch {
  ExprPtr condition;
  Body body;
};

struct Parameter {
  std::string name;
  ExprPtr value;  ///< default of a macro's parameter, or null
};

struct Stmt {
  StmtKind kind;
  int line;
  Value data{};
  std::string name{};
  ExprPtr target{}, value{}, condition{};
  Body body{}, else_body{};
  std::vector<Branch> branches{};
  std::vector<Parameter> parameters{};
  bool uses_varargs = false, uses_kwargs = false, uses_caller = false;  ///< names that a macro's body mentions
};

}  // namespace mla::text::jinja
