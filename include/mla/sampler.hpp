// Sampler: picks the next token from logits. The same seed gives the same tokens on every machine and compiler.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <mla/types.hpp>

namespace mla {

/// A host stage: lowers logits in place, [n_vocab], or bans tokens with -infinity (a grammar, a list of stop words).
/// May throw; the sampler is then as it was before the call. Copies of a sampler share what it captures by reference.
using LogitsCallback = std::function<void(std::span<float> logits)>;

/// The chain, in this order; a stage at its neutral value is left out:
///   logit_bias, repeat_penalty, frequency_penalty + presence_penalty, mask,
///   then the largest logit if temperature is 0, otherwise
///   temperature, top_k, top_p, min_p, typical_p (or, instead of these four, mirostat), and a draw from what is left.
/// The stages and their order are those of Hugging Face transformers (RepetitionPenaltyLogitsProcessor, Temperature-, TopK-,
/// TopP-, MinP- and TypicalLogitsWarper); the frequency and presence penalties are OpenAI's.
/// Among equal logits the lower token id comes first, except that top_k and typical_p keep all that tie with the last one.
struct SamplerOptions {
  std::uint64_t seed = 0;
  float temperature = 0.8f;  ///< divides the logits; 0 or more; 0: greedy, always the largest logit
  int top_k = 40;            ///< keep the k largest; 0: all
  float top_p = 0.95f;       ///< keep the most likely that together reach p; 0 to 1; 1: all
  float min_p = 0.05f;       ///< keep what is at least this share of the most likely one's probability; 0 to 1; 0: all
  float typical_p = 1.0f;    ///< keep those closest to the expected surprise that together reach p; above 0 to 1; 1: all

  float repeat_penalty = 1.0f;     ///< positive logits of tokens in the window are divided by it, others multiplied; above 0
  float presence_penalty = 0.0f;   ///< subtracted from the logit of every token in the window
  float frequency_penalty = 0.0f;  ///< subtracted as many times as the token occurs in the window
  int penalty_last_n = 64;         ///< the window: the last n accepted tokens; 0: none; -1: all

  int mirostat = 0;           ///< 2: Mirostat 2.0 (Basu et al. 2021, algorithm 2) instead of the filters; 0: off
  float mirostat_tau = 5.0f;  ///< the surprise to hold, in bits, measured as in the paper on the whole vocabulary; above 0
  float mirostat_eta = 0.1f;  ///< learning rate; above 0

  std::vector<std::pair<Token, float>> logit_bias = {};  ///< added to the logit of a token; -infinity bans it
  LogitsCallback mask = {};                              ///< sees logits after bias and penalties
};

struct TokenProbability {
  Token token;
  double probability;
};

/// For one stream of text; used by one thread at a time. A copy goes on exactly as the original would.
/// Allocates in the first call for a vocabulary size, not after (but for a window of -1, which grows).
class Sampler {
 public:
  /// Throws Error(invalid_argument); names the option and its range.
  explicit Sampler(const SamplerOptions& options = {});
  ~Sampler();
  Sampler(const Sampler&);
  Sampler& operator=(const Sampler&);
  Sampler(Sampler&&) noexcept;
  Sampler& operator=(Sampler&&) noexcept;

  /// The next token. Does not accept() it. A call that throws changes nothing.
  /// Throws Error(invalid_argument): logits, [n_vocab], are none, hold NaN or +infinity, or ban every token; or logit_bias
  /// names a token outside the vocabulary.
  Token sample(std::span<const float> logits);

  /// What sample() would draw from, most likely first; adds up to 1. Changes nothing; throws as sample() does.
  std::vector<TokenProbability> probabilities(std::span<const float> logits);

  /// Puts a token, of the prompt or sampled, into the window of the penalties. Ids beyond the vocabulary have no effect.
  /// Throws Error(invalid_argument) for a negative one.
  void accept(Token token);

  /// Back to how it was made: seed, empty window, mirostat's start.
  void reset();

  const SamplerOptions& options() const noexcept;
  double mirostat_mu() const noexcept;  ///< the largest surprise that mirostat lets through now, in bits

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mla
