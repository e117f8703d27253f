#include <mla/tokenizer.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <unordered_map>
#include <utility>

#include "platform/fail.hpp"
#include "text/bpe.hpp"
#include "text/bpe_alphabet.hpp"
#include "text/pretokenize.hpp"
#include "text/tokenizer_added.hpp"
#include "text/utf8.hpp"

namespace mla {

class Tokenizer::Impl {
 public:
  Impl(TokenizerData&& data, std::string_view source);

  std::vector<Token> encode(std::string_view text, EncodeOptions options) const;
  Token check(Token token) const;
  std::string_view piece(Token token) const noexcept { return pieces_[static_cast<std::size_t>(token)]; }
  TokenKind kind(Token token) const noexcept { return kinds_[static_cast<std::size_t>(token)]; }
  Token find(std::string_view bytes) const noexcept;

  Token bos, eos, pad, unknown;
  bool add_bos, add_eos;
  std::vector<Token> end_of_generation;
  std::string pre;
  int size() const noexcept { return static_cast<int>(pieces_.size()); }

 private:
  void add_vocabulary(TokenizerData& data, std::string_view source);
  void add_token(Token token, std::string&& text, std::string_view source);
  void add_byte_tokens(std::string_view source);
  void add_merges(const std::vector<std::string>& merges, std::string_view source);
  Token merge_part(std::string_view text, std::size_t merge, std::string_view source) const;
  void check_special(Token token, const char* key, std::string_view source) const;

