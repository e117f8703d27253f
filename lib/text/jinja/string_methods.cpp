// The methods of str.
#include <algorithm>
#include <iterator>

#include "platform/fail.hpp"
#include "text/jinja/letter_case.hpp"
#include "text/jinja/python_text.hpp"
#include "text/jinja/runtime.hpp"
#include "text/jinja/string_ops.hpp"

namespace mla::text::jinja {
namespace {

using Method = Value (*)(Runtime&, const Value&, Arguments&);

bool is_given(const Value* argument) { return argument && !argument->is(Kind::none); }

Value parts_of(const Value& text, const std::vector<utf8::Range>& ranges) {
  std::vector<Value> parts;
  for (const utf8::Range& range : ranges)
    parts.push_back(Value::string(text.text().part(range.begin, range.end), text.as_string().markup));
  return Value::list(std::move(parts), List::Type::list, text.text().trusted());
}

template <bool from_right>
Value do_split(Runtime& runtime, const Value& self, Arguments& arguments) {
  const auto a = bind("split", arguments, {"sep", "maxsplit"});
  const std::int64_t max_splits = a[1] ? need_integer("split", *a[1]) : -1;
  std::string_view separator;
  if (is_given(a[0])) separator = need_string("split", *a[0]).bytes();
  const auto ranges = split(self.bytes(), is_given(a[0]) ? &separator : nullptr, max_splits, from_right);
  runtime.charge_memory(ranges.size() * (sizeof(String) + sizeof(Value)));
  return parts_of(self, ranges);
}

Value do_splitlines(Runtime& runtime, const Value& self, Arguments& arguments) {
  const auto a = bind("splitlines", arguments, {"keepends"});
  const auto ranges = split_lines(self.bytes(), a[0] && a[0]->truthy());
  runtime.charge_memory(ranges.size() * (sizeof(String) + sizeof(Value)));
  return parts_of(self, ranges);
}

template <bool left, bool right>
Value do_strip(Runtime&, const Value& self, Arguments& arguments) {
  const auto a = bind("strip", arguments, {"chars"});
  const utf8::Range range = is_given(a[0]) ? strip_chars(self.bytes(), need_string("strip", *a[0]).bytes(), left, right)
                                           : utf8::strip(self.bytes(), left, right);
  return Value::string(self.text().part(range.begin, range.end), self.as_string().markup);
}

/// The byte range that the optional arguments start and end of find() and its like leave; begin > end if none.
utf8::Range window(const Value& self, const Value* start, const Value* end) {
  const auto n = static_cast<std::int64_t>(utf8::count(self.bytes()));
  const auto bound = [&](const Value* value, std::int64_t fallback) {
    if (!is_given(value)) return fallback;
    const std::int64_t i = need_integer("find", *value);
    return i < 0 ? std::max<std::int64_t>(std::max(i, -n) + n, 0) : std::min(i, n + 1);
  };
  const std::int64_t from = bound(start, 0), to = std::min(bound(end, n), n);
  if (from > to) return {1, 0};
  return {utf8::offset(self.bytes(), static_cast<std::size_t>(from)), utf8::offset(self.bytes(), static_cast<std::size_t>(to))};
}

template <bool at_end>
Value do_affix(Runtime&, const Value& self, Arguments& arguments) {
  const auto a = bind(at_end ? "endswith" : "startswith", arguments, {"affix", "start", "end"}, 1);
  const utf8::Range range = window(self, a[1], a[2]);
  if (range.begin > range.end) return Value::boolean(false);
  const std::string_view text = std::string_view(self.bytes()).substr(range.begin, range.end - range.begin);
  const auto matches = [&](const Value& affix) {
    const std::string& bytes = need_string("startswith or endswith", affix).bytes();
    return at_end ? text.ends_with(bytes) : text.starts_with(bytes);
  };
  if (!a[0]->is(Kind::list) || a[0]->as_list().type != List::Type::tuple) return Value::boolean(matches(*a[0]));
  const auto& affixes = a[0]->as_list().items;
  return Value::boolean(std::any_of(affixes.begin(), affixes.end(), matches));
}

template <bool from_right, bool must_exist>
Value do_find(Runtime&, const Value& self, Arguments& arguments) {
  const auto a = bind("find", arguments, {"sub", "start", "end"}, 1);
  const std::string& sub = need_string("find", *a[0]).bytes();
  const utf8::Range range = window(self, a[1], a[2]);
  std::size_t found = std::string_view::npos;
  if (range.begin <= range.end) {
    const std::string_view text = std::string_view(self.bytes()).substr(range.begin, range.end - range.begin);
    found = from_right ? text.rfind(sub) : text.find(sub);
  }
  if (found != std::string_view::npos)
    return Value::integer(static_cast<std::int64_t>(utf8::count(std::string_view(self.bytes()).substr(0, range.begin + found))),
                          self.text().trusted());
  if (must_exist) fail(Status::invalid_argument, "index: the substring is not there");
  return Value::integer(-1);
}

Value do_count(Runtime&, const Value& self, Arguments& arguments) {
  const auto a = bind("count", arguments, {"sub"}, 1);
  const std::string& sub = need_string("count", *a[0]).bytes();
  if (sub.empty()) return Value::integer(static_cast<std::int64_t>(utf8::count(self.bytes())) + 1);
  std::int64_t n = 0;
  for (std::size_t i = self.bytes().find(sub); i != std::string::npos; i = self.bytes().find(sub, i + sub.size())) ++n;
  return Value::integer(n, self.text().trusted());
}

Value do_replace(Runtime&, const Value& self, Arguments& arguments) {
  const auto a = bind("replace", arguments, {"old", "new", "count"}, 2);
  if (self.as_string().markup) fail(Status::unsupported, "replace() on the result of 'safe' or 'escape'");
  const std::int64_t count = a[2] ? need_integer("replace", *a[2]) : -1;
  return Value::string(replace(self.text(), need_string("replace", *a[0]).bytes(), need_string("replace", *a[1]).text(), count));
}

Value do_join(Runtime& runtime, const Value& self, Arguments& arguments) {
  const auto a = bind("join", arguments, {"iterable"}, 1);
  require_defined(*a[0]);
  if (self.as_string().markup) fail(Status::unsupported, "join() on the result of 'safe' or 'escape'");
  MarkedText out;
  bool first = true;
  for (const Value& item : iterate(runtime, *a[0])) {
    if (!std::exchange(first, false)) out.append(self.text());
    out.append(need_string("join", item).text());
  }
  return Value::string(std::move(out));
}

template <bool prefix>
Value do_remove_affix(Runtime&, const Value& self, Arguments& arguments) {
  const auto a = bind("removeprefix or removesuffix", arguments, {"affix"}, 1);
  const std::string& affix = need_string("removeprefix or removesuffix", *a[0]).bytes();
  const std::size_t n = self.text().size();
  if (prefix ? !self.bytes().starts_with(affix) : !self.bytes().ends_with(affix)) return self;
  return Value::string(prefix ? self.text().part(affix.size(), n) : self.text().part(0, n - affix.size()));
}

template <bool from_right>
Value do_partition(Runtime&, const Value& self, Arguments& arguments) {
  const auto a = bind("partition", arguments, {"sep"}, 1);
  const std::string& separator = need_string("partition", *a[0]).bytes();
  if (separator.empty()) fail(Status::invalid_argument, "partition at an empty separator");
  const std::size_t n = self.text().size(), found = from_right ? self.bytes().rfind(separator) : self.bytes().find(separator);
  std::vector<utf8::Range> ranges;
  if (found != std::string::npos) ranges = {{0, found}, {found, found + separator.size()}, {found + separator.size(), n}};
  else ranges = from_right ? std::vector<utf8::Range>{{0, 0}, {0, 0}, {0, n}} : std::vector<utf8::Range>{{0, n}, {n, n}, {n, n}};
  return Value::list(parts_of(self, ranges).as_list().items, List::Type::tuple, self.text().trusted());
}

template <bool left>
Value do_justify(Runtime&, const Value& self, Arguments& arguments) {
  const auto a = bind("ljust or rjust", arguments, {"width", "fillchar"}, 1);
  const std::string fill = a[1] ? need_string("ljust or rjust", *a[1]).bytes() : " ";
  if (fill.size() != 1) fail(Status::unsupported, "ljust or rjust with more than one ASCII character");
  MarkedText padding = spaces(need_integer("ljust or rjust", *a[0]) - static_cast<std::int64_t>(utf8::count(self.bytes())), fill[0]);
  MarkedText out = left ? self.text() : padding;
  out.append(left ? padding : self.text());
  return Value::string(std::move(out));
}

Value do_center(Runtime&, const Value& self, Arguments& arguments) {
  const auto a = bind("center", arguments, {"width"}, 1);
  return Value::string(center(self.text(), need_integer("center", *a[0])));
}

Value do_format(Runtime&, const Value& self, Arguments& arguments) {
  if (self.as_string().markup) fail(Status::unsupported, "format() on the result of 'safe' or 'escape'");
  return Value::string(brace_format(self.text(), arguments));
}

template <MarkedText (*map)(const MarkedText&)>
Value do_map_text(Runtime&, const Value& self, Arguments& arguments) {
  bind("upper, lower, title, capitalize or swapcase", arguments, {});
  return Value::string(map(self.text()), self.as_string().markup);
}

template <bool (*holds)(const std::string&)>
Value do_case_test(Runtime&, const Value& self, Arguments& arguments) {
  bind("isupper or islower", arguments, {});
  return Value::boolean(holds(self.bytes()));
}

/// isdigit(), isalpha(), isalnum() and isspace(): true of a text that is not empty and has only such characters.
template <bool digits, bool letters, bool space>
Value do_class_test(Runtime&, const Value& self, Arguments& arguments) {
  bind("isdigit, isalpha, isalnum or isspace", arguments, {});
  bool all = !self.text().empty();
  for (std::size_t i = 0; i < self.text().size();) {
    const utf8::Char c = utf8::decode(self.bytes(), i);
    if (c.code >= 0x80 && !space) fail(Status::unsupported, "isdigit, isalpha or isalnum of text outside of ASCII");
    const bool digit = c.code >= '0' && c.code <= '9', letter = (c.code | 0x20) >= 'a' && (c.code | 0x20) <= 'z';
    all &= (digits && digit) || (letters && letter) || (space && utf8::is_space(c.code));
    i += c.length;
  }
  return Value::boolean(all);
}

constexpr std::pair<std::string_view, Method> methods[] = {
    {"split", do_split<false>}, {"rsplit", do_split<true>}, {"splitlines", do_splitlines}, {"strip", do_strip<true, true>},
    {"lstrip", do_strip<true, false>}, {"rstrip", do_strip<false, true>}, {"startswith", do_affix<false>},
    {"endswith", do_affix<true>}, {"find", do_find<false, false>}, {"rfind", do_find<true, false>},
    {"index", do_find<false, true>}, {"rindex", do_find<true, true>}, {"count", do_count}, {"replace", do_replace},
    {"join", do_join}, {"removeprefix", do_remove_affix<true>}, {"removesuffix", do_remove_affix<false>},
    {"partition", do_partition<false>}, {"rpartition", do_partition<true>}, {"ljust", do_justify<true>},
    {"rjust", do_justify<false>}, {"center", do_center}, {"format", do_format}, {"upper", do_map_text<upper>},
    {"lower", do_map_text<lower>}, {"title", do_map_text<title>}, {"capitalize", do_map_text<capitalize>},
    {"swapcase", do_map_text<swap_case>}, {"isupper", do_case_test<is_upper>}, {"islower", do_case_test<is_lower>},
    {"isdigit", do_class_test<true, false, false>}, {"isalpha", do_class_test<false, true, false>},
    {"isalnum", do_class_test<true, true, false>}, {"isspace", do_class_test<false, false, true>}};

constexpr std::string_view missing_methods[] = {"casefold",    "encode",    "expandtabs",   "format_map",  "isascii", "isdecimal", "isidentifier",
                                                "isnumeric",   "isprintable", "istitle",    "maketrans",   "translate", "zfill"};

}  // namespace

Value get_string_method(const Value& object, const std::string& name) {
  const auto found = std::find_if(std::begin(methods), std::end(methods), [&](const auto& method) { return method.first == name; });
  if (found != std::end(methods))
    return Value::callable(name, [object, call = found->second](Runtime& runtime, Arguments& arguments) { return call(runtime, object, arguments); });
  if (std::find(std::begin(missing_methods), std::end(missing_methods), name) != std::end(missing_methods))
    fail(Status::unsupported, "the method '{}' of a str", name);
  return Value::undefined(fmt::format("a str has no attribute '{}'", name));
}

}  // namespace mla::text::jinja
