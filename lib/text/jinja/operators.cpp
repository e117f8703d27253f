#include "text/jinja/operators.hpp"

#include <algorithm>
#include <cmath>

#include "platform/fail.hpp"
#include "text/jinja/filters.hpp"
#include "text/jinja/python_text.hpp"
#include "text/jinja/utf8.hpp"

namespace mla::text::jinja {
namespace {

void require_fit(bool overflow) {
  if (overflow) fail(Status::unsupported, "a number beyond 64 bits");
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - (a % b != 0 && (a % b < 0) != (b < 0)); }

double floor_modulo(double a, double b) {
  const double remainder = std::fmod(a, b);
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

Value integer_power(std::int64_t base, std::int64_t exponent, bool trusted) {
  if (exponent < 0) return Value::real(std::pow(static_cast<double>(base), static_cast<double>(exponent)), trusted);
  std::int64_t result = 1;
  if (base == 0 || base == 1 || base == -1) return Value::integer(exponent == 0 ? 1 : exponent % 2 ? base : base * base, trusted);
  for (; exponent > 0; --exponent)
    require_fit(__builtin_mul_overflow(result, base, &result));
  return Value::integer(result, trusted);
}

Value integer_operation(std::string_view op, std::int64_t a, std::int64_t b, bool trusted) {
  std::int64_t result = 0;
  if (op == "**") return integer_power(a, b, trusted);
  if (op == "+") {
    require_fit(__builtin_add_overflow(a, b, &result));
  } else if (op == "-") {
    require_fit(__builtin_sub_overflow(a, b, &result));
  } else if (op == "*") {
    require_fit(__builtin_mul_overflow(a, b, &result));
  } else {
    if (b == 0) fail(Status::invalid_argument, "division by zero");
    if (op == "/") return Value::real(static_cast<double>(a) / static_cast<double>(b), trusted);
    if (b == -1) return op == "%" ? Value::integer(0, trusted) : integer_operation("-", 0, a, trusted);
    result = op == "//" ? floor_divide(a, b) : a - b * floor_divide(a, b);
  }
  return Value::integer(result, trusted);
}

Value real_operation(std::string_view op, double a, double b, bool trusted) {
  if (op == "+") return Value::real(a + b, trusted);
  if (op == "-") return Value::real(a - b, trusted);
  if (op == "*") return Value::real(a * b, trusted);
  if (op == "**") return Value::real(std::pow(a, b), trusted);
  if (b == 0) fail(Status::invalid_argument, "division by zero");
  if (op == "/") return Value::real(a / b, trusted);
  const double modulo = floor_modulo(a, b);
  return Value::real(op == "%" ? modulo : std::floor((a - modulo) / b + 0.5), trusted);
}

Value add_strings(const String& a, const String& b) {
  const bool markup = a.markup || b.markup;
  MarkedText out = markup && !a.markup ? escape_html(a.text) : a.text;
  out.append(markup && !b.markup ? escape_html(b.text) : b.text);
  return Value::string(std::move(out), markup);
}

bool is_plain_list(const Value& value) { return value.is(Kind::list) && value.as_list().type <= List::Type::tuple; }

Value add_lists(Runtime& runtime, const Value& a, const Value& b) {
  std::vector<Value> items = a.as_list().items;
  items.insert(items.end(), b.as_list().items.begin(), b.as_list().items.end());
  runtime.charge_memory(items.size() * sizeof(Value));
  return Value::list(std::move(items), a.as_list().type, a.trusted() && b.trusted());
}

Value repeat(Runtime& runtime, const Value& value, std::int64_t n) {
  n = std::max<std::int64_t>(n, 0);
  const std::size_t size = value.is(Kind::string) ? value.text().size() : value.as_list().items.size() * sizeof(Value);
  if (size > 0 && static_cast<std::uint64_t>(n) > max_text_bytes / size) fail(Status::unsupported, "a repetition grows beyond the limit");
  if (size == 0) n = 0;
  runtime.charge_memory(size * static_cast<std::size_t>(n));
  if (value.is(Kind::string)) {
    MarkedText out;
    for (std::int64_t i = 0; i < n; ++i) out.append(value.text());
    return Value::string(std::move(out), value.as_string().markup);
  }
  std::vector<Value> items;
  for (std::int64_t i = 0; i < n; ++i) items.insert(items.end(), value.as_list().items.begin(), value.as_list().items.end());
  return Value::list(std::move(items), value.as_list().type, value.trusted());
}

/// Python's slice.indices(): the indices that a slice of `n` items takes.
std::vector<std::size_t> slice_indices(std::int64_t n, const Value& start, const Value& stop, const Value& step) {
  const auto part = [](const Value& value, std::int64_t fallback) {
    if (value.is(Kind::none)) return fallback;
    if (!value.is_integral()) fail(Status::invalid_argument, "a slice bounded by a {}", value.type_name());
    return value.as_integer();
  };
  const std::int64_t by = std::clamp<std::int64_t>(part(step, 1), -(std::int64_t{1} << 40), std::int64_t{1} << 40);
  if (by == 0) fail(Status::invalid_argument, "a slice with step zero");
  const std::int64_t low = by > 0 ? 0 : -1, high = by > 0 ? n : n - 1;
  const auto bound = [&](const Value& value, std::int64_t fallback) {
    const std::int64_t i = part(value, fallback);
    if (value.is(Kind::none)) return i;
    return std::clamp(i < 0 ? std::max(i, -n - 1) + n : i, low, high);
  };
  std::vector<std::size_t> indices;
  const std::int64_t end = bound(stop, by > 0 ? n : -1);
  for (std::int64_t i = bound(start, by > 0 ? 0 : n - 1); by > 0 ? i < end : i > end; i += by)
    indices.push_back(static_cast<std::size_t>(i));
  return indices;
}

Value slice_string(const Value& object, const Value& start, const Value& stop, const Value& step) {
  std::vector<std::size_t> offsets;
  const std::string& bytes = object.bytes();
  for (std::size_t i = 0; i < bytes.size(); i += utf8::decode(bytes, i).length) offsets.push_back(i);
  const auto n = static_cast<std::int64_t>(offsets.size());
  offsets.push_back(bytes.size());
  MarkedText out;
  for (const std::size_t i : slice_indices(n, start, stop, step)) out.append(object.text(), offsets[i], offsets[i + 1]);
  return Value::string(std::move(out), object.as_string().markup);
}

}  // namespace

Value binary_operation(Runtime& runtime, std::string_view op, const Value& a, const Value& b) {
  if (op == "%" && a.is(Kind::string)) return Value::string(printf_format(a.text(), b));
  require_defined(a), require_defined(b);
  const bool trusted = a.trusted() && b.trusted();
  if (a.is_integral() && b.is_integral()) return integer_operation(op, a.as_integer(), b.as_integer(), trusted);
  if (a.is_number() && b.is_number()) return real_operation(op, a.as_real(), b.as_real(), trusted);
  if (op == "+" && a.is(Kind::string) && b.is(Kind::string)) {
    runtime.charge_memory(a.text().size() + b.text().size());
    return add_strings(a.as_string(), b.as_string());
  }
  if (op == "+" && is_plain_list(a) && is_plain_list(b) && a.as_list().type == b.as_list().type) return add_lists(runtime, a, b);
  if (op == "*" && (a.is(Kind::string) || is_plain_list(a)) && b.is_integral()) return repeat(runtime, a, b.as_integer());
  if (op == "*" && a.is_integral() && (b.is(Kind::string) || is_plain_list(b))) return repeat(runtime, b, a.as_integer());
  fail(Status::invalid_argument, "the operation {} {} {}", a.type_name(), op, b.type_name());
}

Value sign_operation(std::string_view op, const Value& value) {
  require_defined(value);
  if (!value.is_number()) fail(Status::invalid_argument, "the operation {}{}", op, value.type_name());
  if (value.is(Kind::real)) return Value::real(op == "-" ? -value.as_real() : value.as_real(), value.trusted());
  return integer_operation(op, 0, value.as_integer(), value.trusted());
}

bool compare_operation(Runtime& runtime, std::string_view op, const Value& a, const Value& b) {
  if (op == "==") return equal(a, b);
  if (op == "!=") return !equal(a, b);
  if (op == "in") return contains(runtime, b, a);
  if (op == "not in") return !contains(runtime, b, a);
  if (a.is_number() && b.is_number() && (std::isnan(a.as_real()) || std::isnan(b.as_real()))) return false;
  const int order = compare(a, b);
  return op == "<" ? order < 0 : op == "<=" ? order <= 0 : op == ">" ? order > 0 : order >= 0;
}

Value slice_operation(Runtime& runtime, const Value& object, const Value& start, const Value& stop, const Value& step) {
  require_defined(object);
  if (object.is(Kind::string)) {
    runtime.charge(object.text().size() / 16);
    return slice_string(object, start, stop, step);
  }
  if (!object.is(Kind::list) || object.as_list().type == List::Type::view) return Value::undefined(fmt::format("a {} has no slices", object.type_name()));
  const auto& items = object.as_list().items;
  std::vector<Value> part;
  for (const std::size_t i : slice_indices(static_cast<std::int64_t>(items.size()), start, stop, step)) part.push_back(items[i]);
  runtime.charge_memory(part.size() * sizeof(Value));
  return Value::list(std::move(part), object.as_list().type, object.trusted());
}

}  // namespace mla::text::jinja
