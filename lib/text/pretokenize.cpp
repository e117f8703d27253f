#include "text/pretokenize.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "platform/fail.hpp"
#include "text/unicode.hpp"

namespace mla::text {
namespace {

// A regular expression as tokenizer.json publishes it and, where PCRE2 needs another with the same matches, that one.
struct Rule {
  std::string_view published;
  std::string_view pattern = published;
};

#define SPACE "[" MLA_SPACE "]"

// The cased letters of Unicode 11's larger scripts. The escapes are letters whose normal form is another character.
#define LETTERS                                                                                                       \
  "[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1f7dᾀ-ᾴᾶ-ᾼ\u1fbe" \
  "ῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ" \
  "𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+"
#define SIGNS "[!-/:-~！-／：-～‘-‟\u3000-。]+"

// deepseek-ai/deepseek-llm-7b-base, tokenizer.json; also DeepSeek-V2 and V2-Lite.
constexpr std::array deepseek_llm = {
    Rule{"[\r\n]"},
    Rule{"\\s?" LETTERS, SPACE "?" LETTERS},
    Rule{"\\s?" SIGNS, SPACE "?" SIGNS},
    // The look-behind begins the attempt only where a run of spaces begins: otherwise quadratic in the run's length.
    Rule{"\\s+$", "(?<!" SPACE ")" SPACE "++\\z"},
    Rule{"[一-龥\u0800-一가-\ud7ff]+"},
    Rule{"\\p{N}", "[" MLA_NUMBERS "]"},  // published as Digits, individual
};

// White space, as in the patterns of GPT-4 and after. The last newline of a run of spaces is found going forward, without a backtracking
// point for each space.
#define SPACES_PUBLISHED "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define SPACES "(?:[" MLA_BLANKS "]*+[\r\n]++)++|" SPACE "+(?![^" MLA_SPACE "])|" SPACE "++"

// deepseek-ai/DeepSeek-V3, tokenizer.json; also R1.
#define WORDS_AND_SIGNS(L, M, P, S)                                                         \
  "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n" L P S "]?[" L M "]+| ?[" P S "]+[\r\n]*|"
constexpr std::array deepseek_v3 = {
    Rule{"\\p{N}{1,3}", "[" MLA_NUMBERS "]{1,3}"},
    Rule{"[一-龥\u3040-ゟ゠-ヿ]+"},
    Rule{WORDS_AND_SIGNS("\\p{L}", "\\p{M}", "\\p{P}", "\\p{S}") "\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
         WORDS_AND_SIGNS(MLA_LETTERS, MLA_MARKS, MLA_PUNCTUATION, MLA_SYMBOLS)
         SPACES},
};

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"

// moonshotai/Kimi-K2-Instruct, tokenization_kimi.py; also Moonlight. PCRE2 has no intersection of classes: a look-ahead takes it out.
#define KIMI_WORD "[^" "\r\n" MLA_LETTERS MLA_NUMBERS "]?"
#define KIMI_UPPER "(?:(?![" MLA_HAN MLA_LOWER "])[" MLA_LETTERS MLA_MARKS "])"
#define KIMI_LOWER "(?:(?![" MLA_HAN MLA_UPPER "])[" MLA_LETTERS MLA_MARKS "])"
constexpr std::array kimi_k2 = {
    Rule{"[\\p{Han}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+" CONTRACTIONS
         "?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*" CONTRACTIONS
         "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES_PUBLISHED,
         "[" MLA_HAN "]++|" KIMI_WORD KIMI_UPPER "*" KIMI_LOWER "+" CONTRACTIONS "?|" KIMI_WORD KIMI_UPPER "+" KIMI_LOWER "*" CONTRACTIONS
         "?|[" MLA_NUMBERS "]{1,3}| ?[^" MLA_SPACE MLA_LETTERS MLA_NUMBERS "]++[\r\n]*+|" SPACES},
};

// zai-org/GLM-4.7-Flash, tokenizer.json.
constexpr std::array glm4 = {
    Rule{CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES_PUBLISHED,
         CONTRACTIONS "|[^\r\n" MLA_LETTERS MLA_NUMBERS "]?[" MLA_LETTERS "]++|[" MLA_NUMBERS "]{1,3}| ?[^" MLA_SPACE MLA_LETTERS MLA_NUMBERS "]++[\r\n]*+|" SPACES},
};

struct Known {
  std::string_view name;
  std::span<const Rule> rules;
};
constexpr std::array known = {Known{"deepseek-llm", deepseek_llm}, Known{"deepseek-v3", deepseek_v3}, Known{"kimi-k2", kimi_k2}, Known{"glm4", glm4}};

struct Free {
  void operator()(pcre2_code* p) const noexcept { pcre2_code_free(p); }
  void operator()(pcre2_match_data* p) const noexcept { pcre2_match_data_free(p); }
  void operator()(pcre2_match_context* p) const noexcept { pcre2_match_context_free(p); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

template <typename T>
Owned<T> own(T* p) {
  if (!p) throw std::bad_alloc();
  return Owned<T>(p);
}

// What PCRE2 says; that it got no memory is an error of its own kind.
std::string pcre2_message(int code) {
  if (code == PCRE2_ERROR_HEAP_FAILED || code == PCRE2_ERROR_NOMEMORY) throw std::bad_alloc();
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

}  // namespace

class PreTokenizer::Pass {
 public:
  explicit Pass(std::string_view pattern) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF | PCRE2_UCP, &error,
                              &offset, nullptr));
    if (!code_) fail(Status::internal, "pre-tokeniser: PCRE2 at {} of {}: {}", offset, pattern, pcre2_message(error));
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);  // without it pcre2_match() interprets, with the same result
  }

