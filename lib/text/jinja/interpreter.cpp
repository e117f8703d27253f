// Statements and macros.
#include "text/jinja/interpreter.hpp"

#include <algorithm>
#include <optional>

#include "platform/fail.hpp"
#include "text/jinja/python_text.hpp"

namespace mla::text::jinja {
namespace {

constexpr std::size_t max_steps = 20'000'000, max_memory = std::size_t{256} << 20, memory_per_input_byte = 64;
constexpr int max_depth = 500;

ScopePtr inner_scope(const ScopePtr& parent) { return std::make_shared<Scope>(Scope{parent, {}}); }

}  // namespace

Runtime::Runtime(std::size_t input_bytes)
    : steps_left_(max_steps + input_bytes), memory_left_(max_memory + memory_per_input_byte * input_bytes) {}

void Runtime::charge(std::size_t steps) {
  if (steps > steps_left_) fail(Status::unsupported, "the template takes more than {} steps", max_steps);
  steps_left_ -= steps;
}

void Runtime::charge_memory(std::size_t bytes) {
  if (bytes > memory_left_) fail(Status::unsupported, "the template takes more than {} MiB", max_memory >> 20);
  memory_left_ -= bytes;
  charge(bytes / 64);
}

const Value* Scope::find(std::string_view name) const {
  for (const Scope* scope = this; scope; scope = scope->parent.get())
    for (const auto& [key, value] : scope->names)
      if (key == name) return &value;
  return nullptr;
}

void Scope::set(std::string_view name, Value value) {
  const auto found = std::find_if(names.begin(), names.end(), [name](const auto& entry) { return entry.first == name; });
  if (found != names.end()) found->second = std::move(value);
  else names.emplace_back(name, std::move(value));
}

Interpreter::Depth::Depth(Interpreter& interpreter) : interpreter_(interpreter) {
  if (++interpreter_.depth_ > max_depth) {
    --interpreter_.depth_;
    fail(Status::unsupported, "macros call each other too deeply");
  }
}

Interpreter::~Interpreter() {
  // One by one: a long chain of namespaces or scopes must not be destroyed by recursion.
  for (const auto& name_space : namespaces_) name_space->attributes = {};
  for (const ScopePtr& scope : macro_scopes_) scope->names.clear();
}

MarkedText Interpreter::run(const Body& body) {
  MarkedText out;
  try {
    execute(body, std::make_shared<Scope>(), out);
  } catch (const Error& error) {
    fail(error.status(), "line {}: {}", line_, error.what());
  }
  return out;
}

Interpreter::Flow Interpreter::execute(const Body& body, const ScopePtr& scope, MarkedText& out) {
  for (const Stmt& stmt : body) {
    charge(1);
    if (const Flow flow = execute(stmt, scope, out); flow != Flow::next) return flow;
  }
  return Flow::next;
}

Interpreter::Flow Interpreter::execute(const Stmt& stmt, const ScopePtr& scope, MarkedText& out) {
  line_ = stmt.line;
  switch (stmt.kind) {
    case StmtKind::data: out.append(stmt.data.text()); break;
    case StmtKind::output: out.append(to_text(evaluate(*stmt.value, scope))); break;
    case StmtKind::if_: return if_statement(stmt, scope, out);
    case StmtKind::for_: return for_statement(stmt, scope, out);
    case StmtKind::set: assign(*stmt.target, evaluate(*stmt.value, scope), scope); break;
    case StmtKind::set_block: set_block(stmt, scope); break;
    case StmtKind::macro: scope->set(stmt.name, make_macro(stmt, scope)); break;
    case StmtKind::call_block: call_block(stmt, scope, out); break;
    case StmtKind::filter_block: filter_block(stmt, scope, out); break;
    case StmtKind::with: with_block(stmt, scope, out); break;
    case StmtKind::scope: execute(stmt.body, inner_scope(scope), out); break;
    case StmtKind::break_: return Flow::break_;
    case StmtKind::continue_: return Flow::continue_;
  }
  return Flow::next;
}

Interpreter::Flow Interpreter::if_statement(const Stmt& stmt, const ScopePtr& scope, MarkedText& out) {
  for (const Branch& branch : stmt.branches)
    if (!branch.condition || evaluate(*branch.condition, scope).truthy()) return execute(branch.body, scope, out);
  return Flow::next;
}

std::vector<Value> Interpreter::loop_items(const Stmt& stmt, const ScopePtr& scope) {
  std::vector<Value> items = iterate(*this, evaluate(*stmt.value, scope));
  if (!stmt.condition) return items;
  std::vector<Value> chosen;
  for (Value& item : items) {
    const ScopePtr inner = inner_scope(scope);
    assign(*stmt.target, item, inner);
    if (evaluate(*stmt.condition, inner).truthy()) chosen.push_back(std::move(item));
  }
  return chosen;
}

Interpreter::Flow Interpreter::for_statement(const Stmt& stmt, const ScopePtr& scope, MarkedText& out) {
  const std::vector<Value> items = loop_items(stmt, scope);
  if (items.empty()) return execute(stmt.else_body, inner_scope(scope), out);
  struct Running {
    std::shared_ptr<Loop> loop = std::make_shared<Loop>();
    ~Running() { loop->running = false, loop->items = nullptr, loop->changed.clear(); }
  } running;
  running.loop->items = &items;
  for (std::size_t i = 0; i < items.size(); ++i) {
    charge(1);
    running.loop->index = i;
    const ScopePtr inner = inner_scope(scope);
    inner->set("loop", Value(Value::Data(running.loop)));
    assign(*stmt.target, items[i], inner);
    if (execute(stmt.body, inner, out) == Flow::break_) break;
  }
  return Flow::next;
}

void Interpreter::set_block(const Stmt& stmt, const ScopePtr& scope) {
  MarkedText text;
  execute(stmt.body, inner_scope(scope), text);
  charge_memory(text.size());
  Value value = Value::string(std::move(text));
  if (stmt.value) value = evaluate_filter(*stmt.value, scope, &value);
  assign(*stmt.target, value, scope);
}

void Interpreter::filter_block(const Stmt& stmt, const ScopePtr& scope, MarkedText& out) {
  MarkedText text;
  execute(stmt.body, inner_scope(scope), text);
  const Value block = Value::string(std::move(text));
  out.append(to_text(evaluate_filter(*stmt.value, scope, &block)));
}

void Interpreter::call_block(const Stmt& stmt, const ScopePtr& scope, MarkedText& out) {
  const Value caller = make_macro(stmt, scope);
  out.append(to_text(evaluate_call(*stmt.value, scope, &caller)));
}

void Interpreter::with_block(const Stmt& stmt, const ScopePtr& scope, MarkedText& out) {
  const ScopePtr inner = inner_scope(scope);
  for (const Parameter& parameter : stmt.parameters) inner->set(parameter.name, evaluate(*parameter.value, scope));
  execute(stmt.body, inner, out);
}

void Interpreter::assign(const Expr& target, const Value& value, const ScopePtr& scope) {
  line_ = target.line;
  if (target.kind == ExprKind::name) return scope->set(target.name, value);
  if (target.kind == ExprKind::attribute) {
    const Value object = evaluate(*target.children[0], scope);
    if (!object.is(Kind::name_space)) fail(Status::invalid_argument, "only a namespace has attributes that can be set, not a {}", object.type_name());
    if (target.name.starts_with('_')) fail(Status::invalid_argument, "the namespace attribute '{}' begins with an underscore", target.name);
    return object.as_namespace().attributes.set(Value::string(target.name), value);
  }
  const std::vector<Value> items = iterate(*this, value);
  if (items.size() != target.children.size())
    fail(Status::invalid_argument, "{} values for {} names", items.size(), target.children.size());
  for (std::size_t i = 0; i < items.size(); ++i) assign(*target.children[i], items[i], scope);
}

Value Interpreter::make_macro(const Stmt& stmt, const ScopePtr& scope) {
  if (macro_scopes_.empty() || macro_scopes_.back() != scope) macro_scopes_.push_back(scope);
  charge_memory(sizeof(Scope));
  return Value::callable(stmt.name, [this, &stmt, scope](Runtime&, Arguments& arguments) { return call_macro(stmt, scope, arguments); });
}

Value Interpreter::call_macro(const Stmt& macro, const ScopePtr& scope, Arguments& arguments) {
  const Depth depth(*this);
  const ScopePtr inner = inner_scope(scope);
  bind_parameters(macro, inner, arguments);
  MarkedText out;
  execute(macro.body, inner, out);
  return counted(Value::string(std::move(out)));
}

void Interpreter::bind_parameters(const Stmt& macro, const ScopePtr& scope, Arguments& arguments) {
  const auto take_named = [&](std::string_view name) -> std::optional<Value> {
    const auto found = std::find_if(arguments.named.begin(), arguments.named.end(), [name](const auto& a) { return a.first == name; });
    if (found == arguments.named.end()) return std::nullopt;
    Value value = std::move(found->second);
    arguments.named.erase(found);
    return value;
  };
  const std::size_t n_positional = std::min(arguments.positional.size(), macro.parameters.size());
  for (std::size_t i = 0; i < n_positional; ++i) scope->set(macro.parameters[i].name, arguments.positional[i]);
  for (std::size_t i = n_positional; i < macro.parameters.size(); ++i) {
    const Parameter& parameter = macro.parameters[i];
    if (std::optional<Value> value = take_named(parameter.name)) scope->set(parameter.name, std::move(*value));
    else if (!parameter.value) scope->set(parameter.name, Value::undefined(fmt::format("parameter '{}' was not provided", parameter.name)));
  }
  for (std::size_t i = n_positional; i < macro.parameters.size(); ++i) {  // defaults may name the parameters before them
    const Parameter& parameter = macro.parameters[i];
    const bool given = std::any_of(scope->names.begin(), scope->names.end(), [&](const auto& name) { return name.first == parameter.name; });
    if (!given) scope->set(parameter.name, evaluate(*parameter.value, scope));
  }
  if (macro.uses_caller) scope->set("caller", take_named("caller").value_or(Value::undefined("no caller defined")));
  if (macro.uses_kwargs) {
    Dict rest;
    for (auto& [name, value] : arguments.named) rest.set(Value::string(name), std::move(value));
    scope->set("kwargs", Value::dict(std::move(rest)));
  } else if (!arguments.named.empty()) {
    fail(Status::invalid_argument, "the macro '{}' takes no argument '{}'", macro.name, arguments.named[0].first);
  }
  const auto rest = arguments.positional.begin() + static_cast<std::ptrdiff_t>(n_positional);
  if (macro.uses_varargs) scope->set("varargs", Value::list({rest, arguments.positional.end()}, List::Type::tuple));
  else if (rest != arguments.positional.end())
    fail(Status::invalid_argument, "the macro '{}' takes at most {} arguments", macro.name, macro.parameters.size());
}

MarkedText render(const Body& body, const Dict& variables, std::size_t input_bytes) {
  return Interpreter(variables, input_bytes).run(body);
}

}  // namespace mla::text::jinja
