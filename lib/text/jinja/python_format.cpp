// The two ways in which Python fills in a format string.
#include <algorithm>
#include <charconv>

#include "platform/fail.hpp"
#include "text/jinja/python_text.hpp"
#include "text/jinja/runtime.hpp"
#include "text/jinja/utf8.hpp"

namespace mla::text::jinja {
namespace {

/// One % conversion, e.g. "%-8.3f".
struct Conversion {
  bool left = false, zero = false, plus = false, space = false, alternate = false;
  int width = 0, precision = -1;
  char letter = 's';
};

std::string with_sign(std::string digits, bool negative, const Conversion& c) {
  return (negative ? "-" : c.plus ? "+" : c.space ? " " : "") + digits;
}

std::string integer_digits(const Value& value, const Conversion& c) {
  if (!value.is_number()) fail(Status::invalid_argument, "%{} of a {}", c.letter, value.type_name());
  if (value.is(Kind::real) && !(std::abs(value.as_real()) < 9.2e18)) fail(Status::unsupported, "%{} of a huge number", c.letter);
  const std::int64_t number = value.is(Kind::real) ? static_cast<std::int64_t>(value.as_real()) : value.as_integer();
  const std::uint64_t magnitude = number < 0 ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
  std::string digits = c.letter == 'x'   ? fmt::format("{:x}", magnitude)
                       : c.letter == 'X' ? fmt::format("{:X}", magnitude)
                       : c.letter == 'o' ? fmt::format("{:o}", magnitude)
                                         : std::to_string(magnitude);
  if (c.precision > static_cast<int>(digits.size())) digits.insert(0, static_cast<std::size_t>(c.precision) - digits.size(), '0');
  return with_sign(std::move(digits), number < 0, c);
}

std::string real_digits(const Value& value, const Conversion& c) {
  if (!value.is_number()) fail(Status::invalid_argument, "%{} of a {}", c.letter, value.type_name());
  const double number = value.as_real();
  const int precision = c.precision < 0 ? 6 : c.precision;
  const double magnitude = std::abs(number);
  std::string digits = c.letter == 'f' || c.letter == 'F' ? fmt::format("{:.{}f}", magnitude, precision)
                       : c.letter == 'e'                  ? fmt::format("{:.{}e}", magnitude, precision)
                                                          : fmt::format("{:.{}g}", magnitude, precision);
  return with_sign(std::move(digits), std::signbit(number), c);
}

MarkedText converted(const Value& value, const Conversion& c) {
  if (c.letter == 's' || c.letter == 'r') {
    if (!value.is_defined() && c.letter == 'r') fail(Status::unsupported, "%r of an undefined value");
    MarkedText text = c.letter == 's' ? to_text(value) : to_repr(value);
    return c.precision < 0 ? text : text.part(0, utf8::offset(text.bytes(), static_cast<std::size_t>(c.precision)));
  }
  require_defined(value);
  if (std::string_view("diuxXo").find(c.letter) != std::string_view::npos)
    return MarkedText(integer_digits(value, c), value.trusted());
  if (std::string_view("fFeg").find(c.letter) != std::string_view::npos) return MarkedText(real_digits(value, c), value.trusted());
  fail(Status::unsupported, "the conversion %{}", c.letter);
}

MarkedText padded(MarkedText text, const Conversion& c) {
  const std::size_t length = utf8::count(text.bytes()), width = static_cast<std::size_t>(c.width);
  if (length >= width) return text;
  const bool zeros = c.zero && !c.left && c.letter != 's' && c.letter != 'r';
  const std::string padding(width - length, zeros ? '0' : ' ');
  MarkedText out;
  std::size_t sign = 0;
  if (zeros && !text.empty() && (text.bytes()[0] == '-' || text.bytes()[0] == '+' || text.bytes()[0] == ' ')) sign = 1;
  if (sign) out.append(text, 0, 1);
  if (!c.left) out.append(padding, true);
  out.append(text, sign, text.size());
  if (c.left) out.append(padding, true);
  return out;
}

/// The number at `position` of the format, which moves behind it.
int number_at(const std::string& format, std::size_t& position) {
  int value = 0;
  const auto result = std::from_chars(format.data() + position, format.data() + format.size(), value);
  if (result.ec == std::errc::result_out_of_range || value > 10000) fail(Status::unsupported, "a width beyond 10000 in a format");
  position = static_cast<std::size_t>(result.ptr - format.data());
  return value;
}

}  // namespace

MarkedText printf_format(const MarkedText& format, const Value& arguments) {
  const bool is_tuple = arguments.is(Kind::list) && arguments.as_list().type == List::Type::tuple;
  std::size_t n_used = 0;
  const auto next_argument = [&]() -> const Value& {
    if (is_tuple ? n_used >= arguments.as_list().items.size() : n_used > 0)
      fail(Status::invalid_argument, "too few values for the format");
    return is_tuple ? arguments.as_list().items[n_used++] : (++n_used, arguments);
  };
  const std::string& bytes = format.bytes();
  MarkedText out;
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t percent = std::min(bytes.find('%', i), bytes.size());
    out.append(format, i, percent);
    if ((i = percent + 1) > bytes.size()) break;
    Conversion c;
    for (; i < bytes.size() && std::string_view("-0+ #").find(bytes[i]) != std::string_view::npos; ++i)
      (bytes[i] == '-' ? c.left : bytes[i] == '0' ? c.zero : bytes[i] == '+' ? c.plus : bytes[i] == ' ' ? c.space : c.alternate) = true;
    if (i < bytes.size() && bytes[i] >= '0' && bytes[i] <= '9') c.width = number_at(bytes, i);
    if (i < bytes.size() && bytes[i] == '.') c.precision = number_at(bytes, ++i);
    if (i >= bytes.size()) fail(Status::invalid_argument, "a format that ends within a conversion");
    c.letter = bytes[i++];
    if (c.alternate || c.letter == '(' || c.letter == '*') fail(Status::unsupported, "the conversion %{}", c.alternate ? '#' : c.letter);
    if (c.letter == '%') out.append(format, i - 1, i);
    else out.append(padded(converted(next_argument(), c), c));
  }
  const bool all_used = is_tuple ? n_used == arguments.as_list().items.size() : n_used == 1 || arguments.is(Kind::dict);
  if (!all_used && !(arguments.is(Kind::list) && !is_tuple)) fail(Status::invalid_argument, "not all values used by the format");
  return out;
}

