#include "text/bpe_alphabet.hpp"

#include <array>

#include "text/utf8.hpp"

namespace mla::text {
namespace {

// Printable bytes of Latin-1 stand for themselves; the others, in order, are U+0100 and up.
constexpr bool stands_for_itself(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

constexpr auto byte_of_character = [] {
  std::array<short, 0x144> table{};
  table.fill(-1);
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte) table[stands_for_itself(byte) ? byte : next++] = static_cast<short>(byte);
  return table;
}();

constexpr auto character_of_byte = [] {
  std::array<char32_t, 256> table{};
  for (std::size_t character = 0; character < byte_of_character.size(); ++character)
    if (byte_of_character[character] >= 0) table[static_cast<std::size_t>(byte_of_character[character])] = static_cast<char32_t>(character);
  return table;
}();

}  // namespace

std::string alphabet_of_bytes(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    const char32_t character = character_of_byte[static_cast<unsigned char>(byte)];  // below U+0144: two bytes of UTF-8 at most
    if (character < 0x80) {
      text += static_cast<char>(character);
    } else {
      text += static_cast<char>(0xc0 | character >> 6);
      text += static_cast<char>(0x80 | (character & 0x3f));
    }
  }
  return text;
}

std::optional<std::string> bytes_of_alphabet(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const Utf8Step step = utf8_step(text);
    if (!step.valid) return std::nullopt;
    const char32_t character = decode_utf8(text.substr(0, step.length));
    if (character >= byte_of_character.size() || byte_of_character[character] < 0) return std::nullopt;
    bytes += static_cast<char>(byte_of_character[character]);
    text.remove_prefix(step.length);
  }
  return bytes;
}

}  // namespace mla::text
