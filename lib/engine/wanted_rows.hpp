// The rows of an ubatch that a result is wanted of. The last layer computes no others beyond their rows of the cache.
#pragma once
#include <span>
#include <vector>

#include "engine/ubatch.hpp"

namespace mla::engine {

/// Owns what views of fewer rows point to; its memory only grows.
class WantedRows {
 public:
  /// Finds the rows of `ubatch` that logits or an embedding are wanted of.
  void find(const Ubatch& ubatch);

  /// Rows of the ubatch, ascending.
  std::span<const int> rows() const noexcept { return rows_; }
  /// What attention and the output need of these rows alone, numbered as in rows(); points to this object and to the ubatch. Without tokens,
  /// embeddings and rows of the cache.
  Ubatch view() const noexcept { return {{}, {}, positions_, {}, sequences_, logit_rows_, embedding_rows_}; }

  /// Moves them to the front of a table of the ubatch's rows, `width` values each.
  void gather(float* table, std::int64_t width) const noexcept;

 private:
  std::vector<int> rows_, logit_rows_, embedding_rows_;
  std::vector<Position> positions_;
  std::vector<attention::SequenceRows> sequences_;
};

}  // namespace mla::engine
