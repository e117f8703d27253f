#include "attention/float_math.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/elementwise.hpp"
#include "kernels/sgemm.hpp"

namespace mla::attention::float_math {

using kernels::sgemm;
using kernels::Transpose;

namespace {

void copy_rows(const float* x, std::int64_t ldx, int n, std::int64_t width, float* out, std::int64_t stride) {
  for (int i = 0; i < n; ++i) std::copy_n(x + i * ldx, width, out + i * stride);
}

void read_rows(const StoredRows& x, int n, float* out, std::int64_t stride) {
  for (int i = 0; i < n; ++i) cache::read_part(*x.part, x.rows[i], x.first, x.width, out + i * stride);
}

}  // namespace

Rows::Rows(Scratch& scratch, std::int64_t capacity, Widths widths) : width_(widths.total()), data_(scratch.take<float>(capacity * widths.total())) {}

void Rows::set(int n, const float* x, std::int64_t ldx) { copy_rows(x, ldx, n, width_, data_, width_); }

void Rows::set(int n, const StoredRows& x) { read_rows(x, n, data_, width_); }

Tile::Tile(Scratch& scratch, int capacity, Widths key, int value_width, bool values_are_keys, int max_rows)
    : widths_(key), value_width_(value_width), keys_(scratch.take<float>(std::int64_t{capacity} * key.total())) {
  values_ = values_are_keys ? keys_ : scratch.take<float>(std::int64_t{capacity} * value_width);
  value_stride_ = values_are_keys ? key.total() : value_width;
  scores_ = scratch.take<float>(std::int64_t{max_rows} * capacity);
}

void Tile::set_first(int at, int n, const float* x, std::int64_t ldx) {
  copy_rows(x, ldx, n, widths_.first, keys_ + std::int64_t{at} * widths_.total(), widths_.total());
}
void Tile::set_first(int at, int n, const StoredRows& x) { read_rows(x, n, keys_ + std::int64_t{at} * widths_.total(), widths_.total()); }
void Tile::set_second(int at, int n, const StoredRows& x) {
  read_rows(x, n, keys_ + std::int64_t{at} * widths_.total() + widths_.first, widths_.total());
}
void Tile::set_values(int at, int n, const StoredRows& x) { read_rows(x, n, values_ + at * value_stride_, value_stride_); }
void Tile::set_values(int at, int n, const float* x, std::int64_t ldx) { copy_rows(x, ldx, n, value_width_, values_ + at * value_stride_, value_stride_); }

void Tile::score(const Rows& rows, std::int64_t first, int m, int n, Ahead) {
  n_scored_ = n;
  sgemm({rows.data_ + first * rows.width_, rows.width_, keys_, rows.width_, Transpose::yes, scores_, n, m, n, rows.width_, 0.0f});
}

void weigh(float* scores, int n, int visible, SoftmaxState& state, float* out, int width) {
  std::fill(scores + visible, scores + n, 0.0f);
  if (visible == 0) return;
  const float max = std::max(state.max, *std::max_element(scores, scores + visible));
  const float sum = kernels::exp_minus_max(scores, max, visible), factor = std::exp(state.max - max);
  for (int i = 0; i < width; ++i) out[i] *= factor;
  state = {max, state.sum * factor + sum};
}

void Tile::add_values(int m, float* out, Ahead) {
  sgemm({scores_, n_scored_, values_, value_stride_, Transpose::no, out, result_stride(value_width_), m, value_width_, n_scored_, 1.0f});
}

Expansion::Expansion(Scratch& scratch, const LatentWeights& weights, const CacheShape& s)
    : weights_(weights), shape_(s), memory_(scratch.take<float>(static_cast<std::int64_t>(LatentExpansion::scratch_floats(s)))) {}

void Expansion::load(int head) { expansion_.emplace(weights_, shape_, head, std::span(memory_, LatentExpansion::scratch_floats(shape_))); }

void Expansion::run(const Latents& latents, int n, float* keys, float* values) const {
  expansion_->run(latents.data_, latents.width_, n, keys, result_stride(shape_.n_nope), values, result_stride(shape_.n_value));
}

}  // namespace mla::attention::float_math
