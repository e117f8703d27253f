// How far a model's predictions are from another's, position by position.
#pragma once
#include <vector>

#include "perplexity/log_probs.hpp"
#include "common/statistics.hpp"

namespace program::perplexity {

/// Of one position: the base's distribution p, from its record, and the model's q, from its logits.
struct Difference {
  double divergence = 0;           ///< KL(p ‖ q) = sum of p · (ln p - ln q), in nats
  double nll = 0, base_nll = 0;    ///< of the text's next token
  double change = 0;               ///< q - p of that token
  bool same_top = false;           ///< whether both think the same token the likeliest
};
Difference compare(std::span<const float> logits, const LogProbs& base, mla::Token next) noexcept;

/// The figures over all positions so far.
class Divergence {
 public:
  void add(const Difference& d);

  Figure perplexity() const noexcept { return exp_figure(nll_); }
  Figure base_perplexity() const noexcept { return exp_figure(base_nll_); }
  Figure log_ratio() const noexcept {
    return figure(log_ratio_);
  }  ///< ln(perplexity / base perplexity): of pairs, so far surer than either
  Figure divergence() const noexcept { return figure(divergence_); }
  Figure top_agreement() const noexcept { return figure(same_top_); }  ///< a share of 1
  Figure mean_change() const noexcept { return figure(change_); }
  Figure rms_change() const noexcept;
  std::int64_t count() const noexcept { return nll_.count(); }
  std::vector<double> sorted_divergences() const;

 private:
  Mean nll_, base_nll_, log_ratio_, divergence_, same_top_, change_, squared_change_;
  std::vector<double> divergences_;
};

}  // namespace program::perplexity
