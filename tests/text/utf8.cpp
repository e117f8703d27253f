#include "text/utf8.hpp"

#include "catch.hpp"

using namespace mla::text;

// The examples of Unicode 15, section 3.9, tables 3-8 to 3-11.
TEST_CASE("ill-formed UTF-8 is replaced part by part", "[utf8]") {
  const std::string r(replacement_character);
  CHECK(repair_utf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41") == r + r + r + r + r + r + r + r + "A");
  CHECK(repair_utf8("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41") == r + r + r + r + r + r + r + r + "A");
  CHECK(repair_utf8("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42") == r + r + r + r + r + "A" + r + r + "B");
  CHECK(repair_utf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41") == r + r + r + r + "A");
  CHECK(is_utf8("a\u00e9\u4e00\U0001F600"));
  CHECK_FALSE(is_utf8("\xF0\x9F\x98"));
  CHECK(utf8_step("\xF0\x9F\x98").cut_off);
  CHECK_FALSE(utf8_step("\xF0\x9F\x41").cut_off);
}

TEST_CASE("every code point survives encoding and decoding", "[utf8]") {
  for (char32_t c = 0; c < 0x110000; ++c) {
    std::string text;
    append_utf8(text, c);
    const bool surrogate = c >= 0xD800 && c < 0xE000;
    if (is_utf8(text) == surrogate || (!surrogate && decode_utf8(text) != c)) FAIL("code point " << static_cast<unsigned>(c));
  }
}
