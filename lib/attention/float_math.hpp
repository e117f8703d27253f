// The products of attention in floats: for f32 rows, and the oracle of int16_math.hpp, which has the same classes.
#pragma once
#include <cstdint>
#include <optional>

#include "attention/key_tile.hpp"
#include "attention/latent_expansion.hpp"
#include "attention/scratch.hpp"

namespace mla::attention::float_math {

constexpr int key_step = tile_keys;

/// Goes on with the softmax of a row: of its scores [n] the first `visible` become weights, the others 0; out [width], the weighted sum
/// so far, shrinks to the new maximum.
void weigh(float* scores, int n, int visible, SoftmaxState& state, float* out, int width);

class Rows {
 public:
  Rows(Scratch& scratch, std::int64_t capacity, Widths widths);
  void set(int n, const float* x, std::int64_t ldx);
  void set(int n, const StoredRows& x);

 private:
  friend class Tile;
  friend class Expansion;
  std::int64_t width_;
  float* data_;  // [capacity, width_]
};

class Latents : public Rows {
 public:
  Latents(Scratch& scratch, std::int64_t capacity, int width) : Rows(scratch, capacity, {width, 0}) {}
};

class Tile {
 public:
  Tile(Scratch& scratch, int capacity, Widths key, int value_width, bool values_are_keys, int max_rows);
  void begin(int) noexcept {}
  void set_first(int at, int n, const float* x, std::int64_t ldx);
  void set_values(int at, int n, const float* x, std::int64_t ldx);
  void set_first(int at, int n, const StoredRows& x);
  void set_second(int at, int n, const StoredRows& x);
  void set_values(int at, int n, const StoredRows& x);

  void score(const Rows& rows, std::int64_t first, int m, int n, Ahead = {});
  template <typename Visible>
  void weigh(int m, Visible&& visible, SoftmaxState* states, float* out) {
    for (int i = 0; i < m; ++i) float_math::weigh(scores_ + std::int64_t{i} * n_scored_, n_scored_, visible(i), states[i], out + i * result_stride(value_width_), value_width_);
  }
  void add_values(int m, float* out, Ahead = {});

 private:
  Widths widths_;
  int value_width_, n_scored_ = 0;
  float* keys_;  // [capacity, first + second]
  float* values_;
  std::int64_t value_stride_;
  float* scores_;  // [max_rows, n_scored_]
};

class Expansion {
 public:
  Expansion(Scratch& scratch, const LatentWeights& weights, const CacheShape& shape);
  void load(int head);
  void run(const Latents& latents, int n, float* keys, float* values) const;

 private:
  const LatentWeights& weights_;
  const CacheShape& shape_;
  float* memory_;
  std::optional<LatentExpansion> expansion_;
};

}  // namespace mla::attention::float_math

namespace mla::attention {

/// For the templates of the two forms.
struct FloatMath {
  using Rows = float_math::Rows;
  using Latents = float_math::Latents;
  using Tile = float_math::Tile;
  using Expansion = float_math::Expansion;
  static constexpr int key_step = float_math::key_step;
};

}  // namespace mla::attention
