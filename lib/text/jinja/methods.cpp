// Attributes, elements and the methods of dicts and lists; what runtime.hpp declares besides.
#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "platform/fail.hpp"
#include "text/jinja/runtime.hpp"
#include "text/jinja/utf8.hpp"

namespace mla::text::jinja {
namespace {

// What Jinja's immutable sandbox keeps templates from calling.
constexpr std::array<std::string_view, 8> changing_list = {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"};
constexpr std::array<std::string_view, 5> changing_dict = {"clear", "pop", "popitem", "setdefault", "update"};

bool is_among(std::span<const std::string_view> names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Value method(const Value& object, const std::string& name, Value (*call)(const Value&, Arguments&)) {
  return Value::callable(name, [object, call](Runtime&, Arguments& arguments) { return call(object, arguments); }, 1 + object.depth());
}

Value dict_get(const Value& object, Arguments& arguments) {
  const auto a = bind("get", arguments, {"key", "default"}, 1);
  const Value* found = object.as_dict().find(*a[0]);
  return found ? *found : a[1] ? *a[1] : Value();
}

Value dict_keys(const Value& object, Arguments& arguments) {
  bind("keys", arguments, {});
  std::vector<Value> keys;
  for (const auto& item : object.as_dict().items) keys.push_back(item.first);
  return Value::list(std::move(keys), List::Type::view, object.trusted());
}

Value dict_values(const Value& object, Arguments& arguments) {
  bind("values", arguments, {});
  std::vector<Value> values;
  for (const auto& item : object.as_dict().items) values.push_back(item.second);
  return Value::list(std::move(values), List::Type::view, object.trusted());
}

Value dict_items(const Value& object, Arguments& arguments) {
  bind("items", arguments, {});
  std::vector<Value> items;
  for (const auto& [key, value] : object.as_dict().items)
    items.push_back(Value::list({key, value}, List::Type::tuple, object.trusted()));
  return Value::list(std::move(items), List::Type::view, object.trusted());
}

Value copy_of(const Value& object, Arguments& arguments) {
  bind("copy", arguments, {});
  return object;
}

Value list_count(const Value& object, Arguments& arguments) {
  const auto a = bind("count", arguments, {"value"}, 1);
  const auto& items = object.as_list().items;
  return Value::integer(std::count_if(items.begin(), items.end(), [&](const Value& item) { return equal(item, *a[0]); }));
}

Value list_index(const Value& object, Arguments& arguments) {
  const auto a = bind("index", arguments, {"value"}, 1);
  const auto& items = object.as_list().items;
  const auto found = std::find_if(items.begin(), items.end(), [&](const Value& item) { return equal(item, *a[0]); });
  if (found == items.end()) fail(Status::invalid_argument, "index: the value is not in the list");
  return Value::integer(found - items.begin());
}

Value loop_cycle(Loop& loop, const Arguments& arguments) {
  if (arguments.positional.empty()) fail(Status::invalid_argument, "loop.cycle without values");
  return arguments.positional[loop.index % arguments.positional.size()];
}

bool loop_changed(Loop& loop, const Arguments& arguments) {
  const auto& now = arguments.positional;
  const bool same = loop.changed_called && std::equal(now.begin(), now.end(), loop.changed.begin(), loop.changed.end(), equal);
  loop.changed = now, loop.changed_called = true;
  return !same;
}

Value loop_attribute(const Value& object, const std::string& name) {
  Loop& loop = object.as_loop();
  if (!loop.running) fail(Status::unsupported, "a loop variable used after its loop");
  const auto index = static_cast<std::int64_t>(loop.index), length = static_cast<std::int64_t>(loop.items->size());
  if (name == "index") return Value::integer(index + 1);
  if (name == "index0") return Value::integer(index);
  if (name == "revindex") return Value::integer(length - index);
  if (name == "revindex0") return Value::integer(length - index - 1);
  if (name == "length") return Value::integer(length);
  if (name == "first") return Value::boolean(index == 0);
  if (name == "last") return Value::boolean(index + 1 == length);
  if (name == "depth") return Value::integer(1);
  if (name == "depth0") return Value::integer(0);
  if (name == "previtem") return index > 0 ? (*loop.items)[loop.index - 1] : Value::undefined("there is no previous item");
  if (name == "nextitem") return index + 1 < length ? (*loop.items)[loop.index + 1] : Value::undefined("there is no next item");
  if (name == "cycle") return Value::callable(name, [object](Runtime&, Arguments& a) { return loop_cycle(object.as_loop(), a); });
  if (name == "changed")
    return Value::callable(name, [object](Runtime&, Arguments& a) { return Value::boolean(loop_changed(object.as_loop(), a)); });
  return Value::undefined(fmt::format("a loop has no attribute '{}'", name));
}

Value attribute_or_undefined(const Value& object, const std::string& name) {
  if (name.starts_with("__")) fail(Status::unsupported, "the attribute '{}'", name);
  if (object.is(Kind::loop)) return loop_attribute(object, name);
  if (object.is(Kind::name_space)) {
    const Value* found = object.as_namespace().attributes.find(name);
    return found ? *found : Value::undefined(fmt::format("the namespace has no attribute '{}'", name));
  }
  if (object.is(Kind::callable) && name == "name") return Value::string(object.as_callable().name);
  return get_method(object, name);
}

/// object[key] of a str, list or dict; null if there is no such element.
std::optional<Value> element(const Value& object, const Value& key) {
  if (object.is(Kind::dict)) {
    const Value* found = key.is(Kind::list) || key.is(Kind::dict) ? nullptr : object.as_dict().find(key);
    return found ? std::optional<Value>(*found) : std::nullopt;
  }
  if (!key.is_integral()) return std::nullopt;
  std::int64_t index = key.as_integer();
  if (object.is(Kind::list) && object.as_list().type != List::Type::view) {
    const auto& items = object.as_list().items;
    index += index < 0 ? static_cast<std::int64_t>(items.size()) : 0;
    if (index < 0 || index >= static_cast<std::int64_t>(items.size())) return std::nullopt;
    return items[static_cast<std::size_t>(index)];
  }
  if (!object.is(Kind::string)) return std::nullopt;
  const std::string& bytes = object.bytes();
  const auto n = static_cast<std::int64_t>(utf8::count(bytes));
  index += index < 0 ? n : 0;
  if (index < 0 || index >= n) return std::nullopt;
  const std::size_t begin = utf8::offset(bytes, static_cast<std::size_t>(index));
  return Value::string(object.text().part(begin, begin + utf8::decode(bytes, begin).length), object.as_string().markup);
}

}  // namespace

Value get_method(const Value& object, const std::string& name) {
  if (object.is(Kind::string)) return get_string_method(object, name);
  const bool is_list = object.is(Kind::list) && object.as_list().type == List::Type::list;
  if (is_among(is_list ? std::span(changing_list) : object.is(Kind::dict) ? std::span(changing_dict) : std::span<const std::string_view>(), name))
    return Value::undefined(fmt::format("'{}' would change a {}, which templates may not", name, object.type_name()));
  if (object.is(Kind::dict)) {
    if (name == "get") return method(object, name, dict_get);
    if (name == "items") return method(object, name, dict_items);
    if (name == "keys") return method(object, name, dict_keys);
    if (name == "values") return method(object, name, dict_values);
    if (name == "copy") return method(object, name, copy_of);
  }
  if (object.is(Kind::list) && object.as_list().type != List::Type::view) {
    if (name == "count") return method(object, name, list_count);
    if (name == "index") return method(object, name, list_index);
    if (name == "copy" && is_list) return method(object, name, copy_of);
  }
  return Value::undefined(fmt::format("a {} has no attribute '{}'", object.type_name(), name));
}

Value get_attribute(const Value& object, const std::string& name) {
  require_defined(object);
  if (object.is(Kind::dict) && name.starts_with("__")) {
    if (const Value* found = object.as_dict().find(name)) return *found;
  }
  Value value = attribute_or_undefined(object, name);
  if (value.is_defined() || !object.is(Kind::dict)) return value;
  const Value* found = object.as_dict().find(name);
  return found ? *found : value;
}

Value get_item(const Value& object, const Value& key) {
  require_defined(object);
  if (const std::optional<Value> found = element(object, key)) return *found;
  if (key.is(Kind::string)) return attribute_or_undefined(object, key.bytes());
  return Value::undefined(fmt::format("a {} has no such element", object.type_name()));
}

std::vector<Value> iterate(Runtime& runtime, const Value& value) {
  std::vector<Value> items;
  switch (value.kind()) {
    case Kind::undefined: break;
    case Kind::list: items = value.as_list().items; break;
    case Kind::dict:
      for (const auto& item : value.as_dict().items) items.push_back(item.first);
      break;
    case Kind::iterator: {
      Iterator& iterator = value.as_iterator();
      items.assign(iterator.items.begin() + static_cast<std::ptrdiff_t>(iterator.next), iterator.items.end());
      iterator.next = iterator.items.size();
      break;
    }
    case Kind::string:
      runtime.charge_memory(value.text().size() * sizeof(String));
      for (std::size_t i = 0; i < value.text().size();) {
        const std::size_t length = utf8::decode(value.bytes(), i).length;
        items.push_back(Value::string(value.text().part(i, i + length), value.as_string().markup));
        i += length;
      }
      break;
    default: fail(Status::invalid_argument, "a {} can't be iterated over", value.type_name());
  }
  runtime.charge_memory(items.size() * sizeof(Value));
  runtime.charge(items.size() / 8);
  return items;
}

std::vector<const Value*> bind(std::string_view function, const Arguments& arguments,
                               std::initializer_list<std::string_view> parameters, std::size_t n_required) {
  std::vector<const Value*> bound(parameters.size(), nullptr);
  if (arguments.positional.size() > bound.size())
    fail(Status::invalid_argument, "{} takes at most {} arguments", function, bound.size());
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) bound[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto found = std::find(parameters.begin(), parameters.end(), name);
    const auto index = static_cast<std::size_t>(found - parameters.begin());
    if (found == parameters.end() || bound[index]) fail(Status::invalid_argument, "{}: the argument '{}'", function, name);
    bound[index] = &value;
  }
  for (std::size_t i = 0; i < n_required; ++i)
    if (!bound[i]) fail(Status::invalid_argument, "{} needs the argument '{}'", function, parameters.begin()[i]);
  return bound;
}

const Value& need_string(std::string_view function, const Value& value) {
  require_defined(value);
  if (!value.is(Kind::string)) fail(Status::invalid_argument, "{}: a {} instead of a str", function, value.type_name());
  return value;
}

std::int64_t need_integer(std::string_view function, const Value& value) {
  require_defined(value);
  if (!value.is_integral()) fail(Status::invalid_argument, "{}: a {} instead of an int", function, value.type_name());
  return value.as_integer();
}

}  // namespace mla::text::jinja
