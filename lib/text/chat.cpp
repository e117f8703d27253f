#include <mla/chat.hpp>

namespace mla {

std::vector<Token> encode_chat(const Tokenizer& tokenizer, std::span<const ChatSegment> segments) {
  std::vector<Token> tokens;
  std::string plain;  // text since the last control token, whoever wrote it
  const auto flush = [&] {
    const std::vector<Token> encoded = tokenizer.encode(plain, {.add_special = false, .parse_special = false});
    tokens.insert(tokens.end(), encoded.begin(), encoded.end());
    plain.clear();
  };
  for (const ChatSegment& segment : segments) {
    if (!segment.trusted) {
      plain += segment.text;
      continue;
    }
    for (const Token token : tokenizer.encode(segment.text, {.add_special = false, .parse_special = true})) {
      if (tokenizer.kind(token) != TokenKind::control) {
        plain += tokenizer.piece(token);  // byte-level: the pieces spell the text again
        continue;
      }
      flush();
      tokens.push_back(token);
    }
  }
  flush();
  return tokens;
}

}  // namespace mla
