// ContextOptions::deterministic: a token's logits are the same to the bit, whatever else was computed with it, before it, or by how many.
#include <filesystem>

#include "demo_variant.hpp"
#include "run_model.hpp"
#include "scratch_folder.hpp"

using namespace mla;

namespace {

constexpr std::size_t n_tokens = 1200;  // some splits of 512 keys

std::shared_ptr<const Model> demo() {
  static const auto model = Model::load(demo_model);
  return model;
}

// f16 and q6_0 weights are multiplied in floats, q8_0 ones in integers.
std::shared_ptr<const Model> model_of(quant::Type type) {
  if (type == quant::Type::f16) return demo();
  static const ScratchFolder folder;
  const std::string path = folder / (std::string(quant::traits(type).name) + ".gguf");
  if (!std::filesystem::exists(path)) write_demo_variant(path, {.type = type});
  return Model::load(path);
}

const std::vector<Token>& tokens() {
  static const std::vector<Token> all = heldout_tokens(*demo(), n_tokens);
  return all;
}

std::vector<Token> part(std::size_t begin, std::size_t end) { return {tokens().begin() + static_cast<std::ptrdiff_t>(begin), tokens().begin() + static_cast<std::ptrdiff_t>(end)}; }

struct Way {
  int n_threads = 2, n_ubatch = 512;
  AttentionMode mode = AttentionMode::automatic;
  CacheType type = CacheType::q16_row;
};

Context make(const std::shared_ptr<const Model>& model, const Way& way) {
  return Context(model, {.attention = way.mode, .n_ctx = 16384, .n_ubatch = way.n_ubatch, .cache_type_k = way.type, .cache_type_v = way.type,
                         .n_threads = way.n_threads, .deterministic = true});
}

std::vector<float> last_logits(const Context& context) { return {context.logits().begin(), context.logits().end()}; }

// Tokens begin … end - 1 of the text as they follow in a sequence; the logits of the last.
std::vector<float> go_on(Context& context, std::size_t begin, std::size_t end, SequenceId sequence = 0) {
  context.decode(Batch::of(part(begin, end), static_cast<Position>(begin), sequence));
  return last_logits(context);
}

constexpr AttentionMode modes[] = {AttentionMode::automatic, AttentionMode::deepseek2, AttentionMode::deepseek_mla};

}  // namespace

TEST_CASE("threads, ubatches and batches leave deterministic logits as they are") {
  for (const quant::Type weights : {quant::Type::f16, quant::Type::q8_0, quant::Type::q6_0})
    for (const AttentionMode mode : modes)
      for (const CacheType type : {CacheType::f16, CacheType::f32, CacheType::q16_row}) {
        if (type == CacheType::f32 && weights != quant::Type::f16) continue;
        INFO(quant::traits(weights).name << ", " << to_string(mode) << ", " << to_string(type));
        const auto model = model_of(weights);
        Context whole = make(model, {1, 512, mode, type}), cut = make(model, {3, 37, mode, type});
        const auto expected = go_on(whole, 0, 700);
        CHECK(go_on(cut, 0, 700) == expected);
        Context slow = make(model, {2, 512, mode, type});
        go_on(slow, 0, 680);
        for (std::size_t i = 680; i < 699; ++i) go_on(slow, i, i + 1);
        CHECK(go_on(slow, 699, 700) == expected);
      }
}

TEST_CASE("sequences beside leave deterministic logits as they are, whether or not they share a prefix") {
  for (const AttentionMode mode : modes) {
    INFO(to_string(mode));
    std::vector<std::vector<float>> alone;
    for (std::size_t s = 0; s < 6; ++s) {
      Context context = make(demo(), {.n_threads = 1, .mode = mode});
      go_on(context, 0, 1100);
      std::vector<Token> own = part(100 * s, 100 * s + 30);
      context.decode(Batch::of(own, 1100));
      alone.push_back(last_logits(context));
    }
    Context context = make(demo(), {.n_threads = 3, .mode = mode});
    go_on(context, 0, 1100);
    for (SequenceId s = 1; s < 6; ++s) context.cache().seq_cp(0, s);
    go_on(context, 0, 90, 17);  // one that shares nothing
    // Token by token, then the last ten together.
    for (int i = 0; i < 20; ++i) {
      Batch batch;
      for (int s = 0; s < 6; ++s) batch.add(tokens()[static_cast<std::size_t>(100 * s + i)], 1100 + i, s, true);
      batch.add(tokens()[static_cast<std::size_t>(90 + i)], 90 + i, 17, true);
      context.decode(batch);
    }
    Batch batch;
    for (int s = 0; s < 6; ++s)
      for (int i = 20; i < 30; ++i) batch.add(tokens()[static_cast<std::size_t>(100 * s + i)], 1100 + i, s, i == 29);
    context.decode(batch);
    for (int s = 0; s < 6; ++s) CHECK(std::ranges::equal(context.logits(10 * s + 9), alone[static_cast<std::size_t>(s)]));
  }
}

TEST_CASE("what was in the cache already leaves deterministic logits as they are") {
  for (const AttentionMode mode : modes) {
    INFO(to_string(mode));
    Context fresh = make(demo(), {.mode = mode});
    const auto expected = go_on(fresh, 0, 900);

    Context context = make(demo(), {.mode = mode});
    go_on(context, 0, 1000);
    context.cache().seq_rm(0, 610);  // taken back
    CHECK(go_on(context, 610, 900) == expected);

    context.cache().seq_cp(0, 1, 0, 333);  // pages that are in part another's
    CHECK(go_on(context, 333, 900, 1) == expected);

    const auto reused = static_cast<std::size_t>(context.cache().reuse_prefix(2, part(0, 800)));  // found again by its tokens
    CHECK(reused > 700);
    CHECK(go_on(context, reused, 900, 2) == expected);

    context.cache().seq_rm(2, 700);
    const std::vector<std::byte> state = context.cache().save(2);  // saved, and loaded elsewhere
    Context other = make(demo(), {.mode = mode});
    go_on(other, 500, 501, 9);
    other.cache().load(state, 2);
    CHECK(go_on(other, 700, 900, 2) == expected);

    context.cache().seq_keep(1);  // rows move
    context.cache().seq_rm(1, 777);
    context.cache().defrag();
    CHECK(go_on(context, 777, 900, 1) == expected);
  }
}

TEST_CASE("deterministic logits are those of the other ways of summing, within rounding") {
  for (const AttentionMode mode : modes)
    for (const CacheType type : {CacheType::f16, CacheType::f32, CacheType::q16_row}) {
      INFO(to_string(mode) << ", " << to_string(type));
      Context fixed = make(demo(), {.mode = mode, .type = type});
      Context free(demo(), {.attention = mode, .n_ctx = 1024, .cache_type_k = type, .cache_type_v = type, .n_threads = 2});
      Logits got, expected;
      got.append(go_on(fixed, 0, 700)), expected.append(go_on(free, 0, 700));
      CHECK(relative_difference(got, expected) < 1e-3);
    }
}
