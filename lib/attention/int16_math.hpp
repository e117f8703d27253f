// The products of attention in 16-bit integers (kernels/int16.hpp): for all rows but f32 ones. float_math.hpp has the same classes in
// floats.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>

#include "attention/key_tile.hpp"
#include "attention/latent_weights.hpp"
#include "attention/scratch.hpp"

namespace mla::attention::int16_math {

constexpr int key_step = 16;  ///< keys that are packed at once
constexpr int row_step = 16;  ///< rows that stand together in a panel

/// A part of rows, rounded: row after row where they are a product's left side, in panels where they are its right side.
struct Part {
  int width;
  std::int64_t k;  ///< width in whole vectors of 16: values from a row to the next
  std::int16_t* ints;
  float* scale;
};

/// Rows of a product's left side, one after another.
struct Left {
  const std::int16_t* ints;
  std::int64_t stride;  ///< values from a row to the next
};

/// Rows of queries.
class Rows {
 public:
  Rows(Scratch& scratch, std::int64_t capacity, Widths widths);
  /// Rows 0 … n - 1 from x [n, first + second], ldx apart. Rows up to the next multiple of row_step become zeros.
  void set(int n, const float* x, std::int64_t ldx);

 private:
  friend class Tile;
  Part parts_[2];
  std::int16_t* stage_;  // [16, stage_stride_]
  std::int64_t stage_stride_;
};

/// Latents that are to be expanded.
class Latents {
 public:
  Latents(Scratch& scratch, std::int64_t capacity, int width);
  void set(int n, const StoredRows& x);

 private:
  friend class Expansion;
  Part part_;
  float* row_;  // [width]
};

/// Keys and values of some cache rows.
class Tile {
 public:
  /// `values_are_keys`: the first part of a key is the value too.
  Tile(Scratch& scratch, int capacity, Widths key, int value_width, bool values_are_keys, int max_rows);
  /// Begins a tile of n keys, of which each set…() brings up to 16, from a multiple of 16 on.
  void begin(int n) noexcept;
  void set_first(int at, int n, const float* x, std::int64_t ldx);   ///< first part of keys, [n, first]
  void set_values(int at, int n, const float* x, std::int64_t ldx);  ///< [n, value_width]
  void set_first(int at, int n, const StoredRows& x);
  void set_second(int at, int n, const StoredRows& x);
  void set_values(int at, int n, const StoredRows& x);

  /// Scores of rows first … first + m - 1, `first` a multiple of row_step, with the first n keys, kept in the tile.
  void score(const Rows& rows, std::int64_t first, int m, int n, Ahead ahead = {});
  /// Row i sees the first visible(i) keys of those that score() took: goes on with its softmax in states[i]. add_values() must follow,
  /// which goes on with the weighted sums in out [m rounded up to 4, result_stride(value_width)], not divided by the sum of weights.
  template <typename Visible>
  void weigh(int m, Visible&& visible, SoftmaxState* states, [[maybe_unused]] float* out) {
    for (int first = 0; first < m; first += row_step) {
      std::array<std::int32_t, row_step> of_panel{};
      const int n = std::min(row_step, m - first);
      for (int i = 0; i < n; ++i) of_panel[static_cast<std::size_t>(i)] = visible(first + i);
      weigh_panel(first, n, of_panel, states + first);
    }
  }
  void add_values(int m, float* out, Ahead ahead = {});

 private:
  int steps_together(int part, int step, int n_steps) const noexcept;
  Left set_key(int part, int at, int n, const StoredRows& x);
  template <typename Round>
  void set_values_by(int at, int n, Round&& round);
  void store_values(int at, const Left& rows);
  std::int64_t value_panel() const noexcept;  // values from a panel to the next
  void weigh_panel(int first, int n, const std::array<std::int32_t, row_step>& visible, SoftmaxState* states);

  Part keys_[2];
  std::array<Left, tile_keys / key_step> left_[2];  // of each step of keys: in keys_, or in the cache
  int value_width_;
  bool values_are_keys_;
  int n_ = 0, n_scored_ = 0;  // keys, in whole steps
  std::int16_t* values_;
  float* value_scale_;
  std::int16_t* stage_;  // [16, stage_stride_]
  std::int64_t stage_stride_;
  float* row_;             // [stage_stride_]
  float* ones_;            // [capacity]
  float* scores_;          // [max_rows / 16, n_scored_, 16]
  std::int16_t* weights_;  // [max_rows / 16, n_scored_ / 2, 16, 2]
  float *weight_scale_, *factor_;  // [max_rows]
};

/// Keys and values of one head from latents.
class Expansion {
 public:
  Expansion(Scratch& scratch, const LatentWeights& weights, const CacheShape& shape);
  void load(int head);
  /// keys [n rounded up to 4, result_stride(n_nope)] and values [.., result_stride(n_value)] from the first n rows of latents.
  void run(const Latents& latents, int n, float* keys, float* values) const;

 private:
  void pack(const kernels::Matrix& w, const Part& panels);
  void pack_transposed(const kernels::Matrix& w, const Part& panels);
  void pack_rows(int at, int n, const Part& panels);

  const LatentWeights& weights_;
  const CacheShape& shape_;
  Part k_, v_;         // a row for each output
  float* transposed_;  // [n_latent, n_nope], if the file has only k_b
  float* rows_;        // [16, n_latent]
  std::int16_t* stage_;
};

}  // namespace mla::attention::int16_math

namespace mla::attention {

/// For the templates of the two forms.
struct Int16Math {
  using Rows = int16_math::Rows;
  using Latents = int16_math::Latents;
  using Tile = int16_math::Tile;
  using Expansion = int16_math::Expansion;
  static constexpr int key_step = int16_math::key_step;
};

}  // namespace mla::attention