  text::PreTokenizer pre_tokenizer_;
  text::BytePairs byte_pairs_;
  std::vector<std::string> pieces_;  // bytes of each token
  std::vector<TokenKind> kinds_;
  std::unordered_map<std::string_view, Token> normal_;  // by bytes, which pieces_ owns
  text::AddedTokens user_defined_, added_;              // added_: user-defined and control tokens
};

namespace {

// model "gpt2" first: of another model, its pre-tokeniser is not worth a word.
std::string_view checked_pre(const TokenizerData& data, std::string_view source) {
  if (data.model != "gpt2")
    fail(Status::unsupported, "{}: tokenizer.ggml.model is \"{}\"; this version knows gpt2, byte-level BPE", source,
         data.model);
  return data.pre;
}

}  // namespace

Tokenizer::Impl::Impl(TokenizerData&& data, std::string_view source)
    : bos(data.bos),
      eos(data.eos),
      pad(data.pad),
      unknown(data.unknown),
      add_bos(data.add_bos),
      add_eos(data.add_eos),
      end_of_generation(std::move(data.end_of_generation)),
      pre(checked_pre(data, source)),
      pre_tokenizer_(pre, source) {
  add_vocabulary(data, source);
  add_byte_tokens(source);
  add_merges(data.merges, source);
  check_special(bos, "bos_token_id", source);
  check_special(eos, "eos_token_id", source);
  check_special(pad, "padding_token_id", source);
  check_special(unknown, "unknown_token_id", source);
  for (const Token token : end_of_generation) check_special(token, "eot_token_id", source);
  if (add_bos && bos < 0)
    fail(Status::bad_file, "{}: tokenizer.ggml.add_bos_token is true, but there is no tokenizer.ggml.bos_token_id", source);
  if (add_eos && eos < 0)
    fail(Status::bad_file, "{}: tokenizer.ggml.add_eos_token is true, but there is no tokenizer.ggml.eos_token_id", source);
  if (eos >= 0) end_of_generation.push_back(eos);
}

void Tokenizer::Impl::add_vocabulary(TokenizerData& data, std::string_view source) {
  if (data.tokens.empty()) fail(Status::bad_file, "{}: tokenizer.ggml.tokens is missing or empty", source);
  if (data.tokens.size() > static_cast<std::size_t>(std::numeric_limits<Token>::max()))
    fail(Status::bad_file, "{}: tokenizer.ggml.tokens has {} entries", source, data.tokens.size());
  if (data.kinds.empty()) data.kinds.assign(data.tokens.size(), TokenKind::normal);
  if (data.kinds.size() != data.tokens.size())
    fail(Status::bad_file, "{}: tokenizer.ggml.token_type has {} entries, tokenizer.ggml.tokens {}", source, data.kinds.size(),
         data.tokens.size());
  kinds_ = std::move(data.kinds);
  pieces_.reserve(data.tokens.size());  // normal_ refers to the strings: they must stay where they are
  normal_.reserve(data.tokens.size());
  for (std::string& text : data.tokens) add_token(static_cast<Token>(pieces_.size()), std::move(text), source);
}

void Tokenizer::Impl::add_token(Token token, std::string&& text, std::string_view source) {
  pieces_.push_back(std::move(text));
  std::string& piece = pieces_.back();
  switch (kind(token)) {
    case TokenKind::normal:
      if (auto bytes = text::bytes_of_alphabet(piece)) {  // others stay what they are, and no text becomes them
        piece = std::move(*bytes);
        const auto [other, is_new] = normal_.emplace(piece, token);
        if (!is_new)
          fail(Status::bad_file, "{}: tokenizer.ggml.tokens {} and {} are the same", source, other->second, token);
      }
      break;
    case TokenKind::control:
    case TokenKind::user_defined:
      if (piece.empty() || piece.size() > text::AddedTokens::max_length)
        fail(Status::bad_file, "{}: token {} of tokenizer.ggml.tokens has {} bytes; control and user-defined ones have 1 to {}",
             source, token, piece.size(), text::AddedTokens::max_length);
      added_.add(piece, token);
      if (kind(token) == TokenKind::user_defined) user_defined_.add(piece, token);
      break;
    case TokenKind::unknown:
    case TokenKind::unused:
      break;
    default:
      fail(Status::unsupported, "{}: token {} of tokenizer.ggml.token_type is of kind {}, which byte-level BPE does not have",
           source, token, static_cast<int>(kind(token)));
  }
}

void Tokenizer::Impl::add_byte_tokens(std::string_view source) {
  for (int byte = 0; byte < 256; ++byte) {
    const char character = static_cast<char>(byte);
    const auto found = normal_.find({&character, 1});
    const bool in_utf8 = byte < 0xC0 || (byte >= 0xC2 && byte <= 0xF4);
    if (found == normal_.end() && in_utf8)
      // A valid file, but not of text: a model with made-up tokens still runs on token ids.
      fail(Status::unsupported, "{}: tokenizer.ggml.tokens has no token for the byte 0x{:02X}: text can't be encoded", source,
           byte);
    byte_pairs_.byte_tokens[static_cast<std::size_t>(byte)] = found == normal_.end() ? -1 : found->second;
  }
}

void Tokenizer::Impl::add_merges(const std::vector<std::string>& merges, std::string_view source) {
  if (merges.size() > static_cast<std::size_t>(std::numeric_limits<Token>::max()))
    fail(Status::bad_file, "{}: tokenizer.ggml.merges has {} entries", source, merges.size());
  byte_pairs_.reserve(merges.size());
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const std::string_view merge = merges[i];
    const std::size_t space = merge.find(' ');
    if (space == merge.npos)
      fail(Status::bad_file, "{}: entry {} of tokenizer.ggml.merges, \"{}\", is not two tokens with a space between", source, i,
           merge);
    const Token left = merge_part(merge.substr(0, space), i, source), right = merge_part(merge.substr(space + 1), i, source);
    const auto merged = normal_.find(pieces_[static_cast<std::size_t>(left)] + pieces_[static_cast<std::size_t>(right)]);
    if (merged == normal_.end())
      fail(Status::bad_file, "{}: entry {} of tokenizer.ggml.merges, \"{}\", makes a token that tokenizer.ggml.tokens lacks",
           source, i, merge);
    byte_pairs_.add(left, right, merged->second);
  }
}

Token Tokenizer::Impl::merge_part(std::string_view text, std::size_t merge, std::string_view source) const {
  const auto bytes = text::bytes_of_alphabet(text);
  const auto found = bytes ? normal_.find(*bytes) : normal_.end();
  if (found == normal_.end())
    fail(Status::bad_file, "{}: entry {} of tokenizer.ggml.merges names \"{}\", which tokenizer.ggml.tokens lacks", source,
         merge, text);
  return found->second;
}

