#include <mla/sampler.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include "platform/fail.hpp"
#include "sampling/candidates.hpp"
#include "sampling/random.hpp"

namespace mla {
namespace {

using namespace sampling;

constexpr float infinity = std::numeric_limits<float>::infinity();

void require(bool holds, const char* option, double value, const char* range) {
  if (!holds) fail(Status::invalid_argument, "sampler option {} is {}: it must be {}", option, value, range);
}

void validate(const SamplerOptions& o) {
  const auto finite = [](float value) { return std::isfinite(value); };
  const auto positive = [](float value) { return value > 0 && std::isfinite(value); };
  require(o.temperature >= 0 && finite(o.temperature), "temperature", o.temperature, "0 (greedy) or more, and finite");
  require(o.top_k >= 0, "top_k", o.top_k, "0 (all tokens) or more");
  require(o.top_p >= 0 && o.top_p <= 1, "top_p", o.top_p, "from 0 to 1 (all tokens)");
  require(o.min_p >= 0 && o.min_p <= 1, "min_p", o.min_p, "from 0 (all tokens) to 1");
  require(o.typical_p > 0 && o.typical_p <= 1, "typical_p", o.typical_p, "above 0 and at most 1 (all tokens)");
  require(positive(o.repeat_penalty), "repeat_penalty", o.repeat_penalty, "above 0, 1 meaning none, and finite");
  require(finite(o.presence_penalty), "presence_penalty", o.presence_penalty, "finite");
  require(finite(o.frequency_penalty), "frequency_penalty", o.frequency_penalty, "finite");
  require(o.penalty_last_n >= -1, "penalty_last_n", o.penalty_last_n, "-1 (all tokens), 0 (none) or more");
  require(o.mirostat == 0 || o.mirostat == 2, "mirostat", o.mirostat, "0 (off) or 2");
  require(positive(o.mirostat_tau), "mirostat_tau", o.mirostat_tau, "above 0 and finite");
  require(positive(o.mirostat_eta), "mirostat_eta", o.mirostat_eta, "above 0 and finite");
  for (const auto& [token, bias] : o.logit_bias) {
    require(token >= 0, "logit_bias", token, "for a token id of 0 or more");
    require(bias < infinity, "logit_bias", bias, "finite, or -infinity to ban the token");
  }
}

// The largest logit. `when` goes into messages.
float largest_of(std::span<const float> logits, const char* when) {
  float largest = -infinity;
  bool valid = true;
  for (const float logit : logits) {
    valid &= logit < infinity;  // false for NaN as well
    largest = logit > largest ? logit : largest;
  }
  if (!valid) {
    const auto bad = std::find_if(logits.begin(), logits.end(), [](float logit) { return !(logit < infinity); });
    fail(Status::invalid_argument, "sampler: the logit of token {} is {}{}: it must be finite, or -infinity to ban the token",
         bad - logits.begin(), *bad, when);
  }
  if (largest == -infinity) fail(Status::invalid_argument, "sampler: every token is banned{}: all logits are -infinity", when);
  return largest;
}

}  // namespace

class Sampler::Impl {
 public:
  explicit Impl(const SamplerOptions& options) : options_(options) { reset(); }

  Token sample(std::span<const float> logits) {
    select(logits);
    if (options_.temperature == 0) return candidates_.front().token;
    const Candidate& choice = draw();
    if (options_.mirostat == 2) {
      mu_ -= static_cast<double>(options_.mirostat_eta) * (surprise(choice, log_total_) - options_.mirostat_tau);
    }
    return choice.token;
  }

  std::vector<TokenProbability> probabilities(std::span<const float> logits) {
    select(logits);
    std::sort(candidates_.begin(), candidates_.end(), more_likely);
    const double total = total_weight(candidates_);
    std::vector<TokenProbability> result;
    result.reserve(candidates_.size());
    for (const Candidate& candidate : candidates_) result.push_back({candidate.token, candidate.weight / total});
    return result;
  }

  void accept(Token token) {
    if (token < 0) fail(Status::invalid_argument, "sampler: token {} can't be accepted: ids begin at 0", token);
    if (!has_penalties()) return;
    if (options_.penalty_last_n < 0 || window_.size() < static_cast<std::size_t>(options_.penalty_last_n)) {
      window_.push_back(token);
    } else {
      window_[window_next_] = token;
      window_next_ = (window_next_ + 1) % window_.size();
    }
  }

  void reset() {
    generator_ = Xoshiro256pp::seeded(options_.seed);
    mu_ = 2.0 * options_.mirostat_tau;
    window_.clear();
    window_next_ = 0;
  }

  const SamplerOptions& options() const noexcept { return options_; }
  double mu() const noexcept { return mu_; }

 private:
  bool has_penalties() const noexcept {
    return options_.penalty_last_n != 0 &&
           (options_.repeat_penalty != 1 || options_.presence_penalty != 0 || options_.frequency_penalty != 0);
  }

