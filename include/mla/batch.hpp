// Batch: the tokens of one Context::decode() call.
#pragma once
#include <cstdint>
#include <vector>

#include <mla/types.hpp>

namespace mla {

/// Tokens of one or more sequences. Rows of one sequence must come in rising position.
struct Batch {
  std::vector<Token> tokens;            ///< [n]; empty if `embeddings` is used
  std::vector<float> embeddings;        ///< [n, n_embd]; input vectors instead of tokens, or empty
  std::vector<Position> positions;      ///< [n]
  std::vector<SequenceId> sequences;    ///< [n]
  std::vector<std::uint8_t> logits;     ///< [n]; nonzero: compute the logits of this row
  std::vector<std::uint8_t> keep_embedding = {};  ///< [n], or empty; nonzero: keep the embedding of this row (Context::embedding())

  int size() const noexcept { return static_cast<int>(positions.size()); }
  void clear() noexcept {
    tokens.clear(), embeddings.clear(), positions.clear(), sequences.clear(), logits.clear(), keep_embedding.clear();
  }
  void add(Token token, Position position, SequenceId sequence = 0, bool want_logits = false, bool want_embedding = false) {
    tokens.push_back(token);
    positions.push_back(position);
    sequences.push_back(sequence);
    logits.push_back(want_logits);
    keep_embedding.push_back(want_embedding);
  }
  /// `tokens` at position, position + 1, …, with the logits of the last one.
  static Batch of(const std::vector<Token>& tokens, Position position = 0, SequenceId sequence = 0) {
    Batch batch;
    for (const Token token : tokens) batch.add(token, position++, sequence);
    if (!batch.logits.empty()) batch.logits.back() = 1;
    return batch;
  }
};

}  // namespace mla
