// The 16-bit products of attention: every instruction set against plain loops in double, and at the limits of 32-bit sums.
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "catch.hpp"
#include "kernels/int16.hpp"

using namespace mla::kernels;
using mla::platform::Isa;

namespace {

struct NamedKernels {
  const char* name;
  Int16Kernels kernels;
};

std::vector<NamedKernels> all_kernels() {
  std::vector<NamedKernels> all;
  for (const Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512})
    if (isa <= mla::platform::detected_isa()) all.push_back({to_string(isa), int16_kernels(isa)});
  return all;
}

std::vector<float> random_floats(std::size_t n, unsigned seed, float scale = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(n);
  for (float& v : values) v = normal(generator);
  return values;
}

// Rows, rounded; those of the right operand in panels too.
struct Rounded {
  std::vector<std::int16_t> ints;
  std::vector<float> scales;

  Rounded(const Int16Kernels& kernels, const std::vector<float>& x, std::int64_t rows, std::int64_t k, bool right) : ints(x.size()), scales(static_cast<std::size_t>(rows)) {
    for (std::int64_t i = 0; i < rows; ++i) scales[static_cast<std::size_t>(i)] = kernels.round(x.data() + i * k, k, ints.data() + i * k);
    if (!right) return;
    const std::vector<std::int16_t> plain = ints;
    for (std::int64_t i = 0; i < rows; i += int16_columns) kernels.interleave(plain.data() + i * k, k, k / 2, ints.data() + i * k);
  }
};

// Pairs of the left operand as rows of ints hold them, or side by side for all rows, as the weights of a softmax are.
struct LeftOperand {
  std::vector<std::int16_t> ints;
  std::int64_t row, pair;

  LeftOperand(const std::vector<std::int16_t>& rows, std::int64_t m, std::int64_t k, bool transposed) : ints(rows), row(k), pair(2) {
    if (!transposed) return;
    row = 2, pair = 2 * m;
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t l = 0; l < k; ++l) ints[static_cast<std::size_t>(i * row + l / 2 * pair + l % 2)] = rows[static_cast<std::size_t>(i * k + l)];
  }
};

}  // namespace

TEST_CASE("products of rounded rows are those of the floats, within a few ten-thousandths of the norms", "[kernels]") {
  for (const auto& [name, kernels] : all_kernels())
    for (const std::int64_t k : {2, 24, 64, 128, 130, 192, 512, 576})
      for (const std::int64_t m : {4, 8, 12, 16, 28}) {
        const std::int64_t n = 48;
        const auto x = random_floats(static_cast<std::size_t>(m * k), 1), y = random_floats(static_cast<std::size_t>(n * k), 2, 30);
        const Rounded a(kernels, x, m, k, false), b(kernels, y, n, k, true);
        const LeftOperand left(a.ints, m, k, m % 8 == 0);
        std::vector<float> c(static_cast<std::size_t>(m * (n + 3)), 1.0f), factor(static_cast<std::size_t>(m), 0.5f);
        kernels.multiply({left.ints.data(), left.row, left.pair, b.ints.data(), 16 * k, m, n, k, a.scales.data(), b.scales.data(), factor.data(), c.data(), n + 3});
        for (std::int64_t i = 0; i < m; ++i)
          for (std::int64_t j = 0; j < n; ++j) {
            double expected = 0.5, norm_x = 0, norm_y = 0;
            for (std::int64_t l = 0; l < k; ++l) {
              const double p = x[static_cast<std::size_t>(i * k + l)], q = y[static_cast<std::size_t>(j * k + l)];
              expected += p * q, norm_x += p * p, norm_y += q * q;
            }
            CAPTURE(name, k, m, i, j);
            REQUIRE(std::abs(c[static_cast<std::size_t>(i * (n + 3) + j)] - expected) < 2e-4 * std::sqrt(norm_x * norm_y));
          }
      }
}

TEST_CASE("rows at the limit neither overflow nor saturate", "[kernels]") {
  for (const auto& [name, kernels] : all_kernels())
    for (const std::int64_t k : {2, 128, 512})
      for (const float sign : {1.0f, -1.0f})
        for (const bool one_value : {false, true}) {
          std::vector<float> x(static_cast<std::size_t>(4 * k), one_value ? 0.0f : 3e8f), y(static_cast<std::size_t>(16 * k), one_value ? 0.0f : sign * 7e-8f);
          if (one_value)
            for (std::int64_t i = 0; i < 16; ++i) {
              if (i < 4) x[static_cast<std::size_t>(i * k)] = 3e8f;
              y[static_cast<std::size_t>(i * k)] = sign * 7e-8f;
            }
          const Rounded a(kernels, x, 4, k, false), b(kernels, y, 16, k, true);
          std::vector<float> c(64);
          kernels.multiply({a.ints.data(), k, 2, b.ints.data(), 16 * k, 4, 16, k, a.scales.data(), b.scales.data(), nullptr, c.data(), 16});
          const double expected = sign * 21.0 * static_cast<double>(one_value ? 1 : k);
          for (const float v : c) {
            CAPTURE(name, k, sign, one_value, v);
            REQUIRE(std::abs(v - expected) < 1e-3 * std::abs(expected));
          }
        }
}

