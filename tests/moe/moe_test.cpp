#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "moe/experts.hpp"

using namespace mla;
using namespace mla::moe;

namespace {

std::vector<Choice> routed(const RouterParams& p, std::vector<float> logits, const std::vector<float>& bias = {}) {
  std::vector<float> selection(logits.size());
  std::vector<Choice> chosen(static_cast<std::size_t>(p.n_used));
  route(p, logits, bias, selection, chosen);
  return chosen;
}

std::vector<int> experts_of(const std::vector<Choice>& chosen) {
  std::vector<int> experts;
  for (const Choice& choice : chosen) experts.push_back(choice.expert);
  std::ranges::sort(experts);
  return experts;
}

}  // namespace

TEST_CASE("softmax gating: the best of all, weights not renormalised unless asked") {
  RouterParams p{.n_experts = 4, .n_used = 2, .scale = 3};
  const std::vector<float> logits{std::log(1.0f), std::log(4.0f), std::log(2.0f), std::log(3.0f)};
  auto chosen = routed(p, logits);
  CHECK(chosen[0].expert == 1);
  CHECK(chosen[1].expert == 3);
  CHECK(chosen[0].weight == Approx(0.4f * 3));
  CHECK(chosen[1].weight == Approx(0.3f * 3));
  p.normalize = true;
  chosen = routed(p, logits);
  CHECK(chosen[0].weight == Approx(3 * 4.0f / 7));
}

TEST_CASE("a group's score is its maximum with softmax gating, the sum of its two best with sigmoid gating") {
  // Group 0 has the best expert, group 1 the two best together.
  const std::vector<float> logits{5.0f, -5.0f, -5.0f, 3.0f, 3.0f, -5.0f};
  RouterParams p{.n_experts = 6, .n_used = 2, .n_groups = 2, .n_groups_used = 1};
  CHECK(experts_of(routed(p, logits)) == std::vector{0, 1});
  p.gating = Gating::sigmoid;
  CHECK(experts_of(routed(p, logits)) == std::vector{3, 4});
}

TEST_CASE("the bias decides the selection and never the weights; a dropped group can't win against negative scores") {
  RouterParams p{.n_experts = 4, .n_used = 2, .n_groups = 2, .n_groups_used = 1, .gating = Gating::sigmoid};
  const std::vector<float> logits{0.0f, 0.0f, 1.0f, 1.0f};
  // All biased scores of the kept group are below 0, those of the other still lower.
  const auto chosen = routed(p, logits, {-2.0f, -2.5f, -9.0f, -9.0f});
  CHECK(experts_of(chosen) == std::vector{0, 1});
  CHECK(chosen[0].weight == Approx(0.5f));
}

TEST_CASE("equal scores: the lower index") {
  const RouterParams p{.n_experts = 5, .n_used = 3};
  CHECK(experts_of(routed(p, std::vector<float>(5, 0.0f))) == std::vector{0, 1, 2});
}

TEST_CASE("grouped experts equal one expert after another") {
  constexpr int n_embd = 96, n_ff = 160, n_experts = 7;
  const RouterParams p{.n_experts = n_experts, .n_used = 3, .scale = 1.5f};
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  const auto filled = [&](std::size_t n, float scale) {
    std::vector<float> values(n);
    for (float& value : values) value = normal(random) * scale;
    return values;
  };
  const auto router = filled(n_experts * n_embd, 0.3f), gate = filled(n_experts * n_ff * n_embd, 0.1f);
  const auto up = filled(n_experts * n_ff * n_embd, 0.1f), down = filled(n_experts * n_embd * n_ff, 0.1f);
  const auto matrix = [](const std::vector<float>& v, std::int64_t rows, std::int64_t cols) {
    return kernels::Matrix{reinterpret_cast<const std::byte*>(v.data()), quant::Type::f32, rows, cols, static_cast<std::size_t>(cols) * 4};
  };
  const auto stack = [&](const std::vector<float>& v, std::int64_t rows, std::int64_t cols) {
    return kernels::MatrixStack{matrix(v, rows, cols), n_experts, static_cast<std::size_t>(rows * cols) * 4};
  };
  const ExpertWeights w{matrix(router, n_experts, n_embd), nullptr, stack(gate, n_ff, n_embd), stack(up, n_ff, n_embd),
                        stack(down, n_embd, n_ff)};

  for (const int n : {1, 2, 33}) {  // with 1 and 2 tokens most experts have none
    const auto x = filled(static_cast<std::size_t>(n) * n_embd, 1);
    auto y = filled(static_cast<std::size_t>(n) * n_embd, 1);
    const auto start = y;
    platform::Executor executor(make_thread_pool(2), {}, layers::gated_scratch_floats(n_embd, 40), nullptr);
    const ExpertSizes sizes{p, n_embd, n_ff, 40};
    platform::Scratch counter;
    const ExpertBuffers counted(sizes, counter);
    platform::Buffer memory(nullptr, counter.floats() * sizeof(float), "activations"), rounded(nullptr, ExpertBuffers::rounded_bytes(sizes), "activations");
    platform::Scratch scratch(memory.as<float>());
    Experts(sizes, ExpertBuffers(sizes, scratch), {rounded.data(), rounded.size()}).run(w, x.data(), n, y.data(), executor);

    double worst = 0;
    for (int t = 0; t < n; ++t) {
      const float* in = x.data() + t * n_embd;
      std::vector<float> logits(n_experts);
      kernels::matmul_reference({in, n_embd, 1, w.router, logits.data(), n_experts});
      std::vector<double> sum(n_embd);
      for (const Choice& choice : routed(p, logits)) {
        std::vector<float> g(n_ff), u(n_ff), out(n_embd);
        kernels::matmul_reference({in, n_embd, 1, w.gate[choice.expert], g.data(), n_ff});
        kernels::matmul_reference({in, n_embd, 1, w.up[choice.expert], u.data(), n_ff});
        for (std::size_t i = 0; i < n_ff; ++i) g[i] = g[i] / (1 + std::exp(-g[i])) * u[i];
        kernels::matmul_reference({g.data(), n_ff, 1, w.down[choice.expert], out.data(), n_embd});
        for (std::size_t i = 0; i < n_embd; ++i) sum[i] += static_cast<double>(choice.weight) * out[i];
      }
      for (std::size_t i = 0; i < n_embd; ++i) {
        const std::size_t at = static_cast<std::size_t>(t) * n_embd + i;
        worst = std::max(worst, std::abs(y[at] - (start[at] + sum[i])));
      }
    }
    CHECK(worst < 1e-5);
  }
}
