#include "model/hf_vocabulary.hpp"

#include <mla/tokenizer.hpp>

namespace mla::model {

void write_hf_vocabulary(format::GgufWriter& writer, const std::string& folder, int n_vocab, LogSink* log) {
  if (!platform::file_exists(folder + "/tokenizer.json")) {
    if (log != nullptr) log->write(LogLevel::warning, folder + ": no tokenizer.json: the file will have no tokenizer");
    return;
  }
  const TokenizerData data = read_hf_tokenizer(folder, n_vocab);
  writer.add_string("tokenizer.ggml.model", data.model);
  writer.add_string("tokenizer.ggml.pre", data.pre);
  writer.add_strings("tokenizer.ggml.tokens", data.tokens);
  std::vector<std::int32_t> kinds(data.tokens.size(), static_cast<std::int32_t>(TokenKind::normal));
  for (std::size_t i = 0; i < data.kinds.size(); ++i) kinds[i] = static_cast<std::int32_t>(data.kinds[i]);
  writer.add_ints("tokenizer.ggml.token_type", kinds);
  writer.add_strings("tokenizer.ggml.merges", data.merges);
  const auto id = [&](const char* key, Token token) {
    if (token >= 0) writer.add_uint(key, static_cast<std::uint32_t>(token));
  };
  id("tokenizer.ggml.bos_token_id", data.bos);
  id("tokenizer.ggml.eos_token_id", data.eos);
  id("tokenizer.ggml.padding_token_id", data.pad);
  id("tokenizer.ggml.unknown_token_id", data.unknown);
  writer.add_bool("tokenizer.ggml.add_bos_token", data.add_bos);
  writer.add_bool("tokenizer.ggml.add_eos_token", data.add_eos);
  if (!data.chat_template.empty()) writer.add_string("tokenizer.chat_template", data.chat_template);
}

}  // namespace mla::model