MarkedText brace_format(const MarkedText& format, const Arguments& arguments) {
  const std::string& bytes = format.bytes();
  MarkedText out;
  std::size_t n_automatic = 0;
  const auto lookup = [&](std::string_view name) -> const Value& {
    if (name.empty() || (name[0] >= '0' && name[0] <= '9')) {
      std::size_t index = n_automatic;
      if (name.empty()) ++n_automatic;
      else std::from_chars(name.data(), name.data() + name.size(), index);
      if (index >= arguments.positional.size()) fail(Status::invalid_argument, "too few values for format()");
      return arguments.positional[index];
    }
    for (const auto& [key, value] : arguments.named)
      if (key == name) return value;
    fail(Status::invalid_argument, "format() has no value '{}'", name);
  };
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t brace = std::min(bytes.find_first_of("{}", i), bytes.size());
    out.append(format, i, brace);
    if ((i = brace) == bytes.size()) break;
    if (i + 1 < bytes.size() && bytes[i + 1] == bytes[i]) {
      out.append(format, i, i + 1);
      i += 2;
      continue;
    }
    const std::size_t end = bytes.find('}', i);
    if (bytes[i] == '}' || end == std::string::npos) fail(Status::invalid_argument, "a single brace in a format");
    std::string_view field = std::string_view(bytes).substr(i + 1, end - i - 1);
    const bool repr = field.ends_with("!r");
    if (repr || field.ends_with("!s")) field.remove_suffix(2);
    if (field.find_first_of(":!{.[") != std::string_view::npos) fail(Status::unsupported, "the format field {{{}}}", field);
    out.append(repr ? to_repr(lookup(field)) : to_text(lookup(field)));
    i = end + 1;
  }
  return out;
}

}  // namespace mla::text::jinja
