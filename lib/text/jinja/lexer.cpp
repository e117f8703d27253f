#include "text/jinja/lexer.hpp"

#include <algorithm>
#include <iterator>

#include "platform/fail.hpp"
#include "text/jinja/utf8.hpp"
#include "text/utf8.hpp"

namespace mla::text::jinja {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_char(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
int digit_value(char c) {
  return is_digit(c) ? c - '0' : c >= 'a' && c <= 'z' ? c - 'a' + 10 : c >= 'A' && c <= 'Z' ? c - 'A' + 10 : 99;
}

/// \r\n and \r become \n, and one \n at the very end goes.
std::string normalized_lines(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    text += source[i] == '\r' ? '\n' : source[i];
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normalized_lines(source)) {}

  std::vector<Token> run() {
    while (position_ < source_.size()) data_then_tag();
    emit(Token::Type::end, "");
    return std::move(tokens_);
  }

 private:
  bool at(std::string_view text) const { return std::string_view(source_).substr(position_).starts_with(text); }
  char peek(std::size_t ahead = 0) const { return position_ + ahead < source_.size() ? source_[position_ + ahead] : '\0'; }
  void emit(Token::Type type, std::string text) { tokens_.push_back({type, std::move(text), line_}); }

  [[noreturn]] void bad(const std::string& what) const { fail(Status::bad_file, "{} at line {}", what, line_); }
  [[noreturn]] void unsupported(const std::string& what) const { fail(Status::unsupported, "{} at line {}", what, line_); }

  void advance(std::size_t end) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(position_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    if (end > position_) after_newline_ = source_[end - 1] == '\n';
    position_ = end;
  }

  void skip_space() {
    std::size_t end = position_;
    while (end < source_.size()) {
      const utf8::Char c = utf8::decode(source_, end);
      if (!utf8::is_space(c.code)) break;
      end += c.length;
    }
    advance(end);
  }

  /// Emits the data that ends at the tag which begins at `tag`, cut as the tag's sign (-, + or none) and lstrip_blocks say.
  void emit_data(std::size_t tag, char sign, bool is_output) {
    std::string_view data = std::string_view(source_).substr(position_, tag - position_);
    if (sign == '-') {
      data = data.substr(0, utf8::strip(data, false).end);
    } else if (sign != '+' && !is_output) {
      const std::size_t line_start = data.rfind('\n') + 1;  // npos + 1 is 0
      const std::string_view indent = data.substr(line_start);
      if ((line_start > 0 || after_newline_) && utf8::strip(indent).begin == indent.size()) data = data.substr(0, line_start);
    }
    if (!data.empty()) emit(Token::Type::data, std::string(data));
  }

  static char sign_of(char c) { return c == '-' || c == '+' ? c : '\0'; }

  void data_then_tag() {
    std::size_t tag = position_;
    do {
      tag = source_.find('{', tag);
    } while (tag != std::string::npos && (tag + 1 >= source_.size() || !is_tag_char(source_[tag + 1])) && ++tag);
    if (tag == std::string::npos) {
      emit(Token::Type::data, source_.substr(position_));
      return advance(source_.size());
    }
    const char kind = source_[tag + 1];
    const char sign = tag + 2 < source_.size() ? sign_of(source_[tag + 2]) : '\0';
    emit_data(tag, sign, kind == '{');
    advance(tag + 2 + (sign ? 1 : 0));
    if (kind == '#') return comment();
    if (kind == '%' && raw()) return;
    emit(kind == '{' ? Token::Type::output_begin : Token::Type::tag_begin, "");
    code(kind == '{');
  }

  static bool is_tag_char(char c) { return c == '{' || c == '%' || c == '#'; }

  void comment() {
    const std::size_t end = source_.find("#}", position_);
    if (end == std::string::npos) bad("a comment without its end");
    const char sign = end > position_ ? sign_of(source_[end - 1]) : '\0';
    advance(end);
    close(sign, true);
  }

  /// Steps over the two characters that end a tag and the white space that goes with them.
  void close(char sign, bool trim_newline) {
    advance(position_ + 2);
    if (sign == '-') skip_space();
    else if (sign != '+' && trim_newline && peek() == '\n') advance(position_ + 1);
  }

  /// Length of a `word` and the white space around it at `position`, or 0.
  std::size_t spaced_word(std::size_t position, std::string_view word) const {
    const std::string_view rest = std::string_view(source_).substr(position);
    const std::size_t start = utf8::strip(rest, true, false).begin;
    if (!rest.substr(start).starts_with(word)) return 0;
    const std::string_view tail = rest.substr(start + word.size());
    return start + word.size() + utf8::strip(tail, true, false).begin;
  }

  /// {% raw %} … {% endraw %}, if that is what follows the begin of a tag.
  bool raw() {
    const std::size_t length = spaced_word(position_, "raw");
    if (length == 0) return false;
    const std::string_view rest = std::string_view(source_).substr(position_ + length);
    const bool dash = rest.starts_with("-%}");
    if (!dash && !rest.starts_with("%}")) return false;
    advance(position_ + length + (dash ? 1 : 0));
    close(dash ? '-' : '\0', false);
    for (std::size_t tag = source_.find("{%", position_); tag != std::string::npos; tag = source_.find("{%", tag + 1)) {
      const char sign = tag + 2 < source_.size() ? sign_of(source_[tag + 2]) : '\0';
      const std::size_t word = tag + 2 + (sign ? 1 : 0);
      const std::size_t end_length = spaced_word(word, "endraw");
      if (end_length == 0) continue;
      const std::size_t end = word + end_length;
      const char end_sign = end < source_.size() ? sign_of(source_[end]) : '\0';
      if (source_.compare(end + (end_sign ? 1 : 0), 2, "%}") != 0) continue;
      emit_data(tag, sign, false);
      advance(end + (end_sign ? 1 : 0));
      close(end_sign, true);
      return true;
    }
    bad("a raw block without its end");
  }

  /// The tokens of one tag or output, up to and with its end.
  void code(bool is_output) {
    const std::string_view end = is_output ? "}}" : "%}";
    std::string brackets;  // the closing ones still expected
    while (position_ < source_.size()) {
      skip_space();
      const char sign = peek() == '-' || (peek() == '+' && !is_output) ? peek() : '\0';
      if (brackets.empty() && std::string_view(source_).substr(position_ + (sign ? 1 : 0)).starts_with(end)) {
        emit(is_output ? Token::Type::output_end : Token::Type::tag_end, "");
        advance(position_ + (sign ? 1 : 0));
        return close(sign, !is_output);
      }
      if (position_ < source_.size()) token(brackets);
    }
    bad(is_output ? "{{ without its }}" : "{% without its %}");
  }

  void token(std::string& brackets) {
    const char c = peek();
    if (is_digit(c)) return number();
    if (is_name_char(c)) {
      std::size_t end = position_;
      while (end < source_.size() && is_name_char(source_[end])) ++end;
      emit(Token::Type::name, source_.substr(position_, end - position_));
      return advance(end);
    }
    if (c == '\'' || c == '"') return string(c);
    if (static_cast<unsigned char>(c) >= 0x80) unsupported("a name outside of ASCII");
    op(brackets);
  }

  void op(std::string& brackets) {
    static constexpr std::string_view operators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                                     "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    const auto found = std::find_if(std::begin(operators), std::end(operators), [this](auto text) { return at(text); });
    if (found == std::end(operators)) bad(fmt::format("unexpected character '{}'", peek()));
    const char c = found->front();
    if (c == '(' || c == '[' || c == '{') brackets += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (brackets.empty() || brackets.back() != c) bad(fmt::format("unexpected '{}'", c));
      brackets.pop_back();
    }
    emit(Token::Type::op, std::string(*found));
    advance(position_ + found->size());
  }

