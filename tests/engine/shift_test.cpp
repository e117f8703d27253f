// Context shift: logits behind shifted rows are those of a fresh run at the new positions.
#include <mla/error.hpp>

#include "npy.hpp"
#include "run_model.hpp"

using namespace mla;

namespace {

// Decodes the tokens from a position on, then one more, and returns that one's logits. The shift comes between.
Logits run(AttentionMode mode, CacheType type, const std::vector<Token>& tokens, Position first, Position shift) {
  static const auto model = Model::load(demo_model);
  Context context(model, {.attention = mode, .n_ctx = 1024, .cache_type_k = type, .cache_type_v = type, .n_threads = 2});
  context.decode(Batch::of({tokens.begin(), tokens.end() - 1}, first));
  context.cache().seq_add(0, 0, -1, shift);
  context.decode(Batch::of({tokens.back()}, context.cache().seq_pos_max(0) + 1));
  Logits logits;
  logits.append(context.logits());
  return logits;
}

}  // namespace

TEST_CASE("logits after a shift are those of a fresh run at the shifted positions") {
  std::vector<Token> tokens;
  for (Token token = 0; token < 150; ++token) tokens.push_back(300 + token * 7 % 1000);
  // What one rounding of the rope values does to these logits; that of the format itself is in both runs (context_test.cpp).
  const std::pair<CacheType, double> types[] = {{CacheType::f32, 2e-4},          {CacheType::f16, 20 * 0x1p-11},
                                                {CacheType::bf16, 20 * 0x1p-8},  {CacheType::q8_0, 20 * 0x1p-11},
                                                {CacheType::q4_0, 20 * 0x1p-11}, {CacheType::q8_row, 20 * 0x1p-11},
                                                {CacheType::q16_row, 20 * 0x1p-12}};
  for (const AttentionMode mode : {AttentionMode::automatic, AttentionMode::deepseek2, AttentionMode::deepseek_mla})
    for (const auto& [type, bound] : types)
      for (const auto& [first, shift] : {std::pair{0, 600}, {600, -600}, {5, 1}}) {
        INFO(to_string(mode) << ", " << to_string(type) << ", from " << first << " by " << shift);
        CHECK(relative_difference(run(mode, type, tokens, first, shift), run(mode, type, tokens, first + shift, 0)) < bound);
      }
}

TEST_CASE("logits behind removed tokens are llama.cpp's", "[golden]") {
  Logits expected;
  expected.append(Npy::read(MLA_SOURCE_DIR "/tests/golden/llama_shift/logits.npy").values);
  std::vector<Token> tokens;
  for (Token token = 0; token < 150; ++token) tokens.push_back(300 + token * 7 % 1000);
  const auto model = Model::load(demo_model);
  for (const AttentionMode mode : {AttentionMode::automatic, AttentionMode::deepseek2, AttentionMode::deepseek_mla}) {
    INFO(to_string(mode));
    Context context(model, {.attention = mode, .n_ctx = 512, .cache_type_k = CacheType::f32, .cache_type_v = CacheType::f32, .n_threads = 2});
    context.decode(Batch::of({tokens.begin(), tokens.end() - 1}));
    context.cache().seq_rm(0, 0, 20);
    context.cache().seq_add(0, 20, -1, -20);
    context.decode(Batch::of({tokens.back()}, 129));
    Logits got;
    got.append(context.logits());
    CHECK(relative_difference(got, expected) < 1e-3);  // its products with f16 weights round activations to f16
  }
}

TEST_CASE("a cache with rows of one model is refused by another") {
  const auto model = Model::load(demo_model), other = Model::load(demo_model, {.overrides = {{"deepseek2.expert_used_count", "1"}}});
  CHECK(model->cache_model().fingerprint == Model::load(demo_model, {.use_mmap = false})->cache_model().fingerprint);
  CHECK(model->cache_model().fingerprint != other->cache_model().fingerprint);
  const auto cache = std::make_shared<KvCache>(model->cache_shape(), KvCacheOptions{});
  Context(model, {.cache = cache}).decode(Batch::of({1, 2, 3}));
  CHECK_THROWS_WITH(Context(other, {.cache = cache}), Catch::Contains("another model"));
  cache->clear();
  Context(other, {.cache = cache}).decode(Batch::of({1, 2, 3}));
}
