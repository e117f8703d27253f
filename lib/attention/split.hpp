// Attention split along keys: each part has a softmax and a weighted sum of its own, and the parts are joined (log-sum-exp).
#pragma once
#include "attention/key_tile.hpp"

namespace mla::attention {

/// What some keys give a row: the softmax over them, and the weighted sum [width], not yet divided by the sum of weights.
struct PartialRow {
  SoftmaxState& state;
  float* sum;
};

/// Adds the keys of `part` to those of `row`, which at first are none: {} and anything.
void join(const PartialRow& part, const PartialRow& row, int width) noexcept;

/// The weighted mean: row.sum becomes the result.
void divide(const PartialRow& row, int width) noexcept;

}  // namespace mla::attention
