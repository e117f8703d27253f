// Tokenizer: text to token ids and back. Byte-level BPE as DeepSeek models use it.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <mla/types.hpp>

namespace mla {

/// What a vocabulary entry is; the numbers are those of GGUF's tokenizer.ggml.token_type.
enum class TokenKind : int {
  normal = 1,
  unknown = 2,
  control = 3,       ///< steers the model; never made from text unless EncodeOptions::parse_special
  user_defined = 4,  ///< always matched whole in text, before anything else
  unused = 5,        ///< a gap in the vocabulary
  byte = 6,          ///< "<0x41>" of other tokenizer models
};

/// What a tokenizer is made of; a loader fills it. The comments name the GGUF keys.
struct TokenizerData {
  std::string model = "gpt2";       ///< tokenizer.ggml.model
  std::string pre;                  ///< tokenizer.ggml.pre: "deepseek-llm" (V2), "deepseek-v3" (V3, R1), "kimi-k2", "glm4"
  std::vector<std::string> tokens;  ///< tokenizer.ggml.tokens; normal ones in GPT-2's byte alphabet, others as they are
  std::vector<TokenKind> kinds;     ///< tokenizer.ggml.token_type; empty: all normal
  std::vector<std::string> merges;  ///< tokenizer.ggml.merges: "left right", best first
  Token bos = -1;                   ///< tokenizer.ggml.bos_token_id; -1: none, as below
  Token eos = -1;                   ///< tokenizer.ggml.eos_token_id
  Token pad = -1;                   ///< tokenizer.ggml.padding_token_id
  Token unknown = -1;               ///< tokenizer.ggml.unknown_token_id
  std::vector<Token> end_of_generation;  ///< that end an answer beside eos: tokenizer.ggml.eot_token_id, …eom_token_id
  bool add_bos = false;             ///< tokenizer.ggml.add_bos_token
  bool add_eos = false;             ///< tokenizer.ggml.add_eos_token
  std::string chat_template;        ///< tokenizer.chat_template; the tokenizer itself does not use it
};

/// Reads tokenizer.json, or, where there is only that, tiktoken.model (Moonlight, Kimi-K2), and what there is of tokenizer_config.json,
/// generation_config.json (tokens that end an answer) and chat_template.jinja from a Hugging Face model folder.
/// Added tokens that are special or look like `<｜…｜>` are control, the others user_defined. Ids up to n_vocab that the file
/// leaves out (config.json's vocab_size is often larger) become unused tokens `[PAD7]` and so on.
/// Throws Error: not_found, io_error, bad_file, unsupported (a tokenizer of another kind); names the file and the key.
TokenizerData read_hf_tokenizer(const std::string& folder, int n_vocab = 0);

struct EncodeOptions {
  bool add_special = true;     ///< bos and eos as the model wants them
  bool parse_special = false;  ///< text that reads like a control token becomes that token: never for text from a user
};

/// Immutable; copies share the vocabulary. Any number of threads may use one.
class Tokenizer {
 public:
  /// `source` names the file in messages. Throws Error: bad_file, unsupported (a model or pre-tokeniser not known here);
  /// names the key.
  explicit Tokenizer(TokenizerData data, std::string_view source = "tokenizer");

  /// Token ids of a text. Ill-formed UTF-8 is read as U+FFFD (one for each maximal part, as Unicode recommends).
  std::vector<Token> encode(std::string_view text, EncodeOptions options = {}) const;

  /// The bytes of the tokens in a row; control tokens only with show_special, unused ones never.
  /// The result need not be whole UTF-8 if the tokens are not. Throws Error(invalid_argument) for an id that isn't there.
  std::string decode(std::span<const Token> tokens, bool show_special = false) const;

  /// The bytes of one token, whatever its kind; valid as long as the tokenizer. Throws Error(invalid_argument).
  std::string_view piece(Token token) const;
  TokenKind kind(Token token) const;  ///< throws Error(invalid_argument)

  /// The token with these bytes, a control or user-defined token first.
  std::optional<Token> find(std::string_view bytes) const;

  int size() const noexcept;       ///< number of tokens in the vocabulary
  Token bos() const noexcept;      ///< -1: none, as below
  Token eos() const noexcept;
  Token pad() const noexcept;
  Token unknown() const noexcept;
  bool add_bos() const noexcept;
  bool add_eos() const noexcept;
  bool is_end_of_generation(Token token) const noexcept;
  const std::string& pre() const noexcept;  ///< name of the pre-tokeniser

 private:
  class Impl;
  std::shared_ptr<const Impl> impl_;
};

/// Turns tokens into text one by one; never emits half a UTF-8 character. For one stream, used by one thread at a time.
class TextStream {
 public:
  explicit TextStream(Tokenizer tokenizer, bool show_special = false);

  /// The text that became complete with this token, often empty. Bytes that can't begin or continue a character
  /// become U+FFFD. Throws Error(invalid_argument) for an id that isn't there.
  std::string push(Token token);
  /// What is left: an unfinished character becomes U+FFFD. The stream can then be used anew.
  std::string finish();

 private:
  Tokenizer tokenizer_;
  bool show_special_;
  std::string pending_;  // at most three bytes
};

}  // namespace mla
