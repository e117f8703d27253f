// The last layer leaves out rows that nothing is wanted of: those that are wanted, and the cache, must not show it.
#include <mla/context.hpp>
#include <mla/error.hpp>
#include <vector>

#include "catch.hpp"
#include "run_model.hpp"

namespace {

using namespace mla;

constexpr double bound = 2e-4;  // of the largest value: what reordered float sums may differ by

std::shared_ptr<const Model> demo() {
  static const auto model = Model::load(demo_model);
  return model;
}

/// Three sequences, 60, 50 and 40 tokens, interleaved. Nothing is wanted.
Batch interleaved(const std::vector<Token>& tokens) {
  Batch batch;
  for (int i = 0; i < 60; ++i)
    for (int s = 0; s < 3; ++s)
      if (i < 60 - 10 * s) batch.add(tokens[static_cast<std::size_t>(70 * s + i)], i, s);
  batch.keep_embedding.assign(batch.tokens.size(), 0);
  return batch;
}

/// The token after each of them.
Batch continued(const std::vector<Token>& tokens) {
  Batch batch;
  for (int s = 0; s < 3; ++s) batch.add(tokens[static_cast<std::size_t>(70 * s + 60 - 10 * s)], 60 - 10 * s, s, true);
  return batch;
}

double difference(std::span<const float> got, std::span<const float> expected) {
  Logits a, b;
  a.append(got), b.append(expected);
  return relative_difference(a, b);
}

}  // namespace

TEST_CASE("logits and embeddings of some rows are those of all rows' batch, and so is what follows") {
  const auto tokens = heldout_tokens(*demo(), 300);
  for (const AttentionMode mode : {AttentionMode::automatic, AttentionMode::deepseek2, AttentionMode::deepseek_mla}) {
    for (const int n_ubatch : {512, 40}) {
      const ContextOptions options{.attention = mode, .n_ctx = 512, .n_ubatch = n_ubatch, .cache_type_k = CacheType::f32, .cache_type_v = CacheType::f32, .n_threads = 2};
      INFO(to_string(mode) << ", ubatch " << n_ubatch);
      Context some(demo(), options), all(demo(), options), none(demo(), options);
      Batch batch = interleaved(tokens);
      none.decode(batch);
      CHECK_THROWS_AS(none.logits(), Error);
      for (std::size_t i = 3; i < batch.tokens.size(); i += 11) batch.logits[i] = 1;
      for (std::size_t i = 5; i < batch.tokens.size(); i += 33) batch.keep_embedding[i] = 1;
      some.decode(batch);
      Batch whole = batch;
      whole.logits.assign(whole.tokens.size(), 1), whole.keep_embedding.assign(whole.tokens.size(), 1);
      all.decode(whole);
      for (std::size_t i = 0; i < batch.tokens.size(); ++i) {
        const int row = static_cast<int>(i);
        INFO("row " << i);
        if (batch.logits[i]) CHECK(difference(some.logits(row), all.logits(row)) < bound);
        else CHECK_THROWS_AS(some.logits(row), Error);
        if (batch.keep_embedding[i]) CHECK(difference(some.embedding(row), all.embedding(row)) < bound);
      }
      const Batch next = continued(tokens);
      for (Context* const context : {&some, &all, &none}) context->decode(next);
      for (int row = 0; row < next.size(); ++row) {
        CHECK(difference(some.logits(row), all.logits(row)) < bound);
        CHECK(difference(none.logits(row), all.logits(row)) < bound);
      }
    }
  }
}
