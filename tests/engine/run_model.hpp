// What the engine's tests share: running tokens through a model in several ways, and comparing logits.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <mla/context.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"

/// Logits of some rows, [rows, n_vocab].
struct Logits {
  std::size_t n_vocab = 0;
  std::vector<float> values;

  void append(std::span<const float> row) {
    n_vocab = row.size();
    values.insert(values.end(), row.begin(), row.end());
  }
};

/// Runs the tokens as sequence 0 in batches of `chunk` (0: all at once) and returns the logits of every row.
inline Logits run_tokens(mla::Context& context, const std::vector<mla::Token>& tokens, int chunk = 0) {
  Logits all;
  const int n = static_cast<int>(tokens.size());
  if (chunk == 0) chunk = n;
  for (int begin = 0; begin < n; begin += chunk) {
    mla::Batch batch;
    for (int i = begin; i < std::min(begin + chunk, n); ++i) batch.add(tokens[static_cast<std::size_t>(i)], i, 0, true);
    context.decode(batch);
    for (int i = 0; i < batch.size(); ++i) all.append(context.logits(i));
  }
  return all;
}

/// Largest difference as a share of the largest |expected logit|; REQUIREs equal sizes and finite values. Where it lies is told
/// if the next assertion fails.
inline double relative_difference(const Logits& got, const Logits& expected) {
  REQUIRE(got.values.size() == expected.values.size());
  REQUIRE(std::ranges::all_of(got.values, [](float v) { return std::isfinite(v); }));
  double worst = 0, largest = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < got.values.size(); ++i) {
    const double difference = std::abs(static_cast<double>(got.values[i]) - expected.values[i]);
    if (difference > worst) worst = difference, at = i;
    largest = std::max(largest, std::abs(static_cast<double>(expected.values[i])));
  }
  UNSCOPED_INFO("worst: row " << at / expected.n_vocab << ", token " << at % expected.n_vocab << ": " << got.values[at] << ", not "
                              << expected.values[at] << "; largest logit " << largest);
  return worst / largest;
}

/// Rows whose largest logit differs, although the reference's two best are further apart than twice `bound` · max |logit|.
inline int argmax_disagreements(const Logits& got, const Logits& expected, double bound) {
  float largest = 0;
  for (const float v : expected.values) largest = std::max(largest, std::abs(v));
  int count = 0;
  for (std::size_t row = 0; row < expected.values.size(); row += expected.n_vocab) {
    const auto e = std::span(expected.values).subspan(row, expected.n_vocab), g = std::span(got.values).subspan(row, expected.n_vocab);
    const auto best = std::ranges::max_element(e) - e.begin();
    float second = -INFINITY;
    for (std::size_t i = 0; i < e.size(); ++i)
      if (static_cast<std::ptrdiff_t>(i) != best) second = std::max(second, e[i]);
    const auto got_best = std::ranges::max_element(g) - g.begin();
    if (e[static_cast<std::size_t>(best)] - second <= 2 * bound * largest || got_best == best) continue;
    if (++count == 1) UNSCOPED_INFO("first in row " << row / expected.n_vocab << ": token " << got_best << ", not " << best);
  }
  return count;
}

inline std::vector<mla::Token> read_tokens(const std::string& path) {
  std::ifstream file(path);
  REQUIRE(file);
  std::vector<mla::Token> tokens;
  for (mla::Token token; file >> token;) tokens.push_back(token);
  return tokens;
}

/// The first n tokens of the text that the demo model has not read.
inline std::vector<mla::Token> heldout_tokens(const mla::Model& model, std::size_t n) {
  std::ifstream file(MLA_SOURCE_DIR "/examples/models/heldout.txt");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto tokens = model.tokenizer().encode(text.substr(0, 8 * n));
  REQUIRE(tokens.size() >= n);
  tokens.resize(n);
  return tokens;
}

inline const std::string demo_model = MLA_SOURCE_DIR "/examples/models/demo-f16.gguf";
