// Encoding against Hugging Face's tokenizers library.
#include <algorithm>
#include <mla/tokenizer.hpp>
#include <sstream>

#include "catch.hpp"
#include "golden_files.hpp"
#include "text/utf8.hpp"

using namespace mla;
using namespace mla::test;

namespace {

// The text and the pieces that a tokenizer made of it.
std::string describe(const Tokenizer& tokenizer, const std::string& string, const std::vector<Token>& tokens) {
  std::ostringstream text;
  text << '"' << string << "\":";
  for (const Token token : tokens) text << ' ' << token << '[' << tokenizer.piece(token) << ']';
  return text.str();
}

void compare(const Tokenizer& tokenizer, const std::string& golden, bool parse_special) {
  const std::vector<std::string> strings = golden_strings();
  const std::vector<std::uint32_t> hashes = golden_hashes(golden);
  REQUIRE(strings.size() == 10'000);
  REQUIRE(hashes.size() == strings.size());
  int wrong = 0, not_round = 0;
  for (std::size_t i = 0; i < strings.size(); ++i) {
    const std::vector<Token> tokens = tokenizer.encode(strings[i], {.add_special = false, .parse_special = parse_special});
    if (hash_of(tokens) != hashes[i] && ++wrong <= 3)
      UNSCOPED_INFO("string " << i << " differs from the oracle's: " << describe(tokenizer, strings[i], tokens));
    if (tokenizer.decode(tokens, true) != text::repair_utf8(strings[i]) && ++not_round <= 3)
      UNSCOPED_INFO("string " << i << " does not decode to itself: " << describe(tokenizer, strings[i], tokens));
  }
  CHECK(wrong == 0);
  CHECK(not_round == 0);
}

}  // namespace

TEST_CASE("DeepSeek-V3's tokenizer encodes 10,000 strings like Hugging Face's", "[tokenizer]") {
  const Tokenizer tokenizer(deepseek_v3_data());
  REQUIRE(tokenizer.size() == 128'815);
  compare(tokenizer, "v3.special", true);
  compare(tokenizer, "v3.plain", false);
}

TEST_CASE("a deepseek-llm tokenizer encodes 10,000 strings like Hugging Face's", "[tokenizer]") {
  const Tokenizer tokenizer(read_hf_tokenizer(golden_path("llm")));
  CHECK(tokenizer.pre() == "deepseek-llm");
  compare(tokenizer, "llm.special", true);
  compare(tokenizer, "llm.plain", false);
}

TEST_CASE("a tiktoken.model encodes 10,000 strings like tiktoken", "[tokenizer]") {
  const Tokenizer tokenizer(read_hf_tokenizer(golden_path("kimi"), 2000));
  CHECK(tokenizer.pre() == "kimi-k2");
  CHECK(tokenizer.size() == 2000);
  const Token bos = *tokenizer.find("[BOS]");
  CHECK(tokenizer.bos() == bos);
  CHECK(tokenizer.eos() == bos + 1);
  CHECK(tokenizer.pad() == bos + 255);
  CHECK(tokenizer.is_end_of_generation(bos + 1));
  CHECK(tokenizer.is_end_of_generation(bos + 2));  // generation_config.json
  CHECK(tokenizer.kind(bos + 11) == TokenKind::control);
  CHECK(tokenizer.piece(bos + 4) == "<|reserved_token_" + std::to_string(bos + 4) + "|>");
  CHECK(tokenizer.kind(bos + 256) == TokenKind::unused);
  CHECK(tokenizer.encode("[BOS]<|im_user|>[EOS]", {.parse_special = true}) == std::vector<Token>{bos, bos + 3, bos + 1});
  compare(tokenizer, "kimi.special", true);
  compare(tokenizer, "kimi.plain", false);
}

TEST_CASE("a tokenizer of GLM-4 encodes 10,000 strings like Hugging Face's", "[tokenizer]") {
  const Tokenizer tokenizer(read_hf_tokenizer(golden_path("glm4")));
  CHECK(tokenizer.pre() == "glm4");
  for (const char* text : {"<|endoftext|>", "<|user|>", "<|observation|>"}) CHECK(tokenizer.is_end_of_generation(*tokenizer.find(text)));
  compare(tokenizer, "glm4.special", true);
  compare(tokenizer, "glm4.plain", false);
}

TEST_CASE("the text stream gives the decoded text in whole characters", "[tokenizer]") {
  const Tokenizer tokenizer(read_hf_tokenizer(golden_path("llm")));
  for (const std::string& string : golden_strings()) {
    TextStream stream(tokenizer, true);
    std::string text;
    for (const Token token : tokenizer.encode(string)) {
      const std::string part = stream.push(token);
      if (!text::is_utf8(part)) FAIL("half a character after \"" << text << "\"");
      text += part;
    }
    text += stream.finish();
    if (text != "<｜begin▁of▁sentence｜>" + text::repair_utf8(string)) FAIL('"' << string << "\" came out as \"" << text << '"');
  }
}
