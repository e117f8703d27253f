#include "text/jinja/string_ops.hpp"

#include <algorithm>

#include "platform/fail.hpp"

namespace mla::text::jinja {
namespace {

bool has_char(std::string_view chars, std::string_view c) {
  for (std::size_t i = 0; i < chars.size(); i += utf8::decode(chars, i).length)
    if (chars.substr(i, utf8::decode(chars, i).length) == c) return true;
  return false;
}

/// Cuts at the separators, from the left.
std::vector<utf8::Range> split_at(std::string_view text, std::string_view separator, std::size_t max_splits) {
  std::vector<utf8::Range> parts;
  std::size_t begin = 0;
  while (parts.size() < max_splits) {
    const std::size_t found = text.find(separator, begin);
    if (found == std::string_view::npos) break;
    parts.push_back({begin, found});
    begin = found + separator.size();
  }
  parts.push_back({begin, text.size()});
  return parts;
}

std::vector<utf8::Range> split_at_right(std::string_view text, std::string_view separator, std::size_t max_splits) {
  std::vector<utf8::Range> parts;
  std::size_t end = text.size();
  while (parts.size() < max_splits && end >= separator.size()) {
    const std::size_t found = text.rfind(separator, end - separator.size());
    if (found == std::string_view::npos) break;
    parts.push_back({found + separator.size(), end});
    end = found;
  }
  parts.push_back({0, end});
  std::reverse(parts.begin(), parts.end());
  return parts;
}

bool space_at(std::string_view text, std::size_t i) { return utf8::is_space(utf8::decode(text, i).code); }

std::vector<utf8::Range> split_words(std::string_view text, std::size_t max_splits) {
  std::vector<utf8::Range> parts;
  std::size_t i = utf8::strip(text, true, false).begin;
  while (i < text.size()) {
    std::size_t end = i;
    if (parts.size() == max_splits) end = text.size();  // the rest as it stands
    else while (end < text.size() && !space_at(text, end)) end += utf8::decode(text, end).length;
    parts.push_back({i, end});
    i = end;
    while (i < text.size() && space_at(text, i)) i += utf8::decode(text, i).length;
  }
  return parts;
}

std::vector<utf8::Range> split_words_right(std::string_view text, std::size_t max_splits) {
  std::vector<utf8::Range> parts;
  std::size_t end = utf8::strip(text, false, true).end;
  while (end > 0) {
    std::size_t begin = end;
    if (parts.size() == max_splits) begin = 0;
    else while (begin > 0 && !space_at(text, utf8::previous(text, begin))) begin = utf8::previous(text, begin);
    parts.push_back({begin, end});
    end = utf8::strip(text.substr(0, begin), false, true).end;
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

}  // namespace

utf8::Range strip_chars(std::string_view text, std::string_view chars, bool left, bool right) {
  utf8::Range range{0, text.size()};
  while (left && range.begin < range.end) {
    const std::size_t length = utf8::decode(text, range.begin).length;
    if (!has_char(chars, text.substr(range.begin, length))) break;
    range.begin += length;
  }
  while (right && range.begin < range.end) {
    const std::size_t start = utf8::previous(text, range.end);
    if (!has_char(chars, text.substr(start, range.end - start))) break;
    range.end = start;
  }
  return range;
}

MarkedText replace(const MarkedText& text, std::string_view old, const MarkedText& replacement, std::int64_t count) {
  const std::string& bytes = text.bytes();
  MarkedText out;
  std::size_t i = 0;
  for (; count != 0; --count) {
    const std::size_t found = bytes.find(old, i);
    if (found == std::string::npos) break;
    // An empty `old` stands before every character and at the end; there the neighbour's mark counts.
    const std::size_t next = old.empty() && found < bytes.size() ? found + utf8::decode(bytes, found).length : found + old.size();
    if (!old.empty() && found > i) out.append(text, i, found);
    out.append(replacement, 0, replacement.size(), old.empty() ? text.trusted() : text.trusted(found, next));
    if (old.empty()) {
      if (found == bytes.size()) return out;
      out.append(text, found, next);
    }
    i = next;
  }
  if (i < bytes.size()) out.append(text, i, bytes.size());
  return out;
}

std::vector<utf8::Range> split_lines(std::string_view text, bool keep_ends) {
  std::vector<utf8::Range> lines;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size();) {
    const utf8::Char c = utf8::decode(text, i);
    std::size_t end = i + c.length;
    const bool is_end = (c.code >= 10 && c.code <= 13) || (c.code >= 0x1C && c.code <= 0x1E) || c.code == 0x85 ||
                        c.code == 0x2028 || c.code == 0x2029;
    if (is_end) {
      if (c.code == '\r' && end < text.size() && text[end] == '\n') ++end;
      lines.push_back({begin, keep_ends ? end : i});
      begin = end;
    }
    i = end;
  }
  if (begin < text.size()) lines.push_back({begin, text.size()});
  return lines;
}

std::vector<utf8::Range> split(std::string_view text, const std::string_view* separator, std::int64_t max_splits, bool from_right) {
  const std::size_t n = max_splits < 0 ? text.size() + 1 : static_cast<std::size_t>(max_splits);
  if (!separator) return from_right ? split_words_right(text, n) : split_words(text, n);
  if (separator->empty()) fail(Status::invalid_argument, "split at an empty separator");
  return from_right ? split_at_right(text, *separator, n) : split_at(text, *separator, n);
}

MarkedText spaces(std::int64_t n, char fill) {
  if (n > static_cast<std::int64_t>(max_text_bytes)) fail(Status::unsupported, "a string grows beyond the limit");
  return MarkedText(std::string(static_cast<std::size_t>(std::max<std::int64_t>(n, 0)), fill), true);
}

MarkedText center(const MarkedText& text, std::int64_t width) {
  const std::int64_t missing = width - static_cast<std::int64_t>(utf8::count(text.bytes()));
  if (missing <= 0) return text;
  const std::int64_t left = missing / 2 + (missing & width & 1);
  MarkedText out = spaces(left);
  out.append(text);
  out.append(spaces(missing - left));
  return out;
}

}  // namespace mla::text::jinja