void Tokenizer::Impl::check_special(Token token, const char* key, std::string_view source) const {
  if (token < -1 || token >= size())
    fail(Status::bad_file, "{}: tokenizer.ggml.{} is {}, but there are {} tokens", source, key, token, size());
}

Token Tokenizer::Impl::check(Token token) const {
  if (token < 0 || token >= size()) fail(Status::invalid_argument, "token {} of a vocabulary of {}", token, size());
  return token;
}

Token Tokenizer::Impl::find(std::string_view bytes) const noexcept {
  if (const Token token = added_.exact(bytes); token >= 0) return token;
  const auto found = normal_.find(bytes);
  return found == normal_.end() ? -1 : found->second;
}

std::vector<Token> Tokenizer::Impl::encode(std::string_view text, EncodeOptions options) const {
  constexpr std::size_t max_bytes = std::numeric_limits<std::int32_t>::max() / 3;  // U+FFFD for a byte makes three
  if (text.size() > max_bytes)
    fail(Status::invalid_argument, "a text of {} bytes; at most {} at once", text.size(), max_bytes);
  std::string repaired;
  if (!text::is_utf8(text)) text = repaired = text::repair_utf8(text);

  std::vector<Token> tokens;
  if (options.add_special && add_bos) tokens.push_back(bos);
  const text::AddedTokens& added = options.parse_special ? added_ : user_defined_;
  text::BytePairs::Scratch scratch;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto match = added.find(text, begin);
    for (const std::string_view word : pre_tokenizer_.split(text.substr(begin, match.position - begin)))
      byte_pairs_.encode(word, tokens, scratch);
    if (match.token >= 0) tokens.push_back(match.token);
    begin = match.position + match.length;
  }
  if (options.add_special && add_eos) tokens.push_back(eos);
  return tokens;
}

Tokenizer::Tokenizer(TokenizerData data, std::string_view source)
    : impl_(std::make_shared<const Impl>(std::move(data), source)) {}

std::vector<Token> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  return impl_->encode(text, options);
}

std::string Tokenizer::decode(std::span<const Token> tokens, bool show_special) const {
  std::string bytes;
  for (const Token token : tokens) {
    const TokenKind kind = impl_->kind(impl_->check(token));
    const bool special = kind == TokenKind::control || kind == TokenKind::unknown;
    if (kind != TokenKind::unused && (show_special || !special)) bytes += impl_->piece(token);
  }
  return bytes;
}

std::string_view Tokenizer::piece(Token token) const { return impl_->piece(impl_->check(token)); }
TokenKind Tokenizer::kind(Token token) const { return impl_->kind(impl_->check(token)); }

std::optional<Token> Tokenizer::find(std::string_view bytes) const {
  const Token token = impl_->find(bytes);
  return token < 0 ? std::nullopt : std::optional(token);
}

int Tokenizer::size() const noexcept { return impl_->size(); }
Token Tokenizer::bos() const noexcept { return impl_->bos; }
Token Tokenizer::eos() const noexcept { return impl_->eos; }
Token Tokenizer::pad() const noexcept { return impl_->pad; }
Token Tokenizer::unknown() const noexcept { return impl_->unknown; }
bool Tokenizer::add_bos() const noexcept { return impl_->add_bos; }
bool Tokenizer::add_eos() const noexcept { return impl_->add_eos; }
const std::string& Tokenizer::pre() const noexcept { return impl_->pre; }
bool Tokenizer::is_end_of_generation(Token token) const noexcept {
  return std::ranges::find(impl_->end_of_generation, token) != impl_->end_of_generation.end();
}

TextStream::TextStream(Tokenizer tokenizer, bool show_special)
    : tokenizer_(std::move(tokenizer)), show_special_(show_special) {}

std::string TextStream::push(Token token) {
  pending_ += tokenizer_.decode({&token, 1}, show_special_);
  std::string text;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const text::Utf8Step step = text::utf8_step(rest);
    if (step.cut_off) break;
    text += step.valid ? rest.substr(0, step.length) : text::replacement_character;
    rest.remove_prefix(step.length);
  }
  pending_.erase(0, pending_.size() - rest.size());
  return text;
}

std::string TextStream::finish() { return text::repair_utf8(std::exchange(pending_, {})); }

}  // namespace mla
