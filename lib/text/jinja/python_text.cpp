#include "text/jinja/python_text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "platform/fail.hpp"
#include "text/jinja/utf8.hpp"

namespace mla::text::jinja {
namespace {

void append_repr(MarkedText& out, const Value& value);

/// Calls put(character's bytes, trusted, code point) for each character of the text.
template <typename Put>
void for_each_char(const MarkedText& text, Put put) {
  const std::string_view bytes = text.bytes();
  std::size_t run = 0;
  for (std::size_t i = 0; i < bytes.size();) {
    const utf8::Char c = utf8::decode(bytes, i);
    while (text.runs()[run].end <= i) ++run;
    put(bytes.substr(i, c.length), text.runs()[run].trusted && text.runs()[run].end >= i + c.length, c.code);
    i += c.length;
  }
}

std::string python_escape(char32_t code) {
  if (code == '\n') return "\\n";
  if (code == '\r') return "\\r";
  if (code == '\t') return "\\t";
  return code < 0x100     ? fmt::format("\\x{:02x}", static_cast<std::uint32_t>(code))
         : code < 0x10000 ? fmt::format("\\u{:04x}", static_cast<std::uint32_t>(code))
                          : fmt::format("\\U{:08x}", static_cast<std::uint32_t>(code));
}

void append_string_repr(MarkedText& out, const MarkedText& text) {
  const bool has_single = text.bytes().find('\'') != std::string::npos, has_double = text.bytes().find('"') != std::string::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  const bool trusted = text.trusted();
  out.append(std::string_view(&quote, 1), trusted);
  for_each_char(text, [&](std::string_view bytes, bool char_trusted, char32_t code) {
    if (code == '\\' || code == static_cast<unsigned char>(quote)) out.append("\\", char_trusted);
    if (utf8::is_printable(code)) out.append(bytes, char_trusted);
    else out.append(python_escape(code), char_trusted);
  });
  out.append(std::string_view(&quote, 1), trusted);
}

void append_items(MarkedText& out, const Value& value) {
  const List& list = value.as_list();
  const bool is_tuple = list.type == List::Type::tuple, trusted = value.trusted();
  out.append(is_tuple ? "(" : "[", trusted);
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) out.append(", ", trusted);
    append_repr(out, list.items[i]);
  }
  out.append(is_tuple ? list.items.size() == 1 ? ",)" : ")" : "]", trusted);
}

void append_dict(MarkedText& out, const Value& value) {
  const char* separator = "";
  out.append("{", value.trusted());
  for (const auto& [key, item] : value.as_dict().items) {
    out.append(separator, value.trusted());
    append_repr(out, key);
    out.append(": ", value.trusted());
    append_repr(out, item);
    separator = ", ";
  }
  out.append("}", value.trusted());
}

void append_repr(MarkedText& out, const Value& value) {
  switch (value.kind()) {
    case Kind::undefined: return out.append("Undefined", true);
    case Kind::none: return out.append("None", value.trusted());
    case Kind::boolean: return out.append(value.as_bool() ? "True" : "False", value.trusted());
    case Kind::integer: return out.append(std::to_string(value.as_integer()), value.trusted());
    case Kind::real: return out.append(repr_of_real(value.as_real()), value.trusted());
    case Kind::string:
      if (value.as_string().markup) fail(Status::unsupported, "printing a list that holds the result of 'safe' or 'escape'");
      return append_string_repr(out, value.text());
    case Kind::list:
      if (value.as_list().type <= List::Type::tuple) return append_items(out, value);
      break;
    case Kind::dict: return append_dict(out, value);
    default: break;
  }
  fail(Status::unsupported, "printing a {}", value.type_name());
}

class JsonWriter {
 public:
  JsonWriter(MarkedText& out, const JsonStyle& style) : out_(out), style_(style) {
    item_separator_ = style.item_separator.value_or(MarkedText(style.indent ? "," : ", ", true));
    key_separator_ = style.key_separator.value_or(MarkedText(": ", true));
  }

  void write(const Value& value) {
    switch (value.kind()) {
      case Kind::none: return out_.append("null", value.trusted());
      case Kind::boolean: return out_.append(value.as_bool() ? "true" : "false", value.trusted());
      case Kind::integer: return out_.append(std::to_string(value.as_integer()), value.trusted());
      case Kind::real: return out_.append(real(value.as_real()), value.trusted());
      case Kind::string: return string(value.text());
      case Kind::list:
        if (value.as_list().type <= List::Type::tuple) return list(value);
        break;
      case Kind::dict: return dict(value);
      default: break;
    }
    fail(Status::invalid_argument, "tojson of a {}{}", value.type_name(),
         value.is_defined() ? "" : fmt::format(": {}", value.why_undefined()));
  }

 private:
  static std::string real(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    return repr_of_real(value);
  }

