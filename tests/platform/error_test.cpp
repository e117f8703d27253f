#include "catch.hpp"
#include "platform/fail.hpp"

TEST_CASE("a message is one line of UTF-8, whatever a file's names hold") {
  using mla::one_line;
  for (const char* text : {"", "tensor blk.0.attn_q.weight: [1, 2]", "Grüße, 世界 🌍 \u00a0\U0010ffff"}) CHECK(one_line(text) == text);
  CHECK(one_line(std::string("a\nb\tc\x1b[2J\x7f\0z", 12)) == "a?b?c?[2J??z");
  CHECK(one_line("\u0085") == "??");                          // a line end among the control characters above 0x7f
  CHECK(one_line("\xc3") == "?");                             // cut short
  CHECK(one_line("\xe4\xb8z") == "??z");
  CHECK(one_line("\x80\xbf\xfe\xff") == "????");              // no first bytes
  CHECK(one_line("\xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf") == "?????????");  // longer than need be
  CHECK(one_line("\xed\xa0\x80") == "???");                   // half a surrogate pair
  CHECK(one_line("\xf4\x90\x80\x80\xf5\x80\x80\x80") == "????????");  // behind the last code point
}
