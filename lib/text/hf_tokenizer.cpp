// TokenizerData from a Hugging Face folder: tokenizer.json or tiktoken.model, tokenizer_config.json, generation_config.json, chat_template.jinja.
#include <algorithm>
#include <mla/tokenizer.hpp>

#include "platform/fail.hpp"
#include "platform/file.hpp"
#include "platform/json.hpp"
#include "text/pretokenize.hpp"
#include "text/tiktoken.hpp"

namespace mla {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t max_template_bytes = 64 << 20, max_ranks_bytes = 64 << 20;
constexpr std::int64_t max_tokens = 1 << 20;  // the largest published vocabularies have a quarter of that

/// A value inside a file, with the path that leads to it for messages.
struct Node {
  const Json* json;
  std::string file, path;

  template <typename... Args>
  [[noreturn]] void refuse(Status status, fmt::format_string<Args...> format, Args&&... args) const {
    fail(status, "{}: {}: {}", file, path.empty() ? "(top)" : path, fmt::format(format, std::forward<Args>(args)...));
  }
  [[noreturn]] void wrong_type(const char* wanted) const {
    refuse(Status::bad_file, "must be {}, is {}", wanted, json->type_name());
  }

  bool is_null() const { return json->is_null(); }
  /// A member; null if it isn't there.
  Node operator[](const char* key) const {
    static const Json null;
    if (!json->is_object()) wrong_type("an object");
    const auto found = json->find(key);
    return {found == json->end() ? &null : &*found, file, path.empty() ? key : path + "." + key};
  }
  Node at(std::size_t i) const { return {&(*json)[i], file, fmt::format("{}[{}]", path, i)}; }