  /// End of a run of digits of `base` from `start`, with single underscores between them; `start` if there is none.
  std::size_t digits(std::size_t start, int base) const {
    std::size_t end = start;
    while (end < source_.size()) {
      const std::size_t next = end > start && source_[end] == '_' ? end + 1 : end;
      if (next >= source_.size() || digit_value(source_[next]) >= base) break;
      end = next + 1;
    }
    return end;
  }

  void number() {
    const char marker = static_cast<char>(peek(1) | 0x20);
    const int base = peek() != '0' ? 10 : marker == 'x' ? 16 : marker == 'o' ? 8 : marker == 'b' ? 2 : 10;
    if (base != 10) {
      const std::size_t start = position_ + 2 + (peek(2) == '_' ? 1 : 0);
      const std::size_t end = digits(start, base);
      if (end > start) return emit_integer(source_.substr(start, end - start), end, base);
    }
    std::size_t end = digits(position_, 10);
    const std::size_t integer_end = end;
    if (position_ == 0 || source_[position_ - 1] != '.') {  // content.0.text has no fractions
      if (end < source_.size() && source_[end] == '.') end = std::max(end, without_empty(digits(end + 1, 10), end + 1, end));
      if (end < source_.size() && (source_[end] | 0x20) == 'e') {
        const std::size_t start = end + 1 + (end + 1 < source_.size() && sign_of(source_[end + 1]) ? 1 : 0);
        end = without_empty(digits(start, 10), start, end);
      }
    }
    if (end == integer_end) {
      std::size_t stop = end;  // a number that begins with 0 ends where its zeros do
      if (peek() == '0') stop = std::min(end, source_.find_first_not_of("0_", position_));
      return emit_integer(source_.substr(position_, stop - position_), stop, 10);
    }
    emit(Token::Type::real, without_underscores(source_.substr(position_, end - position_)));
    advance(end);
  }