namespace {

// Sixteen rows of scores, their softmax and what it gives.
struct Softmax {
  std::int64_t n;
  std::vector<float> scores, value_scale;  // [n, 16], [n]
  std::array<std::int32_t, 16> visible{};
  std::array<float, 16> max{}, sum{}, weight_scale{}, factor{};
  std::vector<std::int16_t> weights;

  Softmax(std::int64_t keys, float old_max) : n(keys), scores(static_cast<std::size_t>(16 * n)), value_scale(static_cast<std::size_t>(n), 1.0f), weights(scores.size()) {
    visible.fill(static_cast<std::int32_t>(n)), max.fill(old_max);
  }
  void run(const Int16Kernels& kernels) {
    std::vector<float> lost = scores;
    kernels.softmax({lost.data(), value_scale.data(), n, visible.data(), max.data(), sum.data(), weights.data(), weight_scale.data(), factor.data()});
  }
  float score(std::int64_t key, std::size_t row) const { return scores[static_cast<std::size_t>(key) * 16 + row]; }
  int weight(std::int64_t key, std::size_t row) const { return weights[static_cast<std::size_t>(key / 2 * 32 + key % 2) + 2 * row]; }
};

constexpr float none = -std::numeric_limits<float>::infinity();

}  // namespace

TEST_CASE("softmax weights sum to what the scores say, and fit", "[kernels]") {
  for (const auto& [name, kernels] : all_kernels())
    for (const std::int64_t n : {2, 8, 16, 100, 256})
      for (const float spread : {0.0f, 1.0f, 30.0f})
        for (const bool all_seen : {true, false}) {
          const float old_max = spread > 1 ? 40.0f : none;
          Softmax softmax(n, old_max);
          softmax.scores = random_floats(softmax.scores.size(), 3, spread), softmax.value_scale = random_floats(softmax.value_scale.size(), 4);
          for (float& v : softmax.value_scale) v = 1e-4f * (1 + std::abs(v));
          softmax.sum.fill(spread > 1 ? 2.0f : 0.0f);
          if (!all_seen)
            for (std::size_t row = 0; row < 16; ++row) softmax.visible[row] = static_cast<std::int32_t>(static_cast<std::size_t>(n) * row / 15);
          softmax.run(kernels);
          for (std::size_t row = 0; row < 16; ++row) {
            double max = old_max, sum = 0, weighted = 0, worst = 0;
            for (int key = 0; key < softmax.visible[row]; ++key) max = std::max<double>(max, softmax.score(key, row));
            const double factor = max == old_max ? 1 : std::exp(old_max - max);
            long total = 0;
            for (int key = 0; key < n; ++key) {
              const auto at = static_cast<std::size_t>(key);
              const double e = key < softmax.visible[row] ? std::exp(softmax.score(key, row) - max) : 0;
              sum += e, weighted += e * softmax.value_scale[at];
              total += softmax.weight(key, row);
              REQUIRE(softmax.weight(key, row) >= 0);
              worst = std::max(worst, std::abs(static_cast<double>(softmax.weight(key, row)) * softmax.weight_scale[row] - e * softmax.value_scale[at]));
            }
            CAPTURE(name, n, spread, row);
            CHECK(softmax.max[row] == static_cast<float>(max));
            CHECK(std::abs(softmax.factor[row] - factor) <= 1e-6);
            CHECK(std::abs(softmax.sum[row] - (sum + factor * (spread > 1 ? 2.0 : 0.0))) <= 1e-5 * sum + 1e-6);
            CHECK(total <= 131071);
            CHECK(worst <= 4e-5 * weighted + 2e-25);  // half a step of 1 / 32767, and the mass that rounding has moved
          }
        }
}

TEST_CASE("a weight sum at its limit with the largest values stays exact", "[kernels]") {
  for (const auto& [name, kernels] : all_kernels()) {
    const std::int64_t n = 256;
    Softmax softmax(n, none);
    softmax.run(kernels);
    std::vector<std::int16_t> rows(2 * 16, static_cast<std::int16_t>(int16_largest)), values(16 * n);
    for (std::int64_t k = 0; k < n; k += 2) kernels.pair(rows.data(), rows.data() + 16, 16, values.data() + 16 * k, 0);
    std::vector<float> c(256);
    kernels.multiply({softmax.weights.data(), 2, 32, values.data(), 16 * n, 16, 16, n, softmax.weight_scale.data(), nullptr, nullptr, c.data(), 16, true});
    for (const float v : c) {
      CAPTURE(name, v);
      REQUIRE(std::abs(v - 256.0 * int16_largest) < 1e-6 * 256 * int16_largest);
    }
  }
}

TEST_CASE("zeros stay zero, and what is not a number stays that", "[kernels]") {
  for (const auto& [name, kernels] : all_kernels()) {
    CAPTURE(name);
    std::vector<std::int16_t> out(40, std::int16_t{7});
    CHECK(kernels.round(std::vector<float>(40).data(), 40, out.data()) == 0.0f);
    CHECK(out == std::vector<std::int16_t>(40));
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      std::vector<float> x(40, 1.0f);
      x[33] = bad;
      CHECK(!std::isfinite(kernels.round(x.data(), 40, out.data())));
    }
  }
}
