// What benchmarks rely on: Context::op_timings() (which operations run, what they had to do, and that their times make up the
// time of decode()), and decode() behind KvCache::fill_random().
#include <chrono>
#include <map>
#include <numeric>

#include "run_model.hpp"

using namespace mla;

namespace {

std::map<std::string, OpTiming> by_name(const Context& context) {
  std::map<std::string, OpTiming> timings;
  for (const OpTiming& timing : context.op_timings()) timings.emplace(timing.name, timing);
  return timings;
}

double total_seconds(const Context& context) {
  const auto timings = context.op_timings();
  return std::accumulate(timings.begin(), timings.end(), 0.0, [](double sum, const OpTiming& timing) { return sum + timing.seconds; });
}

std::vector<Token> tokens(int n) {
  std::vector<Token> list;
  for (int i = 0; i < n; ++i) list.push_back(5 + i);
  return list;
}

}  // namespace

TEST_CASE("operations are timed only on request, and results don't depend on it") {
  const auto model = Model::load(demo_model);
  Context plain(model, {.n_threads = 2}), timed(model, {.n_threads = 2, .time_ops = true});
  CHECK(timed.op_timings().empty());
  const Logits expected = run_tokens(plain, tokens(100), 60), got = run_tokens(timed, tokens(100), 60);
  CHECK(plain.op_timings().empty());
  CHECK_FALSE(timed.op_timings().empty());
  CHECK(got.values == expected.values);
  timed.reset_op_timings();
  CHECK(timed.op_timings().empty());
}

TEST_CASE("operation times add up to the time of decode()") {
  const auto model = Model::load(demo_model);
  for (const AttentionMode mode : {AttentionMode::deepseek2, AttentionMode::deepseek_mla}) {
    double share = 0;  // the largest of several: what stops this thread between two operations counts for none of them
    for (int round = 0; round < 20 && share < 0.3; ++round) {
      Context context(model, {.attention = mode, .n_ctx = 1024, .n_threads = 2, .time_ops = true});
      const auto start = std::chrono::steady_clock::now();
      run_tokens(context, tokens(600));
      share = std::max(share, total_seconds(context) / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    INFO(to_string(mode));
    CHECK(share <= 1);
    CHECK(share >= 0.3);  // the rest: logits copied by the test, clocks
  }
}

TEST_CASE("operations count the bytes and multiplications that the sizes say") {
  const auto model = Model::load(demo_model);
  const CacheShape s = model->cache_shape();
  const ModelInfo& info = model->info();
  const auto n = std::uint64_t{100}, layers = static_cast<std::uint64_t>(s.n_layers), f16 = std::uint64_t{2};
  const auto times = [](std::initializer_list<int> factors) {
    return std::accumulate(factors.begin(), factors.end(), std::uint64_t{1},
                           [](std::uint64_t a, int b) { return a * static_cast<std::uint64_t>(b); });
  };
  const std::uint64_t output = times({info.n_vocab, info.n_embd}), kv_a = layers * times({s.n_latent + s.n_rope, info.n_embd});
  const std::uint64_t out = layers * times({s.n_heads, s.n_value, info.n_embd});
  for (const AttentionMode mode : {AttentionMode::deepseek2, AttentionMode::deepseek_mla}) {
    Context context(model, {.attention = mode, .n_threads = 2, .time_ops = true});
    Batch batch = Batch::of(tokens(static_cast<int>(n)));
    batch.keep_embedding.assign(batch.tokens.size(), 1);  // the last layer leaves out rows that nothing is wanted of
    context.decode(batch);
    auto ops = by_name(context);
    INFO(to_string(mode));
    CHECK(ops["output"].calls == 1);  // Batch::of wants the last row's logits alone
    CHECK(ops["output"].bytes == f16 * output);
    CHECK(ops["output"].operations == 2 * output);
    CHECK(ops["kv_a"].calls == layers);
    CHECK(ops["kv_a"].bytes == f16 * kv_a);
    CHECK(ops["kv_a"].operations == 2 * n * kv_a);
    CHECK(ops["kqv_out"].bytes == f16 * out);
    CHECK(ops["kqv_out"].operations == 2 * n * out);
    CHECK(ops["cache"].bytes == n * context.cache().row_bytes());
    const bool absorbed = mode == AttentionMode::deepseek_mla;
    const auto check_pairs = [&](const OpTiming& op, int width) {  // between the (query, key) pairs that are visible and all
      const std::uint64_t each = 2 * layers * times({s.n_heads, width});
      CHECK(op.operations >= each * (n * (n + 1) / 2));
      CHECK(op.operations <= each * n * n);
    };
    check_pairs(ops["kq"], absorbed ? s.n_latent + s.n_rope : s.n_nope + s.n_rope);
    check_pairs(ops["kqv"], absorbed ? s.n_latent : s.n_value);
    CHECK(ops.contains("q_k_b") == absorbed);
    CHECK(ops.contains("v_b") == absorbed);
    CHECK(ops.contains("kv_b") == !absorbed);
    for (const char* name : {"embed", "norm", "q", "rope", "rows", "softmax", "residual", "router", "experts_gate_up", "experts_down",
                             "experts_sum", "shared_gate_up", "shared_down", "dense_gate_up", "dense_down"})
      CHECK(ops.contains(name));
  }
}

TEST_CASE("of the experts, those that were hit count") {
  const auto model = Model::load(demo_model);
  Context context(model, {.n_threads = 2, .time_ops = true});
  context.decode(Batch::of(tokens(1)));
  const OpTiming one = by_name(context)["experts_down"];
  context.reset_op_timings();
  Batch batch = Batch::of(tokens(400), 1);
  batch.keep_embedding.assign(batch.tokens.size(), 1);
  context.decode(batch);
  const OpTiming many = by_name(context)["experts_down"];
  const auto used = static_cast<std::uint64_t>(model->info().n_experts_used), experts = static_cast<std::uint64_t>(model->info().n_experts);
  CHECK(many.operations == 400 * one.operations);
  CHECK(many.bytes > one.bytes);
  CHECK(many.bytes <= one.bytes / used * experts);
}

TEST_CASE("tokens behind random cache rows have finite logits, in every mode") {
  const auto model = Model::load(demo_model);
  for (const AttentionMode mode : {AttentionMode::automatic, AttentionMode::deepseek2, AttentionMode::deepseek_mla}) {
    Context context(model, {.attention = mode, .n_ctx = 512, .n_threads = 2});
    context.cache().fill_random(0, 300);
    Batch batch;
    for (int i = 0; i < 8; ++i) batch.add(7 + i, 300 + i, 0, true);
    context.decode(batch);
    for (int i = 0; i < 8; ++i)
      CHECK(std::ranges::all_of(context.logits(i), [](float v) { return std::isfinite(v); }));
    CHECK(context.cache().seq_len(0) == 308);
  }
}
