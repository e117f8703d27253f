// One answer in work: its tokens, what was computed of them, and the text that comes out.
#pragma once
#include <chrono>
#include <optional>
#include <span>
#include <unordered_set>
#include <vector>

#include <mla/model.hpp>
#include <mla/sampler.hpp>

#include "server/job.hpp"
#include "server/stop_matcher.hpp"

namespace server {

using Clock = std::chrono::steady_clock;

/// What a slot must know of the model.
struct Vocabulary {
  mla::Tokenizer tokenizer;
  std::unordered_set<mla::Token>
      markup;  ///< control tokens that are text to whoever parses the answer: the marks of thoughts and tool calls

  explicit Vocabulary(const mla::Tokenizer& tokenizer);
};

class Slot {
 public:
  Slot(Job job, mla::SequenceId sequence, const Vocabulary& vocabulary, int n_ctx);

  const Job& job() const noexcept { return job_; }
  mla::SequenceId sequence() const noexcept { return sequence_; }
  /// Prompt and answer so far.
  std::span<const mla::Token> tokens() const noexcept { return tokens_; }
  /// The tokens whose rows are in the cache.
  std::span<const mla::Token> computed() const noexcept { return std::span(tokens_).first(n_computed_); }
  bool in_prompt() const noexcept { return n_computed_ < job_.prompt.size(); }
  bool wants_result() const noexcept { return job_.max_tokens > 0 || job_.embedding; }
  bool done() const noexcept { return reason_.has_value(); }
  int n_generated() const noexcept { return n_generated_; }
  Clock::time_point began() const noexcept { return began_; }

  /// The first n tokens were found in the prompt cache.
  void restored(std::size_t n) noexcept { n_computed_ = n_cached_ = n; }
  /// n more tokens have their rows.
  void advance(std::size_t n);

  /// Samples from the logits of the last token, and sends what text that makes. Throws mla::Error for logits that are no numbers.
  void take(std::span<const float> logits);
  /// Ends the answer: of an embedding or a prompt that nothing shall follow.
  void end(std::vector<float> embedding = {});
  void fail(const std::string& why);
  /// Tells the client the end, and returns it. To be called once, when done().
  const Finish& send_finish();

 private:
  std::string text_of(mla::Token token);
  void send(std::string text);

  Job job_;
  mla::SequenceId sequence_;
  const Vocabulary& vocabulary_;
  std::size_t n_ctx_;
  mla::Sampler sampler_;
  mla::TextStream text_;
  StopMatcher stops_;
  std::vector<mla::Token> tokens_;
  std::size_t n_computed_ = 0, n_cached_ = 0;
  int n_generated_ = 0;
  std::vector<LogprobEntry> logprobs_;  // of tokens whose text was not sent yet
  std::optional<FinishReason> reason_;
  Finish finish_;
  Clock::time_point began_ = Clock::now(), prompt_end_ = began_;
};

}  // namespace server
