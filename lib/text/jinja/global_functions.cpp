// The functions that Hugging Face's templates can call.
#include <ctime>

#include "platform/fail.hpp"
#include "text/jinja/interpreter.hpp"
#include "text/jinja/python_text.hpp"

namespace mla::text::jinja {
namespace {

constexpr std::uint64_t max_range = 100000;  // as in Jinja's sandbox

Value range(Runtime& runtime, Arguments& arguments) {
  const auto a = bind("range", arguments, {"start", "stop", "step"}, 1);
  const std::int64_t first = need_integer("range", *a[0]);
  const std::int64_t start = a[1] ? first : 0, stop = a[1] ? need_integer("range", *a[1]) : first;
  const std::int64_t step = a[2] ? need_integer("range", *a[2]) : 1;
  if (step == 0) fail(Status::invalid_argument, "range with step zero");
  // Unsigned arithmetic: neither the distance nor the count can overflow.
  const std::uint64_t magnitude = step > 0 ? static_cast<std::uint64_t>(step) : 0 - static_cast<std::uint64_t>(step);
  const bool empty = step > 0 ? start >= stop : start <= stop;
  const std::uint64_t distance = step > 0 ? static_cast<std::uint64_t>(stop) - static_cast<std::uint64_t>(start)
                                          : static_cast<std::uint64_t>(start) - static_cast<std::uint64_t>(stop);
  const std::uint64_t count = empty ? 0 : (distance - 1) / magnitude + 1;
  if (count > max_range) fail(Status::invalid_argument, "a range of more than {} numbers", max_range);
  runtime.charge_memory(count * sizeof(Value));
  std::vector<Value> items;
  for (std::uint64_t i = 0; i < count; ++i) items.push_back(Value::integer(start + static_cast<std::int64_t>(i) * step));
  return Value::list(std::move(items), List::Type::range);
}

/// dict(other, name=value, …)
Dict dict_of(const char* function, Runtime& runtime, const Arguments& arguments) {
  Dict dict;
  if (arguments.positional.size() > 1) fail(Status::invalid_argument, "{} takes one object at most", function);
  if (!arguments.positional.empty()) {
    const Value& other = arguments.positional[0];
    if (other.is(Kind::dict)) {
      dict = other.as_dict();
    } else {
      for (const Value& pair : iterate(runtime, other)) {
        const auto items = iterate(runtime, pair);
        if (items.size() != 2) fail(Status::invalid_argument, "{} of values that are no pairs", function);
        dict.set(items[0], items[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.named) dict.set(Value::string(name), value);
  runtime.charge_memory(dict.items.size() * sizeof(Value));
  return dict;
}

Value make_dict(Runtime& runtime, Arguments& arguments) { return Value::dict(dict_of("dict", runtime, arguments)); }

Value make_namespace(Runtime& runtime, Arguments& arguments) {
  Dict attributes = dict_of("namespace", runtime, arguments);
  for (const auto& item : attributes.items)
    if (item.first.is(Kind::string) && item.first.bytes().starts_with('_'))
      fail(Status::invalid_argument, "the namespace attribute '{}' begins with an underscore", item.first.bytes());
  return runtime.make_namespace(std::move(attributes));
}

Value raise_exception(Runtime&, Arguments& arguments) {
  const auto a = bind("raise_exception", arguments, {"message"}, 1);
  fail(Status::invalid_argument, "{}", to_text(*a[0]).bytes());
}

Value strftime_now(Runtime&, Arguments& arguments) {
  const auto a = bind("strftime_now", arguments, {"format"}, 1);
  const std::string& format = need_string("strftime_now", *a[0]).bytes();
  if (format.empty()) return Value::string("");
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char buffer[1024];
  const std::size_t length = std::strftime(buffer, sizeof buffer, format.c_str(), &local);
  if (length == 0) fail(Status::unsupported, "strftime_now with an empty or very long result");
  return Value::string(std::string_view(buffer, length), a[0]->text().trusted());
}

}  // namespace

const Value* find_global_function(std::string_view name) {
  static const std::pair<std::string_view, Value> functions[] = {{"range", Value::callable("range", range)},
                                                                 {"dict", Value::callable("dict", make_dict)},
                                                                 {"namespace", Value::callable("namespace", make_namespace)},
                                                                 {"raise_exception", Value::callable("raise_exception", raise_exception)},
                                                                 {"strftime_now", Value::callable("strftime_now", strftime_now)}};
  for (const auto& [key, function] : functions)
    if (key == name) return &function;
  return nullptr;
}

}  // namespace mla::text::jinja
