// Results of a benchmark run, as a Markdown table, JSON or CSV.
#pragma once
#include <string>
#include <vector>

namespace bench {

/// One cell of the table: prompt processing (n_prompt tokens) or generation (n_gen), behind `depth` cached tokens.
struct Result {
  std::string model, attention, cache_type_k, cache_type_v;
  int threads = 0, ubatch = 0;
  int n_prompt = 0, n_gen = 0;  ///< one of them is 0
  int depth = 0;
  std::vector<double> samples;  ///< tokens per second of each repetition

  double median() const;
  double stddev() const;  ///< of the samples, n - 1 in the denominator; 0 for one sample
  std::string test() const;  ///< "pp512", "tg64 @ d4096"
};

/// Formats "md", "json" and "csv".
std::string format(const std::vector<Result>& results, const std::string& as);

}  // namespace bench
