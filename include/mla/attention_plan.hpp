// How the mode `auto` chooses between the two forms of attention: by what each costs on this machine.
#pragma once

namespace mla {

/// Nanoseconds that attention takes for all heads of one layer, on the threads that read prompts. Measured when a context first needs
/// them (tens of milliseconds, once for a model, row type and number of threads), or given in ContextOptions.
struct AttentionRates {
  double expanded_start = 0;  ///< whatever the number of tokens: the per-head matrices are made ready
  double expanded_pair = 0;    ///< a new token meets a key, expanded form
  double expanded_key = 0;    ///< key and value of every head are made from a latent row
  double absorbed_start = 0;  ///< whatever the number of tokens
  double absorbed_pair = 0;   ///< a new token meets a latent row, absorbed form
  double absorbed_query = 0;  ///< a new token's queries are taken into latent space, and what they find out of it
};

/// What the two forms are expected to cost for one layer, in nanoseconds. The cheaper one is used.
struct AttentionPlan {
  double expanded, absorbed;
  bool uses_absorbed() const noexcept { return absorbed < expanded; }
};

/// Of n_queries new tokens of one sequence behind n_keys cached ones.
AttentionPlan plan_attention(const AttentionRates& rates, int n_queries, int n_keys) noexcept;

}  // namespace mla
