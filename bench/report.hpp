// Results of a benchmark run, as a Markdown table, JSON or CSV.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include <mla/attention_plan.hpp>
#include <mla/machine.hpp>
#include <mla/op_timing.hpp>

namespace bench {

/// One cell of the table: prompt processing (n_prompt tokens) or generation (n_gen), behind `depth` cached tokens.
struct Result {
  std::string model, attention, cache_type_k, cache_type_v;
  int threads = 0, ubatch = 0;
  int n_prompt = 0, n_gen = 0;  ///< one of them is 0
  int depth = 0;
  std::vector<double> samples = {};  ///< tokens per second of each repetition
  std::vector<mla::OpTiming> ops = {};        ///< of all repetitions together; empty without --ops and --svg
  std::optional<mla::AttentionRates> rates = {};  ///< what mode `auto` chose by, if there was a choice
  std::optional<mla::MachineRates> machine = {};  ///< the limits; there if `ops` are

  double tokens_per_second() const;  ///< median of the samples
  double stddev() const;
  std::string test() const;   ///< "pp512", "tg64 @ d4096"
  std::string cache() const;  ///< "f16", "q8_0/f16"

  /// Seconds that an operation would take at the machine's limit: what it reads at the rate of memory, or its multiplications and
  /// additions at the rate of the faster matrix product, whichever takes longer.
  double limit_seconds(const mla::OpTiming& op) const;
  /// Tokens per second if every operation ran at the limit; 0 without `ops`.
  double limit_tokens_per_second() const;
};

/// Formats "md", "json" and "csv". With `with_ops`, md has a table of operations for each cell behind the one of cells, and json
/// a field "ops".
std::string format(const std::vector<Result>& results, const std::string& as, bool with_ops);

/// Where the time of a cell went: a Markdown table with a heading.
std::string ops_table(const Result& result);

}  // namespace bench
