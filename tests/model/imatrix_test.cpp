// Importance matrices of one set of weights in every layout that files come in.
#include <mla/imatrix.hpp>

#include <algorithm>

#include "run_tiny.hpp"

using namespace mla;

namespace {

Imatrix collect(const std::shared_ptr<const Model>& model, AttentionMode mode) {
  ContextOptions options;
  options.attention = mode;
  options.n_ctx = 64;
  options.cache_type_k = options.cache_type_v = CacheType::f32;
  options.n_threads = 1;
  options.attention_rates = fixed_rates;
  options.collector = std::make_shared<ImatrixCollector>(model);
  Context context(model, options);
  std::vector<Token> tokens;
  for (int i = 0; i < 24; ++i) tokens.push_back((i * 7 + 3) % model->info().n_vocab);
  (void)run_tokens(context, tokens);
  return options.collector->result();
}

void check_same(const Imatrix& found, const Imatrix& expected) {
  CHECK(found.entries.size() == expected.entries.size());
  for (const ImatrixEntry& entry : found.entries) {
    INFO(entry.name);
    const ImatrixEntry* other = expected.find(entry.name);
    REQUIRE(other != nullptr);
    CHECK(entry.counts == other->counts);
    REQUIRE(entry.sums.size() == other->sums.size());
    for (std::size_t i = 0; i < entry.sums.size(); ++i) REQUIRE(entry.sums[i] == Approx(other->sums[i]).epsilon(1e-3).margin(1e-6));
  }
}

}  // namespace

TEST_CASE("original, mainline and ik layouts, with and without q_lora, give the same importance matrices") {
  const TinyShape v3, lite{.q_lora = 0, .n_groups = 1, .sigmoid = false}, odd{.n_heads = 5, .n_nope = 20, .n_rope = 4, .n_value = 28, .n_latent = 36};
  for (const TinyShape& shape : {v3, lite, odd}) {
    const ScratchFolder folder;
    const TinyModel original = original_layout(shape);
    for (const AttentionMode mode : all_modes) {
      INFO("q_lora " << shape.q_lora << ", " << shape.n_heads << " heads, " << to_string(mode));
      const Imatrix expected = collect(load_tiny(original, folder), mode);
      check_same(collect(load_tiny(mainline_layout(original, shape), folder), mode), expected);
      check_same(collect(load_tiny(ik_layout(original, shape), folder), mode), expected);
      const ImatrixEntry* k_b = expected.find("blk.1.attn_k_b.weight");
      REQUIRE(k_b != nullptr);
      CHECK(k_b->counts == std::vector<std::int64_t>(static_cast<std::size_t>(shape.n_heads), 24));
      CHECK(k_b->n_columns() == shape.n_nope);
      CHECK((expected.find("blk.1.attn_v_b.weight") != nullptr) == (mode == AttentionMode::deepseek_mla));
      CHECK((expected.find("blk.1.attn_q.weight") != nullptr) == (shape.q_lora == 0));
    }
  }
}

TEST_CASE("tied embeddings: the output's entry has the name of the tensor that holds it") {
  const ScratchFolder folder;
  TinyModel model = original_layout(TinyShape{});
  model.remove_tensor("output.weight");
  const Imatrix imatrix = collect(load_tiny(model, folder), AttentionMode::deepseek2);
  CHECK(imatrix.find("output.weight") == nullptr);
  REQUIRE(imatrix.find("token_embd.weight") != nullptr);
  CHECK(imatrix.find("token_embd.weight")->counts == std::vector<std::int64_t>{24});
}
