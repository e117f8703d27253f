// Filters of lists and dicts.
#include <algorithm>
#include <functional>

#include "platform/fail.hpp"
#include "text/jinja/filters.hpp"
#include "text/jinja/letter_case.hpp"
#include "text/jinja/operators.hpp"
#include "text/jinja/python_text.hpp"
#include "text/jinja/utf8.hpp"

namespace mla::text::jinja {
namespace {

bool is_set(const Value* argument) { return argument && argument->truthy(); }
bool is_given(const Value* argument) { return argument && !argument->is(Kind::none); }

/// item.a.b for the path "a.b", whose whole numbers are indices; `fallback` (or null) instead of an undefined step.
Value follow_path(Value item, const Value& path, const Value* fallback = nullptr) {
  if (!path.is(Kind::string)) return get_item(item, path);
  std::string_view rest = path.bytes();
  for (bool more = true; more;) {
    const std::size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    const bool number = !part.empty() && part.size() < 10 && std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
    item = get_item(item, number ? Value::integer(std::stoll(std::string(part))) : Value::string(part));
    if (fallback && !fallback->is(Kind::none) && !item.is_defined()) item = *fallback;
    more = dot != std::string_view::npos;
    if (more) rest.remove_prefix(dot + 1);
  }
  return item;
}

/// What items are compared by: an attribute of them if given, strings in lower case unless case_sensitive.
Value sort_key(const Value& item, const Value* attribute, bool case_sensitive) {
  Value key = is_given(attribute) ? follow_path(item, *attribute) : item;
  return key.is(Kind::string) && !case_sensitive ? Value::string(lower(key.text())) : key;
}

using Keyed = std::pair<Value, Value>;  // sort key, item

/// A stable merge sort, which, unlike the standard library's, is safe with an order that contradicts itself (NaN).
void sort_keyed(Runtime& runtime, std::vector<Keyed>& items, bool reverse) {
  std::vector<Keyed> merged(items.size());
  for (std::size_t width = 1; width < items.size(); width *= 2) {
    runtime.charge(items.size());
    for (std::size_t begin = 0; begin < items.size(); begin += 2 * width) {
      const std::size_t middle = std::min(begin + width, items.size()), end = std::min(begin + 2 * width, items.size());
      for (std::size_t a = begin, b = middle, out = begin; out < end; ++out) {
        const bool take_b = a == middle || (b < end && (reverse ? compare(items[a].first, items[b].first) < 0
                                                                : compare(items[b].first, items[a].first) < 0));
        merged[out] = items[take_b ? b++ : a++];
      }
    }
    items.swap(merged);
  }
}

std::vector<Value> second_of(std::vector<Keyed> items) {
  std::vector<Value> result;
  for (Keyed& item : items) result.push_back(std::move(item.second));
  return result;
}

Value do_sort(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const auto a = bind("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  if (is_given(a[2]) && a[2]->is(Kind::string) && a[2]->bytes().find(',') != std::string::npos)
    fail(Status::unsupported, "sort by several attributes");
  std::vector<Keyed> items;
  for (const Value& item : iterate(runtime, input)) items.emplace_back(sort_key(item, a[2], is_set(a[1])), item);
  sort_keyed(runtime, items, is_set(a[0]));
  return Value::list(second_of(std::move(items)), List::Type::list, input.trusted());
}

Value do_dictsort(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const auto a = bind("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  const std::string by = a[1] ? need_string("dictsort", *a[1]).bytes() : "key";
  if (!input.is(Kind::dict)) fail(Status::invalid_argument, "dictsort of a {}", input.type_name());
  if (by != "key" && by != "value") fail(Status::invalid_argument, "dictsort by '{}'", by);
  std::vector<Keyed> items;
  for (const auto& [key, value] : input.as_dict().items)
    items.emplace_back(sort_key(by == "key" ? key : value, nullptr, is_set(a[0])), Value::list({key, value}, List::Type::tuple, input.trusted()));
  sort_keyed(runtime, items, is_set(a[2]));
  return Value::list(second_of(std::move(items)), List::Type::list, input.trusted());
}

Value do_unique(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const auto a = bind("unique", arguments, {"case_sensitive", "attribute"});
  Dict seen;
  std::vector<Value> result;
  for (const Value& item : iterate(runtime, input)) {
    const Value key = sort_key(item, a[1], is_set(a[0]));
    if (seen.find(key)) continue;
    seen.set(key, Value());
    result.push_back(item);
  }
  return Value::iterator(std::move(result));
}

template <int sign>
Value do_extreme(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const auto a = bind("min or max", arguments, {"case_sensitive", "attribute"});
  const auto items = iterate(runtime, input);
  if (items.empty()) return Value::undefined("no item, the sequence was empty");
  const Value* best = &items[0];
  Value best_key = sort_key(*best, a[1], is_set(a[0]));
  for (const Value& item : items) {
    Value key = sort_key(item, a[1], is_set(a[0]));
    if (compare(key, best_key) * sign <= 0) continue;
    best = &item;
    best_key = std::move(key);
  }
  return *best;
}

Value do_join(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const auto a = bind("join", arguments, {"d", "attribute"});
  const MarkedText separator = a[0] ? to_text(*a[0]) : MarkedText();
  MarkedText out;
  bool first = true;
  for (const Value& item : iterate(runtime, input)) {
    if (!std::exchange(first, false)) out.append(separator);
    out.append(to_text(is_given(a[1]) ? follow_path(item, *a[1]) : item));
  }
  return Value::string(std::move(out));
}

Value do_length(Runtime& runtime, const Value& input, const Arguments& arguments) {
  bind("length", arguments, {});
  switch (input.kind()) {
    case Kind::undefined: return Value::integer(0);
    case Kind::string:
      runtime.charge(input.text().size() / 64);
      return Value::integer(static_cast<std::int64_t>(utf8::count(input.bytes())), input.text().trusted());
    case Kind::list: return Value::integer(static_cast<std::int64_t>(input.as_list().items.size()), input.trusted());
    case Kind::dict: return Value::integer(static_cast<std::int64_t>(input.as_dict().items.size()), input.trusted());
    default: fail(Status::invalid_argument, "length of a {}", input.type_name());
  }
}

Value do_first(Runtime& runtime, const Value& input, const Arguments& arguments) {
  bind("first", arguments, {});
  if (input.is(Kind::iterator)) {
    Iterator& iterator = input.as_iterator();
    return iterator.next < iterator.items.size() ? iterator.items[iterator.next++] : Value::undefined("no first item");
  }
  const auto items = iterate(runtime, input);
  return items.empty() ? Value::undefined("no first item, the sequence was empty") : items.front();
}

Value do_last(Runtime& runtime, const Value& input, const Arguments& arguments) {
  bind("last", arguments, {});
  require_defined(input);
  if (input.is(Kind::iterator)) fail(Status::invalid_argument, "the last item of a generator");
  const auto items = iterate(runtime, input);
  return items.empty() ? Value::undefined("no last item, the sequence was empty") : items.back();
}

Value do_list(Runtime& runtime, const Value& input, const Arguments& arguments) {
  bind("list", arguments, {});
  return Value::list(iterate(runtime, input), List::Type::list, input.trusted());
}

Value do_reverse(Runtime& runtime, const Value& input, const Arguments& arguments) {
  bind("reverse", arguments, {});
  auto items = iterate(runtime, input);
  std::reverse(items.begin(), items.end());
  if (!input.is(Kind::string)) return input.is(Kind::iterator) ? Value::list(std::move(items)) : Value::iterator(std::move(items));
  MarkedText out;
  for (const Value& item : items) out.append(item.text());
  return Value::string(std::move(out));
}

Value do_items(Runtime& runtime, const Value& input, const Arguments& arguments) {
  bind("items", arguments, {});
  if (!input.is_defined()) return Value::iterator({});
  if (!input.is(Kind::dict)) fail(Status::invalid_argument, "items of a {}", input.type_name());
  Arguments none;
  return Value::iterator(iterate(runtime, runtime.call(get_method(input, "items"), none)));
}

Value do_attr(Runtime&, const Value& input, const Arguments& arguments) {
  const auto a = bind("attr", arguments, {"name"}, 1);
  const std::string& name = need_string("attr", *a[0]).bytes();
  return input.is(Kind::dict) ? get_method(input, name) : get_attribute(input, name);
}

Value do_batch(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const auto a = bind("batch", arguments, {"linecount", "fill_with"}, 1);
  const std::int64_t n = need_integer("batch", *a[0]);
  if (n < 1 || n > 100000) fail(Status::unsupported, "batch of {} items", n);
  std::vector<Value> batches, batch;
  for (const Value& item : iterate(runtime, input)) {
    if (static_cast<std::int64_t>(batch.size()) == n) batches.push_back(Value::list(std::exchange(batch, {})));
    batch.push_back(item);
  }
  if (!batch.empty() && is_given(a[1])) {
    runtime.charge_memory(static_cast<std::size_t>(n) * sizeof(Value));
    batch.resize(static_cast<std::size_t>(n), *a[1]);
  }
  if (!batch.empty()) batches.push_back(Value::list(std::move(batch)));
  return Value::iterator(std::move(batches));
}

Value do_sum(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const auto a = bind("sum", arguments, {"attribute", "start"});
  Value total = a[1] ? *a[1] : Value::integer(0);
  if (total.is(Kind::string)) fail(Status::invalid_argument, "sum of strings");
  for (const Value& item : iterate(runtime, input))
    total = binary_operation(runtime, "+", total, is_given(a[0]) ? follow_path(item, *a[0]) : item);
  return total;
}

Value do_map(Runtime& runtime, const Value& input, const Arguments& arguments) {
  std::vector<Value> result;
  if (!input.truthy()) return Value::iterator({});
  const bool by_attribute = arguments.positional.empty();
  const auto a = by_attribute ? bind("map", arguments, {"attribute", "default"}, 1) : std::vector<const Value*>{};
  Arguments rest = arguments;
  if (!by_attribute) rest.positional.erase(rest.positional.begin());
  for (const Value& item : iterate(runtime, input))
    result.push_back(by_attribute ? follow_path(item, *a[0], a[1])
                                  : apply_filter(runtime, need_string("map", arguments.positional[0]).bytes(), item, rest));
  return Value::iterator(std::move(result));
}

/// select, reject, selectattr and rejectattr.
template <bool wanted, bool by_attribute>
Value do_select(Runtime& runtime, const Value& input, const Arguments& arguments) {
  std::vector<Value> result;
  if (!input.truthy()) return Value::iterator({});
  Arguments rest = arguments;
  const auto take = [&rest] {
    Value first = rest.positional.front();
    rest.positional.erase(rest.positional.begin());
    return first;
  };
  if (by_attribute && rest.positional.empty()) fail(Status::invalid_argument, "selectattr or rejectattr without an attribute");
  const Value attribute = by_attribute ? take() : Value();
  const bool has_name = !rest.positional.empty();
  const Value name = has_name ? take() : Value();
  for (const Value& item : iterate(runtime, input)) {
    const Value subject = by_attribute ? follow_path(item, attribute) : item;
    const bool holds = has_name ? apply_test(runtime, need_string("select", name).bytes(), subject, rest) : subject.truthy();
    if (holds == wanted) result.push_back(item);
  }
  return Value::iterator(std::move(result));
}

}  // namespace

std::span<const NamedFilter> list_filters() {
  static constexpr NamedFilter filters[] = {
      {"sort", do_sort}, {"dictsort", do_dictsort}, {"unique", do_unique}, {"min", do_extreme<-1>}, {"max", do_extreme<1>},
      {"join", do_join}, {"length", do_length}, {"count", do_length}, {"first", do_first}, {"last", do_last},
      {"list", do_list}, {"reverse", do_reverse}, {"items", do_items}, {"attr", do_attr}, {"batch", do_batch},
      {"sum", do_sum}, {"map", do_map}, {"select", do_select<true, false>}, {"reject", do_select<false, false>},
      {"selectattr", do_select<true, true>}, {"rejectattr", do_select<false, true>}};
  return filters;
}

}  // namespace mla::text::jinja
