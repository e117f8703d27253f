// The 16-bit products of attention: every instruction set against plain loops in double, and at the limits of 32-bit sums.
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

// Both operands rounded and packed.
struct Packed {
  std::vector<std::int16_t> panels;
  std::vector<float> scales;

  Packed(const Int16Kernels& kernels, const std::vector<float>& x, std::int64_t rows, std::int64_t k, std::int64_t of_panel) : panels(x.size()), scales(static_cast<std::size_t>(rows)) {
    std::vector<std::int16_t> ints(x.size());
    for (std::int64_t i = 0; i < rows; ++i) scales[static_cast<std::size_t>(i)] = kernels.round(x.data() + i * k, k, ints.data() + i * k);
    for (std::int64_t i = 0; i < rows; i += of_panel)
      (of_panel == 4 ? kernels.interleave4 : kernels.interleave16)(ints.data() + i * k, k, k / 2, panels.data() + i * k);
  }
};

}  // namespace

TEST_CASE("products of rounded rows are those of the floats, within a few ten-thousandths of the norms", "[kernels]") {
  for (const auto& [name, kernels] : all_kernels())
    for (const std::int64_t k : {2, 24, 64, 128, 130, 192, 512, 576})
      for (const std::int64_t m : {4, 8, 12, 16, 28}) {
        const std::int64_t n = 48;
        const auto x = random_floats(static_cast<std::size_t>(m * k), 1), y = random_floats(static_cast<std::size_t>(n * k), 2, 30);
        const Packed a(kernels, x, m, k, 4), b(kernels, y, n, k, 16);
        std::vector<float> c(static_cast<std::size_t>(m * (n + 3)), 1.0f), factor(static_cast<std::size_t>(m), 0.5f);
        kernels.multiply({a.panels.data(), b.panels.data(), 16 * k, m, n, k, a.scales.data(), b.scales.data(), factor.data(), c.data(), n + 3});
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
          const Packed a(kernels, x, 4, k, 4), b(kernels, y, 16, k, 16);
          std::vector<float> c(64);
          kernels.multiply({a.panels.data(), b.panels.data(), 16 * k, 4, 16, k, a.scales.data(), b.scales.data(), nullptr, c.data(), 16});
          const double expected = sign * 21.0 * static_cast<double>(one_value ? 1 : k);
          for (const float v : c) {
            CAPTURE(name, k, sign, one_value, v);
            REQUIRE(std::abs(v - expected) < 1e-3 * std::abs(expected));
          }
        }
}

TEST_CASE("softmax weights sum to what the scores say, and fit", "[kernels]") {
  for (const auto& [name, kernels] : all_kernels())
    for (const std::int64_t n : {1, 7, 8, 16, 100, 256})
      for (const float spread : {0.0f, 1.0f, 30.0f}) {
        const auto scores = random_floats(static_cast<std::size_t>(n), 3, spread);
        std::vector<float> value_scale = random_floats(static_cast<std::size_t>(n), 4);
        for (float& v : value_scale) v = 1e-4f * (1 + std::abs(v));
        std::vector<std::int16_t> weights(static_cast<std::size_t>(n));
        Int16Softmax row{scores.data(), value_scale.data(), n, spread > 1 ? 40.0f : -std::numeric_limits<float>::infinity(), weights.data(), 0, 0, 0};
        kernels.softmax(row);
        const double max = std::max<double>(row.old_max, *std::max_element(scores.begin(), scores.end()));
        double sum = 0, weighted = 0, worst = 0;
        long total = 0;
        for (std::size_t i = 0; i < weights.size(); ++i) {
          const double e = std::exp(scores[i] - max);
          sum += e, weighted += e * value_scale[i];
          total += weights[i];
          REQUIRE(weights[i] >= 0);
          worst = std::max(worst, std::abs(static_cast<double>(weights[i]) * row.weight_scale - e * value_scale[i]));
        }
        CAPTURE(name, n, spread);
        CHECK(row.max == static_cast<float>(max));
        CHECK(std::abs(row.sum - sum) <= 1e-5 * sum);
        CHECK(total <= 131071);
        CHECK(worst <= 2e-5 * weighted + 1e-30);
      }
}

TEST_CASE("a weight sum at its limit with the largest values stays exact", "[kernels]") {
  for (const auto& [name, kernels] : all_kernels()) {
    const std::int64_t n = 256;
    const std::vector<float> scores(n, 0.0f), scale(n, 1.0f);
    std::vector<std::int16_t> weights(4 * n), panel(4 * n), rows(2 * 16, static_cast<std::int16_t>(int16_largest)), values(16 * n);
    float weight_scale[4];
    for (int i = 0; i < 4; ++i) {
      Int16Softmax row{scores.data(), scale.data(), n, -std::numeric_limits<float>::infinity(), weights.data() + i * n, 0, 0, 0};
      kernels.softmax(row);
      weight_scale[i] = row.weight_scale;
    }
    kernels.interleave4(weights.data(), n, n / 2, panel.data());
    for (std::int64_t k = 0; k < n; k += 2) kernels.pair(rows.data(), rows.data() + 16, 16, values.data() + 16 * k, 0);
    std::vector<float> c(64);
    kernels.multiply({panel.data(), values.data(), 16 * n, 4, 16, n, weight_scale, nullptr, nullptr, c.data(), 16, true});
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
