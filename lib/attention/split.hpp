// Attention split along keys: each part has a softmax and a weighted sum of its own, and the parts are joined (log-sum-exp).
#pragma once
#include <cstdint>

#include "attention/key_tile.hpp"

namespace mla::attention {

/// The parts of one row.
struct SplitRow {
  const SoftmaxState* states;  ///< [n_splits], split_rows apart
  const float* sums;           ///< [n_splits, width], split_rows · stride apart; not divided
  int n_splits;
  std::int64_t split_rows, stride;
};

/// out [width]: the weighted mean over the keys of all parts.
void merge_splits(const SplitRow& row, float* out, int width) noexcept;

}  // namespace mla::attention
