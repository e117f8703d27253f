#include "text/jinja/value.hpp"

#include <algorithm>

#include "platform/fail.hpp"

namespace mla::text::jinja {
namespace {

int checked_depth(int depth) {
  if (depth > max_value_depth) fail(Status::unsupported, "lists and objects nest deeper than {}", max_value_depth);
  return depth;
}

/// Depth of a list of these values.
int depth_of(const std::vector<Value>& items) {
  int depth = 1;
  for (const Value& item : items) depth = std::max(depth, 1 + item.depth());
  return checked_depth(depth);
}

bool is_key(const Value& key) {
  if (key.is(Kind::list) && key.as_list().type == List::Type::tuple)
    return std::all_of(key.as_list().items.begin(), key.as_list().items.end(), is_key);
  return !key.is(Kind::list) && !key.is(Kind::dict);
}

bool equal_items(const std::vector<Value>& a, const std::vector<Value>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), equal);
}

bool equal_dicts(const Dict& a, const Dict& b) {
  return a.items.size() == b.items.size() && std::all_of(a.items.begin(), a.items.end(), [&](const auto& item) {
           const Value* other = b.find(item.first);
           return other && equal(item.second, *other);
         });
}

}  // namespace

const Value* Dict::find(const std::string& key) const {
  const auto found = string_keys.find(key);
  return found == string_keys.end() ? nullptr : &items[found->second].second;
}

const Value* Dict::find(const Value& key) const {
  if (key.is(Kind::string)) return find(key.bytes());
  if (!is_key(key)) fail(Status::invalid_argument, "a {} can't be a key", key.type_name());
  if (key.is_number()) {
    const auto number = number_keys.find(key.as_real());
    return number == number_keys.end() ? nullptr : &items[number->second].second;
  }
  const auto found = std::find_if(items.begin(), items.end(), [&](const auto& item) { return equal(item.first, key); });
  return found == items.end() ? nullptr : &found->second;
}

void Dict::set(const Value& key, Value value) {
  depth = checked_depth(std::max({depth, 1 + value.depth(), 1 + key.depth()}));
  if (const Value* old = find(key)) {
    *const_cast<Value*>(old) = std::move(value);
    return;
  }
  if (key.is(Kind::string)) string_keys.emplace(key.bytes(), items.size());
  else if (key.is_number()) number_keys.emplace(key.as_real(), items.size());
  else if (items.size() - string_keys.size() - number_keys.size() > 64)  // these are searched one by one
    fail(Status::unsupported, "an object with more than 64 keys that are neither strings nor numbers");
  items.emplace_back(key, std::move(value));
}

Value Value::string(MarkedText text, bool markup) {
  return Value(Data(std::make_shared<const String>(String{std::move(text), markup})));
}

Value Value::list(std::vector<Value> items, List::Type type, bool trusted) {
  const int depth = depth_of(items);
  return Value(Data(std::make_shared<const List>(List{std::move(items), type, depth})), trusted);
}

Value Value::dict(Dict dict, bool trusted) { return Value(Data(std::make_shared<const Dict>(std::move(dict))), trusted); }

Value Value::iterator(std::vector<Value> items) {
  const int depth = depth_of(items);
  return Value(Data(std::make_shared<Iterator>(Iterator{std::move(items), depth})));
}

Value Value::callable(std::string name, std::function<Value(Runtime&, Arguments&)> call, int depth) {
  return Value(Data(std::make_shared<const Callable>(Callable{std::move(name), std::move(call), checked_depth(depth)})));
}

Value Value::undefined(std::string why) { return Value(Data(Undefined{std::make_shared<const std::string>(std::move(why))})); }

std::int64_t Value::as_integer() const {
  return is(Kind::boolean) ? static_cast<std::int64_t>(as_bool()) : std::get<std::int64_t>(data_);
}

double Value::as_real() const { return is(Kind::real) ? std::get<double>(data_) : static_cast<double>(as_integer()); }

bool Value::truthy() const {
  switch (kind()) {
    case Kind::undefined:
    case Kind::none: return false;
    case Kind::boolean:
    case Kind::integer: return as_integer() != 0;
    case Kind::real: return as_real() != 0;
    case Kind::string: return !text().empty();
    case Kind::list: return !as_list().items.empty();
    case Kind::dict: return !as_dict().items.empty();
    case Kind::loop: return true;
    case Kind::name_space:
    case Kind::callable:
    case Kind::iterator: return true;
  }
  return true;
}

int Value::depth() const {
  if (is(Kind::list)) return as_list().depth;
  if (is(Kind::dict)) return as_dict().depth;
  if (is(Kind::iterator)) return as_iterator().depth;
  if (is(Kind::callable)) return as_callable().depth;
  return 0;
}

const char* Value::type_name() const {
  static constexpr const char* names[] = {"Undefined", "NoneType",  "bool",     "int",       "float", "str",
                                          "list",      "dict",      "Namespace", "function", "generator", "LoopContext"};
  if (is(Kind::list)) {
    static constexpr const char* list_names[] = {"list", "tuple", "range", "dict view"};
    return list_names[static_cast<int>(as_list().type)];
  }
  return names[static_cast<int>(kind())];
}

void require_defined(const Value& value) {
  if (!value.is_defined()) fail(Status::invalid_argument, "{}", value.why_undefined());
}

bool equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    if (a.is_integral() && b.is_integral()) return a.as_integer() == b.as_integer();
    return a.as_real() == b.as_real();
  }
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::undefined:
    case Kind::none: return true;
    case Kind::string: return a.bytes() == b.bytes();
    case Kind::list: return a.as_list().type == b.as_list().type && equal_items(a.as_list().items, b.as_list().items);
    case Kind::dict: return equal_dicts(a.as_dict(), b.as_dict());
    default: return std::visit(
        [&b](const auto& data) {
          using T = std::decay_t<decltype(data)>;
          if constexpr (requires { data.get(); }) return data.get() == std::get<T>(b.data()).get();
          else return false;
        },
        a.data());
  }
}

int compare(const Value& a, const Value& b) {
  require_defined(a), require_defined(b);
  const auto sign = [](auto x, auto y) { return x < y ? -1 : x > y ? 1 : 0; };
  if (a.is_integral() && b.is_integral()) return sign(a.as_integer(), b.as_integer());
  if (a.is_number() && b.is_number()) return sign(a.as_real(), b.as_real());
  if (a.is(Kind::string) && b.is(Kind::string)) return sign(a.bytes().compare(b.bytes()), 0);  // UTF-8 sorts like code points
  if (a.is(Kind::list) && b.is(Kind::list) && a.as_list().type == b.as_list().type && a.as_list().type <= List::Type::tuple) {
    const auto &x = a.as_list().items, &y = b.as_list().items;
    for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i)
      if (!equal(x[i], y[i])) return compare(x[i], y[i]);
    return sign(x.size(), y.size());
  }
  fail(Status::invalid_argument, "a {} and a {} can't be ordered", a.type_name(), b.type_name());
}

}  // namespace mla::text::jinja
