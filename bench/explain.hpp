// How mode `auto` chose in each cell.
#pragma once
#include <string>
#include <vector>

#include "report.hpp"

namespace bench {

/// Markdown tables of the ubatches of all cells that had a choice: what each form was expected to cost, and the one that was taken.
std::string explain(const std::vector<Result>& results);

}  // namespace bench
