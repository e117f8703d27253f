// How many tokens of prompts to compute in one step.
#pragma once
#include <algorithm>

namespace server {

/// Large steps are fastest, but nothing else happens during one: answers in work wait for their next token, and new requests for their
/// turn. So a step should take a time that people don't mind, and how many tokens that is follows from how fast the last ones were.
class StepSize {
 public:
  explicit StepSize(int n_ubatch) : n_ubatch_(n_ubatch) {}

  /// `others`: answers are being generated that wait for the step.
  int tokens(bool others) const {
    const double seconds = others ? seconds_with_others : seconds_alone;
    return static_cast<int>(std::clamp(rate_ * seconds, std::min(least, static_cast<double>(n_ubatch_)), static_cast<double>(n_ubatch_)));
  }

  /// A step with n tokens of prompts took so long.
  void learn(int n, double seconds) {
    if (n < static_cast<int>(least) || seconds <= 0) return;
    rate_ += (n / seconds - rate_) / 2;
  }

 private:
  static constexpr double seconds_alone = 3, seconds_with_others = 0.4, least = 16;

  int n_ubatch_;
  double rate_ = 100;  // tokens a second, before anything was measured
};

}  // namespace server
