// Filters of text and numbers.
#include <charconv>
#include <cmath>
#include <limits>

#include "platform/fail.hpp"
#include "text/jinja/filters.hpp"
#include "text/jinja/letter_case.hpp"
#include "text/jinja/python_text.hpp"
#include "text/jinja/string_ops.hpp"
#include "text/jinja/utf8.hpp"

namespace mla::text::jinja {
namespace {

bool is_set(const Value* argument) { return argument && argument->truthy(); }

Value do_default(Runtime&, const Value& input, const Arguments& arguments) {
  const auto a = bind("default", arguments, {"default_value", "boolean"});
  if (input.is_defined() && !(is_set(a[1]) && !input.truthy())) return input;
  return a[0] ? *a[0] : Value::string("");
}

Value do_trim(Runtime&, const Value& input, const Arguments& arguments) {
  const auto a = bind("trim", arguments, {"chars"});
  const MarkedText text = to_text(input);
  const bool custom = a[0] && !a[0]->is(Kind::none);
  const utf8::Range range = custom ? strip_chars(text.bytes(), need_string("trim", *a[0]).bytes(), true, true)
                                   : utf8::strip(text.bytes());
  return Value::string(text.part(range.begin, range.end), input.is(Kind::string) && input.as_string().markup);
}

Value do_replace(Runtime&, const Value& input, const Arguments& arguments) {
  const auto a = bind("replace", arguments, {"old", "new", "count"}, 2);
  const std::int64_t count = a[2] && !a[2]->is(Kind::none) ? need_integer("replace", *a[2]) : -1;
  return Value::string(replace(to_text(input), to_text(*a[0]).bytes(), to_text(*a[1]), count));
}

Value do_indent(Runtime&, const Value& input, const Arguments& arguments) {
  const auto a = bind("indent", arguments, {"width", "first", "blank"});
  const MarkedText& text = need_string("indent", input).text();
  MarkedText width = a[0] && a[0]->is(Kind::string) ? a[0]->text() : spaces(a[0] ? need_integer("indent", *a[0]) : 4);
  MarkedText source = text, out;
  source.append("\n", true);
  bool first = true;
  for (const utf8::Range& line : split_lines(source.bytes(), false)) {
    if (!first) out.append("\n", true);
    if ((first && is_set(a[1])) || (!first && (is_set(a[2]) || line.begin < line.end))) out.append(width);
    if (line.begin < line.end) out.append(source, line.begin, line.end);
    first = false;
  }
  return Value::string(out, input.as_string().markup);
}

Value do_truncate(Runtime&, const Value& input, const Arguments& arguments) {
  const auto a = bind("truncate", arguments, {"length", "killwords", "end", "leeway"});
  const MarkedText& text = need_string("truncate", input).text();
  const MarkedText end = a[2] ? need_string("truncate", *a[2]).text() : MarkedText("...", true);
  const std::int64_t length = a[0] ? need_integer("truncate", *a[0]) : 255;
  const std::int64_t leeway = a[3] && !a[3]->is(Kind::none) ? need_integer("truncate", *a[3]) : 5;
  const auto end_length = static_cast<std::int64_t>(utf8::count(end.bytes()));
  if (length < end_length || leeway < 0) fail(Status::invalid_argument, "truncate: a length or leeway too small");
  if (leeway > 1000000000 || static_cast<std::int64_t>(utf8::count(text.bytes())) <= length + leeway) return input;
  std::size_t cut = utf8::offset(text.bytes(), static_cast<std::size_t>(length - end_length));
  if (!is_set(a[1])) {
    const std::size_t space = std::string_view(text.bytes()).substr(0, cut).rfind(' ');
    if (space != std::string_view::npos) cut = space;
  }
  MarkedText out = text.part(0, cut);
  out.append(end);
  return Value::string(std::move(out));
}

Value do_center(Runtime&, const Value& input, const Arguments& arguments) {
  const auto a = bind("center", arguments, {"width"});
  return Value::string(center(to_text(input), a[0] ? need_integer("center", *a[0]) : 80));
}

Value do_wordcount(Runtime&, const Value& input, const Arguments& arguments) {
  bind("wordcount", arguments, {});
  const std::string text = to_text(input).bytes();
  std::int64_t n = 0;
  bool inside = false;
  for (std::size_t i = 0; i < text.size();) {
    const utf8::Char c = utf8::decode(text, i);
    if (c.code >= 0x80) fail(Status::unsupported, "wordcount of text outside of ASCII");
    const bool word = c.code == '_' || std::isalnum(static_cast<int>(c.code));
    n += word && !inside;
    inside = word;
    i += c.length;
  }
  return Value::integer(n);
}

Value do_format(Runtime&, const Value& input, const Arguments& arguments) {
  if (!arguments.named.empty()) fail(Status::unsupported, "the filter 'format' with named values");
  return Value::string(printf_format(to_text(input), Value::list(arguments.positional, List::Type::tuple)));
}

Value do_tojson(Runtime&, const Value& input, const Arguments& arguments) {
  const auto a = bind("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style{.ensure_ascii = is_set(a[0]), .sort_keys = is_set(a[3])};
  if (a[1] && !a[1]->is(Kind::none)) style.indent = a[1]->is(Kind::string) ? a[1]->text() : spaces(need_integer("tojson", *a[1]));
  if (a[2] && !a[2]->is(Kind::none)) {
    if (!a[2]->is(Kind::list) || a[2]->as_list().items.size() != 2) fail(Status::invalid_argument, "tojson: separators are a pair");
    style.item_separator = need_string("tojson", a[2]->as_list().items[0]).text();
    style.key_separator = need_string("tojson", a[2]->as_list().items[1]).text();
  }
  return Value::string(to_json(input, style));
}

/// Python's int(text, base): white space, a sign, a prefix of the base, digits with single underscores.
bool parse_integer(std::string_view text, int base, std::int64_t& result) {
  const utf8::Range range = utf8::strip(text);
  text = text.substr(range.begin, range.end - range.begin);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const char marker = base == 16 ? 'x' : base == 8 ? 'o' : base == 2 ? 'b' : '\0';
  if (marker && text.size() > 2 && text[0] == '0' && (text[1] | 0x20) == marker) text.remove_prefix(text[2] == '_' ? 3 : 2);
  std::string digits(negative ? "-" : "");
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] != '_' || i == 0 || i + 1 == text.size() || text[i - 1] == '_') digits += text[i];
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), result, base);
  if (error == std::errc::result_out_of_range) fail(Status::unsupported, "a number beyond 64 bits");
  return error == std::errc() && end == digits.data() + digits.size();
}

