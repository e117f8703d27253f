#include "attention/in_place.hpp"

#include <algorithm>

#include "attention/float_math.hpp"
#include "attention/scratch.hpp"
#include "attention/split.hpp"
#include "kernels/stored_rows.hpp"

namespace mla::attention {
namespace {

using kernels::StoredRowKernels;
using kernels::StoredRowList;
using platform::Op;

constexpr int most_queries = 2;
constexpr int split_keys = 256;  // fewest of a task
constexpr int max_splits = 16;
// Rows whose heads are gone through together. A row is kilobytes: head after head of few rows is read in the order of memory, which is
// fetched ahead; one head of many rows is not.
constexpr std::int64_t step_rows = 8;

kernels::StoredType stored_type(CacheType type) noexcept {
  switch (type) {
    case CacheType::f32: return kernels::StoredType::f32;
    case CacheType::f16: return kernels::StoredType::f16;
    case CacheType::bf16: return kernels::StoredType::bf16;
    case CacheType::q8_0: return kernels::StoredType::q8_0;
    case CacheType::q6_0: return kernels::StoredType::q6_0;
    case CacheType::q4_0: return kernels::StoredType::q4_0;
    case CacheType::q8_row: return kernels::StoredType::q8_row;
    case CacheType::q16_row: break;
  }
  return kernels::StoredType::q16_row;
}

struct Step {
  const std::byte* const* rows;
  std::int64_t n, n_next;  // rows, and those of the step that follows
};

// A part of the rows: one head's values at a time.
class Part {
 public:
  Part(const cache::RowPart& part, int width)
      : offset_(part.offset), head_bytes_(part.bytes(width)), width_(width), kernels_(kernels::stored_row_kernels(stored_type(part.type), width, platform::active_isa())) {}

  void add_dots(const Step& step, int head, const float* x, float* out) const noexcept { kernels_.add_dots(of(step, head), x, out); }
  void add_weighted(const Step& step, int head, const float* weights, float* y) const noexcept { kernels_.add_weighted(of(step, head), weights, y); }

 private:
  StoredRowList of(const Step& step, int head) const noexcept { return {step.rows, step.n, offset_ + static_cast<std::size_t>(head) * head_bytes_, width_, step.n_next}; }

  std::size_t offset_, head_bytes_;
  std::int64_t width_;
  StoredRowKernels kernels_;
};

// A row for each query and head, heads innermost; of each split of the keys.
struct Workspace {
  float* sums;  // [max_splits, rows, result_stride(n_value)]
  SoftmaxState* states;

  Workspace(Scratch& scratch, const CacheShape& s)
      : sums(scratch.take<float>(max_splits * max_rows(s) * result_stride(s.n_value))), states(scratch.take<SoftmaxState>(max_splits * max_rows(s))) {}
  static std::int64_t max_rows(const CacheShape& s) noexcept { return std::int64_t{most_queries} * s.n_heads; }
};

class Split {
 public:
  Split(const Params& p, const SequenceRows& rows, KeyWalk keys, float* sums, SoftmaxState* states, float* scores)
      : p_(p), s_(p.shape), rows_(rows), keys_(keys), sums_(sums), states_(states), scores_(scores) {}

  void run(platform::OpTimer::ThreadLaps laps) {
    std::fill_n(sums_, n_rows() * result_stride(s_.n_value), 0.0f);
    std::fill_n(states_, n_rows(), SoftmaxState{});
    const auto pairs = static_cast<std::uint64_t>(n_rows());
    const cache::RowFormat& row = *p_.row_format;
    for (;;) {
      const KeyTile keys = keys_.next(tile_keys, position(rows_.n_rows - 1));
      if (keys.n == 0) break;
      const auto n = static_cast<std::uint64_t>(keys.n);
      score(keys);
      laps.lap(Op::kq, {n * (row.key.bytes(row.key.width) + row.rope.bytes(s_.n_rope)), 2 * pairs * n * static_cast<std::uint64_t>(s_.n_nope + s_.n_rope)});
      for (int i = 0; i < n_rows(); ++i) float_math::weigh(scores_ + i * keys.n, keys.n, keys.visible(position(i / s_.n_heads)), states_[i], sum(i), s_.n_value);
      laps.lap(Op::softmax);
      add_values(keys);
      laps.lap(Op::kqv, {n * row.value.bytes(row.value.width), 2 * pairs * n * static_cast<std::uint64_t>(s_.n_value)});
    }
  }

