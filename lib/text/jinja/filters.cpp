#include "text/jinja/filters.hpp"

#include <algorithm>
#include <cmath>

#include "platform/fail.hpp"
#include "text/jinja/letter_case.hpp"
#include "text/jinja/python_text.hpp"

namespace mla::text::jinja {
namespace {

const NamedFilter* find_filter(std::string_view name) {
  for (const auto filters : {text_filters(), list_filters()})
    for (const NamedFilter& filter : filters)
      if (filter.name == name) return &filter;
  return nullptr;
}

bool is_sequence(const Value& v) {
  if (v.is(Kind::list)) return v.as_list().type != List::Type::view;
  return v.is(Kind::string) || v.is(Kind::dict);
}

bool is_iterable(const Value& v) {
  return is_sequence(v) || v.is(Kind::list) || v.is(Kind::iterator) || v.is(Kind::undefined) || v.is(Kind::loop);
}

bool same_object(const Value& a, const Value& b) {
  if (a.is(Kind::none) || b.is(Kind::none) || a.is(Kind::boolean) || b.is(Kind::boolean))
    return a.kind() == b.kind() && equal(a, b);
  fail(Status::unsupported, "the test 'sameas' on a {}", a.type_name());
}

std::int64_t modulo(const Value& value, std::int64_t divisor) {
  require_defined(value);
  if (!value.is_integral()) fail(Status::unsupported, "the tests 'odd', 'even' and 'divisibleby' on a {}", value.type_name());
  if (divisor == 0) fail(Status::invalid_argument, "division by zero");
  return divisor == -1 ? 0 : value.as_integer() % divisor;
}

struct NamedTest {
  std::string_view name;
  int n_arguments;
  bool (*test)(Runtime&, const Value&, const Value* argument);
};

bool test_eq(Runtime&, const Value& v, const Value* a) { return equal(v, *a); }
bool test_ne(Runtime&, const Value& v, const Value* a) { return !equal(v, *a); }
bool test_lt(Runtime&, const Value& v, const Value* a) { return compare(v, *a) < 0; }
bool test_le(Runtime&, const Value& v, const Value* a) { return compare(v, *a) <= 0; }
bool test_gt(Runtime&, const Value& v, const Value* a) { return compare(v, *a) > 0; }
bool test_ge(Runtime&, const Value& v, const Value* a) { return compare(v, *a) >= 0; }

constexpr NamedTest tests[] = {
    {"defined", 0, [](Runtime&, const Value& v, const Value*) { return v.is_defined(); }},
    {"undefined", 0, [](Runtime&, const Value& v, const Value*) { return !v.is_defined(); }},
    {"none", 0, [](Runtime&, const Value& v, const Value*) { return v.is(Kind::none); }},
    {"boolean", 0, [](Runtime&, const Value& v, const Value*) { return v.is(Kind::boolean); }},
    {"true", 0, [](Runtime&, const Value& v, const Value*) { return v.is(Kind::boolean) && v.as_bool(); }},
    {"false", 0, [](Runtime&, const Value& v, const Value*) { return v.is(Kind::boolean) && !v.as_bool(); }},
    {"integer", 0, [](Runtime&, const Value& v, const Value*) { return v.is(Kind::integer); }},
    {"float", 0, [](Runtime&, const Value& v, const Value*) { return v.is(Kind::real); }},
    {"number", 0, [](Runtime&, const Value& v, const Value*) { return v.is_number(); }},
    {"string", 0, [](Runtime&, const Value& v, const Value*) { return v.is(Kind::string); }},
    {"mapping", 0, [](Runtime&, const Value& v, const Value*) { return v.is(Kind::dict); }},
    {"sequence", 0, [](Runtime&, const Value& v, const Value*) { return is_sequence(v); }},
    {"iterable", 0, [](Runtime&, const Value& v, const Value*) { return is_iterable(v); }},
    {"callable", 0, [](Runtime&, const Value& v, const Value*) { return v.is(Kind::callable) || v.is(Kind::loop) || !v.is_defined(); }},
    {"escaped", 0, [](Runtime&, const Value& v, const Value*) { return v.is(Kind::string) && v.as_string().markup; }},
    {"upper", 0, [](Runtime&, const Value& v, const Value*) { return is_upper(to_text(v).bytes()); }},
    {"lower", 0, [](Runtime&, const Value& v, const Value*) { return is_lower(to_text(v).bytes()); }},
    {"odd", 0, [](Runtime&, const Value& v, const Value*) { return modulo(v, 2) != 0; }},
    {"even", 0, [](Runtime&, const Value& v, const Value*) { return modulo(v, 2) == 0; }},
    {"divisibleby", 1, [](Runtime&, const Value& v, const Value* a) { return modulo(v, need_integer("divisibleby", *a)) == 0; }},
    {"in", 1, [](Runtime& r, const Value& v, const Value* a) { return contains(r, *a, v); }},
    {"sameas", 1, [](Runtime&, const Value& v, const Value* a) { return same_object(v, *a); }},
    {"filter", 0, [](Runtime&, const Value& v, const Value*) { return v.is(Kind::string) && has_filter(v.bytes()); }},
    {"test", 0, [](Runtime&, const Value& v, const Value*) { return v.is(Kind::string) && has_test(v.bytes()); }},
    {"eq", 1, test_eq}, {"equalto", 1, test_eq}, {"==", 1, test_eq}, {"ne", 1, test_ne}, {"!=", 1, test_ne},
    {"lt", 1, test_lt}, {"lessthan", 1, test_lt}, {"<", 1, test_lt}, {"le", 1, test_le}, {"<=", 1, test_le},
    {"gt", 1, test_gt}, {"greaterthan", 1, test_gt}, {">", 1, test_gt}, {"ge", 1, test_ge}, {">=", 1, test_ge},
};

const NamedTest* find_test(std::string_view name) {
  const auto found = std::find_if(std::begin(tests), std::end(tests), [name](const NamedTest& test) { return test.name == name; });
  return found == std::end(tests) ? nullptr : found;
}

}  // namespace

bool has_filter(std::string_view name) { return find_filter(name) != nullptr; }
bool has_test(std::string_view name) { return find_test(name) != nullptr; }

Value apply_filter(Runtime& runtime, std::string_view name, const Value& input, const Arguments& arguments) {
  const NamedFilter* filter = find_filter(name);
  if (!filter) fail(Status::unsupported, "the filter '{}'", name);
  return filter->filter(runtime, input, arguments);
}

bool apply_test(Runtime& runtime, std::string_view name, const Value& input, const Arguments& arguments) {
  const NamedTest* test = find_test(name);
  if (!test) fail(Status::unsupported, "the test '{}'", name);
  if (test->n_arguments == 0) bind(name, arguments, {});
  const Value* argument = test->n_arguments == 1 ? bind(name, arguments, {"other"}, 1)[0] : nullptr;
  return test->test(runtime, input, argument);
}

bool contains(Runtime& runtime, const Value& container, const Value& element) {
  switch (container.kind()) {
    case Kind::string:
      require_defined(element);
      if (!element.is(Kind::string)) fail(Status::invalid_argument, "'in' of a {} in a str", element.type_name());
      runtime.charge(container.text().size() / 64);
      return container.bytes().find(element.bytes()) != std::string::npos;
    case Kind::dict: return container.as_dict().find(element) != nullptr;
    case Kind::list:
    case Kind::iterator: {
      const auto items = iterate(runtime, container);
      return std::any_of(items.begin(), items.end(), [&](const Value& item) { return equal(item, element); });
    }
    case Kind::undefined: return false;
    default: fail(Status::invalid_argument, "'in' a {}", container.type_name());
  }
}

}  // namespace mla::text::jinja