bool parse_real(std::string_view text, double& result) {
  const utf8::Range range = utf8::strip(text);
  text = text.substr(range.begin, range.end - range.begin);
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
  if (error == std::errc::result_out_of_range) fail(Status::unsupported, "a number beyond the range of floats");
  return error == std::errc() && end == text.data() + text.size();
}

bool truncated(double value, std::int64_t& result) {
  if (!(std::abs(value) < 9.2e18)) {
    if (std::isfinite(value)) fail(Status::unsupported, "a number beyond 64 bits");
    return false;
  }
  result = static_cast<std::int64_t>(value);
  return true;
}

Value do_int(Runtime&, const Value& input, const Arguments& arguments) {
  const auto a = bind("int", arguments, {"default", "base"});
  require_defined(input);
  const std::int64_t base = a[1] ? need_integer("int", *a[1]) : 10;
  if (base < 2 || base > 36) fail(Status::unsupported, "int: the base {}", base);
  std::int64_t result = 0;
  double real = 0;
  bool ok = false;
  if (input.is_integral()) ok = (result = input.as_integer(), true);
  else if (input.is(Kind::real)) ok = truncated(input.as_real(), result);
  else if (input.is(Kind::string))
    ok = parse_integer(input.bytes(), static_cast<int>(base), result) ||
         (parse_real(input.bytes(), real) && truncated(real, result));
  if (!ok) return a[0] ? *a[0] : Value::integer(0);
  return Value::integer(result, input.is(Kind::string) ? input.text().trusted() : input.trusted());
}

