// The values that a template computes with: Python's, as far as chat templates go. All are immutable but namespaces.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja/marked_text.hpp"

namespace mla::text::jinja {

class Value;
class Runtime;
struct Arguments;

/// What a missing variable, key or element evaluates to; `why` is the sentence an error will say.
struct Undefined {
  std::shared_ptr<const std::string> why;
};
struct None {};

struct String {
  MarkedText text;
  bool markup = false;  ///< result of `safe` or `escape`: strings joined to it by + are escaped for HTML, as in Jinja
};

/// How deep lists and dicts may nest; keeps every walk over a value within the stack.
inline constexpr int max_value_depth = 100;

struct List {
  enum class Type { list, tuple, range, view };  ///< view: what dict.keys(), values() and items() give
  std::vector<Value> items;
  Type type;
  int depth;  ///< of nesting, 1 for a list of scalars
};

/// Insertion-ordered, as in Python.
struct Dict {
  std::vector<std::pair<Value, Value>> items;
  std::unordered_map<std::string, std::size_t> string_keys;  ///< index into items
  std::unordered_map<double, std::size_t> number_keys;
  int depth = 1;

  const Value* find(const Value& key) const;  ///< nullptr if absent
  const Value* find(const std::string& key) const;
  /// Replaces the value of an equal key or appends. Throws Error for a key that can't be one, and for too deep nesting.
  void set(const Value& key, Value value);
};

struct Namespace {
  Dict attributes;
};

struct Callable {
  std::string name;
  std::function<Value(Runtime&, Arguments&)> call;
  int depth;  ///< of the object that a method is bound to
};

/// What Python's generators are: values that can be walked once.
struct Iterator {
  std::vector<Value> items;
  int depth;
  std::size_t next = 0;
};

/// The `loop` variable of a for statement.
struct Loop {
  const std::vector<Value>* items;  ///< valid while the loop runs
  std::size_t index = 0;
  std::vector<Value> changed;       ///< what loop.changed() was last called with
  bool changed_called = false;
  bool running = true;
};

enum class Kind { undefined, none, boolean, integer, real, string, list, dict, name_space, callable, iterator, loop };

/// A value and whether it comes from the template alone. Text carries its own marks byte by byte; the flag is for the
/// rest: numbers, booleans, None, and the brackets of a list or dict when it is printed.
class Value {
 public:
  using Data = std::variant<Undefined, None, bool, std::int64_t, double, std::shared_ptr<const String>,
                            std::shared_ptr<const List>, std::shared_ptr<const Dict>, std::shared_ptr<Namespace>,
                            std::shared_ptr<const Callable>, std::shared_ptr<Iterator>, std::shared_ptr<Loop>>;

  Value() : data_(None{}) {}
  explicit Value(Data data, bool is_trusted = true) : data_(std::move(data)), trusted_(is_trusted) {}

  static Value boolean(bool value, bool trusted = true) { return Value(Data(value), trusted); }
  static Value integer(std::int64_t value, bool trusted = true) { return Value(Data(value), trusted); }
  static Value real(double value, bool trusted = true) { return Value(Data(value), trusted); }
  static Value string(MarkedText text, bool markup = false);
  static Value string(std::string_view text, bool trusted = true) { return string(MarkedText(text, trusted)); }
  static Value list(std::vector<Value> items, List::Type type = List::Type::list, bool trusted = true);
  static Value dict(Dict dict, bool trusted = true);
  static Value iterator(std::vector<Value> items);
  static Value callable(std::string name, std::function<Value(Runtime&, Arguments&)> call, int depth = 0);
  static Value undefined(std::string why);

  Kind kind() const noexcept { return static_cast<Kind>(data_.index()); }
  bool is(Kind kind) const noexcept { return this->kind() == kind; }
  bool is_defined() const noexcept { return !is(Kind::undefined); }
  bool is_number() const noexcept { return is(Kind::boolean) || is(Kind::integer) || is(Kind::real); }
  bool is_integral() const noexcept { return is(Kind::boolean) || is(Kind::integer); }
  bool trusted() const noexcept { return trusted_; }

  bool as_bool() const { return std::get<bool>(data_); }
  std::int64_t as_integer() const;  ///< of an integer or a boolean
  double as_real() const;           ///< of any number
  const String& as_string() const { return *std::get<std::shared_ptr<const String>>(data_); }
  const MarkedText& text() const { return as_string().text; }
  const std::string& bytes() const { return as_string().text.bytes(); }
  const List& as_list() const { return *std::get<std::shared_ptr<const List>>(data_); }
  const Dict& as_dict() const { return *std::get<std::shared_ptr<const Dict>>(data_); }
  Namespace& as_namespace() const { return *std::get<std::shared_ptr<Namespace>>(data_); }
  const Callable& as_callable() const { return *std::get<std::shared_ptr<const Callable>>(data_); }
  Iterator& as_iterator() const { return *std::get<std::shared_ptr<Iterator>>(data_); }
  Loop& as_loop() const { return *std::get<std::shared_ptr<Loop>>(data_); }
  const std::string& why_undefined() const { return *std::get<Undefined>(data_).why; }
  const Data& data() const noexcept { return data_; }

  bool truthy() const;
  int depth() const;                ///< of nesting; 0 for what holds no other values
  const char* type_name() const;    ///< as Python says it, e.g. "NoneType"

 private:
  Data data_;
  bool trusted_ = true;
};

/// What a function, filter or test is called with.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

/// Python's ==.
bool equal(const Value& a, const Value& b);
/// Negative, zero or positive, as in Python's ordering; throws Error for values that have none.
int compare(const Value& a, const Value& b);
/// Throws Error for an undefined value, which most operations refuse.
void require_defined(const Value& value);

}  // namespace mla::text::jinja
