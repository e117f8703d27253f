#include "attention/int16_math.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "kernels/int16.hpp"
#include "kernels/matmul.hpp"

namespace mla::attention::int16_math {
namespace {

using kernels::active_int16_kernels;
using kernels::int16_columns;
using kernels::int16_rows;

// Keys' worth of space between panels of values: a tile's rows are written to all panels at once, and panels a power of two apart would
// share a few places of the first-level cache.
constexpr int panel_gap = 2;

static_assert(key_step % int16_rows == 0 && row_step == int16_columns && tile_keys <= kernels::int16_softmax_keys);

std::int64_t padded(std::int64_t n, std::int64_t step) noexcept { return (n + step - 1) / step * step; }

Part take_part(Scratch& scratch, std::int64_t rows, int width) {
  const std::int64_t k = result_stride(width);
  return {width, k, scratch.take<std::int16_t>(rows * k), scratch.take<float>(rows)};
}

// Rounds n rows to `ints` [step, stride], row i by round(i, to), which returns the scale; columns behind `width` and rows behind n
// become zeros.
template <typename Round>
void round_rows(int n, std::int64_t step, int width, std::int16_t* ints, std::int64_t stride, float* scale, Round&& round) {
  for (std::int64_t i = 0; i < n; ++i) {
    scale[i] = round(i, ints + i * stride);
    std::fill(ints + i * stride + width, ints + (i + 1) * stride, std::int16_t{0});
  }
  std::fill(ints + n * stride, ints + step * stride, std::int16_t{0});
  std::fill(scale + n, scale + step, 0.0f);
}

// The left side of a product: rows from `at` on, one after another.
template <typename Round>
void set_left(const Part& part, std::int64_t at, int n, std::int64_t step, Round&& round) {
  round_rows(n, step, part.width, part.ints + at * part.k, part.k, part.scale + at, round);
}

Left own_left(const Part& part, std::int64_t at) noexcept { return {part.ints + at * part.k, part.k}; }

// The right side: rows from `at` on become a panel of columns.
template <typename Round>
void set_right(const Part& part, std::int64_t at, int n, std::int16_t* stage, std::int64_t stride, Round&& round) {
  round_rows(n, int16_columns, part.width, stage, stride, part.scale + at, round);
  active_int16_kernels().interleave(stage, stride, part.k / 2, part.ints + at * part.k);
}

/// What `n` of `total` steps fetch of it, whole lines but for the last.
Ahead share(Ahead all, int first, int n, int total) noexcept {
  const auto line = [&](int step) { return all.size() * static_cast<std::size_t>(step) / static_cast<std::size_t>(total) / 64 * 64; };
  const std::size_t begin = line(first);
  return all.subspan(begin, (first + n == total ? all.size() : line(first + n)) - begin);
}

auto round_floats(const float* x, std::int64_t ldx, int width) {
  return [=](std::int64_t i, std::int16_t* out) { return active_int16_kernels().round(x + i * ldx, width, out); };
}

float take_q16_row(const std::byte* x, std::int64_t n, std::int16_t* out) noexcept {
  const auto n_bytes = static_cast<std::size_t>(n) * sizeof *out;
  float scale;
  std::memcpy(out, x, n_bytes), std::memcpy(&scale, x + n_bytes, sizeof scale);
  return scale;
}

// Of rows that may be in different pages: pointers into those can't be subtracted, addresses can.
std::intptr_t bytes_between(const void* a, const void* b) noexcept { return reinterpret_cast<std::intptr_t>(b) - reinterpret_cast<std::intptr_t>(a); }

// A step's worth of q16_row rows that lie in the cache as a product wants them: in whole vectors, one after another.
std::optional<Left> stored_left(const StoredRows& x, int n) noexcept {
  if (x.part->type != CacheType::q16_row || x.width != x.part->group || x.width % int16_columns != 0 || n != key_step) return {};
  const std::intptr_t stride = bytes_between(x.rows[0], x.rows[1]);
  for (int i = 2; i < n; ++i)
    if (bytes_between(x.rows[i - 1], x.rows[i]) != stride) return {};
  return Left{reinterpret_cast<const std::int16_t*>(x.rows[0] + x.part->offset + x.part->bytes(x.first)), stride / std::intptr_t{sizeof(std::int16_t)}};
}

void read_scales(const Left& rows, int width, int n, float* scale) noexcept {
  for (int i = 0; i < n; ++i) std::memcpy(scale + i, rows.ints + i * rows.stride + width, sizeof *scale);
}

kernels::Int16Kernels::RoundStoredFn kernel_of(const StoredRows& x) {
  const kernels::Int16Kernels& kernels = active_int16_kernels();
  if (x.width % int16_columns != 0) return nullptr;
  switch (x.part->type) {
    case CacheType::f16: return kernels.round_f16;
    case CacheType::q8_0: return x.width % 32 == 0 ? kernels.round_q8_0 : nullptr;
    case CacheType::q8_row: return x.width == x.part->group ? kernels.round_q8_row : nullptr;
    case CacheType::q16_row: return x.width == x.part->group ? take_q16_row : nullptr;
    default: return nullptr;
  }
}

// Formats that have no kernel are read into the memory of a row first.
auto round_stored(const StoredRows& x, float* row) {
  const auto kernel = kernel_of(x);
  const std::size_t offset = x.part->offset + x.part->bytes(x.first);
  return [=](std::int64_t i, std::int16_t* out) {
    if (kernel != nullptr) return kernel(x.rows[i] + offset, x.width, out);
    cache::read_part(*x.part, x.rows[i], x.first, x.width, row);
    return active_int16_kernels().round(row, x.width, out);
  };
}

}  // namespace

Rows::Rows(Scratch& scratch, std::int64_t capacity, Widths widths) : stage_stride_(result_stride(std::max(widths.first, widths.second))) {
  const std::int64_t rows = padded(capacity, row_step);
  parts_[0] = take_part(scratch, rows, widths.first), parts_[1] = take_part(scratch, rows, widths.second);
  stage_ = scratch.take<std::int16_t>(row_step * stage_stride_);
}

void Rows::set(int n, const float* x, std::int64_t ldx) {
  for (int at = 0; at < n; at += row_step, x += row_step * ldx) {
    const float* begin = x;
    for (const Part& part : parts_) {
      set_right(part, at, std::min(row_step, n - at), stage_, stage_stride_, round_floats(begin, ldx, part.width));
      begin += part.width;
    }
  }
}

Latents::Latents(Scratch& scratch, std::int64_t capacity, int width)
    : part_(take_part(scratch, padded(capacity, int16_rows), width)), row_(scratch.take<float>(width)) {}

void Latents::set(int n, const StoredRows& x) { set_left(part_, 0, n, padded(n, int16_rows), round_stored(x, row_)); }

Tile::Tile(Scratch& scratch, int capacity, Widths key, int value_width, bool values_are_keys, int max_rows)
    : value_width_(value_width), values_are_keys_(values_are_keys), stage_stride_(result_stride(std::max({key.first, key.second, value_width}))) {
  const std::int64_t keys = padded(capacity, key_step), rows = padded(max_rows, row_step);
  keys_[0] = take_part(scratch, keys, key.first), keys_[1] = take_part(scratch, keys, key.second);
  values_ = scratch.take<std::int16_t>((keys + panel_gap) * result_stride(value_width));
  value_scale_ = values_are_keys ? keys_[0].scale : scratch.take<float>(keys);
  stage_ = scratch.take<std::int16_t>(key_step * stage_stride_);
  row_ = scratch.take<float>(stage_stride_);
  ones_ = scratch.take<float>(keys);
  scores_ = scratch.take<float>(rows * keys);
  weights_ = scratch.take<std::int16_t>(rows * keys);
  weight_scale_ = scratch.take<float>(rows);
  factor_ = scratch.take<float>(rows);
}

void Tile::begin(int n) noexcept {
  n_ = static_cast<int>(padded(n, key_step));
  std::fill_n(ones_, n_, 1.0f);
}

std::int64_t Tile::value_panel() const noexcept { return (n_ + panel_gap) * int16_columns; }

void Tile::set_first(int at, int n, const float* x, std::int64_t ldx) {
  const Part& part = keys_[0];
  set_left(part, at, n, key_step, round_floats(x, ldx, part.width));
  left_[0][static_cast<std::size_t>(at / key_step)] = own_left(part, at);
}

void Tile::set_first(int at, int n, const StoredRows& x) {
  const Left rows = set_key(0, at, n, x);
  if (values_are_keys_) store_values(at, rows);
}

void Tile::set_second(int at, int n, const StoredRows& x) { set_key(1, at, n, x); }

Left Tile::set_key(int i, int at, int n, const StoredRows& x) {
  const Part& part = keys_[i];
  Left& rows = left_[i][static_cast<std::size_t>(at / key_step)];
  if (const auto stored = stored_left(x, n)) {
    rows = *stored;
    read_scales(rows, part.width, n, part.scale + at);
  } else {
    rows = own_left(part, at);
    set_left(part, at, n, key_step, round_stored(x, row_));
  }
  return rows;
}

void Tile::set_values(int at, int n, const float* x, std::int64_t ldx) { set_values_by(at, n, round_floats(x, ldx, value_width_)); }

void Tile::set_values(int at, int n, const StoredRows& x) {
  const auto stored = stored_left(x, n);
  if (!stored) return set_values_by(at, n, round_stored(x, row_));
  read_scales(*stored, value_width_, n, value_scale_ + at);
  store_values(at, *stored);
}

template <typename Round>
void Tile::set_values_by(int at, int n, Round&& round) {
  round_rows(n, key_step, value_width_, stage_, stage_stride_, value_scale_ + at, round);
  store_values(at, {stage_, stage_stride_});
}

// Sixteen rows: panels of columns, two keys together.
void Tile::store_values(int at, const Left& rows) {
  for (int i = 0; i < key_step; i += 2)
    active_int16_kernels().pair(rows.ints + i * rows.stride, rows.ints + (i + 1) * rows.stride, result_stride(value_width_), values_ + (at + i) * int16_columns, value_panel());
}

// Steps whose rows go on where the last one's end are one product.
int Tile::steps_together(int part, int step, int n_steps) const noexcept {
  const auto& left = left_[part];
  int n = 1;
  for (; step + n < n_steps; ++n) {
    const Left &before = left[static_cast<std::size_t>(step + n - 1)], &next = left[static_cast<std::size_t>(step + n)];
    if (next.stride != before.stride || bytes_between(before.ints, next.ints) != key_step * before.stride * std::intptr_t{sizeof *next.ints}) break;
  }
  return n;
}

void Tile::score(const Rows& rows, std::int64_t first, int m, int n, Ahead ahead) {
  n_scored_ = static_cast<int>(padded(n, key_step));
  const int n_steps = n_scored_ / key_step;
  for (int row = 0; row < m; row += row_step)
    for (int i = 0; i < 2; ++i) {
      const Part& right = rows.parts_[i];
      for (int step = 0, together; step < n_steps; step += together) {
        together = steps_together(i, step, n_steps);
        const Left& left = left_[i][static_cast<std::size_t>(step)];
        const Ahead now = row == 0 && i == 0 ? share(ahead, step, together, n_steps) : Ahead();
        const std::int64_t key = std::int64_t{step} * key_step;
        active_int16_kernels().multiply({left.ints, left.stride, 2, right.ints + (first + row) * right.k, 0, std::int64_t{together} * key_step, int16_columns,
                                         keys_[i].k, keys_[i].scale + key, right.scale + first + row, i == 0 ? nullptr : ones_,
                                         scores_ + std::int64_t{row} * n_scored_ + key * row_step, int16_columns, false, now.data(), std::ssize(now)});
      }
    }
}

void Tile::weigh_panel(int first, int n, const std::array<std::int32_t, row_step>& visible, SoftmaxState* states) {
  std::array<float, row_step> max{}, sum{};
  for (int i = 0; i < n; ++i) max[static_cast<std::size_t>(i)] = states[i].max, sum[static_cast<std::size_t>(i)] = states[i].sum;
  const std::int64_t at = std::int64_t{first} * n_scored_;
  active_int16_kernels().softmax({scores_ + at, value_scale_, n_scored_, visible.data(), max.data(), sum.data(), weights_ + at, weight_scale_ + first, factor_ + first});
  for (int i = 0; i < n; ++i) states[i] = {max[static_cast<std::size_t>(i)], sum[static_cast<std::size_t>(i)]};
}

void Tile::add_values(int m, float* out, Ahead ahead) {
  const std::int64_t width = result_stride(value_width_);
  for (int row = 0; row < m; row += row_step) {
    const Ahead now = row == 0 ? ahead : Ahead();
    active_int16_kernels().multiply({weights_ + std::int64_t{row} * n_scored_, 2, 2 * row_step, values_, value_panel(), padded(std::min(row_step, m - row), int16_rows), width,
                                     n_scored_, weight_scale_ + row, nullptr, factor_ + row, out + row * width, width, true, now.data(), std::ssize(now)});
  }
}

Expansion::Expansion(Scratch& scratch, const LatentWeights& weights, const CacheShape& s) : weights_(weights), shape_(s) {
  k_ = take_part(scratch, result_stride(s.n_nope), s.n_latent), v_ = take_part(scratch, result_stride(s.n_value), s.n_latent);
  transposed_ = scratch.take<float>(std::int64_t{s.n_latent} * s.n_nope);
  rows_ = scratch.take<float>(std::int64_t{int16_columns} * s.n_latent);
  stage_ = scratch.take<std::int16_t>(int16_columns * result_stride(s.n_latent));
}

void Expansion::load(int head) {
  if (weights_.k_nope)
    pack(weights_.k_nope[head], k_);
  else
    pack_transposed(weights_.k_b[head], k_);
  pack(weights_.v_b[head], v_);
}

void Expansion::pack(const kernels::Matrix& w, const Part& panels) {
  for (int at = 0; at < w.rows; at += int16_columns) {
    const int n = static_cast<int>(std::min<std::int64_t>(int16_columns, w.rows - at));
    kernels::dequantize_matrix(w.slice(at, n), rows_, shape_.n_latent);
    pack_rows(at, n, panels);
  }
}

void Expansion::pack_transposed(const kernels::Matrix& w, const Part& panels) {
  kernels::dequantize_matrix(w, transposed_, w.cols);
  for (int at = 0; at < w.cols; at += int16_columns) {
    const int n = static_cast<int>(std::min<std::int64_t>(int16_columns, w.cols - at));
    for (std::int64_t k = 0; k < w.rows; ++k)
      for (int i = 0; i < n; ++i) rows_[i * w.rows + k] = transposed_[k * w.cols + at + i];
    pack_rows(at, n, panels);
  }
}

void Expansion::pack_rows(int at, int n, const Part& panels) {
  const std::int64_t stride = result_stride(shape_.n_latent);
  set_right(panels, at, n, stage_, stride, round_floats(rows_, shape_.n_latent, shape_.n_latent));
}

void Expansion::run(const Latents& latents, int n, float* keys, float* values) const {
  const Part& left = latents.part_;
  const auto multiply = [&](const Part& w, int width, float* out) {
    active_int16_kernels().multiply({left.ints, left.k, 2, w.ints, left.k * int16_columns, padded(n, int16_rows), result_stride(width), left.k, left.scale, w.scale,
                                     nullptr, out, result_stride(width)});
  };
  multiply(k_, shape_.n_nope, keys);
  multiply(v_, shape_.n_value, values);
}

}  // namespace mla::attention::int16_math
