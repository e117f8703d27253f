#include "model/hf_vocabulary.hpp"

#include <mla/tokenizer.hpp>

namespace mla::model {

void write_hf_vocabulary(format::KeyValues& keys, const std::string& folder, int n_vocab, LogSink* log) {
  if (!platform::file_exists(folder + "/tokenizer.json") && !platform::file_exists(folder + "/tiktoken.model")) {
    if (log != nullptr)
      log->write(LogLevel::warning, folder + ": neither tokenizer.json nor tiktoken.model: the model will have no tokenizer");
    return;
  }
  TokenizerData data = read_hf_tokenizer(folder, n_vocab);
  keys.add_string("tokenizer.ggml.model", data.model);
  keys.add_string("tokenizer.ggml.pre", data.pre);
  std::vector<std::int32_t> kinds(data.tokens.size(), static_cast<std::int32_t>(TokenKind::normal));
  for (std::size_t i = 0; i < data.kinds.size(); ++i) kinds[i] = static_cast<std::int32_t>(data.kinds[i]);
  keys.add_strings("tokenizer.ggml.tokens", std::move(data.tokens));
  keys.add_ints("tokenizer.ggml.token_type", kinds);
  keys.add_strings("tokenizer.ggml.merges", std::move(data.merges));
  const auto id = [&](const char* key, Token token) {
    if (token >= 0) keys.add_uint(key, static_cast<std::uint32_t>(token));
  };
  id("tokenizer.ggml.bos_token_id", data.bos);
  id("tokenizer.ggml.eos_token_id", data.eos);
  id("tokenizer.ggml.padding_token_id", data.pad);
  id("tokenizer.ggml.unknown_token_id", data.unknown);
  // GGUF has two keys for further tokens that end an answer.
  constexpr const char* end_keys[] = {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"};
  for (std::size_t i = 0; i < data.end_of_generation.size() && i < std::size(end_keys); ++i) id(end_keys[i], data.end_of_generation[i]);
  if (data.end_of_generation.size() > std::size(end_keys) && log != nullptr)
    log->write(LogLevel::warning,
               folder + ": generation_config.json names more than three tokens that end an answer: GGUF has keys for three");
  keys.add_bool("tokenizer.ggml.add_bos_token", data.add_bos);
  keys.add_bool("tokenizer.ggml.add_eos_token", data.add_eos);
  if (!data.chat_template.empty()) keys.add_string("tokenizer.chat_template", data.chat_template);
}

format::KeyValues hf_metadata(const std::string& folder, const HfModel& model, ConfigForm form, LogSink* log) {
  format::KeyValues keys;
  write_general(keys, folder);
  write_config(keys, model.config, form);
  write_hf_vocabulary(keys, folder, model.config.n_vocab, log);
  return keys;
}

}  // namespace mla::model
