// Tables as Markdown and numbers as text.
#pragma once
#include <string>
#include <vector>

namespace bench {

/// A Markdown table, its columns padded to equal width. The first row is the header; the first `n_left` columns are aligned to the
/// left, the others to the right.
std::string markdown_table(const std::vector<std::vector<std::string>>& rows, std::size_t n_left);

std::string fixed(double value, int digits = 2);

double median(std::vector<double> values);  ///< 0 for none
double standard_deviation(const std::vector<double>& values);  ///< n - 1 in the denominator; 0 below two values

}  // namespace bench
