// Expanded form: keys and values per head, read from an expanded cache or made tile by tile from a latent one.
#include <algorithm>
#include <optional>

#include "attention/attention.hpp"
#include "attention/float_math.hpp"
#include "attention/int16_math.hpp"

namespace mla::attention {
namespace {

using platform::Op;

constexpr int query_block = 128;  // scores of a block against a tile stay in the second-level cache

// What one head's task keeps in its thread's scratch.
template <typename Math>
struct HeadScratch {
  typename Math::Rows queries;  // of all the sequence's rows
  typename Math::Tile tile;
  SoftmaxState* states;  // [n_rows]
  float* out;            // [n_rows, result_stride(n_value)]
  struct Latent {
    typename Math::Latents rows;
    typename Math::Expansion expansion;
    float* keys;    // [tile_keys, result_stride(n_nope)]
    float* values;  // [tile_keys, result_stride(n_value)]
  };
  std::optional<Latent> latent;

  HeadScratch(Scratch& scratch, const CacheShape& s, const LatentWeights& weights, bool is_latent, int n_rows)
      : queries(scratch, n_rows, {s.n_nope, s.n_rope}),
        tile(scratch, tile_keys, {s.n_nope, s.n_rope}, s.n_value, false, query_block),
        states(scratch.take<SoftmaxState>(n_rows)),
        out(scratch.take<float>((n_rows + 3) / 4 * 4 * result_stride(s.n_value))) {
    if (!is_latent) return;
    latent.emplace(Latent{{scratch, tile_keys, s.n_latent},
                          {scratch, weights, s},
                          scratch.take<float>(tile_keys * result_stride(s.n_nope)),
                          scratch.take<float>(tile_keys * result_stride(s.n_value))});
  }
};

// The tile of one head from cache rows.
template <typename Math>
class TileLoader {
 public:
  TileLoader(const Params& p, int head, HeadScratch<Math>& scratch) : p_(p), s_(p.shape), head_(head), scratch_(scratch) {
    if (scratch.latent) scratch.latent->expansion.load(head);
  }

  void load(const KeyTile& keys, platform::OpTimer::ThreadLaps& laps) {
    const cache::RowFormat& format = *p_.row_format;
    const auto stored = [&](const cache::RowPart& part, int first, int width) { return StoredRows{keys.rows.data(), &part, first, width}; };
    const StoredRows ropes = stored(format.rope, 0, s_.n_rope);
    scratch_.tile.begin(keys.n);
    each_step(keys.n, [&](int at, int n) { scratch_.tile.set_second(at, n, ropes.from(at)); });
    if (scratch_.latent) {
      scratch_.latent->rows.set(keys.n, stored(format.key, 0, s_.n_latent));
    } else {
      const StoredRows k = stored(format.key, head_ * s_.n_nope, s_.n_nope), v = stored(format.value, head_ * s_.n_value, s_.n_value);
      each_step(keys.n, [&](int at, int n) { scratch_.tile.set_first(at, n, k.from(at)), scratch_.tile.set_values(at, n, v.from(at)); });
    }
    laps.lap(Op::rows, {static_cast<std::uint64_t>(keys.n) * bytes_per_row(), 0});
    if (scratch_.latent) expand(keys.n, laps);
  }

 private:
  void expand(int n_keys, platform::OpTimer::ThreadLaps& laps) {
    auto& latent = *scratch_.latent;
    latent.expansion.run(latent.rows, n_keys, latent.keys, latent.values);
    const std::int64_t key_stride = result_stride(s_.n_nope), value_stride = result_stride(s_.n_value);
    each_step(n_keys, [&](int at, int n) {
      scratch_.tile.set_first(at, n, latent.keys + at * key_stride, key_stride);
      scratch_.tile.set_values(at, n, latent.values + at * value_stride, value_stride);
    });
    laps.lap(Op::kv_b, {0, expansion_work(p_.weights, n_keys).operations});
  }

  template <typename Body>
  static void each_step(int n_keys, Body&& body) {
    for (int at = 0; at < n_keys; at += Math::key_step) body(at, std::min(Math::key_step, n_keys - at));
  }

  // Of a cache row, for one head.
  std::uint64_t bytes_per_row() const noexcept {
    if (scratch_.latent) return p_.row_format->bytes;
    const cache::RowFormat& row = *p_.row_format;
    return row.key.bytes(s_.n_nope) + row.rope.bytes(s_.n_rope) + row.value.bytes(s_.n_value);
  }

