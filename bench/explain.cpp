#include "explain.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace bench {
namespace {

std::string rates_line(const Result& r) {
  return fmt::format("\n{} attention, {} cache, {} threads; nanoseconds for all heads of a layer: expanded {:.4g} and {:.4g} a pair, {:.4g} a key; absorbed {:.4g} and {:.4g} a pair, {:.4g} a query\n",
                     r.attention, r.cache(), r.threads, r.rates->expanded_start, r.rates->expanded_pair, r.rates->expanded_key, r.rates->absorbed_start, r.rates->absorbed_pair, r.rates->absorbed_query);
}

std::string ubatch_line(const Result& r, int n, int depth) {
  const mla::AttentionPlan plan = mla::plan_attention(*r.rates, n, depth);
  return fmt::format("| {:>18} | {:>10} | {:>6} | {:>12.3f} | {:>12.3f} | {} |\n", r.test(), n, depth, plan.expanded / 1e6, plan.absorbed / 1e6,
                     plan.uses_absorbed() ? "absorbed" : "expanded");
}

}  // namespace

std::string explain(const std::vector<Result>& results) {
  std::string text, last;
  for (const Result& r : results) {
    if (!r.rates || r.n_prompt == 0) continue;
    if (const std::string rates = rates_line(r); rates != last) {
      text += rates + fmt::format("| {:>18} | {:>10} | {:>6} | {:>12} | {:>12} | form     |\n|-------------------:|-----------:|-------:|-------------:|-------------:|:---------|\n",
                                  "test", "new tokens", "cached", "expanded, ms", "absorbed, ms");
      last = rates;
    }
    for (int done = 0; done < r.n_prompt; done += r.ubatch) text += ubatch_line(r, std::min(r.ubatch, r.n_prompt - done), r.depth + done);
  }
  return text.empty() ? "\nno cell had a choice of the form: it takes --attention auto and -p above 1\n" : text;
}

}  // namespace bench
