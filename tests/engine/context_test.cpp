// The demo model run in many ways that must give the same logits, and calls that must change nothing.
#include <atomic>
#include <mla/error.hpp>
#include <thread>

#include "format/gguf.hpp"
#include "quant/dequantize.hpp"
#include "run_model.hpp"

using namespace mla;

namespace {

constexpr double bound = 2e-4;  // of the largest |logit|: what reordered float sums may differ by

std::shared_ptr<const Model> demo() {
  static const auto model = Model::load(demo_model);
  return model;
}

std::vector<Token> text_tokens(std::size_t n) { return heldout_tokens(*demo(), n); }

ContextOptions options(AttentionMode mode, CacheType type = CacheType::f32, int n_ubatch = 512) {
  return {.attention = mode, .n_ctx = 1024, .n_ubatch = n_ubatch, .cache_type_k = type, .cache_type_v = type, .n_threads = 2};
}

constexpr AttentionMode modes[] = {AttentionMode::automatic, AttentionMode::deepseek2, AttentionMode::deepseek_mla};

const Logits& reference() {
  static const Logits logits = [] {
    Context context(demo(), options(AttentionMode::deepseek2));
    return run_tokens(context, text_tokens(300));
  }();
  return logits;
}

/// Runs tasks one after the other, and counts the operations.
class CountedPool final : public ThreadPool {
 public:
  int n_threads() const noexcept override { return 2; }
  void run(int n_tasks, TaskRef task) override {
    ++n_runs;
    for (int i = 0; i < n_tasks; ++i) task.fn(task.data, i, 0);
  }
  int n_runs = 0;
};

}  // namespace

TEST_CASE("modes, chunks and ubatches give the same logits") {
  for (const AttentionMode mode : modes) {
    for (const auto& [chunk, n_ubatch] : {std::pair{0, 512}, {0, 64}, {7, 512}, {1, 512}, {100, 33}}) {
      Context context(demo(), options(mode, CacheType::f32, n_ubatch));
      INFO(to_string(mode) << ", chunks of " << chunk << ", ubatch " << n_ubatch);
      const Logits logits = run_tokens(context, text_tokens(300), chunk);
      CHECK(relative_difference(logits, reference()) < bound);
      CHECK(argmax_disagreements(logits, reference(), bound) == 0);
    }
  }
}

TEST_CASE("three sequences interleaved in one batch give the logits of each alone") {
  const auto tokens = text_tokens(300);
  for (const AttentionMode mode : modes) {
    for (const int n_ubatch : {512, 50}) {
      Context context(demo(), options(mode, CacheType::f32, n_ubatch));
      Batch batch;  // sequence s starts at token 50 s and has 80 - 10 s tokens
      for (int i = 0; i < 80; ++i)
        for (int s = 0; s < 3; ++s)
          if (i < 80 - 10 * s) batch.add(tokens[static_cast<std::size_t>(50 * s + i)], i, s, true);
      context.decode(batch);
      for (int s = 0; s < 3; ++s) {
        Logits together, alone;
        for (int i = 0; i < batch.size(); ++i)
          if (batch.sequences[static_cast<std::size_t>(i)] == s) together.append(context.logits(i));
        Context single(demo(), options(mode));
        alone = run_tokens(single, {tokens.begin() + 50 * s, tokens.begin() + 50 * s + 80 - 10 * s});
        CHECK(relative_difference(together, alone) < bound);
      }
    }
  }
}

TEST_CASE("cache types differ from f32 by no more than their rounding") {
  // Relative rounding of a row: 2^-11, 2^-8, and half a step of 127, 32 or 8; in q8_row three times that, since the largest value of a
  // whole row is so much larger than that of a block. What it does to the logits of this model was measured at about 2, and 6 for q8_0's
  // coarser small values; 20 leaves room for other processors.
  const std::pair<CacheType, double> types[] = {{CacheType::f16, 0x1p-11}, {CacheType::bf16, 0x1p-8}, {CacheType::q8_0, 0.5 / 127},
                                                {CacheType::q6_0, 0.5 / 32}, {CacheType::q4_0, 0.5 / 8}, {CacheType::q8_row, 1.5 / 127}, {CacheType::q16_row, 0x1p-12}};
  for (const AttentionMode mode : modes) {
    for (const auto& [type, rounding] : types) {
      Context context(demo(), options(mode, type));
      const double difference = relative_difference(run_tokens(context, text_tokens(300)), reference());
      INFO(to_string(mode) << ", " << to_string(type) << ": " << difference << ", rounding " << rounding);
      CHECK(difference < 20 * rounding);
      CHECK(difference > 0);
    }
  }
}