  const Json& object() const { return json->is_object() ? *json : (wrong_type("an object"), *json); }
  std::size_t array_size() const { return json->is_array() ? json->size() : (wrong_type("an array"), 0); }
  const std::string& string() const {
    if (!json->is_string()) wrong_type("a string");
    return json->get_ref<const std::string&>();
  }
  bool boolean(bool otherwise) const {
    if (json->is_null()) return otherwise;
    if (!json->is_boolean()) wrong_type("true or false");
    return json->get<bool>();
  }
  std::string string_or_empty() const { return json->is_null() ? std::string() : string(); }
};

/// Refuses a member that is not null, false or empty: this version would give other tokens than its author meant.
void expect_unset(const Node& node) {
  if (node.is_null() || *node.json == false || *node.json == "" || *node.json == 0) return;
  node.refuse(Status::unsupported, "{} is not supported", node.json->dump(-1, ' ', false, Json::error_handler_t::replace));
}

/// Regular expressions of the pre-tokeniser's steps, in the form that find_pre_tokenizer() compares.
std::string recognise_pre_tokenizer(const Node& node) {
  if (node.is_null() || node["type"].string() != "Sequence")
    node.refuse(Status::unsupported, "not a sequence; this version knows the pre-tokenisers {}", text::known_pre_tokenizers());
  const Node steps = node["pretokenizers"];
  std::vector<std::string> published;
  for (std::size_t i = 0; i < steps.array_size(); ++i) {
    const Node step = steps.at(i);
    const std::string type = step["type"].string();
    if (type == "Split" && step["behavior"].string() == "Isolated" && !step["invert"].boolean(false) &&
        !step["pattern"]["Regex"].is_null()) {
      published.push_back(step["pattern"]["Regex"].string());
    } else if (type == "Digits" && step["individual_digits"].boolean(false)) {
      published.push_back("\\p{N}");
    } else if (type == "ByteLevel" && i + 1 == steps.array_size()) {
      if (step["add_prefix_space"].boolean(true) || step["use_regex"].boolean(true))
        step.refuse(Status::unsupported, "add_prefix_space and use_regex must be false");
      if (const auto name = text::find_pre_tokenizer(published)) return std::string(*name);
    } else {
      step.refuse(Status::unsupported, "a {} step like this is in none of the pre-tokenisers that this version knows ({})",
                  type, text::known_pre_tokenizers());
    }
  }
  node.refuse(Status::unsupported, "not a pre-tokeniser that this version knows ({})", text::known_pre_tokenizers());
}

Token token_id(const Node& node) {
  if (!node.json->is_number_integer()) node.wrong_type("a whole number");
  const bool huge = node.json->is_number_unsigned() && node.json->get<std::uint64_t>() >= std::uint64_t{max_tokens};
  if (huge || node.json->get<std::int64_t>() < 0)
    node.refuse(Status::bad_file, "{} is not a token id, which is below {}", node.json->dump(), max_tokens);
  return node.json->get<Token>();
}

void set_token(TokenizerData& data, Token id, const std::string& text, TokenKind kind, const Node& node) {
  const auto i = static_cast<std::size_t>(id);
  if (i >= data.tokens.size()) {
    data.tokens.resize(i + 1);
    data.kinds.resize(i + 1, TokenKind::unused);
  }
  if (data.kinds[i] != TokenKind::unused && data.tokens[i] != text)
    node.refuse(Status::bad_file, "id {} of \"{}\" is already that of \"{}\"", id, text, data.tokens[i]);
  data.tokens[i] = text;
  data.kinds[i] = kind;
}

void read_model(const Node& model, TokenizerData& data) {
  if (const std::string type = model["type"].string(); type != "BPE")
    model["type"].refuse(Status::unsupported, "\"{}\"; this version knows BPE", type);
  for (const char* key : {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback",
                          "ignore_merges"})
    expect_unset(model[key]);
  const Node vocab = model["vocab"];
  for (const auto& [text, id] : vocab.object().items()) {
    const Node entry{&id, vocab.file, vocab.path + "." + text};
    set_token(data, token_id(entry), text, TokenKind::normal, entry);
  }
  const Node merges = model["merges"];
  data.merges.reserve(merges.array_size());
  for (std::size_t i = 0; i < merges.array_size(); ++i) {
    const Node merge = merges.at(i);
    if (merge.json->is_string()) {
      data.merges.push_back(merge.string());
    } else {
      if (merge.array_size() != 2) merge.refuse(Status::bad_file, "must be two tokens, is {}", merge.array_size());
      data.merges.push_back(merge.at(0).string() + ' ' + merge.at(1).string());
    }
  }
}

/// DeepSeek marks only some of its control tokens as special, but writes them all alike.
bool looks_like_control(std::string_view text) { return text.starts_with("<｜") && text.ends_with("｜>"); }

void read_added_tokens(const Node& added, TokenizerData& data) {
  if (added.is_null()) return;
  for (std::size_t i = 0; i < added.array_size(); ++i) {
    const Node entry = added.at(i);
    for (const char* key : {"single_word", "lstrip", "rstrip"}) expect_unset(entry[key]);
    const std::string text = entry["content"].string();
    const bool control = entry["special"].boolean(false) || looks_like_control(text);
    set_token(data, token_id(entry["id"]), text, control ? TokenKind::control : TokenKind::user_defined, entry);
  }
}

void fill_gaps(TokenizerData& data, int n_vocab, const std::string& file) {
  if (n_vocab > 0 && static_cast<std::size_t>(n_vocab) < data.tokens.size())
    fail(Status::bad_file, "{}: {} tokens, but the model's vocab_size is {}", file, data.tokens.size(), n_vocab);
  if (n_vocab > max_tokens) fail(Status::bad_file, "a vocab_size of {}; at most {} make sense", n_vocab, max_tokens);
  data.tokens.resize(std::max(data.tokens.size(), static_cast<std::size_t>(n_vocab)));
  data.kinds.resize(data.tokens.size(), TokenKind::unused);
  for (std::size_t i = 0; i < data.tokens.size(); ++i)
    if (data.kinds[i] == TokenKind::unused) data.tokens[i] = fmt::format("[PAD{}]", i);
}

TokenizerData read_tokenizer_json(const std::string& file, int n_vocab) {
  const platform::JsonDocument document = platform::read_json_file(file);
  const Node top{&document.root(), file, ""};
  TokenizerData data;
  const Node normalizer = top["normalizer"];
  if (!normalizer.is_null() && !(normalizer["type"].string() == "Sequence" && normalizer["normalizers"].array_size() == 0))
    normalizer.refuse(Status::unsupported, "a normalizer is not supported");
  if (top["decoder"]["type"].string() != "ByteLevel")
    top["decoder"].refuse(Status::unsupported, "only ByteLevel is supported");
  read_model(top["model"], data);
  read_added_tokens(top["added_tokens"], data);
  data.pre = recognise_pre_tokenizer(top["pre_tokenizer"]);
  fill_gaps(data, n_vocab, file);
  return data;
}

/// Moonlight and Kimi-K2 publish tiktoken.model and, in tokenizer_config.json, the control tokens behind it; their code, which is not run
/// here, has the pre-tokeniser "kimi-k2", and names 256 ids behind the ranks, those that the config leaves out "<|reserved_token_ID|>".
TokenizerData read_tiktoken_folder(const std::string& folder, int n_vocab) {
  constexpr std::size_t n_control = 256;
  const std::string ranks = folder + "/tiktoken.model", file = folder + "/tokenizer_config.json";
  TokenizerData data = text::read_tiktoken(platform::read_text_file(ranks, max_ranks_bytes), ranks);
  const std::size_t n_ranks = data.tokens.size();
  data.pre = "kimi-k2";
  const platform::JsonDocument document = platform::read_json_file(file);
  const Node top{&document.root(), file, ""}, name = top["tokenizer_class"], added = top["added_tokens_decoder"];
  if (const std::string known = "TikTokenTokenizer"; !name.is_null() && name.string() != known)
    name.refuse(Status::unsupported, "\"{}\"; with tiktoken.model this version knows {}", name.string(), known);
  if (!added.is_null())
    for (const auto& [id, token] : added.object().items()) {
      const Node entry{&token, file, added.path + "." + id};
      const Json number = Json::parse(id, nullptr, false);
      set_token(data, token_id({&number, file, entry.path}), entry["content"].string(), TokenKind::control, entry);
    }
  const std::size_t end = n_ranks + n_control;
  if (data.tokens.size() < end) data.tokens.resize(end), data.kinds.resize(end, TokenKind::unused);
  for (std::size_t i = n_ranks; i < end; ++i)
    if (data.kinds[i] == TokenKind::unused) data.tokens[i] = fmt::format("<|reserved_token_{}|>", i), data.kinds[i] = TokenKind::control;
  fill_gaps(data, n_vocab, ranks);
  return data;
}

/// "bos_token" and the like: a string, an object with "content", or null.
Token configured_token(const Node& node, const TokenizerData& data) {
  if (node.is_null()) return -1;
  const std::string text = node.json->is_object() ? node["content"].string() : node.string();
  for (std::size_t i = data.tokens.size(); i-- > 0;)  // added tokens are at the end
    if (data.tokens[i] == text && data.kinds[i] != TokenKind::unused) return static_cast<Token>(i);
  node.refuse(Status::bad_file, "\"{}\" is not a token", text);
}

/// "chat_template": a string, or a list of named ones of which "default" counts.
std::string configured_template(const Node& node) {
  if (!node.json->is_array()) return node.string_or_empty();
  for (std::size_t i = 0; i < node.array_size(); ++i)
    if (node.at(i)["name"].string() == "default") return node.at(i)["template"].string();
  return {};
}

void read_tokenizer_config(const std::string& file, TokenizerData& data) {
  const platform::JsonDocument document = platform::read_json_file(file);
  const Node top{&document.root(), file, ""};
  data.bos = configured_token(top["bos_token"], data);
  data.eos = configured_token(top["eos_token"], data);
  data.pad = configured_token(top["pad_token"], data);
  data.unknown = configured_token(top["unk_token"], data);
  data.add_bos = top["add_bos_token"].boolean(false);
  data.add_eos = top["add_eos_token"].boolean(false);
  data.chat_template = configured_template(top["chat_template"]);
}

/// Tokens that end an answer: generation_config.json may name more than tokenizer_config.json's one.
void read_generation_config(const std::string& file, TokenizerData& data) {
  const platform::JsonDocument document = platform::read_json_file(file);
  const Node ids = Node{&document.root(), file, ""}["eos_token_id"];
  const auto add = [&](const Node& node) {
    const Token id = token_id(node);
    if (static_cast<std::size_t>(id) >= data.tokens.size()) node.refuse(Status::bad_file, "there is no token {}", id);
    if (data.eos < 0) data.eos = id;
    if (id != data.eos && std::ranges::find(data.end_of_generation, id) == data.end_of_generation.end()) data.end_of_generation.push_back(id);
  };
  if (ids.is_null()) return;
  if (!ids.json->is_array()) return add(ids);
  for (std::size_t i = 0; i < ids.array_size(); ++i) add(ids.at(i));
}

}  // namespace

TokenizerData read_hf_tokenizer(const std::string& folder, int n_vocab) {
  const bool only_ranks = !platform::file_exists(folder + "/tokenizer.json") && platform::file_exists(folder + "/tiktoken.model");
  TokenizerData data = only_ranks ? read_tiktoken_folder(folder, n_vocab) : read_tokenizer_json(folder + "/tokenizer.json", n_vocab);
  const std::string config = folder + "/tokenizer_config.json", generation = folder + "/generation_config.json",
                    chat_template = folder + "/chat_template.jinja";
  if (platform::file_exists(config)) read_tokenizer_config(config, data);
  if (platform::file_exists(generation)) read_generation_config(generation, data);
  if (platform::file_exists(chat_template)) data.chat_template = platform::read_text_file(chat_template, max_template_bytes);
  return data;
}

}  // namespace mla
