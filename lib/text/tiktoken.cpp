#include "text/tiktoken.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <unordered_map>

#include "platform/fail.hpp"
#include "text/bpe_alphabet.hpp"

namespace mla::text {
namespace {

constexpr std::size_t max_tokens = std::size_t{1} << 20, max_token_bytes = 1024;
constexpr Token none = std::numeric_limits<Token>::max();

std::optional<std::string> decode_base64(std::string_view text) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string bytes;
  unsigned bits = 0;
  int n_bits = 0;
  for (const char c : text) {
    const std::size_t digit = digits.find(c);
    if (digit == digits.npos) return std::nullopt;
    bits = (bits << 6 | static_cast<unsigned>(digit)) & 0xffffu;
    n_bits += 6;
    if (n_bits >= 8) n_bits -= 8, bytes += static_cast<char>(bits >> n_bits);
  }
  return bytes;
}

class Ranks {
 public:
  Ranks(std::string_view text, const std::string& file) {
    for (std::size_t line = 1; !text.empty(); ++line) {
      const std::size_t end = text.find('\n');
      if (const std::string_view entry = text.substr(0, end); !entry.empty()) add(entry, line, file);
      text.remove_prefix(end == text.npos ? text.size() : end + 1);
    }
    if (tokens_.empty()) fail(Status::bad_file, "{}: no tokens", file);
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i].empty()) fail(Status::bad_file, "{}: no token has rank {}", file, i);
      if (!ranks_.emplace(tokens_[i], static_cast<Token>(i)).second)
        fail(Status::bad_file, "{}: ranks {} and {} have the same token", file, ranks_.at(tokens_[i]), i);
    }
  }

  const std::vector<std::string>& tokens() const noexcept { return tokens_; }

  // Where the token of this rank is cut by the last of the merges that make it, best ranks first; nothing if better ones leave more than two.
  std::optional<std::size_t> cut(std::size_t rank) const {
    const std::string_view token = tokens_[rank];
    std::vector<std::size_t> begins(token.size() + 1);  // of the parts, and the end
    for (std::size_t i = 0; i < begins.size(); ++i) begins[i] = i;
    while (begins.size() > 3) {
      Token best = static_cast<Token>(rank);
      std::size_t at = 0;
      for (std::size_t i = 0; i + 2 < begins.size(); ++i)
        if (const Token merged = find(token.substr(begins[i], begins[i + 2] - begins[i])); merged < best) best = merged, at = i + 1;
      if (at == 0) return std::nullopt;
      begins.erase(begins.begin() + static_cast<std::ptrdiff_t>(at));
    }
    return begins.size() == 3 ? std::optional(begins[1]) : std::nullopt;
  }

 private:
  void add(std::string_view entry, std::size_t line, const std::string& file) {
    const std::size_t space = entry.find(' ');
    const auto bytes = decode_base64(entry.substr(0, space));
    std::size_t rank = max_tokens;
    if (space != entry.npos) {
      if (entry.ends_with('\r')) entry.remove_suffix(1);
      const char* const end = entry.data() + entry.size();
      if (const auto [stop, error] = std::from_chars(entry.data() + space + 1, end, rank); error != std::errc() || stop != end) rank = max_tokens;
    }
    if (!bytes || bytes->empty() || bytes->size() > max_token_bytes || rank >= max_tokens)
      fail(Status::bad_file, "{}: line {} is not a token in base64, of 1 to {} bytes, and its rank", file, line, max_token_bytes);
    if (rank >= tokens_.size()) tokens_.resize(rank + 1);
    if (!tokens_[rank].empty()) fail(Status::bad_file, "{}: line {}: rank {} is taken already", file, line, rank);
    tokens_[rank] = *bytes;
  }

  Token find(std::string_view bytes) const {
    const auto found = ranks_.find(bytes);
    return found == ranks_.end() ? none : found->second;
  }

  std::vector<std::string> tokens_;
  std::unordered_map<std::string_view, Token> ranks_;  // of bytes that tokens_ owns
};

}  // namespace

TokenizerData read_tiktoken(std::string_view text, const std::string& file) {
  const Ranks ranks(text, file);
  TokenizerData data;
  for (std::size_t i = 0; i < ranks.tokens().size(); ++i) {
    const std::string& token = ranks.tokens()[i];
    data.tokens.push_back(alphabet_of_bytes(token));
    if (const auto cut = token.size() > 1 ? ranks.cut(i) : std::nullopt)
      data.merges.push_back(alphabet_of_bytes(token.substr(0, *cut)) + ' ' + alphabet_of_bytes(token.substr(*cut)));
  }
  data.kinds.assign(data.tokens.size(), TokenKind::normal);
  return data;
}

}  // namespace mla::text