  const Params& p_;
  const CacheShape& s_;
  int head_;
  HeadScratch<Math>& scratch_;
};

// One head of one sequence: all its queries meet each tile of keys once.
template <typename Math>
void attend_head(const Params& p, const SequenceRows& rows, int head, std::span<float> memory, platform::OpTimer::ThreadLaps laps) {
  const CacheShape& s = p.shape;
  Scratch pieces(memory);
  HeadScratch<Math> scratch(pieces, s, p.weights, p.layout == CacheLayout::latent, rows.n_rows);
  TileLoader<Math> loader(p, head, scratch);
  if (scratch.latent) laps.lap(Op::kv_b, expansion_work(p.weights, 0));
  const std::int64_t key_width = s.n_nope + s.n_rope, q_stride = s.n_heads * key_width, stride = result_stride(s.n_value);
  const Position* positions = p.positions + rows.first_row;
  scratch.queries.set(rows.n_rows, p.q + rows.first_row * q_stride + head * key_width, q_stride);
  std::fill_n(scratch.states, rows.n_rows, SoftmaxState{});
  std::fill_n(scratch.out, (rows.n_rows + 3) / 4 * 4 * stride, 0.0f);

  KeyWalk walk({rows.pages, p.layer_offset, p.row_format->bytes}, 0, count_keys(rows.pages));
  for (;;) {
    const KeyTile keys = walk.next(tile_keys, positions[rows.n_rows - 1]);
    if (keys.n == 0) break;
    loader.load(keys, laps);
    for (int begin = 0; begin < rows.n_rows; begin += query_block) {
      const int n = std::min(query_block, rows.n_rows - begin);
      const int n_keys = keys.visible(positions[begin + n - 1]);
      if (n_keys == 0) continue;  // wholly above the diagonal
      scratch.tile.score(scratch.queries, begin, n, n_keys);
      laps.lap(Op::kq, {0, 2 * static_cast<std::uint64_t>(n * n_keys * key_width)});
      scratch.tile.weigh(n, [&](int i) { return keys.visible(positions[begin + i]); }, scratch.states + begin, scratch.out + begin * stride);
      laps.lap(Op::softmax);
      scratch.tile.add_values(n, scratch.out + begin * stride);
      laps.lap(Op::kqv, {0, 2 * static_cast<std::uint64_t>(std::int64_t{n} * n_keys * s.n_value)});
    }
  }
  float* out = p.out + (std::int64_t{rows.first_row} * s.n_heads + head) * s.n_value;
  for (int i = 0; i < rows.n_rows; ++i, out += std::int64_t{s.n_heads} * s.n_value)
    for (int v = 0; v < s.n_value; ++v) out[v] = scratch.out[i * stride + v] / scratch.states[i].sum;
}

// Whole panels of queries.
SequenceRows part_of(const SequenceRows& rows, int part, int n_parts) noexcept {
  constexpr int panel = 16;
  const int n_panels = (rows.n_rows + panel - 1) / panel;
  const auto begin = [&](int i) { return std::min(rows.n_rows, n_panels * i / n_parts * panel); };
  return {rows.first_row + begin(part), begin(part + 1) - begin(part), rows.pages};
}

template <typename Math>
std::size_t scratch_floats(const CacheShape& shape, int n_ubatch) noexcept {
  Scratch scratch;
  const HeadScratch<Math> task(scratch, shape, LatentWeights{}, true, n_ubatch);
  return scratch.floats();
}

}  // namespace

std::size_t expanded_scratch_floats(const CacheShape& shape, int n_ubatch) noexcept {
  return std::max(scratch_floats<Int16Math>(shape, n_ubatch), scratch_floats<FloatMath>(shape, n_ubatch));
}

// A task is a head of a sequence, or of a part of its queries where there are more threads than that: the parts make the same keys anew.
void expanded_form(const Params& p, std::span<const SequenceRows> sequences, platform::Executor& executor) {
  const bool floats = in_floats(p, executor);
  const auto attend = floats ? attend_head<FloatMath> : attend_head<Int16Math>;
  const int n_whole = static_cast<int>(sequences.size()) * p.shape.n_heads;
  // Sums of floats depend on how many queries meet, and results must not depend on the threads.
  const int n_parts = floats ? 1 : (executor.n_threads() + n_whole - 1) / n_whole;
  executor.parallel_for(n_whole * n_parts, [&](int task, int thread) {
    const SequenceRows rows = part_of(sequences[static_cast<std::size_t>(task / (p.shape.n_heads * n_parts))], task % n_parts, n_parts);
    Params here = p;
    here.weights = local(p.weights, executor);
    if (rows.n_rows > 0) attend(here, rows, task / n_parts % p.shape.n_heads, executor.scratch(thread), executor.ops().thread_laps(thread));
  });
  executor.ops().join(Op::attention_wait);
}

}  // namespace mla::attention