TEST_CASE("a copied sequence goes on as the original, and writing to one leaves the other's logits bit-equal") {
  const auto tokens = text_tokens(200);
  for (const AttentionMode mode : modes) {
    Context context(demo(), options(mode)), fresh(demo(), options(mode));
    run_tokens(context, {tokens.begin(), tokens.begin() + 100});
    run_tokens(fresh, {tokens.begin(), tokens.begin() + 100});
    context.cache().seq_cp(0, 1);
    context.decode(Batch::of({tokens[150], tokens[151]}, 100, 1));  // another continuation, in the copy
    context.decode(Batch::of({tokens[100]}, 100, 0));
    fresh.decode(Batch::of({tokens[100]}, 100, 0));
    CHECK(std::ranges::equal(context.logits(), fresh.logits()));
  }
}

TEST_CASE("rows can be taken back and computed again") {
  const auto tokens = text_tokens(120);
  for (const AttentionMode mode : modes) {
    Context context(demo(), options(mode));
    run_tokens(context, {tokens.begin(), tokens.begin() + 100});
    const std::vector<float> first(context.logits().begin(), context.logits().end());
    CHECK(context.cache().seq_rm(0, 90));
    context.decode(Batch::of({tokens.begin() + 90, tokens.begin() + 100}, 90));
    Logits again, expected;
    again.append(context.logits());
    expected.append(first);
    CHECK(relative_difference(again, expected) < bound);
  }
}

TEST_CASE("an aborted decode computes nothing more and leaves the cache as it was") {
  const auto tokens = text_tokens(300);
  for (const AttentionMode mode : modes) {
    bool stop = false;
    int polls = 0;
    const auto pool = std::make_shared<CountedPool>();
    ContextOptions with_abort = options(mode);
    with_abort.thread_pool = pool;
    with_abort.abort = [&] {
      if (!stop || ++polls < 2) return false;
      pool->n_runs = 0;
      return true;
    };
    Context context(demo(), with_abort), fresh(demo(), options(mode));
    run_tokens(context, {tokens.begin(), tokens.begin() + 50});
    run_tokens(fresh, {tokens.begin(), tokens.begin() + 50});
    const auto bytes = context.cache().bytes();
    stop = true;
    try {
      for (int round = 0; round < 100; ++round) {
        context.cache().seq_rm(0, 50);
        context.decode(Batch::of({tokens.begin() + 50, tokens.end()}, 50));
      }
      FAIL("the abort was not noticed");
    } catch (const Error& error) {
      CHECK(error.status() == Status::aborted);
      CHECK(polls == 2);
      CHECK(pool->n_runs == 0);
    }
    CHECK_THROWS_AS(context.logits(), Error);
    CHECK(context.cache().bytes() == bytes);
    CHECK(context.cache().seq_pos_max(0) == 49);
    stop = false;
    context.decode(Batch::of({tokens[50]}, 50));
    fresh.decode(Batch::of({tokens[50]}, 50));
    CHECK(std::ranges::equal(context.logits(), fresh.logits()));
  }
}

TEST_CASE("a batch that does not fit changes nothing") {
  ContextOptions small = options(AttentionMode::automatic);
  small.n_ctx = 128;
  small.n_ubatch = 32;
  Context context(demo(), small);
  run_tokens(context, text_tokens(100));
  try {
    context.decode(Batch::of(text_tokens(60), 100));
    FAIL("there was room");
  } catch (const Error& error) {
    CHECK(error.status() == Status::cache_full);
  }
  CHECK(context.cache().seq_len(0) == 100);
  context.decode(Batch::of(text_tokens(28), 100));
}

TEST_CASE("batches and options that can't be") {
  Context context(demo(), options(AttentionMode::automatic));
  const auto status_of = [&](const Batch& batch) {
    try {
      context.decode(batch);
    } catch (const Error& error) {
      return error.status();
    }
    return Status::ok;
  };
  CHECK(status_of({}) == Status::invalid_argument);
  CHECK(status_of(Batch::of({-1})) == Status::invalid_argument);
  CHECK(status_of(Batch::of({demo()->info().n_vocab})) == Status::invalid_argument);
  CHECK(status_of(Batch::of({1}, -1)) == Status::invalid_argument);
  CHECK(status_of(Batch::of({1}, 0, -1)) == Status::invalid_argument);
  Batch uneven = Batch::of({1, 2});
  uneven.sequences.pop_back();
  CHECK(status_of(uneven) == Status::invalid_argument);
  Batch falling;
  falling.add(1, 5);
  falling.add(1, 4);
  CHECK(status_of(falling) == Status::invalid_argument);
  CHECK(context.cache().bytes() == 0);
  Batch no_logits;
  no_logits.add(1, 0);
  CHECK(status_of(no_logits) == Status::ok);
  CHECK_THROWS_AS(context.logits(), Error);
  CHECK_THROWS_AS(context.logits(0), Error);
  CHECK_THROWS_AS(context.logits(7), Error);

  CHECK_THROWS_AS(Context(nullptr), Error);
  CHECK_THROWS_AS(Context(demo(), {.n_ubatch = 0}), Error);
  CHECK_THROWS_AS(Context(demo(), {.n_ctx = -5}), Error);
  const auto latent = std::make_shared<KvCache>(demo()->cache_shape(), KvCacheOptions{});
  CHECK_THROWS_WITH(Context(demo(), {.attention = AttentionMode::deepseek2, .cache = latent}), Catch::Contains("layout"));
  CacheShape other = demo()->cache_shape();
  ++other.n_layers;
  CHECK_THROWS_WITH(Context(demo(), {.cache = std::make_shared<KvCache>(other, KvCacheOptions{})}), Catch::Contains("shape"));
}