  static std::size_t without_empty(std::size_t end, std::size_t start, std::size_t fallback) {
    return end > start ? end : fallback;
  }

  static std::string without_underscores(std::string text) {
    std::erase(text, '_');
    return text;
  }

  void emit_integer(const std::string& text, std::size_t end, int base) {
    std::int64_t value = 0;
    for (const char c : without_underscores(text))
      if (__builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, digit_value(c), &value))
        unsupported("a number beyond 64 bits");
    emit(Token::Type::integer, std::to_string(value));
    advance(end);
  }

  void string(char quote) {
    std::size_t end = position_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) bad("a string without its end");
    emit(Token::Type::string, unescaped(std::string_view(source_).substr(position_ + 1, end - position_ - 1)));
    advance(end + 1);
  }

  std::string unescaped(std::string_view text) const {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
        result += text[i];
        continue;
      }
      static constexpr std::string_view letters = "abfnrtv\\'\"", meanings = "\a\b\f\n\r\t\v\\'\"";
      const char c = text[++i];
      if (const std::size_t letter = letters.find(c); letter != std::string_view::npos) result += meanings[letter];
      else if (c == 'x' || c == 'u' || c == 'U') i = append_code(result, text, i + 1, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16);
      else if (c >= '0' && c <= '7') i = append_code(result, text, i, octal_digits(text.substr(i)), 8);
      else if (c == 'N') unsupported("the escape \\N in a string");
      else if (c != '\n') (result += '\\') += c;
    }
    return result;
  }

  static std::size_t octal_digits(std::string_view text) {
    return std::min<std::size_t>({3, text.size(), text.find_first_not_of("01234567")});
  }

  /// Appends the code point in `n` digits; returns the position of the last of them.
  std::size_t append_code(std::string& result, std::string_view text, std::size_t start, std::size_t n, int base) const {
    char32_t code = 0;
    for (std::size_t i = start; i < start + n; ++i) {
      if (i >= text.size() || digit_value(text[i]) >= base) bad("a damaged \\x or \\u escape in a string");
      code = code * static_cast<char32_t>(base) + static_cast<char32_t>(digit_value(text[i]));
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) bad("an escape in a string that is no character");
    append_utf8(result, code);
    return start + n - 1;
  }

  std::string source_;
  std::size_t position_ = 0;
  int line_ = 1;
  bool after_newline_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace mla::text::jinja
