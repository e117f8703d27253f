// Characters of UTF-8 text as Python's str sees them: code points. A byte that begins no valid sequence counts as one.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mla::text::jinja::utf8 {

struct Char {
  char32_t code;       ///< 0xDC00 + byte where the text is no UTF-8, as Python's surrogateescape has it
  std::size_t length;  ///< in bytes
};

/// The character at byte `position` < text.size().
Char decode(std::string_view text, std::size_t position);
/// Start of the character that ends before byte `position` > 0.
std::size_t previous(std::string_view text, std::size_t position);

std::size_t count(std::string_view text);
/// Byte offset of character `index` <= count(text).
std::size_t offset(std::string_view text, std::size_t index);

bool is_space(char32_t code);      ///< str.isspace()
bool is_printable(char32_t code);  ///< str.isprintable(), but for unassigned code points, which count as printable

/// The range of `text` without white space at its ends.
struct Range {
  std::size_t begin, end;
};
Range strip(std::string_view text, bool left = true, bool right = true);

}  // namespace mla::text::jinja::utf8
