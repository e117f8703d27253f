// Pre-tokenisation: text is cut into words before byte-pair merging, which never crosses a cut.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mla::text {

/// A sequence of regular expressions; each cuts the pieces that the ones before it left into its matches and what lies
/// between them (Hugging Face's Sequence of Split with behaviour "Isolated"). Immutable; used by any number of threads.
class PreTokenizer {
 public:
  /// `name` is that of GGUF's tokenizer.ggml.pre. Throws Error(unsupported) that begins with `source` and lists the known.
  PreTokenizer(std::string_view name, std::string_view source);
  ~PreTokenizer();
  PreTokenizer(PreTokenizer&&) noexcept;
  PreTokenizer& operator=(PreTokenizer&&) noexcept;

  /// Cuts well-formed UTF-8; the pieces are in order and together are `text`. Time is linear in the text.
  std::vector<std::string_view> split(std::string_view text) const;

 private:
  class Pass;
  std::vector<Pass> passes_;
};

/// The name of the pre-tokeniser that is published as these regular expressions, in this order.
std::optional<std::string_view> find_pre_tokenizer(std::span<const std::string> published);

/// "deepseek-llm, deepseek-v3, kimi-k2, glm4"
std::string known_pre_tokenizers();

}  // namespace mla::text
