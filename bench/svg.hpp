// Rates against depth as a picture.
#pragma once
#include <string>
#include <vector>

#include "report.hpp"

namespace bench {

/// A self-contained SVG with a panel for prompts and one for generation, whichever there are: the median rate of each
/// combination against depth, its limit as a dashed line.
std::string depth_plot(const std::vector<Result>& results);

}  // namespace bench
