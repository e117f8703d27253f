#include "model/vocabulary.hpp"

#include "platform/fail.hpp"

namespace mla::model {
namespace {

Token token_id(const format::GgufFile& file, const char* key, int n_vocab) {
  const auto value = file.get_uint(key);
  if (!value) return -1;
  if (*value >= static_cast<std::uint64_t>(n_vocab))
    fail(Status::bad_file, "{}: metadata key {}: there is no token {}", file.path(), key, *value);
  return static_cast<Token>(*value);
}

std::vector<TokenKind> token_kinds(const format::GgufFile& file, std::size_t n_tokens) {
  std::vector<TokenKind> kinds;
  const auto numbers = file.get_integers("tokenizer.ggml.token_type");
  if (!numbers) return kinds;
  if (numbers->size() != n_tokens)
    fail(Status::bad_file, "{}: metadata key tokenizer.ggml.token_type has {} entries for {} tokens", file.path(), numbers->size(), n_tokens);
  kinds.reserve(numbers->size());
  for (const std::int64_t number : *numbers) {
    if (number < 1 || number > 6)
      fail(Status::bad_file, "{}: metadata key tokenizer.ggml.token_type: {} is not a token type", file.path(), number);
    kinds.push_back(static_cast<TokenKind>(number));
  }
  return kinds;
}

}  // namespace

TokenizerData read_vocabulary(const format::GgufFile& file, int n_vocab) {
  TokenizerData data;
  const auto model = file.get_string("tokenizer.ggml.model");
  const auto* tokens = file.get_strings("tokenizer.ggml.tokens");
  if (!model || tokens == nullptr)
    fail(Status::unsupported, "{}: the file has no tokenizer (metadata key tokenizer.ggml.{})", file.path(), model ? "tokens" : "model");
  if (tokens->size() != static_cast<std::size_t>(n_vocab))
    fail(Status::bad_file, "{}: metadata key tokenizer.ggml.tokens has {} entries, and the model {} token ids", file.path(), tokens->size(), n_vocab);
  data.model = *model;
  data.pre = file.get_string("tokenizer.ggml.pre").value_or("");
  data.tokens = *tokens;
  data.kinds = token_kinds(file, tokens->size());
  if (const auto* merges = file.get_strings("tokenizer.ggml.merges")) data.merges = *merges;
  data.bos = token_id(file, "tokenizer.ggml.bos_token_id", n_vocab);
  data.eos = token_id(file, "tokenizer.ggml.eos_token_id", n_vocab);
  data.pad = token_id(file, "tokenizer.ggml.padding_token_id", n_vocab);
  data.unknown = token_id(file, "tokenizer.ggml.unknown_token_id", n_vocab);
  for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"})
    if (const Token id = token_id(file, key, n_vocab); id >= 0) data.end_of_generation.push_back(id);
  // Files from before the key begin with bos, as every DeepSeek model does.
  data.add_bos = file.get_bool("tokenizer.ggml.add_bos_token").value_or(data.bos >= 0);
  data.add_eos = file.get_bool("tokenizer.ggml.add_eos_token").value_or(false);
  data.chat_template = file.get_string("tokenizer.chat_template").value_or("");
  return data;
}

}  // namespace mla::model
