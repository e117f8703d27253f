#include "table.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

namespace bench {
namespace {

// Characters, not bytes.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string markdown_table(const std::vector<std::vector<std::string>>& rows, std::size_t n_left) {
  std::vector<std::size_t> widths(rows.front().size(), 3);
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  std::string table;
  for (std::size_t n = 0; n < rows.size(); ++n) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string pad(widths[i] - width_of(rows[n][i]), ' ');
      table += "| " + (i < n_left ? rows[n][i] + pad : pad + rows[n][i]) + ' ';
    }
    table += "|\n";
    if (n > 0) continue;
    for (std::size_t i = 0; i < widths.size(); ++i)
      table += (i < n_left ? "|:" : "|-") + std::string(widths[i], '-') + (i < n_left ? "-" : ":");
    table += "|\n";
  }
  return table;
}

std::string fixed(double value, int digits) { return fmt::format("{:.{}f}", value, digits); }

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.empty() ? 0 : values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double standard_deviation(const std::vector<double>& values) {
  if (values.size() < 2) return 0;
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double sum = 0;
  for (const double x : values) sum += (x - mean) * (x - mean);
  return std::sqrt(sum / (n - 1));
}

}  // namespace bench
