// Lexer: a template's source as tokens, with Jinja's rules of white space (trim_blocks and lstrip_blocks on).
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace mla::text::jinja {

struct Token {
  enum class Type { data, output_begin, output_end, tag_begin, tag_end, name, string, integer, real, op, end };
  Type type;
  std::string text;  ///< of a string: unescaped
  int line;
};

/// Throws Error(bad_file) for what is no token, Error(unsupported) for escapes and names that this version lacks.
/// Messages end in "at line N". The last token has Type::end.
std::vector<Token> tokenize(std::string_view source);

}  // namespace mla::text::jinja
