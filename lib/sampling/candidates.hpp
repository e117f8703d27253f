// The filters of the sampler: what each keeps of a list of candidates.
#pragma once
#include <span>
#include <vector>

#include <mla/types.hpp>

namespace mla::sampling {

struct Candidate {
  Token token;
  float logit;
  double surplus;  // (logit - largest) / temperature, 0 or less
  double weight;   // e^surplus: the probability up to a common factor
};

/// The more likely first, then the lower id: a total order, so that any sort gives the same list.
inline bool more_likely(const Candidate& a, const Candidate& b) noexcept {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

/// The k-th largest of the values, k >= 1; -infinity if fewer than k are above that. `scratch` grows to 2k.
float kth_largest(std::span<const float> values, std::size_t k, std::vector<float>& scratch);

/// Candidates for the logits of at least `threshold` and above -infinity, in order of id.
/// `largest` is the largest logit, temperature > 0.
void gather(std::span<const float> logits, float largest, float threshold, double temperature, std::vector<Candidate>& out);

/// The sum of the weights, in the order of the list.
double total_weight(const std::vector<Candidate>& candidates) noexcept;

/// The shortest run of the most likely that reaches `p` of the whole; it comes out the most likely first.
void keep_top_p(std::vector<Candidate>& candidates, double p);

/// Those with at least `share` of the weight of the most likely one of all, which is 1; the order stays.
void keep_min_p(std::vector<Candidate>& candidates, double share);

/// Those whose surprise is closest to the entropy (Meister et al. 2022) until they reach `p` of the whole, and all that are
/// as close as the last of them; they come out the most likely first.
void keep_typical(std::vector<Candidate>& candidates, double p);

/// Those of at most `mu` bits of surprise, at least the most likely one; the order stays.
/// Returns the logarithm of the sum of the weights before the cut, which surprise() takes.
double keep_below_surprise(std::vector<Candidate>& candidates, double mu);

/// -log2 of the candidate's probability.
double surprise(const Candidate& candidate, double log_total) noexcept;

}  // namespace mla::sampling
