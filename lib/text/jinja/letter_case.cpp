#include "text/jinja/letter_case.hpp"

#include <algorithm>
#include <iterator>

#include "platform/fail.hpp"
#include "text/jinja/utf8.hpp"
#include "text/utf8.hpp"

namespace mla::text::jinja {
namespace {

/// Upper-case letters first, first + step … last; the lower-case ones are `delta` further.
struct Pairs {
  char32_t first, last;
  std::int32_t step, delta;
};

constexpr Pairs pairs[] = {
    {'A', 'Z', 1, 32},         {0xC0, 0xD6, 1, 32},      {0xD8, 0xDE, 1, 32},    {0x100, 0x12E, 2, 1},   {0x132, 0x136, 2, 1},
    {0x139, 0x147, 2, 1},      {0x14A, 0x176, 2, 1},     {0x178, 0x178, 1, -121}, {0x179, 0x17D, 2, 1},  {0x386, 0x386, 1, 38},
    {0x388, 0x38A, 1, 37},     {0x38C, 0x38C, 1, 64},    {0x38E, 0x38F, 1, 63},  {0x391, 0x3A1, 1, 32},  {0x3A3, 0x3AB, 1, 32},
    {0x400, 0x40F, 1, 80},     {0x410, 0x42F, 1, 32},    {0x460, 0x480, 2, 1},   {0x48A, 0x4BE, 2, 1},   {0x4C1, 0x4CD, 2, 1},
    {0x4D0, 0x52E, 2, 1},      {0x1E00, 0x1E94, 2, 1},   {0x1EA0, 0x1EFE, 2, 1}, {0xFF21, 0xFF3A, 1, 32}};

struct Span {
  char32_t first, last;
};

// Other characters that change in upper(), lower() or title() of Unicode 14 (with a few uncased ones between them).
constexpr Span others[] = {
    {0xB5, 0xB5},       {0xDF, 0xDF},       {0x130, 0x131},     {0x149, 0x149},     {0x17F, 0x1BF},     {0x1C4, 0x233},
    {0x23A, 0x275},     {0x27D, 0x28C},     {0x292, 0x292},     {0x29D, 0x29E},     {0x345, 0x345},     {0x370, 0x37F},
    {0x390, 0x390},     {0x3A3, 0x3A3},     {0x3B0, 0x3B0},     {0x3C2, 0x3C2},     {0x3CF, 0x3FF},     {0x4C0, 0x4C0},
    {0x4CF, 0x4CF},     {0x531, 0x556},     {0x561, 0x587},     {0x10A0, 0x10C7},   {0x10CD, 0x10FF},   {0x13A0, 0x13FD},
    {0x1C80, 0x1C88},   {0x1C90, 0x1CBF},   {0x1D79, 0x1D7D},   {0x1D8E, 0x1D8E},   {0x1E96, 0x1E9E},   {0x1F00, 0x1FDB},
    {0x1FE0, 0x1FEC},   {0x1FF2, 0x1FFC},   {0x2126, 0x212B},   {0x2132, 0x2132},   {0x214E, 0x214E},   {0x2160, 0x2184},
    {0x24B6, 0x24E9},   {0x2C00, 0x2C76},   {0x2C7E, 0x2CE3},   {0x2CEB, 0x2CF3},   {0x2D00, 0x2D27},   {0x2D2D, 0x2D2D},
    {0xA640, 0xA66D},   {0xA680, 0xA69B},   {0xA722, 0xA76F},   {0xA779, 0xA7CA},   {0xA7D0, 0xA7D1},   {0xA7D6, 0xA7D9},
    {0xA7F5, 0xA7F6},   {0xAB53, 0xAB53},   {0xAB70, 0xABBF},   {0xFB00, 0xFB06},   {0xFB13, 0xFB17},   {0x10400, 0x1044F},
    {0x104B0, 0x104D3}, {0x104D8, 0x104FB}, {0x10570, 0x105BC}, {0x10C80, 0x10CB2}, {0x10CC0, 0x10CF2}, {0x118A0, 0x118DF},
    {0x16E40, 0x16E7F}, {0x1E900, 0x1E943}};

/// True if `code`, moved back by `delta`, is one of the upper-case letters.
bool in(const Pairs& p, char32_t code, std::int32_t delta) {
  const std::int64_t letter = static_cast<std::int64_t>(code) - delta;
  return letter >= p.first && letter <= p.last && (letter - p.first) % p.step == 0;
}

void require_simple(char32_t code) {
  if (code >= 0x80 && std::any_of(std::begin(others), std::end(others),
                                  [code](const Span& span) { return code >= span.first && code <= span.last; }))
    fail(Status::unsupported, "upper and lower case of the character U+{:04X}", static_cast<std::uint32_t>(code));
}

/// map(code, previous code) for each character; previous is 0 for the first.
template <typename Map>
MarkedText mapped(const MarkedText& text, Map map) {
  MarkedText out;
  const std::string& bytes = text.bytes();
  char32_t previous = 0;
  for (std::size_t i = 0; i < bytes.size();) {
    const utf8::Char c = utf8::decode(bytes, i);
    const char32_t code = map(c.code, previous);
    if (code == c.code) {
      out.append(text, i, i + c.length);
    } else {
      std::string changed;
      append_utf8(changed, code);
      out.append(changed, text.trusted(i, i + c.length));
    }
    previous = c.code;
    i += c.length;
  }
  return out;
}

bool is_cased(char32_t code) { return to_upper(code) != code || to_lower(code) != code; }

template <typename Wrong>
bool all_cased(const std::string& text, Wrong wrong) {
  bool any = false;
  for (std::size_t i = 0; i < text.size();) {
    const utf8::Char c = utf8::decode(text, i);
    if (wrong(c.code)) return false;
    any |= is_cased(c.code);
    i += c.length;
  }
  return any;
}

}  // namespace

char32_t to_upper(char32_t code) {
  require_simple(code);
  for (const Pairs& p : pairs)
    if (in(p, code, p.delta)) return static_cast<char32_t>(static_cast<std::int64_t>(code) - p.delta);
  return code;
}

char32_t to_lower(char32_t code) {
  require_simple(code);
  for (const Pairs& p : pairs)
    if (in(p, code, 0)) return static_cast<char32_t>(static_cast<std::int64_t>(code) + p.delta);
  return code;
}

MarkedText upper(const MarkedText& text) {
  return mapped(text, [](char32_t code, char32_t) { return to_upper(code); });
}

MarkedText lower(const MarkedText& text) {
  return mapped(text, [](char32_t code, char32_t) { return to_lower(code); });
}

MarkedText capitalize(const MarkedText& text) {
  return mapped(text, [](char32_t code, char32_t previous) { return previous == 0 ? to_upper(code) : to_lower(code); });
}

MarkedText title(const MarkedText& text) {
  return mapped(text, [](char32_t code, char32_t previous) {
    return previous != 0 && is_cased(previous) ? to_lower(code) : to_upper(code);
  });
}

MarkedText title_words(const MarkedText& text) {
  return mapped(text, [](char32_t code, char32_t previous) {
    const bool starts = previous == 0 || utf8::is_space(previous) ||
                        (previous < 0x80 && std::string_view("-({[<").find(static_cast<char>(previous)) != std::string_view::npos);
    return starts ? to_upper(code) : to_lower(code);
  });
}

MarkedText swap_case(const MarkedText& text) {
  return mapped(text, [](char32_t code, char32_t) { return to_upper(code) != code ? to_upper(code) : to_lower(code); });
}

bool is_upper(const std::string& text) {
  return all_cased(text, [](char32_t code) { return to_upper(code) != code; });
}

bool is_lower(const std::string& text) {
  return all_cased(text, [](char32_t code) { return to_lower(code) != code; });
}

}  // namespace mla::text::jinja