  // candidates_: what may be drawn, in an order that depends on nothing but options and logits.
  void select(std::span<const float> logits) {
    const float largest = adjust(logits);
    if (options_.temperature == 0) {
      const auto first = std::find(logits_.begin(), logits_.end(), largest);
      candidates_.assign(1, {static_cast<Token>(first - logits_.begin()), largest, 0, 1});
      return;
    }
    const auto top_k = static_cast<std::size_t>(options_.mirostat == 0 ? options_.top_k : 0);
    // Temperature keeps the order, so the largest k can be found before it.
    const float threshold = top_k > 0 && top_k < logits_.size() ? kth_largest(logits_, top_k, largest_) : -infinity;
    gather(logits_, largest, threshold, options_.temperature, candidates_);
    if (options_.mirostat == 2) {
      log_total_ = keep_below_surprise(candidates_, mu_);
      return;
    }
    if (options_.top_p < 1) keep_top_p(candidates_, options_.top_p);
    if (options_.min_p > 0) keep_min_p(candidates_, options_.min_p);
    if (options_.typical_p < 1) keep_typical(candidates_, options_.typical_p);
  }

  // logits_: the logits after bias, penalties and mask; returns the largest.
  float adjust(std::span<const float> logits) {
    if (logits.empty()) fail(Status::invalid_argument, "sampler: there are no logits to sample from");
    const float largest = largest_of(logits, "");
    logits_.assign(logits.begin(), logits.end());
    if (options_.logit_bias.empty() && window_.empty() && !options_.mask) return largest;
    for (const auto& [token, bias] : options_.logit_bias) {
      if (static_cast<std::size_t>(token) >= logits_.size()) {
        fail(Status::invalid_argument, "sampler option logit_bias names token {}, but the vocabulary has {} tokens", token,
             logits_.size());
      }
      logits_[static_cast<std::size_t>(token)] += bias;
    }
    apply_penalties();
    if (options_.mask) options_.mask(logits_);
    return largest_of(logits_, " after logit_bias, penalties and mask");
  }

  void apply_penalties() {
    counts_.resize(logits_.size());
    const auto in_vocabulary = [this](Token token) { return static_cast<std::size_t>(token) < logits_.size(); };
    for (const Token token : window_) {
      if (in_vocabulary(token)) ++counts_[static_cast<std::size_t>(token)];
    }
    for (const Token token : window_) {
      if (!in_vocabulary(token)) continue;
      int& count = counts_[static_cast<std::size_t>(token)];
      if (count == 0) continue;  // done at an earlier place in the window
      float& logit = logits_[static_cast<std::size_t>(token)];
      logit = logit < 0 ? logit * options_.repeat_penalty : logit / options_.repeat_penalty;
      logit -= static_cast<float>(count) * options_.frequency_penalty + options_.presence_penalty;
      count = 0;
    }
  }

  // The first candidate where the running sum of weights passes a uniform share of their total.
  const Candidate& draw() {
    const double target = generator_.uniform() * total_weight(candidates_);
    double sum = 0;
    for (const Candidate& candidate : candidates_) {
      sum += candidate.weight;
      if (sum > target) return candidate;
    }
    return candidates_.back();  // not reached: uniform() < 1 and the sums round alike
  }

  SamplerOptions options_;
  Xoshiro256pp generator_{{}};
  double mu_ = 0;
  std::vector<Token> window_;    // the last accepted tokens, as a ring once it is full
  std::size_t window_next_ = 0;  // the oldest one's place in the ring
  // Scratch of one call, kept for its memory.
  std::vector<float> logits_;    // [n_vocab]
  std::vector<float> largest_;   // of kth_largest()
  std::vector<int> counts_;      // [n_vocab], zero between calls
  std::vector<Candidate> candidates_;
  double log_total_ = 0;         // of mirostat: logarithm of the sum of all weights
};

Sampler::Sampler(const SamplerOptions& options) {
  validate(options);
  impl_ = std::make_unique<Impl>(options);
}
Sampler::~Sampler() = default;
Sampler::Sampler(const Sampler& other) : impl_(std::make_unique<Impl>(*other.impl_)) {}
Sampler& Sampler::operator=(const Sampler& other) { return *this = Sampler(other); }
Sampler::Sampler(Sampler&&) noexcept = default;
Sampler& Sampler::operator=(Sampler&&) noexcept = default;

Token Sampler::sample(std::span<const float> logits) { return impl_->sample(logits); }
std::vector<TokenProbability> Sampler::probabilities(std::span<const float> logits) { return impl_->probabilities(logits); }
void Sampler::accept(Token token) { impl_->accept(token); }
void Sampler::reset() { impl_->reset(); }
const SamplerOptions& Sampler::options() const noexcept { return impl_->options(); }
double Sampler::mirostat_mu() const noexcept { return impl_->mu(); }

}  // namespace mla
