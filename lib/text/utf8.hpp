// UTF-8: repair of ill-formed text, one character at a time.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace mla::text {

inline constexpr std::string_view replacement_character = "\xEF\xBF\xBD";  // U+FFFD

/// What stands at the front of some bytes.
struct Utf8Step {
  std::size_t length;  ///< bytes of the character, or of the ill-formed maximal part; at least 1
  bool valid;
  bool cut_off;        ///< not valid, but more bytes at the end could have made it so
};

/// Looks at the first character of `bytes`, which must not be empty (Unicode 15, table 3-7 and section 3.9).
Utf8Step utf8_step(std::string_view bytes) noexcept;

bool is_utf8(std::string_view bytes) noexcept;

/// `bytes` with every ill-formed maximal part replaced by U+FFFD, as Python's errors="replace" does.
std::string repair_utf8(std::string_view bytes);

void append_utf8(std::string& text, char32_t code_point);

/// The code point of a valid character of `length` bytes.
char32_t decode_utf8(std::string_view character) noexcept;

}  // namespace mla::text
