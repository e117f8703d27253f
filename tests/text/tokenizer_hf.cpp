// Reading Hugging Face's tokenizer.json, good and hostile.
#include <filesystem>
#include <fstream>
#include <mla/error.hpp>
#include <mla/tokenizer.hpp>

#include "catch.hpp"
#include "golden_files.hpp"
#include "text/tiktoken.hpp"

using namespace mla;
using namespace mla::test;

namespace {

const std::string& good_json() {
  static const std::string text = golden_file("llm/tokenizer.json");
  return text;
}

std::string with(std::string text, const std::string& old, const std::string& replacement) {
  const std::size_t at = text.find(old);
  REQUIRE(at != text.npos);
  return text.replace(at, old.size(), replacement);
}

/// A folder that goes away with the object.
class Folder {
 public:
  explicit Folder(const std::string& tokenizer_json, const std::string& config = "") {
    std::filesystem::create_directories(path_);
    write("tokenizer.json", tokenizer_json);
    if (!config.empty()) write("tokenizer_config.json", config);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << text;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "tokenizer_hf_test";
};

void check_refused(const Folder& folder, Status status, const std::string& words) {
  try {
    Tokenizer tokenizer(read_hf_tokenizer(folder.path()), folder.path());
    FAIL_CHECK("accepted; wanted: " << words);
  } catch (const Error& error) {
    const std::string text = error.what();
    CHECK(text.substr(0, 200) == text);  // one clear line, whatever the file holds
    CHECK_THAT(text, Catch::Matchers::Contains(words) && Catch::Matchers::StartsWith(folder.path()));
    CHECK(to_string(error.status()) == std::string(to_string(status)));
  }
}

}  // namespace

TEST_CASE("tokenizer.json and its companions are read", "[tokenizer][hf]") {
  const TokenizerData data = read_hf_tokenizer(golden_path("llm"), 2100);
  CHECK(data.pre == "deepseek-llm");
  CHECK(data.tokens.size() == 2100);
  CHECK(data.tokens[2099] == "[PAD2099]");
  CHECK(data.kinds[2099] == TokenKind::unused);
  CHECK(data.add_bos);
  CHECK_FALSE(data.add_eos);
  CHECK(data.tokens.at(static_cast<std::size_t>(data.bos)) == "<｜begin▁of▁sentence｜>");
  CHECK(data.tokens.at(static_cast<std::size_t>(data.eos)) == "<｜end▁of▁sentence｜>");
  CHECK(data.pad == -1);
  CHECK(data.chat_template == "{{ messages }}");

  const Tokenizer tokenizer(data);
  CHECK(tokenizer.kind(*tokenizer.find("<|EOT|>")) == TokenKind::control);
  CHECK(tokenizer.kind(*tokenizer.find("<｜fim▁hole｜>")) == TokenKind::control);  // not "special", but written like one
  CHECK(tokenizer.kind(*tokenizer.find("<think>")) == TokenKind::user_defined);
  CHECK_FALSE(tokenizer.find("[PAD2099]"));
}

TEST_CASE("a template of its own file goes before the one in tokenizer_config.json", "[tokenizer][hf]") {
  const Folder folder(good_json(), R"({"chat_template": "old"})");
  CHECK(read_hf_tokenizer(folder.path()).chat_template == "old");
  folder.write("chat_template.jinja", "new");
  CHECK(read_hf_tokenizer(folder.path()).chat_template == "new");
}

TEST_CASE("merges may be strings or pairs, ids may have gaps", "[tokenizer][hf]") {
  const std::string vocab = R"("vocab":{)", merges = R"("merges":[)";
  const Folder folder(with(with(good_json(), vocab, vocab + R"("qzqz":5000,"qz":4000,)"), merges, merges + R"("q z","qz qz",)"));
  const Tokenizer tokenizer(read_hf_tokenizer(folder.path()));
  CHECK(tokenizer.size() == 5001);
  CHECK(tokenizer.kind(4999) == TokenKind::unused);
  CHECK(tokenizer.encode("qzqz") == std::vector<Token>{5000});
}

TEST_CASE("damaged tokenizer.json files are refused", "[tokenizer][hf]") {
  const std::string good = good_json(), vocab = R"("vocab":{)", merges = R"("merges":[)", added = R"("added_tokens":[)";
  const auto bad = [](const std::string& json, const std::string& words) { check_refused(Folder(json), Status::bad_file, words); };

  bad("", "not JSON");
  bad("hello", "not JSON");
  bad("null", "must be an object");
  bad("[]", "must be an object");
  bad("{}", "decoder: must be an object");
  for (const std::size_t part : {1, 2, 3}) bad(good.substr(0, good.size() * part / 4), "cut off, at byte");
  bad(good.substr(0, good.size() - 1), "cut off");
  bad(std::string(1'000'000, '['), "nested deeper");
  bad(with(good, R"("merges":[)", R"("x":)" + std::string(100, '[') + std::string(100, ']') + R"(,"merges":[)"), "nested deeper");
  bad(with(good, vocab, vocab + "\"\xFF\":1,"), "not JSON");

  bad(with(good, vocab, vocab + R"("!":0,)"), "\"!\" twice");
  bad(with(good, vocab, vocab + R"("zzz":0,)"), "model.vocab.");
  bad(with(good, vocab, vocab + R"("zzz":10000000000,)"), "model.vocab.zzz: 10000000000 is not a token id");
  bad(with(good, vocab, vocab + R"("zzz":18446744073709551615,)"), "model.vocab.zzz");
  bad(with(good, vocab, vocab + R"("zzz":99999999999999999999999,)"), "model.vocab.zzz: must be a whole number");
  bad(with(good, vocab, vocab + R"("zzz":-1,)"), "model.vocab.zzz: -1");
  bad(with(good, vocab, vocab + R"("zzz":1.5,)"), "model.vocab.zzz: must be a whole number");
  bad(with(good, vocab, vocab + R"("zzz":"1",)"), "model.vocab.zzz: must be a whole number, is string");
  bad(with(good, vocab, R"("vocab":[],"x":{)"), "model.vocab: must be an object");
  bad(with(good, merges, R"("merges":7,"x":[)"), "model.merges: must be an array");
  bad(with(good, merges, merges + R"(["qz","q"],)"), "\"qz\"");
  bad(with(good, merges, merges + R"(["!","1"],)"), "entry 0 of tokenizer.ggml.merges");
  bad(with(good, merges, merges + R"(["a"],)"), "model.merges[0]: must be two tokens");
  bad(with(good, merges, merges + R"("ab",)"), "entry 0 of tokenizer.ggml.merges");
  bad(with(good, merges, merges + R"({"a":1},)"), "model.merges[0]: must be an array");
  bad(with(good, added, added + "5,"), "added_tokens[0]: must be an object");
  bad(with(good, added, added + R"({"id":3000,"content":""},)"), "token 3000");
  bad(with(good, added, added + R"({"id":5,"content":"<other>"},)"), "added_tokens[0]: id 5");
  bad(with(good, added, added + R"({"content":"<other>"},)"), "added_tokens[0].id: must be a whole number");
  bad(with(good, R"("type":"BPE")", R"("type":5)"), "model.type: must be a string");
}

TEST_CASE("tokenizers of other kinds are refused as unsupported", "[tokenizer][hf]") {
  const std::string good = good_json();
  const auto other = [&](const std::string& old, const std::string& replacement, const std::string& words) {
    check_refused(Folder(with(good, old, replacement)), Status::unsupported, words);
  };
  other(R"("type":"BPE")", R"("type":"Unigram")", "model.type: \"Unigram\"");
  other(R"("byte_fallback":false)", R"("byte_fallback":true)", "model.byte_fallback: true");
  other(R"("ignore_merges":false)", R"("ignore_merges":true)", "model.ignore_merges");
  other(R"("unk_token":null)", R"("unk_token":"<unk>")", "model.unk_token");
  other(R"("dropout":null)", R"("dropout":0.1)", "model.dropout");
  other(R"("normalizer":null)", R"("normalizer":{"type":"NFC"})", "normalizer");
  other(R"("lstrip":false)", R"("lstrip":true)", "added_tokens[0].lstrip");
  other(R"("single_word":false)", R"("single_word":true)", "added_tokens[0].single_word");
  other(R"("decoder":{"type":"ByteLevel")", R"("decoder":{"type":"Metaspace")", "decoder");
  other(R"("pre_tokenizer":{"type":"Sequence")", R"("pre_tokenizer":{"type":"ByteLevel")", "deepseek-llm, deepseek-v3");
  other(R"(\\s+$)", R"(\\s+x)", "deepseek-llm, deepseek-v3");
  other(R"("individual_digits":true)", R"("individual_digits":false)", "deepseek-llm, deepseek-v3");
  other(R"("behavior":"Isolated")", R"("behavior":"Removed")", "deepseek-llm, deepseek-v3");
  other(R"("use_regex":false)", R"("use_regex":true)", "use_regex");
}

TEST_CASE("a tokenizer_config.json that contradicts tokenizer.json is refused", "[tokenizer][hf]") {
  const auto bad = [](const std::string& config, const std::string& words) {
    check_refused(Folder(good_json(), config), Status::bad_file, words);
  };
  bad(R"({"bos_token": "<s>"})", "bos_token: \"<s>\" is not a token");
  bad(R"({"bos_token": 5})", "bos_token: must be a string");
  bad(R"({"eos_token": {"content": []}})", "eos_token.content: must be a string");
  bad(R"({"add_bos_token": "yes"})", "add_bos_token: must be true or false");
  bad(R"({"add_bos_token": true})", "bos_token_id");
  bad(R"({"chat_template": [{"name": "default"}]})", "chat_template[0].template");
  bad("{", "tokenizer_config.json: not JSON");
  CHECK_THROWS_AS(read_hf_tokenizer("there-is-no-such-folder"), Error);
  CHECK_THROWS_AS(read_hf_tokenizer(golden_path("llm"), 2000), Error);
}

TEST_CASE("a tiktoken.model that is no list of ranked tokens is refused", "[tokenizer]") {
  const std::string file = "tiktoken.model";
  const auto merges = [&](const std::string& ranks) { return text::read_tiktoken(ranks, file).merges; };
  CHECK(merges("YQ== 0\nYg== 1\r\nYWI= 2\n\nYWJhYg== 3") == std::vector<std::string>{"a b", "ab ab"});
  CHECK(merges("YQ== 0\nYg== 1\nYWJi 2\n").empty());  // of "abb" no two tokens are known
  CHECK(text::read_tiktoken("/w== 0", file).tokens == std::vector<std::string>{"ÿ"});
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "no tokens"}, {"\n\n", "no tokens"}, {"YQ==", "line 1"}, {"YQ== 0\nYg== -1", "line 2"}, {"YQ== x", "line 1"}, {"YQ== 0 1", "line 1"}, {" 0", "line 1"},
      {"Y$== 0", "line 1"}, {"YQ== 1", "no token has rank 0"}, {"YQ== 0\nYg== 0", "rank 0 is taken"}, {"YQ== 0\nYQ== 1", "ranks 0 and 1"},
      {"YQ== 1048576", "line 1"}, {"YQ== 99999999999999999999", "line 1"}, {std::string(1400, 'A') + " 0", "line 1"}};
  for (const auto& [ranks, words] : cases) {
    INFO(ranks);
    try {
      (void)text::read_tiktoken(ranks, file);
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.status() == Status::bad_file);
      CHECK_THAT(std::string(error.what()), Catch::Matchers::StartsWith(file + ": ") && Catch::Matchers::Contains(words));
    }
  }
}