TEST_CASE("embeddings in place of tokens") {
  // The rows of the embedding table, given as vectors, must do what the tokens do; there are none to be had from outside,
  // so a constant vector is run twice: same in, same out, and other than a different one.
  Context a(demo(), options(AttentionMode::automatic)), b(demo(), options(AttentionMode::automatic));
  const auto n_embd = static_cast<std::size_t>(demo()->info().n_embd);
  Batch batch;
  batch.positions = {0, 1};
  batch.sequences = {0, 0};
  batch.logits = {0, 1};
  batch.embeddings.assign(2 * n_embd, 0.01f);
  for (std::size_t i = 0; i < n_embd; i += 3) batch.embeddings[i] = -0.02f;
  a.decode(batch);
  b.decode(batch);
  CHECK(std::ranges::equal(a.logits(), b.logits()));
  batch.embeddings[5] = 1;
  b.cache().clear();
  b.decode(batch);
  CHECK_FALSE(std::ranges::equal(a.logits(), b.logits()));
}

TEST_CASE("the output matrix makes a row's logits of its embedding, whatever ubatch it was in") {
  const auto file = format::GgufFile::open(demo_model, {});
  const auto tensor = std::ranges::find(file.tensors(), "output.weight", &format::TensorInfo::name);
  REQUIRE(tensor != file.tensors().end());
  const std::size_t n_embd = tensor->shape[0], n_vocab = tensor->shape[1];
  std::vector<float> matrix(n_embd * n_vocab);
  quant::dequantize(static_cast<quant::Type>(tensor->type), tensor->data, matrix.data(), static_cast<std::int64_t>(matrix.size()));

  Context context(demo(), options(AttentionMode::automatic, CacheType::f32, 16));
  Batch batch = Batch::of(text_tokens(50));
  for (const int i : {3, 4, 20, 49}) batch.logits[static_cast<std::size_t>(i)] = batch.keep_embedding[static_cast<std::size_t>(i)] = 1;
  context.decode(batch);
  for (const int i : {3, 4, 20, 49}) {
    const auto embedding = context.embedding(i), logits = context.logits(i);
    REQUIRE(embedding.size() == n_embd);
    Logits product;
    std::vector<float> row(n_vocab);
    for (std::size_t v = 0; v < n_vocab; ++v) {
      double sum = 0;
      for (std::size_t k = 0; k < n_embd; ++k) sum += static_cast<double>(matrix[v * n_embd + k]) * embedding[k];
      row[v] = static_cast<float>(sum);
    }
    product.append(row);
    Logits got;
    got.append(logits);
    INFO("row " << i);
    CHECK(relative_difference(got, product) < 1e-5);
  }
  CHECK_THROWS_AS(context.embedding(5), Error);
  CHECK_THROWS_AS(context.embedding(50), Error);
}

TEST_CASE("several contexts on one model at once, and a cache handed from one context to the next") {
  const auto tokens = text_tokens(300);
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      Context context(demo(), options(modes[i % 3]));
      context.decode(Batch::of(tokens));
      Logits got, expected;
      got.append(context.logits());
      expected.append(std::span(reference().values).last(reference().n_vocab));
      double worst = 0;
      for (std::size_t v = 0; v < got.values.size(); ++v)
        worst = std::max(worst, std::abs(static_cast<double>(got.values[v]) - expected.values[v]));
      good += worst < 0.05;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 4);

  const auto cache = std::make_shared<KvCache>(demo()->cache_shape(), KvCacheOptions{.n_ctx = 512, .type_k = CacheType::f32});
  ContextOptions shared = options(AttentionMode::automatic);
  shared.cache = cache;
  Logits last;
  {
    Context first(demo(), shared);
    first.decode(Batch::of({tokens.begin(), tokens.begin() + 299}));
  }
  shared.attention = AttentionMode::deepseek_mla;
  Context second(demo(), shared);
  second.decode(Batch::of({tokens[299]}, 299));
  last.append(second.logits());
  Logits expected;
  expected.append(std::span(reference().values).last(reference().n_vocab));
  CHECK(relative_difference(last, expected) < bound);
}
