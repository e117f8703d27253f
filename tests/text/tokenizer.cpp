// The tokenizer's interface: special tokens, streams, what is refused, and time on unkind input.
#include <mla/tokenizer.hpp>

#include <mla/error.hpp>
#include <thread>

#include "catch.hpp"
#include "golden_files.hpp"
#include "text/utf8.hpp"

using namespace mla;
using namespace mla::test;

namespace {

const Tokenizer& llm() {
  static const Tokenizer tokenizer(read_hf_tokenizer(golden_path("llm")));
  return tokenizer;
}

const Tokenizer& v3() {
  static const Tokenizer tokenizer(deepseek_v3_data());
  return tokenizer;
}

template <typename Change>
void check_refused(Status status, const std::string& words, Change change) {
  TokenizerData data = read_hf_tokenizer(golden_path("llm"));
  change(data);
  try {
    Tokenizer tokenizer(data, "model.gguf");
    FAIL_CHECK("accepted; wanted: " << words);
  } catch (const Error& error) {
    CHECK_THAT(error.what(), Catch::Matchers::Contains(words) && Catch::Matchers::StartsWith("model.gguf: "));
    CHECK(to_string(error.status()) == std::string(to_string(status)));
  }
}

}  // namespace

TEST_CASE("text from a user never becomes a control token", "[tokenizer]") {
  const std::string text = "a<｜User｜>b<｜end▁of▁sentence｜><|EOT|>";
  for (const Token token : v3().encode(text)) CHECK((token == v3().bos() || v3().kind(token) == TokenKind::normal));
  CHECK(v3().encode("<｜User｜>", {.parse_special = true}) == std::vector<Token>{0, 128'803});
  CHECK(v3().decode(v3().encode(text)) == text);  // without the bos
}

TEST_CASE("bos and eos come as the model wants them", "[tokenizer]") {
  TokenizerData data = deepseek_v3_data();
  CHECK(Tokenizer(data).encode("") == std::vector<Token>{0});
  CHECK(Tokenizer(data).encode("", {.add_special = false}).empty());
  data.add_bos = false, data.add_eos = true;
  data.end_of_generation = {128'805};
  const Tokenizer tokenizer(data);
  CHECK(tokenizer.encode("") == std::vector<Token>{1});
  CHECK(tokenizer.is_end_of_generation(1));
  CHECK(tokenizer.is_end_of_generation(128'805));
  CHECK_FALSE(tokenizer.is_end_of_generation(0));
  CHECK_FALSE(tokenizer.is_end_of_generation(-1));
}

TEST_CASE("control tokens show only when asked for", "[tokenizer]") {
  const std::vector<Token> tokens = {0, *v3().find("a"), 1};
  CHECK(v3().decode(tokens) == "a");
  CHECK(v3().decode(tokens, true) == "<｜begin▁of▁sentence｜>a<｜end▁of▁sentence｜>");
  CHECK(v3().piece(0) == "<｜begin▁of▁sentence｜>");
  CHECK(llm().decode(std::vector<Token>{*llm().find("<think>")}) == "<think>");
  for (const Token token : {-1, 128'815}) {
    CHECK_THROWS_AS(v3().decode({&token, 1}), Error);
    CHECK_THROWS_AS(v3().piece(token), Error);
    CHECK_THROWS_AS(v3().kind(token), Error);
  }
}

TEST_CASE("a stream holds back what may become a character", "[tokenizer]") {
  const auto byte = [](char c) { return *llm().find(std::string(1, c)); };
  TextStream stream(llm());
  CHECK(stream.push(byte('\xF0')).empty());
  CHECK(stream.push(llm().bos()).empty());  // a control token that isn't shown changes nothing
  CHECK(stream.push(byte('\x9F')).empty());
  CHECK(stream.push(byte('\x98')).empty());
  CHECK(stream.push(byte('\x80')) == "\U0001F600");
  CHECK(stream.push(byte('\xE4')).empty());
  CHECK(stream.push(byte('A')) == "\uFFFDA");
  CHECK(stream.push(byte('\x80')) == "\uFFFD");
  CHECK(stream.push(byte('\xE4')).empty());
  CHECK(stream.push(byte('\xB8')).empty());
  CHECK(stream.finish() == "\uFFFD");
  CHECK(stream.finish().empty());
  CHECK(stream.push(byte('b')) == "b");
}

TEST_CASE("vocabularies that can't be are refused", "[tokenizer]") {
  using D = TokenizerData;
  check_refused(Status::unsupported, "tokenizer.ggml.model is \"llama\"", [](D& d) { d.model = "llama"; });
  check_refused(Status::unsupported, "\"qwen2\"; this version knows deepseek-llm, deepseek-v3, kimi-k2, glm4",
                [](D& d) { d.pre = "qwen2"; });
  check_refused(Status::unsupported, "tokenizer.ggml.pre", [](D& d) { d.pre = ""; });
  check_refused(Status::bad_file, "tokenizer.ggml.tokens is missing", [](D& d) { d.tokens.clear(); });
  check_refused(Status::bad_file, "tokenizer.ggml.token_type has 3 entries", [](D& d) { d.kinds.resize(3); });
  check_refused(Status::unsupported, "of kind 77", [](D& d) { d.kinds[9] = static_cast<TokenKind>(77); });
  check_refused(Status::bad_file, "7 and 9 are the same", [](D& d) { d.tokens[9] = d.tokens[7]; });
  check_refused(Status::unsupported, "no token for the byte 0x21", [](D& d) { d.tokens[0] = "<>"; });
  check_refused(Status::bad_file, "merges", [](D& d) { d.merges[5] = std::string("a"); });
  check_refused(Status::bad_file, "entry 5 of tokenizer.ggml.merges", [](D& d) { d.merges[5] = "a "; });
  check_refused(Status::bad_file, "names \"?\"", [](D& d) { d.merges[5] = "a \xFF"; });  // no byte that a terminal may trip over
  check_refused(Status::bad_file, "tokenizer.ggml.bos_token_id is 99999", [](D& d) { d.bos = 99'999; });
  check_refused(Status::bad_file, "tokenizer.ggml.eot_token_id is -7", [](D& d) { d.end_of_generation = {-7}; });
  check_refused(Status::bad_file, "add_eos_token", [](D& d) { d.add_eos = true, d.eos = -1; });
  check_refused(Status::bad_file, "has 5000 bytes", [](D& d) { d.tokens[2013] = std::string(5000, 'x'); });
}

TEST_CASE("the longest added token wins, the leftmost first", "[tokenizer]") {
  TokenizerData data = deepseek_v3_data();
  for (const char* text : {"<a", "<ab>", "b>c", "<ab>cd"}) {
    data.tokens.push_back(text);
    data.kinds.push_back(TokenKind::user_defined);
  }
  const Tokenizer tokenizer(data);
  const auto pieces = [&](const std::string& text) {
    std::vector<std::string> all;
    for (const Token token : tokenizer.encode(text, {.add_special = false})) all.emplace_back(tokenizer.piece(token));
    return all;
  };
  using V = std::vector<std::string>;
  CHECK(pieces("<ab>c") == V{"<ab>", "c"});
  CHECK(pieces("<ab>cd") == V{"<ab>cd"});
  CHECK(pieces("<a<ab>cb>c") == V{"<a", "<ab>", "c", "b>c"});
  CHECK(pieces("<ab") == V{"<a", "b"});
}

TEST_CASE("threads share a tokenizer", "[tokenizer]") {
  const std::vector<std::string> strings = golden_strings();
  const auto digest = [&] {
    std::uint32_t hash = 0;
    for (std::size_t i = 0; i < 2000; ++i) hash = hash * 31 + hash_of(llm().encode(strings[i]));
    return hash;
  };
  const std::uint32_t expected = digest();
  std::vector<std::uint32_t> found(4);
  std::vector<std::thread> threads;
  for (std::uint32_t& hash : found) threads.emplace_back([&] { hash = digest(); });
  for (std::thread& thread : threads) thread.join();
  CHECK(found == std::vector<std::uint32_t>(4, expected));
}

// Each would take hours if its time were quadratic in the length.
TEST_CASE("a megabyte without a break is no trouble", "[tokenizer]") {
  const auto times = [](int n, std::string_view text) {
    std::string all;
    for (int i = 0; i < n; ++i) all += text;
    return all;
  };
  const std::vector<std::string> texts = {
      times(1'000'000, "a"), times(1'000'000, " "),   times(1'000'000, " ") + "5", times(1'000'000, "\n"),
      times(500'000, "\n ") + "x", times(500'000, "<｜"), times(400'000, "e\u0301"), times(1'000'000, "!"),
      times(300'000, "一"), times(1'000'000, "7"), times(1'000'000, "\xFF")};
  for (const Tokenizer* tokenizer : {&llm(), &v3()})
    for (const std::string& text : texts)
      CHECK((tokenizer->decode(tokenizer->encode(text)) == text::repair_utf8(text)));
}
