#include "attention/split.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/elementwise.hpp"

namespace mla::attention {

void merge_splits(const SplitRow& row, float* out, int width) noexcept {
  const auto state = [&](int split) { return row.states[split * row.split_rows]; };
  float max = -std::numeric_limits<float>::infinity(), sum = 0;
  for (int split = 0; split < row.n_splits; ++split) max = std::max(max, state(split).max);
  for (int split = 0; split < row.n_splits; ++split) sum += state(split).sum * std::exp(state(split).max - max);
  std::fill_n(out, width, 0.0f);
  for (int split = 0; split < row.n_splits; ++split)
    kernels::add_scaled(out, row.sums + split * row.split_rows * row.stride, std::exp(state(split).max - max) / sum, width);
}

}  // namespace mla::attention
