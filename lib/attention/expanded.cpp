// Expanded form: keys and values per head, read from an expanded cache or made tile by tile from a latent one.
#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "attention/attention.hpp"
#include "attention/key_tile.hpp"
#include "attention/latent_expansion.hpp"
#include "kernels/sgemm.hpp"

namespace mla::attention {
namespace {

using kernels::sgemm;
using kernels::Transpose;
using platform::Op;

constexpr int query_block = 128;  // scores of a block against a tile stay in the second-level cache

// What one head's task keeps in its thread's scratch.
struct HeadScratch {
  std::span<float> weights;  // of LatentExpansion
  float* latents;            // [tile_keys, n_latent]
  float* keys;               // [tile_keys, n_nope + n_rope]
  float* values;             // [tile_keys, n_value]
  float* scores;             // [query_block, tile_keys]
  SoftmaxState* states;      // [n_rows]

  static std::size_t floats(const CacheShape& s, int n_rows) noexcept {
    const int row = s.n_latent + s.n_nope + s.n_rope + s.n_value + query_block;
    return LatentExpansion::scratch_floats(s) + std::size_t{tile_keys} * static_cast<std::size_t>(row) +
           static_cast<std::size_t>(n_rows) * sizeof(SoftmaxState) / sizeof(float);
  }

  HeadScratch(const CacheShape& s, std::span<float> scratch) {
    float* next = scratch.data();
    const auto take = [&](std::int64_t n) { return std::exchange(next, next + n); };
    weights = {take(static_cast<std::int64_t>(LatentExpansion::scratch_floats(s))), LatentExpansion::scratch_floats(s)};
    latents = take(std::int64_t{tile_keys} * s.n_latent);
    keys = take(std::int64_t{tile_keys} * (s.n_nope + s.n_rope));
    values = take(std::int64_t{tile_keys} * s.n_value);
    scores = take(std::int64_t{query_block} * tile_keys);
    states = reinterpret_cast<SoftmaxState*>(next);
  }
};

// Keys and values of a tile for one head, as floats in the scratch.
class HeadTiles {
 public:
  HeadTiles(const Params& p, int head, const HeadScratch& scratch) : p_(p), s_(p.shape), head_(head), scratch_(scratch) {
    if (p.layout == CacheLayout::latent) expansion_.emplace(p.weights, p.shape, head, scratch.weights);
  }

  void load(const KeyTile& tile, platform::OpTimer::ThreadLaps& laps) const {
    const int key_width = s_.n_nope + s_.n_rope;
    for (int i = 0; i < tile.n; ++i) {
      const std::byte* row = tile.rows[static_cast<std::size_t>(i)];
      cache::read_part(p_.row_format->rope, row, 0, s_.n_rope, scratch_.keys + i * key_width + s_.n_nope);
      if (expansion_) {
        cache::read_part(p_.row_format->key, row, 0, s_.n_latent, scratch_.latents + std::int64_t{i} * s_.n_latent);
      } else {
        cache::read_part(p_.row_format->key, row, head_ * s_.n_nope, s_.n_nope, scratch_.keys + i * key_width);
        cache::read_part(p_.row_format->value, row, head_ * s_.n_value, s_.n_value, scratch_.values + i * s_.n_value);
      }
    }
    laps.lap(Op::rows, {static_cast<std::uint64_t>(tile.n) * bytes_per_row(), 0});
    if (!expansion_) return;
    expansion_->run(scratch_.latents, s_.n_latent, tile.n, scratch_.keys, key_width, scratch_.values, s_.n_value);
    laps.lap(Op::kv_b, {0, expansion_work(p_.weights, tile.n).operations});
  }

 private:
  // Of a cache row, for one head.
  std::uint64_t bytes_per_row() const noexcept {
    if (expansion_) return p_.row_format->bytes;
    const auto part = [](const cache::RowPart& row, int count) { return quant::row_bytes(row.type, count); };
    return part(p_.row_format->key, s_.n_nope) + part(p_.row_format->rope, s_.n_rope) + part(p_.row_format->value, s_.n_value);
  }

  const Params& p_;
  const CacheShape& s_;
  int head_;
  const HeadScratch& scratch_;
  std::optional<LatentExpansion> expansion_;
};

// One head of one sequence: all its queries meet each tile of keys once.
void attend_head(const Params& p, const SequenceRows& rows, int head, std::span<float> memory, platform::OpTimer::ThreadLaps laps) {
  const CacheShape& s = p.shape;
  const HeadScratch scratch(s, memory);
  const HeadTiles tiles(p, head, scratch);
  if (p.layout == CacheLayout::latent) laps.lap(Op::kv_b, expansion_work(p.weights, 0));
  const std::int64_t key_width = s.n_nope + s.n_rope, q_stride = s.n_heads * key_width;
  const std::int64_t out_stride = std::int64_t{s.n_heads} * s.n_value;
  const float* q = p.q + rows.first_row * q_stride + head * key_width;
  float* out = p.out + rows.first_row * out_stride + std::int64_t{head} * s.n_value;
  const Position* positions = p.positions + rows.first_row;

  std::fill_n(scratch.states, rows.n_rows, SoftmaxState{-std::numeric_limits<float>::infinity(), 0.0f});
  for (int i = 0; i < rows.n_rows; ++i) std::fill_n(out + i * out_stride, s.n_value, 0.0f);

  for (std::size_t first = 0; first < rows.pages.size(); first += tile_pages) {
    const auto pages = rows.pages.subspan(first, std::min<std::size_t>(tile_pages, rows.pages.size() - first));
    const KeyTile tile(pages, p.layer_offset, p.row_format->bytes, positions[rows.n_rows - 1]);
    if (tile.n == 0) continue;
    tiles.load(tile, laps);
    for (int begin = 0; begin < rows.n_rows; begin += query_block) {
      const int n = std::min(query_block, rows.n_rows - begin);
      if (positions[begin + n - 1] < tile.min_position) continue;  // wholly above the diagonal
      sgemm({q + begin * q_stride, q_stride, scratch.keys, key_width, Transpose::yes, scratch.scores, tile_keys, n, tile.n, key_width, 0.0f});
      laps.lap(Op::kq, {0, 2 * static_cast<std::uint64_t>(n * tile.n * key_width)});
      for (int i = 0; i < n; ++i)
        softmax_step(tile, positions[begin + i], scratch.scores + std::int64_t{i} * tile_keys, scratch.states[begin + i],
                     out + (begin + i) * out_stride, s.n_value);
      laps.lap(Op::softmax);
      sgemm({scratch.scores, tile_keys, scratch.values, s.n_value, Transpose::no, out + begin * out_stride, out_stride, n, s.n_value, tile.n, 1.0f});
      laps.lap(Op::kqv, {0, 2 * static_cast<std::uint64_t>(std::int64_t{n} * tile.n * s.n_value)});
    }
  }
  for (int i = 0; i < rows.n_rows; ++i)
    for (int v = 0; v < s.n_value; ++v) out[i * out_stride + v] /= scratch.states[i].sum;
}

}  // namespace

std::size_t expanded_scratch_floats(const CacheShape& shape, int n_ubatch) noexcept { return HeadScratch::floats(shape, n_ubatch); }

void expanded_form(const Params& p, const SequenceRows& rows, platform::Executor& executor) {
  executor.parallel_for(p.shape.n_heads,
                        [&](int head, int thread) { attend_head(p, rows, head, executor.scratch(thread), executor.ops().thread_laps(thread)); });
  executor.ops().join(Op::attention_wait);
}

}  // namespace mla::attention
