#include "report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>

namespace bench {
namespace {

std::string fixed(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

std::string markdown(const std::vector<Result>& results) {
  std::vector<std::vector<std::string>> rows = {{"model", "attention", "cache", "threads", "ubatch", "test", "tokens/s (median)", "± stddev"}};
  for (const Result& r : results) {
    const std::string cache = r.cache_type_k == r.cache_type_v ? r.cache_type_k : r.cache_type_k + "/" + r.cache_type_v;
    rows.push_back({r.model, r.attention, cache, std::to_string(r.threads), std::to_string(r.ubatch), r.test(), fixed(r.median()), fixed(r.stddev())});
  }
  std::vector<std::size_t> widths(rows[0].size(), 3);
  const auto width = [](const std::string& text) {  // characters, not bytes
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
  };
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  std::string table;
  for (std::size_t n = 0; n < rows.size(); ++n) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string pad(widths[i] - width(rows[n][i]), ' ');
      table += "| " + (i < 3 ? rows[n][i] + pad : pad + rows[n][i]) + ' ';
    }
    table += "|\n";
    if (n > 0) continue;
    for (std::size_t i = 0; i < widths.size(); ++i) table += (i < 3 ? "|:" : "|-") + std::string(widths[i], '-') + (i < 3 ? "-" : ":");
    table += "|\n";
  }
  return table;
}

std::string json(const std::vector<Result>& results) {
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  for (const Result& r : results)
    array.push_back({{"model", r.model}, {"attention", r.attention}, {"cache_type_k", r.cache_type_k}, {"cache_type_v", r.cache_type_v},
                     {"threads", r.threads}, {"ubatch", r.ubatch}, {"n_prompt", r.n_prompt}, {"n_gen", r.n_gen}, {"depth", r.depth},
                     {"tokens_per_second", r.median()}, {"stddev", r.stddev()}, {"samples", r.samples}});
  return array.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

// A field as RFC 4180 wants it.
std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == text.npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + '"';
}

std::string csv(const std::vector<Result>& results) {
  std::string text = "model,attention,cache_type_k,cache_type_v,threads,ubatch,n_prompt,n_gen,depth,tokens_per_second,stddev\n";
  for (const Result& r : results) {
    text += quoted(r.model) + ',' + r.attention + ',' + r.cache_type_k + ',' + r.cache_type_v;
    for (const int n : {r.threads, r.ubatch, r.n_prompt, r.n_gen, r.depth}) text += ',' + std::to_string(n);
    text += ',' + fixed(r.median()) + ',' + fixed(r.stddev()) + '\n';
  }
  return text;
}

}  // namespace

double Result::median() const {
  std::vector<double> sorted = samples;
  std::ranges::sort(sorted);
  const std::size_t half = sorted.size() / 2;
  return sorted.empty() ? 0 : sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

double Result::stddev() const {
  if (samples.size() < 2) return 0;
  const auto n = static_cast<double>(samples.size());
  const double mean = std::accumulate(samples.begin(), samples.end(), 0.0) / n;
  double sum = 0;
  for (const double x : samples) sum += (x - mean) * (x - mean);
  return std::sqrt(sum / (n - 1));
}

std::string Result::test() const {
  const std::string name = n_prompt > 0 ? "pp" + std::to_string(n_prompt) : "tg" + std::to_string(n_gen);
  return depth > 0 ? name + " @ d" + std::to_string(depth) : name;
}

std::string format(const std::vector<Result>& results, const std::string& as) {
  return as == "json" ? json(results) : as == "csv" ? csv(results) : markdown(results);
}

}  // namespace bench