 private:
  int n_rows() const noexcept { return rows_.n_rows * s_.n_heads; }
  Position position(int query) const noexcept { return p_.positions[rows_.first_row + query]; }
  float* sum(int row) const noexcept { return sums_ + row * result_stride(s_.n_value); }

  template <typename Body>
  void each_step(const KeyTile& keys, Body&& body) {
    for (std::int64_t at = 0; at < keys.n; at += step_rows) {
      const std::int64_t n = std::min(step_rows, keys.n - at);
      const Step step{keys.rows.data() + at, n, std::min(step_rows, keys.n - at - n)};
      for (int head = 0; head < s_.n_heads; ++head) body(at, step, head);
    }
  }

  void score(const KeyTile& keys) {
    std::fill_n(scores_, std::int64_t{n_rows()} * keys.n, 0.0f);
    const Part part(p_.row_format->key, s_.n_nope), ropes(p_.row_format->rope, s_.n_rope);
    each_step(keys, [&](std::int64_t at, const Step& step, int head) {
      for (int row = head; row < n_rows(); row += s_.n_heads) {
        const float* q = p_.q + (std::int64_t{rows_.first_row} * s_.n_heads + row) * (s_.n_nope + s_.n_rope);
        part.add_dots(step, head, q, scores_ + std::int64_t{row} * keys.n + at);
        ropes.add_dots(step, 0, q + s_.n_nope, scores_ + std::int64_t{row} * keys.n + at);
      }
    });
  }

  void add_values(const KeyTile& keys) {
    const Part part(p_.row_format->value, s_.n_value);
    each_step(keys, [&](std::int64_t at, const Step& step, int head) {
      for (int row = head; row < n_rows(); row += s_.n_heads) part.add_weighted(step, head, scores_ + std::int64_t{row} * keys.n + at, sum(row));
    });
  }

  const Params& p_;
  const CacheShape& s_;
  const SequenceRows& rows_;
  KeyWalk keys_;
  float* sums_;
  SoftmaxState* states_;
  float* scores_;  // [rows, keys of a tile]
};

void attend_sequence(const Params& p, const SequenceRows& rows, std::span<float> memory, platform::Executor& executor) {
  const CacheShape& s = p.shape;
  Scratch scratch(memory);
  const Workspace w(scratch, s);
  const int n_keys = count_keys(rows.pages), n_rows = rows.n_rows * s.n_heads;
  const int keys_per_split = std::max(split_keys, (n_keys + max_splits - 1) / max_splits), n_splits = (n_keys + keys_per_split - 1) / keys_per_split;
  const std::int64_t stride = result_stride(s.n_value), split_floats = n_rows * stride;
  executor.parallel_for(n_splits, [&](int split, int thread) {
    const int first = split * keys_per_split;
    const KeyWalk keys({rows.pages, p.layer_offset, p.row_format->bytes}, first, std::min(keys_per_split, n_keys - first));
    Split(p, rows, keys, w.sums + split * split_floats, w.states + std::int64_t{split} * n_rows, executor.scratch(thread).data()).run(executor.ops().thread_laps(thread));
  });
  executor.ops().join(Op::attention_wait);
  float* const out = p.out + std::int64_t{rows.first_row} * s.n_heads * s.n_value;
  for (int row = 0; row < n_rows; ++row) {
    SoftmaxState state;
    const PartialRow result{state, out + std::int64_t{row} * s.n_value};
    for (int split = 0; split < n_splits; ++split) join({w.states[std::int64_t{split} * n_rows + row], w.sums + split * split_floats + row * stride}, result, s.n_value);
    divide(result, s.n_value);
  }
  executor.ops().lap(Op::kqv_merge);
}

}  // namespace

bool suits_in_place(const Params& p, const SequenceRows& rows) noexcept { return p.layout == CacheLayout::expanded && rows.n_rows <= most_queries; }

std::size_t in_place_workspace_floats(const CacheShape& s) noexcept {
  Scratch scratch;
  const Workspace workspace(scratch, s);
  return scratch.floats();
}

std::size_t in_place_scratch_floats(const CacheShape& s) noexcept { return static_cast<std::size_t>(Workspace::max_rows(s)) * tile_keys; }

void in_place_form(const Params& p, std::span<const SequenceRows> sequences, std::span<float> workspace, platform::Executor& executor) {
  for (const SequenceRows& rows : sequences) attend_sequence(p, rows, workspace, executor);
}

}  // namespace mla::attention
