#include "attention/split.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/elementwise.hpp"

namespace mla::attention {

void join(const PartialRow& part, const PartialRow& row, int width) noexcept {
  if (part.state.sum == 0.0f) return;  // no key that the row may see
  if (row.state.sum == 0.0f) {
    row.state = part.state;
    std::copy_n(part.sum, width, row.sum);
    return;
  }
  const float max = std::max(row.state.max, part.state.max);
  const float of_row = std::exp(row.state.max - max), of_part = std::exp(part.state.max - max);
  kernels::scale_and_add_scaled(row.sum, of_row, part.sum, of_part, width);
  row.state = {max, row.state.sum * of_row + part.state.sum * of_part};
}

void divide(const PartialRow& row, int width) noexcept {
  const float factor = 1.0f / row.state.sum;
  for (int i = 0; i < width; ++i) row.sum[i] *= factor;
}

}  // namespace mla::attention
