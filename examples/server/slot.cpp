#include "server/slot.hpp"

#include <utility>

#include "server/logprobs.hpp"
#include "server/markup.hpp"

namespace server {

Vocabulary::Vocabulary(const mla::Tokenizer& t) : tokenizer(t) {
  for (const std::string_view mark : all_marks())
    if (const auto token = tokenizer.find(mark); token && tokenizer.kind(*token) == mla::TokenKind::control) markup.insert(*token);
}

Slot::Slot(Job job, mla::SequenceId sequence, const Vocabulary& vocabulary, int n_ctx)
    : job_(std::move(job)),
      sequence_(sequence),
      vocabulary_(vocabulary),
      n_ctx_(static_cast<std::size_t>(n_ctx)),
      sampler_(job_.sampling),
      text_(vocabulary.tokenizer),
      stops_(job_.stop),
      tokens_(job_.prompt) {}

void Slot::advance(std::size_t n) {
  const bool was_in_prompt = in_prompt();
  n_computed_ += n;
  if (was_in_prompt && !in_prompt()) prompt_end_ = Clock::now();
}

void Slot::take(std::span<const float> logits) {
  const mla::Token token = sampler_.sample(logits);
  sampler_.accept(token);
  tokens_.push_back(token);
  ++n_generated_;
  if (vocabulary_.tokenizer.is_end_of_generation(token) && !job_.ignore_end) {
    reason_ = FinishReason::stop;
    std::string rest = stops_.push(text_.finish());
    return send(rest + stops_.finish());
  }
  if (job_.n_logprobs >= 0) logprobs_.push_back(logprobs_of(logits, token, job_.n_logprobs));
  std::string text = stops_.push(text_of(token));
  if (stops_.stopped())
    reason_ = FinishReason::stop;
  else if (n_generated_ >= job_.max_tokens || tokens_.size() >= n_ctx_)
    reason_ = FinishReason::length;
  if (reason_ == FinishReason::length) text += stops_.push(text_.finish());
  if (done()) text += stops_.finish();
  send(std::move(text));
}

std::string Slot::text_of(mla::Token token) {
  if (!vocabulary_.markup.contains(token)) return text_.push(token);
  return text_.finish() + std::string(vocabulary_.tokenizer.piece(token));
}

// The logprobs of text that is held back wait with it.
void Slot::send(std::string text) {
  std::vector<LogprobEntry> entries;
  if (done() || stops_.held() == 0) entries.swap(logprobs_);
  if (!text.empty() || !entries.empty()) job_.out->push({job_.choice, std::move(text), std::move(entries), {}});
}

void Slot::end(std::vector<float> embedding) {
  finish_.embedding = std::move(embedding);
  reason_ = FinishReason::length;
}

void Slot::fail(const std::string& why) {
  finish_.error = why;
  reason_ = FinishReason::failed;
}

const Finish& Slot::send_finish() {
  const auto seconds = [](Clock::duration time) { return std::chrono::duration<double>(time).count(); };
  finish_.reason = *reason_;
  finish_.n_prompt = static_cast<int>(job_.prompt.size());
  finish_.n_cached = static_cast<int>(n_cached_);
  finish_.n_generated = n_generated_;
  finish_.prompt_seconds = seconds(prompt_end_ - began_);
  finish_.generation_seconds = seconds(Clock::now() - prompt_end_);
  job_.out->push({job_.choice, {}, {}, finish_});
  return finish_;
}

}  // namespace server
