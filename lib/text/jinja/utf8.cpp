#include "text/jinja/utf8.hpp"

#include <algorithm>
#include <iterator>

#include "text/utf8.hpp"

namespace mla::text::jinja::utf8 {

Char decode(std::string_view text, std::size_t position) {
  const auto lead = static_cast<unsigned char>(text[position]);
  if (lead < 0x80) return {lead, 1};
  const Utf8Step step = utf8_step(text.substr(position));
  if (!step.valid) return {0xDC00u + lead, 1};
  return {decode_utf8(text.substr(position, step.length)), step.length};
}

std::size_t previous(std::string_view text, std::size_t position) {
  for (std::size_t length = 2; length <= 4 && length <= position; ++length)
    if (decode(text, position - length).length == length) return position - length;
  return position - 1;
}

std::size_t count(std::string_view text) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < text.size(); ++n) i += decode(text, i).length;
  return n;
}

std::size_t offset(std::string_view text, std::size_t index) {
  std::size_t i = 0;
  for (; index > 0 && i < text.size(); --index) i += decode(text, i).length;
  return i;
}

bool is_space(char32_t code) {
  return (code >= 9 && code <= 13) || (code >= 28 && code <= 32) || code == 0x85 || code == 0xA0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F ||
         code == 0x3000;
}

bool is_printable(char32_t code) {
  if (code < 0x7F) return code >= 32;
  struct Span {
    char32_t first, last;
  };
  // Unicode's categories Cc, Cf, Co, Zl, Zp and Zs.
  static constexpr Span hidden[] = {
      {0x7F, 0xA0},       {0xAD, 0xAD},       {0x600, 0x605},     {0x61C, 0x61C},     {0x6DD, 0x6DD},     {0x70F, 0x70F},
      {0x890, 0x891},     {0x8E2, 0x8E2},     {0x1680, 0x1680},   {0x180E, 0x180E},   {0x2000, 0x200F},   {0x2028, 0x202F},
      {0x205F, 0x206F},   {0x3000, 0x3000},   {0xD800, 0xF8FF},   {0xFEFF, 0xFEFF},   {0xFFF9, 0xFFFB},   {0x110BD, 0x110BD},
      {0x110CD, 0x110CD}, {0x13430, 0x1343F}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0001, 0xE007F}, {0xF0000, 0x10FFFF}};
  return std::none_of(std::begin(hidden), std::end(hidden),
                      [code](const Span& span) { return code >= span.first && code <= span.last; });
}

Range strip(std::string_view text, bool left, bool right) {
  Range range{0, text.size()};
  while (left && range.begin < range.end) {
    const Char c = decode(text, range.begin);
    if (!is_space(c.code)) break;
    range.begin += c.length;
  }
  while (right && range.begin < range.end) {
    const std::size_t start = previous(text, range.end);
    if (!is_space(decode(text, start).code)) break;
    range.end = start;
  }
  return range;
}

}  // namespace mla::text::jinja::utf8
