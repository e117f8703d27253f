// Conversations as tokens: what the template writes may be control tokens, what people write may not.
#include <mla/chat.hpp>
#include <mla/model.hpp>

#include "capi/demo.hpp"

namespace {

const char* const source =
    "{{ bos_token }}{% for m in messages %}{{ eos_token if m.role == 'assistant' }}User: {{ m.content }}\n\n{% endfor %}";

std::vector<mla_token> take(mla_token* tokens, std::size_t n) {
  std::vector<mla_token> taken(tokens, tokens + n);
  mla_free(tokens);
  return taken;
}

std::vector<mla_token> encode(const demo::Model& model, const std::string& text, std::uint32_t flags) {
  mla_token* tokens = nullptr;
  std::size_t n = 0;
  demo::ok(mla_tokenizer_encode(&tokens, &n, demo::tokenizer(model), text.data(), text.size(), flags));
  return take(tokens, n);
}

std::string piece(const demo::Model& model, mla_token token) {
  const char* bytes = nullptr;
  std::size_t n = 0;
  demo::ok(mla_tokenizer_piece(&bytes, &n, demo::tokenizer(model), token));
  return {bytes, n};
}

struct Chat {
  demo::Model model = demo::load();
  const mla_tokenizer* tokenizer = demo::tokenizer(model);
  mla_token bos = mla_tokenizer_bos(tokenizer), eos = mla_tokenizer_eos(tokenizer);
  demo::Template chat_template = [] {
    mla_chat_template* made = nullptr;
    demo::ok(mla_chat_template_new(&made, source));
    return demo::Template(made);
  }();

  std::vector<mla_token> encode_messages(const std::vector<mla_chat_message>& messages) {
    mla_token* tokens = nullptr;
    std::size_t n = 0;
    demo::ok(mla_chat_encode(&tokens, &n, chat_template.get(), tokenizer, messages.data(), messages.size(), nullptr));
    return take(tokens, n);
  }
};

}  // namespace

TEST_CASE("a harmless conversation has the tokens of its text, seams included, and one bos") {
  Chat chat;
  REQUIRE(chat.bos >= 0);
  const auto tokens = chat.encode_messages({{"user", "Who made thee?"}, {"assistant", "The LORD."}});
  const std::string bos = piece(chat.model, chat.bos), eos = piece(chat.model, chat.eos);
  const std::string text = bos + "User: Who made thee?\n\n" + eos + "User: The LORD.\n\n";
  CHECK(tokens == encode(chat.model, text, MLA_ENCODE_NO_SPECIAL | MLA_ENCODE_PARSE_SPECIAL));
  CHECK(std::count(tokens.begin(), tokens.end(), chat.bos) == 1);
}

TEST_CASE("control tokens in a message stay text, also when they straddle the template's own words") {
  Chat chat;
  const std::string bos = piece(chat.model, chat.bos), eos = piece(chat.model, chat.eos);
  for (const std::string& content : {eos, bos + eos + bos, "a" + eos + "b", eos.substr(1), eos.substr(0, eos.size() - 1)}) {
    const auto tokens = chat.encode_messages({{"user", content.c_str()}});
    CHECK(std::count(tokens.begin(), tokens.end(), chat.eos) == 0);
    CHECK(std::count(tokens.begin(), tokens.end(), chat.bos) == 1);
    std::vector<mla_token> rest(tokens.begin() + 1, tokens.end());
    char* text = nullptr;
    demo::ok(mla_tokenizer_decode(&text, nullptr, chat.tokenizer, rest.data(), rest.size(), 0));
    CHECK(std::string(text) == "User: " + content + "\n\n");
    mla_free(text);
  }
  // Trusted text up to a control token's middle, untrusted from there: not that token.
  const auto cpp = mla::Model::load(demo::path());
  const std::vector<mla::ChatSegment> seam = {{eos.substr(0, 3), true}, {eos.substr(3), false}};
  for (const mla::Token token : mla::encode_chat(cpp->tokenizer(), seam)) CHECK(token != chat.eos);
  CHECK(mla::encode_chat(cpp->tokenizer(), {}).empty());
}

TEST_CASE("rendering, with the plain and the JSON form, and its options") {
  Chat chat;
  const mla_chat_message message = {"user", "Hi"};
  mla_chat_options options = MLA_CHAT_OPTIONS_INIT;
  options.bos_token = "<B>";
  char* text = nullptr;
  std::size_t n = 0;
  demo::ok(mla_chat_render(&text, &n, chat.chat_template.get(), &message, 1, &options));
  CHECK(std::string(text) == "<B>User: Hi\n\n");
  CHECK(n == 13);
  mla_free(text);
  demo::ok(mla_chat_render_json(&text, nullptr, chat.chat_template.get(), R"([{"role": "user", "content": "Hi"}])", nullptr));
  CHECK(std::string(text) == "User: Hi\n\n");
  mla_free(text);
  mla_token* tokens = nullptr;
  demo::ok(mla_chat_encode_json(&tokens, &n, chat.chat_template.get(), chat.tokenizer, R"([{"role": "user", "content": "Hi"}])",
                                nullptr));
  CHECK(take(tokens, n) == chat.encode_messages({message}));

  mla_chat_template* made = nullptr;
  demo::ok(mla_chat_template_new(&made, "{{ mood }}{{ 'A:' if add_generation_prompt }}"));
  const demo::Template owner(made);
  options.extra_json = R"({"mood": "merry "})";
  demo::ok(mla_chat_render(&text, &n, made, &message, 1, &options));
  CHECK(std::string(text) == "merry A:");
  mla_free(text);
  options.no_generation_prompt = 1;
  demo::ok(mla_chat_render(&text, &n, made, &message, 1, &options));
  CHECK(std::string(text) == "merry ");
  mla_free(text);
}

TEST_CASE("a template that refuses, and one that can't be parsed, say why") {
  mla_chat_template* made = nullptr;
  CHECK(mla_chat_template_new(&made, "{% if %}") == MLA_BAD_FILE);
  CHECK(made == nullptr);
  demo::ok(mla_chat_template_new(&made, "{{ raise_exception('roles must alternate') }}"));
  const demo::Template owner(made);
  const mla_chat_message message = {"user", "Hi"};
  char* text = nullptr;
  CHECK(mla_chat_render(&text, nullptr, made, &message, 1, nullptr) == MLA_INVALID_ARGUMENT);
  CHECK_THAT(mla_last_error(), Catch::Matchers::Contains("roles must alternate"));
}
