// What a forward pass is given.
#pragma once
#include <span>

#include "attention/attention.hpp"
#include "cache/kv_cache_impl.hpp"

namespace mla::engine {

/// Tokens computed together. Rows of a sequence stand together.
struct Ubatch {
  std::span<const Token> tokens;          ///< [n], or empty
  std::span<const float> embeddings;      ///< [n, n_embd], or empty
  std::span<const Position> positions;    ///< [n]
  std::span<const cache::RowRef> rows;    ///< [n] where each token's row of the cache is
  std::span<const attention::SequenceRows> sequences;
  std::span<const int> logit_rows;        ///< rows that need logits
  std::span<const int> embedding_rows;    ///< rows whose last state is wanted

  int n_tokens() const noexcept { return static_cast<int>(positions.size()); }
};

}  // namespace mla::engine
