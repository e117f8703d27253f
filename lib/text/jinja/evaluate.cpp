// Expressions.
#include "platform/fail.hpp"
#include "text/jinja/filters.hpp"
#include "text/jinja/interpreter.hpp"
#include "text/jinja/operators.hpp"
#include "text/jinja/python_text.hpp"

namespace mla::text::jinja {

Value Interpreter::evaluate(const Expr& expr, const ScopePtr& scope) {
  const Depth depth(*this);
  charge(1);
  const auto child = [&](std::size_t i) { return evaluate(*expr.children[i], scope); };
  switch (expr.kind) {
    case ExprKind::constant: return expr.constant;
    case ExprKind::name: return evaluate_name(expr, scope);
    case ExprKind::list: return Value::list(evaluate_all(expr.children, scope));
    case ExprKind::tuple: return Value::list(evaluate_all(expr.children, scope), List::Type::tuple);
    case ExprKind::dict: return evaluate_dict(expr, scope);
    case ExprKind::attribute: {
      const Value object = child(0);
      line_ = expr.line;
      return get_attribute(object, expr.name);
    }
    case ExprKind::item: return evaluate_item(expr, scope);
    case ExprKind::call: return evaluate_call(expr, scope);
    case ExprKind::filter: return evaluate_filter(expr, scope, nullptr);
    case ExprKind::test: return evaluate_test(expr, scope);
    case ExprKind::unary: {
      const Value value = child(0);
      line_ = expr.line;
      return expr.name == "not" ? Value::boolean(!value.truthy()) : sign_operation(expr.name, value);
    }
    case ExprKind::binary: {
      const Value left = child(0), right = child(1);
      line_ = expr.line;
      return counted(binary_operation(*this, expr.name, left, right));
    }
    case ExprKind::concat: return evaluate_concat(expr, scope);
    case ExprKind::comparison: return evaluate_comparison(expr, scope);
    case ExprKind::logical_and: {
      Value left = child(0);
      return left.truthy() ? child(1) : left;
    }
    case ExprKind::logical_or: {
      Value left = child(0);
      return left.truthy() ? left : child(1);
    }
    case ExprKind::conditional:
      if (child(0).truthy()) return child(1);
      return expr.children[2] ? child(2) : Value::undefined("the condition is false and there is no else");
    case ExprKind::slice:
    case ExprKind::splat: break;
  }
  fail(Status::bad_file, "a slice or * where a value should be");
}

/// Counts the size of a result against the bounds.
Value Interpreter::counted(Value value) {
  if (value.is(Kind::string)) charge_memory(value.text().size());
  return value;
}

Value Interpreter::evaluate_name(const Expr& expr, const ScopePtr& scope) const {
  if (const Value* value = scope->find(expr.name)) return *value;
  if (const Value* value = variables_.find(expr.name)) return *value;
  if (const Value* function = find_global_function(expr.name)) return *function;
  for (const std::string_view missing : {"lipsum", "cycler", "joiner"})
    if (expr.name == missing) fail(Status::unsupported, "the function '{}'", expr.name);
  return Value::undefined(fmt::format("'{}' is undefined", expr.name));
}

std::vector<Value> Interpreter::evaluate_all(const std::vector<ExprPtr>& exprs, const ScopePtr& scope) {
  std::vector<Value> values;
  values.reserve(exprs.size());
  for (const ExprPtr& expr : exprs) values.push_back(evaluate(*expr, scope));
  charge_memory(values.size() * sizeof(Value));
  return values;
}

Value Interpreter::evaluate_dict(const Expr& expr, const ScopePtr& scope) {
  const std::vector<Value> values = evaluate_all(expr.children, scope);
  Dict dict;
  for (std::size_t i = 0; i < values.size(); i += 2) dict.set(values[i], values[i + 1]);
  return Value::dict(std::move(dict));
}

Value Interpreter::evaluate_item(const Expr& expr, const ScopePtr& scope) {
  const Value object = evaluate(*expr.children[0], scope);
  const Expr& index = *expr.children[1];
  if (index.kind != ExprKind::slice) {
    const Value key = evaluate(index, scope);
    line_ = expr.line;
    return get_item(object, key);
  }
  const auto part = [&](std::size_t i) { return index.children[i] ? evaluate(*index.children[i], scope) : Value(); };
  const Value start = part(0), stop = part(1), step = part(2);
  line_ = expr.line;
  return counted(slice_operation(*this, object, start, stop, step));
}

Arguments Interpreter::evaluate_arguments(const Expr& expr, const ScopePtr& scope) {
  Arguments arguments;
  for (std::size_t i = 1; i < expr.children.size(); ++i) {
    const Expr& child = *expr.children[i];
    if (child.kind != ExprKind::splat) {
      arguments.positional.push_back(evaluate(child, scope));
      continue;
    }
    const Value values = evaluate(*child.children[0], scope);
    if (child.name == "*") {
      for (Value& value : iterate(*this, values)) arguments.positional.push_back(std::move(value));
    } else {
      if (!values.is(Kind::dict)) fail(Status::invalid_argument, "** of a {}", values.type_name());
      for (const auto& [key, value] : values.as_dict().items) arguments.named.emplace_back(need_string("**", key).bytes(), value);
    }
  }
  for (const auto& [name, value] : expr.named) arguments.named.emplace_back(name, evaluate(*value, scope));
  return arguments;
}

Value Interpreter::evaluate_call(const Expr& expr, const ScopePtr& scope, const Value* caller) {
  const Value callee = evaluate(*expr.children[0], scope);
  Arguments arguments = evaluate_arguments(expr, scope);
  if (caller) arguments.named.emplace_back("caller", *caller);
  line_ = expr.line;
  return counted(call(callee, arguments));
}

Value Interpreter::call(const Value& callee, Arguments& arguments) {
  require_defined(callee);
  if (!callee.is(Kind::callable)) fail(Status::invalid_argument, "a {} can't be called", callee.type_name());
  return callee.as_callable().call(*this, arguments);
}

Value Interpreter::evaluate_filter(const Expr& expr, const ScopePtr& scope, const Value* block) {
  const Expr* input_expr = expr.children[0].get();
  const Value input = !input_expr ? *block : block ? evaluate_filter(*input_expr, scope, block) : evaluate(*input_expr, scope);
  const Arguments arguments = evaluate_arguments(expr, scope);
  line_ = expr.line;
  return counted(apply_filter(*this, expr.name, input, arguments));
}

Value Interpreter::evaluate_test(const Expr& expr, const ScopePtr& scope) {
  const Value input = evaluate(*expr.children[0], scope);
  const Arguments arguments = evaluate_arguments(expr, scope);
  line_ = expr.line;
  return Value::boolean(apply_test(*this, expr.name, input, arguments));
}

Value Interpreter::evaluate_concat(const Expr& expr, const ScopePtr& scope) {
  MarkedText out;
  for (const ExprPtr& child : expr.children) {
    const Value value = evaluate(*child, scope);
    line_ = expr.line;
    out.append(to_text(value));
  }
  return counted(Value::string(std::move(out)));
}

Value Interpreter::evaluate_comparison(const Expr& expr, const ScopePtr& scope) {
  Value left = evaluate(*expr.children[0], scope);
  for (std::size_t i = 0; i < expr.operators.size(); ++i) {
    Value right = evaluate(*expr.children[i + 1], scope);
    line_ = expr.line;
    charge(1);
    if (!compare_operation(*this, expr.operators[i], left, right)) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Interpreter::make_namespace(Dict attributes) {
  charge_memory(sizeof(Namespace) + attributes.items.size() * sizeof(Value));
  namespaces_.push_back(std::make_shared<Namespace>(Namespace{std::move(attributes)}));
  return Value(Value::Data(namespaces_.back()));
}

}  // namespace mla::text::jinja