  void split(std::string_view piece, std::vector<std::string_view>& out, pcre2_match_data* match,
             pcre2_match_context* context) const {
    std::size_t done = 0;
    while (done < piece.size()) {
      // Matching goes on inside the same subject, so that look-behind sees what comes before.
      const int rc = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(piece.data()), piece.size(), done,
                                 PCRE2_NO_UTF_CHECK, match, context);
      if (rc == PCRE2_ERROR_NOMATCH) break;
      if (rc < 0) fail(Status::internal, "pre-tokeniser: PCRE2: {}", pcre2_message(rc));
      const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(match);
      if (ends[0] > done) out.push_back(piece.substr(done, ends[0] - done));
      out.push_back(piece.substr(ends[0], ends[1] - ends[0]));
      done = ends[1];
    }
    if (done < piece.size()) out.push_back(piece.substr(done));
  }

 private:
  Owned<pcre2_code> code_;
};

PreTokenizer::PreTokenizer(std::string_view name, std::string_view source) {
  const auto found = std::ranges::find(known, name, &Known::name);
  if (found == known.end())
    fail(Status::unsupported, "{}: tokenizer.ggml.pre is \"{}\"; this version knows {}", source, name, known_pre_tokenizers());
  for (const Rule& rule : found->rules) passes_.emplace_back(rule.pattern);
}

PreTokenizer::~PreTokenizer() = default;
PreTokenizer::PreTokenizer(PreTokenizer&&) noexcept = default;
PreTokenizer& PreTokenizer::operator=(PreTokenizer&&) noexcept = default;

std::vector<std::string_view> PreTokenizer::split(std::string_view text) const {
  std::vector<std::string_view> pieces, cut;
  if (text.empty()) return pieces;
  pieces.push_back(text);
  const auto match = own(pcre2_match_data_create(1, nullptr));
  const auto context = own(pcre2_match_context_create(nullptr));
  // Every pattern takes a number of steps linear in the text; the limit turns a mistake in one into an error, not a hang.
  constexpr std::size_t floor = 1'000'000, ceiling = UINT32_MAX;
  pcre2_set_match_limit(context.get(), static_cast<std::uint32_t>(std::clamp(text.size() * 4, floor, ceiling)));
  for (const Pass& pass : passes_) {
    cut.clear();
    for (const std::string_view piece : pieces) pass.split(piece, cut, match.get(), context.get());
    pieces.swap(cut);
  }
  return pieces;
}

std::optional<std::string_view> find_pre_tokenizer(std::span<const std::string> published) {
  for (const Known& candidate : known)
    if (std::ranges::equal(candidate.rules, published, {}, &Rule::published)) return candidate.name;
  return std::nullopt;
}

std::string known_pre_tokenizers() {
  std::string names;
  for (const Known& candidate : known) names.append(names.empty() ? "" : ", ").append(candidate.name);
  return names;
}

}  // namespace mla::text
