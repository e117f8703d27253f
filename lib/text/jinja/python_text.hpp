// Values as text, byte for byte as Python writes them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "text/jinja/value.hpp"

namespace mla::text::jinja {

/// str(value); an undefined value is empty. Throws Error(unsupported) for functions, generators, ranges and views.
MarkedText to_text(const Value& value);
/// repr(value), as it stands inside of printed lists.
MarkedText to_repr(const Value& value);
std::string repr_of_real(double value);

struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::optional<MarkedText> indent{};       ///< of one level; none: all in one line
  std::optional<MarkedText> item_separator{}, key_separator{};
};
/// json.dumps(value, …); throws Error(invalid_argument) for what has no JSON.
MarkedText to_json(const Value& value, const JsonStyle& style);

/// Python's "format % arguments" for %s, %r, %d, %i, %u, %f, %e, %g, %x, %X, %o, %c, %%.
MarkedText printf_format(const MarkedText& format, const Value& arguments);
/// str.format() with {}, {0}, {name}, !r and !s; no attributes and no format specifications.
MarkedText brace_format(const MarkedText& format, const Arguments& arguments);

/// `text` with & < > ' " as HTML entities.
MarkedText escape_html(const MarkedText& text);

}  // namespace mla::text::jinja
