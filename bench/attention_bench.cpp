// mla-bench-attention: both forms of attention over a grid of new tokens and cached ones, and which of them the plan picks.
#include <algorithm>
#include <cstdio>
#include <random>
#include <vector>

#include <fmt/format.h>

#include "attention/plan.hpp"
#include "attention/probe.hpp"
#include "common/model_options.hpp"
#include "common/program.hpp"
#include "platform/thread_pool.hpp"
#include "quant/quantize.hpp"

namespace {

struct Flags {
  std::vector<int> queries = {1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048}, keys = {0, 64, 256, 1024, 4096, 16384, 32768};
  int n_heads = 16, n_threads = 0, repetitions = 3;
  std::string cache_type = mla::to_string(mla::ContextOptions{}.cache_type_k);
};

// Per-head matrices as Q8_0, which is what files have for them.
class Weights {
 public:
  explicit Weights(const mla::CacheShape& s) : k_b_(stack(s, s.n_latent, s.n_nope)), v_b_(stack(s, s.n_value, s.n_latent)), k_nope_(stack(s, s.n_nope, s.n_latent)) {}
  mla::attention::LatentWeights get() const { return {k_b_.stack, v_b_.stack, k_nope_.stack}; }

 private:
  struct Stack {
    std::vector<std::byte> memory;
    mla::kernels::MatrixStack stack;
  };
  Stack stack(const mla::CacheShape& s, int rows, int cols) {
    std::normal_distribution<float> normal(0, 0.05f);
    std::vector<float> values(static_cast<std::size_t>(s.n_heads) * static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols));
    for (float& v : values) v = normal(random_);
    const std::size_t row_bytes = mla::quant::row_bytes(mla::quant::Type::q8_0, cols);
    Stack made{std::vector<std::byte>(static_cast<std::size_t>(s.n_heads * rows) * row_bytes), {}};
    mla::quant::quantize(mla::quant::Type::q8_0, values.data(), made.memory.data(), static_cast<std::int64_t>(values.size()));
    made.stack = {{made.memory.data(), mla::quant::Type::q8_0, rows, cols, row_bytes, false}, s.n_heads, static_cast<std::size_t>(rows) * row_bytes};
    return made;
  }

  std::mt19937 random_{1};
  Stack k_b_, v_b_, k_nope_;
};

double median(mla::attention::Probe& probe, mla::attention::Form form, int queries, int keys, int repetitions) {
  std::vector<double> seconds;
  probe.run(form, queries, keys);
  for (int i = 0; i < repetitions; ++i) seconds.push_back(probe.run(form, queries, keys));
  std::ranges::sort(seconds);
  return seconds[seconds.size() / 2];
}

void run(const Flags& f) {
  using namespace mla::attention;
  const mla::CacheShape shape{.n_layers = 1, .n_heads = f.n_heads, .n_nope = 128, .n_rope = 64, .n_value = 128, .n_latent = 512};
  const auto format = mla::cache::RowFormat::of(shape, {.type_k = mla::parse_cache_type(f.cache_type)});
  const Weights weights(shape);
  const LatentWeights latent = weights.get();
  const int most_queries = std::max(std::ranges::max(f.queries), measured_queries), most_rows = std::max(1024, most_queries + std::ranges::max(f.keys));
  std::vector<float> workspace(absorbed_workspace_floats(shape));
  mla::platform::Executor executor(mla::make_thread_pool(f.n_threads), {}, Attention::scratch_floats(shape, most_queries), nullptr);
  const mla::AttentionRates rates = measured_rates(shape, format, latent, workspace, executor);
  fmt::print("# {} heads, {} rows, {} threads; ns: expanded {:.4g}, pair {:.4g}, key {:.4g}; absorbed {:.4g}, pair {:.4g}, query {:.4g}\n", f.n_heads, f.cache_type, executor.n_threads(),
             rates.expanded_start, rates.expanded_pair, rates.expanded_key, rates.absorbed_start, rates.absorbed_pair, rates.absorbed_query);
  fmt::print("queries,keys,expanded_ms,absorbed_ms,expected_expanded_ms,expected_absorbed_ms,chosen,best_over_chosen\n");
  Probe probe(shape, format, latent, workspace, executor, most_queries, most_rows);
  for (const int queries : f.queries)
    for (const int keys : f.keys) {
      const double expanded = median(probe, Form::expanded, queries, keys, f.repetitions), absorbed = median(probe, Form::absorbed, queries, keys, f.repetitions);
      const mla::AttentionPlan plan = mla::plan_attention(rates, queries, keys);
      const bool uses_absorbed = queries == 1 || plan.uses_absorbed();
      fmt::print("{},{},{:.4g},{:.4g},{:.4g},{:.4g},{},{:.3f}\n", queries, keys, expanded * 1e3, absorbed * 1e3, plan.expanded / 1e6, plan.absorbed / 1e6,
                 uses_absorbed ? "absorbed" : "expanded", std::min(expanded, absorbed) / (uses_absorbed ? absorbed : expanded));
      std::fflush(stdout);
    }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Times of attention of one layer in both forms, as CSV, and what mode `auto` would choose.", "mla-bench-attention");
  Flags f;
  program::add_list(app, "--queries", f.queries, "new tokens", program::whole_number(1, 65536));
  program::add_list(app, "--keys", f.keys, "tokens in the cache", program::whole_number(0, 1 << 20));
  app.add_option("--heads", f.n_heads, "heads")->check(program::whole_number(1, 1024))->capture_default_str();
  app.add_option("--cache-type", f.cache_type, "number format of the cache")->check(CLI::IsMember(program::cache_type_names()))->capture_default_str();
  app.add_option("-t,--threads", f.n_threads, "threads; 0: one for each fast core")->check(program::whole_number(0, mla::max_threads));
  app.add_option("-r,--repetitions", f.repetitions, "measurements of each cell, after one that does not count")->check(program::whole_number(1, 1000))->capture_default_str();
  return program::run(app, argc, argv, [&] { run(f); });
}
