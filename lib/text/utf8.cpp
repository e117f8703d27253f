#include "text/utf8.hpp"

namespace mla::text {
namespace {

struct LeadByte {
  int length;                 // of the character, 0: cannot begin one
  unsigned char low, high;    // allowed second byte; shuts out overlong forms, surrogates and what is above U+10FFFF
};

LeadByte classify(unsigned char lead) noexcept {
  if (lead < 0x80) return {1, 0, 0};
  if (lead < 0xC2) return {0, 0, 0};
  if (lead < 0xE0) return {2, 0x80, 0xBF};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead < 0xF0) return {3, 0x80, 0xBF};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead < 0xF4) return {4, 0x80, 0xBF};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

}  // namespace

Utf8Step utf8_step(std::string_view bytes) noexcept {
  const LeadByte lead = classify(static_cast<unsigned char>(bytes[0]));
  if (lead.length == 0) return {1, false, false};
  const std::size_t wanted = static_cast<std::size_t>(lead.length);
  for (std::size_t i = 1; i < wanted; ++i) {
    if (i == bytes.size()) return {i, false, true};
    const unsigned char byte = static_cast<unsigned char>(bytes[i]);
    const unsigned char low = i == 1 ? lead.low : 0x80, high = i == 1 ? lead.high : 0xBF;
    if (byte < low || byte > high) return {i, false, false};
  }
  return {wanted, true, false};
}

bool is_utf8(std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const Utf8Step step = utf8_step(bytes);
    if (!step.valid) return false;
    bytes.remove_prefix(step.length);
  }
  return true;
}

std::string repair_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const Utf8Step step = utf8_step(bytes);
    text += step.valid ? bytes.substr(0, step.length) : replacement_character;
    bytes.remove_prefix(step.length);
  }
  return text;
}

void append_utf8(std::string& text, char32_t code_point) {
  const auto put = [&](char32_t byte) { text += static_cast<char>(byte); };
  const auto tail = [&](int shift) { put(0x80 | ((code_point >> shift) & 0x3F)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | (code_point >> 6)), tail(0);
  } else if (code_point < 0x10000) {
    put(0xE0 | (code_point >> 12)), tail(6), tail(0);
  } else {
    put(0xF0 | (code_point >> 18)), tail(12), tail(6), tail(0);
  }
}

char32_t decode_utf8(std::string_view character) noexcept {
  const unsigned char lead = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return lead;
  char32_t value = lead & (0x7F >> character.size());
  for (const char byte : character.substr(1)) value = value << 6 | (static_cast<unsigned char>(byte) & 0x3F);
  return value;
}

}  // namespace mla::text
