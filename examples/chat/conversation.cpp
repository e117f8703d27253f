#include "chat/conversation.hpp"

#include <algorithm>
#include <utility>

#include <mla/chat.hpp>
#include <mla/error.hpp>

#include "common/program.hpp"

namespace chat {
namespace {

using Tokens = std::vector<mla::Token>;

std::size_t common_length(std::span<const mla::Token> a, std::span<const mla::Token> b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

}  // namespace

Conversation::Conversation(mla::Context& context, const std::string& chat_template, std::string system)
    : context_(context),
      tokenizer_(context.model()->tokenizer()),
      template_(chat_template),
      n_ctx_(static_cast<std::size_t>(context.options().n_ctx)),
      n_system_(system.empty() ? 0 : 1) {
  if (n_system_ > 0) messages_.push_back({"system", std::move(system)});
}

void Conversation::clear() {
  messages_.resize(n_system_);
  first_ = 0;
  drop(0, tokens_.size());
}

Tokens Conversation::render(const std::vector<mla::ChatMessage>& messages, bool for_answer) const {
  const auto piece = [this](mla::Token token) { return token < 0 ? std::string() : std::string(tokenizer_.piece(token)); };
  return mla::encode_chat(tokenizer_, template_.render_segments(messages, {.add_generation_prompt = for_answer,
                                                                           .bos_token = piece(tokenizer_.bos()),
                                                                           .eos_token = piece(tokenizer_.eos())}));
}

// The messages as the model is to see them: where they leave less than a quarter of the context for the answer, the oldest turns are left
// out.
Tokens Conversation::render_to_fit() {
  for (;; first_ += 2) {
    std::vector<mla::ChatMessage> seen(messages_.begin(), messages_.begin() + static_cast<std::ptrdiff_t>(n_system_));
    seen.insert(seen.end(), messages_.begin() + static_cast<std::ptrdiff_t>(n_system_ + first_), messages_.end());
    Tokens tokens = render(seen, true);
    const bool is_last = n_system_ + first_ + 1 >= messages_.size();
    if (tokens.size() <= n_ctx_ - n_ctx_ / 4 || (is_last && tokens.size() < n_ctx_)) return tokens;
    if (is_last)
      throw program::Failure("the message makes a prompt of " + std::to_string(tokens.size()) + " tokens, and the context has " +
                             std::to_string(n_ctx_) + ": raise it with -c");
  }
}

Turn Conversation::say(const std::string& text, int n_predict, mla::Sampler& sampler, const std::function<void(const std::string&)>& show) {
  Turn turn;
  messages_.push_back({"user", text});
  try {
    const Tokens prompt = render_to_fit();
    keep_common({prompt.begin(), prompt.end() - 1});  // the last one's logits are wanted
    turn.n_reused = static_cast<int>(tokens_.size());
    turn.n_read = static_cast<int>(prompt.size()) - turn.n_reused;
    if (!read(prompt)) turn.ending = Ending::interrupted;
  } catch (...) {
    messages_.pop_back();
    throw;
  }
  std::string answer;
  mla::TextStream stream(tokenizer_);
  const auto put = [&](const std::string& piece) {
    answer += piece;
    show(piece);
  };
  while (turn.ending == Ending::whole) {
    if (turn.n_written == n_predict) {
      turn.ending = Ending::limit;
      break;
    }
    const mla::Token token = sampler.sample(context_.logits());
    if (tokenizer_.is_end_of_generation(token)) break;
    sampler.accept(token);
    put(stream.push(token));
    ++turn.n_written;
    if (tokens_.size() == n_ctx_) turn.n_shifted += shift();
    mla::Batch batch;
    batch.add(token, static_cast<mla::Position>(tokens_.size()), 0, true);
    if (!decode(batch)) turn.ending = Ending::interrupted;
  }
  put(stream.finish());
  messages_.push_back({"assistant", answer});
  return turn;
}

// Leaves in the cache what `wanted` begins with. Where turns were left out, what stands behind them moves up: its keys are rotated, and
// nothing is computed again.
void Conversation::keep_common(const Tokens& wanted) {
  constexpr std::size_t worth_moving = 32;
  const std::size_t common = common_length(tokens_, wanted);
  const auto rest = std::span(wanted).subspan(common);
  std::size_t best = 0, gap = 0;
  for (std::size_t n = 1; common + n < tokens_.size(); ++n)
    if (const std::size_t length = common_length(std::span(tokens_).subspan(common + n), rest); length > best) best = length, gap = n;
  if (best < worth_moving) return drop(common, tokens_.size() - common);
  drop(common + gap + best, tokens_.size() - common - gap - best);
  drop(common, gap);
}

// False if Ctrl-C stopped it.
bool Conversation::read(const Tokens& tokens) {
  const std::size_t n_ubatch = static_cast<std::size_t>(context_.options().n_ubatch), begin = tokens_.size(), n = tokens.size() - begin;
  const mla::ProgressCallback progress = program::progress();
  while (tokens_.size() < tokens.size()) {
    mla::Batch batch;
    for (std::size_t i = tokens_.size(); i < std::min(tokens_.size() + n_ubatch, tokens.size()); ++i)
      batch.add(tokens[i], static_cast<mla::Position>(i), 0, i + 1 == tokens.size());
    if (!decode(batch)) return false;
    progress("prompt", tokens_.size() - begin, n);
  }
  return true;
}

bool Conversation::decode(const mla::Batch& batch) {
  try {
    context_.decode(batch);
  } catch (const mla::Error& error) {
    if (error.status() != mla::Status::aborted) throw;
    return false;
  }
  tokens_.insert(tokens_.end(), batch.tokens.begin(), batch.tokens.end());
  return !program::interrupted();
}

// Tokens at the beginning that stay when the context is full: bos, and the system's message.
std::size_t Conversation::n_fixed() const {
  Tokens fixed{tokenizer_.bos()};
  try {
    if (n_system_ > 0) fixed = render({messages_.begin(), messages_.begin() + 1}, false);
  } catch (const mla::Error&) {  // a template that wants a user's message
  }
  return std::min(common_length(fixed, tokens_), n_ctx_ / 2);
}

// The full context loses the older half of what isn't fixed. Returns how many tokens that is.
int Conversation::shift() {
  const std::size_t begin = n_fixed(), n = (tokens_.size() - begin + 1) / 2;
  drop(begin, n);
  return static_cast<int>(n);
}

void Conversation::drop(std::size_t begin, std::size_t n) {
  if (n == 0) return;
  const auto from = static_cast<mla::Position>(begin), to = static_cast<mla::Position>(begin + n);
  const bool is_end = begin + n == tokens_.size();
  context_.cache().seq_rm(0, from, to);
  if (!is_end) {
    context_.cache().seq_add(0, to, -1, from - to);
    context_.cache().defrag();  // rows are free within pages that others still use
  }
  tokens_.erase(tokens_.begin() + from, tokens_.begin() + to);
}

}  // namespace chat