Value do_float(Runtime&, const Value& input, const Arguments& arguments) {
  const auto a = bind("float", arguments, {"default"});
  require_defined(input);
  double result = 0;
  if (input.is_number()) return Value::real(input.as_real(), input.trusted());
  if (input.is(Kind::string) && parse_real(input.bytes(), result)) return Value::real(result, input.text().trusted());
  return a[0] ? *a[0] : Value::real(0);
}

Value do_abs(Runtime&, const Value& input, const Arguments& arguments) {
  bind("abs", arguments, {});
  require_defined(input);
  if (!input.is_number()) fail(Status::invalid_argument, "abs of a {}", input.type_name());
  if (input.is(Kind::real)) return Value::real(std::abs(input.as_real()), input.trusted());
  if (input.as_integer() == std::numeric_limits<std::int64_t>::min()) fail(Status::unsupported, "a number beyond 64 bits");
  return Value::integer(std::abs(input.as_integer()), input.trusted());
}

Value do_round(Runtime&, const Value& input, const Arguments& arguments) {
  const auto a = bind("round", arguments, {"precision", "method"});
  require_defined(input);
  const std::int64_t precision = a[0] ? need_integer("round", *a[0]) : 0;
  const std::string method = a[1] ? need_string("round", *a[1]).bytes() : "common";
  if (!input.is_number()) fail(Status::invalid_argument, "round of a {}", input.type_name());
  if (precision < 0 || precision > 300) fail(Status::unsupported, "round to {} digits", precision);
  if (method == "common") {
    if (input.is_integral()) return Value::integer(input.as_integer(), input.trusted());
    const std::string text = fmt::format("{:.{}f}", input.as_real(), precision);  // rounds half to even, as Python
    double result = input.as_real();
    std::from_chars(text.data(), text.data() + text.size(), result);
    return Value::real(result, input.trusted());
  }
  if (method != "ceil" && method != "floor") fail(Status::invalid_argument, "round: the method '{}'", method);
  const double scale = std::pow(10.0, static_cast<double>(precision)), scaled = input.as_real() * scale;
  return Value::real((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale, input.trusted());
}

Value do_escape(Runtime&, const Value& input, const Arguments& arguments) {
  bind("escape", arguments, {});
  if (input.is(Kind::string) && input.as_string().markup) return input;
  return Value::string(escape_html(to_text(input)), true);
}

Value do_safe(Runtime&, const Value& input, const Arguments& arguments) {
  bind("safe", arguments, {});
  return Value::string(to_text(input), true);
}

Value do_string(Runtime&, const Value& input, const Arguments& arguments) {
  bind("string", arguments, {});
  return input.is(Kind::string) ? input : Value::string(to_text(input));
}

/// A filter that maps the text of its input.
template <MarkedText (*map)(const MarkedText&)>
Value do_map_text(Runtime&, const Value& input, const Arguments& arguments) {
  bind("upper, lower, title or capitalize", arguments, {});
  return Value::string(map(to_text(input)), input.is(Kind::string) && input.as_string().markup);
}

}  // namespace

std::span<const NamedFilter> text_filters() {
  static constexpr NamedFilter filters[] = {
      {"default", do_default}, {"d", do_default}, {"trim", do_trim}, {"replace", do_replace}, {"indent", do_indent},
      {"truncate", do_truncate}, {"center", do_center}, {"wordcount", do_wordcount}, {"format", do_format},
      {"tojson", do_tojson}, {"int", do_int}, {"float", do_float}, {"abs", do_abs}, {"round", do_round},
      {"escape", do_escape}, {"e", do_escape}, {"safe", do_safe}, {"string", do_string},
      {"upper", do_map_text<upper>}, {"lower", do_map_text<lower>}, {"title", do_map_text<title_words>},
      {"capitalize", do_map_text<capitalize>}};
  return filters;
}

}  // namespace mla::text::jinja
