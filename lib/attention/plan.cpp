#include "attention/plan.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "attention/probe.hpp"
#include "platform/cpu.hpp"

namespace mla {
namespace {

// (query, key) pairs. A query sees the new tokens up to itself.
double pairs_of(double n_queries, double n_keys) noexcept { return n_queries * n_keys + n_queries * n_queries / 2; }

}  // namespace

AttentionPlan plan_attention(const AttentionRates& rates, int n_queries, int n_keys) noexcept {
  const double n = n_queries, d = n_keys;
  return {rates.expanded_start + pairs_of(n, d) * rates.expanded_pair + (n + d) * rates.expanded_key, rates.absorbed_start + pairs_of(n, d) * rates.absorbed_pair + n * rates.absorbed_query};
}

}  // namespace mla

namespace mla::attention {
namespace {

struct Point {
  int n_queries, n_keys;
  bool operator==(const Point&) const = default;
};

// Two of each form, one ruled by the pairs and one by what else there is to do; not far from where the forms cost the same. And one where
// there is next to nothing to do.
constexpr Point least{2, 0};
constexpr Point expanded_few{16, 496}, expanded_many{measured_queries, 512};
constexpr Point absorbed_few{64, 0}, absorbed_many{64, 960};
constexpr int most_rows = 1024;
constexpr int n_rounds = 3, n_attempts = 3;
constexpr double least_measured = 1 << 19;  // multiply-adds that expand a key for all heads: of less, overheads would be measured

// Seconds of some points, the fastest of some rounds: others may use the machine too, and then slow down all points of a round.
class Times {
 public:
  explicit Times(Probe& probe) {
    for (int round = 0; round < n_rounds; ++round)
      for (Measured& m : measured_)
        for (int again = 0; again < 2; ++again)  // the first run fetches what the other form's has displaced
          m.seconds = std::min(m.seconds, probe.run(m.form, m.at.n_queries, m.at.n_keys));
  }
  double expanded(Point at) const noexcept { return of(Form::expanded, at); }
  double absorbed(Point at) const noexcept { return of(Form::absorbed, at); }

 private:
  struct Measured {
    Form form;
    Point at;
    double seconds = std::numeric_limits<double>::infinity();
  };
  double of(Form form, Point at) const noexcept {
    return std::ranges::find_if(measured_, [&](const Measured& m) { return m.form == form && m.at == at; })->seconds;
  }
  std::array<Measured, 6> measured_{{{Form::expanded, least}, {Form::expanded, expanded_few}, {Form::expanded, expanded_many},
                                     {Form::absorbed, least}, {Form::absorbed, absorbed_few}, {Form::absorbed, absorbed_many}}};
};

// Rates of pairs and of `others` from the times of two points.
struct TwoRates {
  double pair, other;

  TwoRates(Point few, double few_others, double few_seconds, Point many, double many_others, double many_seconds) {
    const double p0 = pairs_of(few.n_queries, few.n_keys), p1 = pairs_of(many.n_queries, many.n_keys);
    const double determinant = p0 * many_others - p1 * few_others;
    pair = std::max(0.0, (few_seconds * many_others - many_seconds * few_others) / determinant * 1e9);
    other = std::max(0.0, (p0 * many_seconds - p1 * few_seconds) / determinant * 1e9);
  }
};

AttentionRates rates_of(const Times& times) {
  const auto rows = [](Point p) { return static_cast<double>(p.n_queries + p.n_keys); };
  const auto queries = [](Point p) { return static_cast<double>(p.n_queries); };
  const double expanded_start = times.expanded(least), absorbed_start = times.absorbed(least);
  const TwoRates e(expanded_few, rows(expanded_few), times.expanded(expanded_few) - expanded_start, expanded_many, rows(expanded_many), times.expanded(expanded_many) - expanded_start);
  const TwoRates a(absorbed_few, queries(absorbed_few), times.absorbed(absorbed_few) - absorbed_start, absorbed_many, queries(absorbed_many), times.absorbed(absorbed_many) - absorbed_start);
  return {expanded_start * 1e9, e.pair, e.other, absorbed_start * 1e9, a.pair, a.other};
}

// New tokens behind many cached ones for which both forms cost the same. The kernels are the same, so it can't be far from what
// multiply-adds say: if it is, something else was measured.
double break_even(const AttentionRates& rates) noexcept { return rates.expanded_key / (rates.absorbed_pair - rates.expanded_pair); }
bool is_plausible(const AttentionRates& rates, const AttentionRates& counted) noexcept {
  const double share = break_even(rates) / break_even(counted);
  return share > 0.6 && share < 1.7;
}

}  // namespace

AttentionRates counted_rates(const CacheShape& s) noexcept {
  const double through_latent = static_cast<double>(s.n_latent) * (s.n_nope + s.n_value);
  return {0, static_cast<double>(s.n_nope + s.n_rope + s.n_value), through_latent, 0, 2.0 * s.n_latent + s.n_rope, through_latent};
}

AttentionRates measured_rates(const CacheShape& s, const cache::RowFormat& format, const LatentWeights& weights, std::span<float> workspace,
                              platform::Executor& executor) {
  const platform::Isa isa = platform::active_isa();
  const AttentionRates counted = counted_rates(s);
  if ((isa != platform::Isa::avx2 && isa != platform::Isa::avx512) || s.n_heads * counted.expanded_key < least_measured) return counted;
  Probe probe(s, format, weights, workspace, executor, measured_queries, most_rows);
  for (int attempt = 0; attempt < n_attempts; ++attempt)
    if (const AttentionRates rates = rates_of(Times(probe)); is_plausible(rates, counted)) return rates;
  return counted;
}

AttentionRates KnownRates::get(CacheType type, int n_threads, const std::function<AttentionRates()>& measure) {
  const std::pair key{type, n_threads};
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = rates_.find(key); known != rates_.end()) return known->second;
  }
  const AttentionRates rates = measure();  // unlocked: a host's threads may be needed for it, and another context may hold them
  const std::lock_guard lock(mutex_);
  return rates_.emplace(key, rates).first->second;
}

}  // namespace mla::attention