  void string(const MarkedText& text) {
    const bool trusted = text.trusted();
    out_.append("\"", trusted);
    for_each_char(text, [this](std::string_view bytes, bool char_trusted, char32_t code) {
      static constexpr std::string_view plain = "\"\\\n\r\t\f\b", letters = "\"\\nrtfb";
      if (const std::size_t i = code < 0x80 ? plain.find(static_cast<char>(code)) : plain.npos; i != plain.npos)
        out_.append(std::string{'\\', letters[i]}, char_trusted);
      else if (code < 0x20 || (style_.ensure_ascii && code >= 0x7F))
        out_.append(unicode_escape(code), char_trusted);
      else
        out_.append(bytes, char_trusted);
    });
    out_.append("\"", trusted);
  }

  static std::string unicode_escape(char32_t code) {
    const auto unit = static_cast<std::uint32_t>(code);
    if (unit < 0x10000) return fmt::format("\\u{:04x}", unit);
    return fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((unit - 0x10000) >> 10), 0xDC00 + ((unit - 0x10000) & 0x3FF));
  }

  void line_break(bool trusted) {
    if (!style_.indent) return;
    out_.append("\n", trusted);
    for (int i = 0; i < level_; ++i) out_.append(*style_.indent);
  }

  /// Writes the items of a list or dict between its brackets; write_item(i) writes one.
  template <typename WriteItem>
  void group(const char* brackets, std::size_t n, bool trusted, WriteItem write_item) {
    out_.append(std::string_view(brackets, 1), trusted);
    ++level_;
    for (std::size_t i = 0; i < n; ++i) {
      if (i > 0) out_.append(item_separator_, 0, item_separator_.size(), trusted);
      line_break(trusted);
      write_item(i);
    }
    --level_;
    if (n > 0) line_break(trusted);
    out_.append(std::string_view(brackets + 1, 1), trusted);
  }

  void list(const Value& value) {
    const auto& items = value.as_list().items;
    group("[]", items.size(), value.trusted(), [&](std::size_t i) { write(items[i]); });
  }

  void dict(const Value& value) {
    std::vector<const std::pair<Value, Value>*> items;
    for (const auto& item : value.as_dict().items) items.push_back(&item);
    if (style_.sort_keys) {
      for (const auto* item : items)
        if (!item->first.is(Kind::string)) fail(Status::unsupported, "tojson with sort_keys of keys that are no strings");
      std::stable_sort(items.begin(), items.end(), [](auto* a, auto* b) { return a->first.bytes() < b->first.bytes(); });
    }
    group("{}", items.size(), value.trusted(), [&](std::size_t i) {
      key(items[i]->first);
      out_.append(key_separator_, 0, key_separator_.size(), value.trusted());
      write(items[i]->second);
    });
  }

  void key(const Value& value) {
    if (value.is(Kind::string)) return string(value.text());
    if (!value.is_number() && !value.is(Kind::none)) fail(Status::invalid_argument, "tojson of a key that is a {}", value.type_name());
    out_.append("\"", value.trusted());
    write(value);
    out_.append("\"", value.trusted());
  }

  MarkedText& out_;
  const JsonStyle& style_;
  MarkedText item_separator_, key_separator_;
  int level_ = 0;
};

}  // namespace

std::string repr_of_real(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  const std::size_t e = text.find('e');
  int exponent = 0;
  const std::size_t digits = e + 1 + (text[e + 1] == '+' ? 1 : 0);
  std::from_chars(text.data() + digits, text.data() + text.size(), exponent);
  if (exponent < -4 || exponent >= 16)
    return fmt::format("{}e{}{:02}", text.substr(0, e), exponent < 0 ? '-' : '+', std::abs(exponent));
  char plain[64];
  const auto plain_end = std::to_chars(plain, plain + sizeof plain, value, std::chars_format::fixed).ptr;
  std::string result(plain, plain_end);
  return result.find('.') == std::string::npos ? result + ".0" : result;
}

MarkedText to_text(const Value& value) {
  if (value.is(Kind::string)) return value.text();
  MarkedText out;
  if (value.is_defined()) append_repr(out, value);
  return out;
}

MarkedText to_repr(const Value& value) {
  MarkedText out;
  append_repr(out, value);
  return out;
}

MarkedText to_json(const Value& value, const JsonStyle& style) {
  MarkedText out;
  JsonWriter(out, style).write(value);
  return out;
}

MarkedText escape_html(const MarkedText& text) {
  MarkedText out;
  for_each_char(text, [&](std::string_view bytes, bool trusted, char32_t code) {
    out.append(code == '&'    ? "&amp;"
               : code == '<'  ? "&lt;"
               : code == '>'  ? "&gt;"
               : code == '\'' ? "&#39;"
               : code == '"'  ? "&#34;"
                              : bytes,
               trusted);
  });
  return out;
}

}  // namespace mla::text::jinja
