#include "catch.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mla/error.hpp>
#include <mla/machine.hpp>
#include <random>
#include <thread>
#include <vector>

#include "kernels/dot.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/integer_gemm.hpp"
#include "kernels/matmul.hpp"
#include "kernels/sgemm.hpp"
#include "quant/dequantize.hpp"
#include "shapes/shapes.hpp"

using namespace mla;
using namespace mla::kernels;

namespace {

std::vector<float> normals(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) value = normal(random);
  return values;
}

// Random bits make valid blocks of every type; a scale that came out infinite or not a number, of a block or a row, is replaced.
std::vector<std::byte> random_blocks(quant::Type type, std::int64_t rows, std::int64_t cols, unsigned seed) {
  std::mt19937 random(seed);
  const std::size_t row_bytes = quant::row_bytes(type, cols);
  std::vector<std::byte> blocks(static_cast<std::size_t>(rows) * row_bytes);
  const quant::TypeTraits& t = quant::traits(type);
  // What is replaced together: the whole row where it has a scale, else a block.
  const std::int64_t n_values = t.header_bytes > 0 ? cols : t.block_size;
  const std::size_t piece = quant::row_bytes(type, n_values);
  std::vector<float> values(static_cast<std::size_t>(n_values));
  for (std::size_t at = 0; at < blocks.size(); at += piece) {
    bool tame = false;
    while (!tame) {
      for (std::size_t i = 0; i < piece; ++i) blocks[at + i] = static_cast<std::byte>(random());
      quant::dequantize(type, blocks.data() + at, values.data(), n_values);
      tame = true;
      for (const float value : values) tame &= std::abs(value) < 1e4f;
    }
  }
  return blocks;
}

// Rounding of a sum of k products in float: k · 2^-24 of the sum of magnitudes is never reached; a tenth of it is ample.
// Activations of 8 bits are off by up to half a step, which is 1/127 of the largest magnitude among 256 of them.
void check_close(const MatmulParams& p, const std::vector<float>& got, bool rounded) {
  std::vector<float> expected(got.size());
  MatmulParams q = p;
  q.y = expected.data();
  matmul_reference(q);
  std::vector<float> row(static_cast<std::size_t>(p.w.cols));
  double worst = 0;
  for (std::int64_t j = 0; j < p.w.rows; ++j) {
    quant::dequantize(p.w.type, p.w.row(j), row.data(), p.w.cols);
    for (std::int64_t i = 0; i < p.m; ++i) {
      double magnitude = 1e-30;
      for (std::int64_t first = 0; first < p.w.cols; first += chunk_values) {
        const std::int64_t end = std::min(first + chunk_values, p.w.cols);
        double largest = 0, weights = 0;
        for (std::int64_t k = first; k < end; ++k) {
          const double x = std::abs(static_cast<double>(p.x[i * p.ldx + k])), weight = std::abs(static_cast<double>(row[static_cast<std::size_t>(k)]));
          magnitude += x * weight;
          largest = std::max(largest, x), weights += weight;
        }
        if (rounded) magnitude += 1e6 * weights * largest / 127 / 2;
      }
      const auto at = static_cast<std::size_t>(i * p.ldy + j);
      worst = std::max(worst, std::abs(static_cast<double>(got[at]) - expected[at]) / magnitude);
    }
  }
  INFO("type " << quant::traits(p.w.type).name << ", m " << p.m << ", n " << p.w.rows << ", k " << p.w.cols);
  CHECK(worst < 1e-6);
}

}  // namespace

TEST_CASE("sgemm against plain loops") {
  for (const auto& [m, n, k] : {std::tuple{1, 1, 1}, {1, 64, 576}, {3, 5, 7}, {128, 256, 192}, {17, 33, 65}}) {
    for (const Transpose transpose : {Transpose::no, Transpose::yes}) {
      for (const float beta : {0.0f, 1.0f}) {
        const std::int64_t lda = k + 3, ldb = (transpose == Transpose::yes ? k : n) + 5, ldc = n + 2;
        const auto a = normals(static_cast<std::size_t>(m * lda), 1), b = normals(static_cast<std::size_t>(std::max(n, k) * ldb), 2);
        auto c = normals(static_cast<std::size_t>(m * ldc), 3), expected = c;
        const SgemmParams p{a.data(), lda, b.data(), ldb, transpose, c.data(), ldc, m, n, k, beta};
        SgemmParams q = p;
        q.c = expected.data();
        sgemm(p);
        sgemm_reference(q);
        double worst = 0;
        for (std::size_t i = 0; i < c.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(c[i]) - expected[i]));
        CHECK(worst < 1e-6 * (k + 10));
      }
    }
  }
}

TEST_CASE("a matrix product leaves the host's OpenMP settings and starts no team") {
  const auto a = normals(64 * 64, 1);
  const int before = omp_get_max_threads();
  omp_set_num_threads(3);
  std::vector<float> c(64 * 64);
  sgemm({a.data(), 64, a.data(), 64, Transpose::yes, c.data(), 64, 64, 64, 64, 0.0f});
  CHECK(omp_get_max_threads() == 3);
  omp_set_num_threads(before);
  std::thread([&] {
    sgemm({a.data(), 64, a.data(), 64, Transpose::yes, c.data(), 64, 64, 64, 64, 0.0f});
    CHECK(omp_get_max_threads() == before);
  }).join();
}

TEST_CASE("dot products of every instruction set this processor has") {
  for (const platform::Isa isa : {platform::Isa::scalar, platform::Isa::avx2, platform::Isa::avx512}) {
    if (isa > platform::detected_isa()) continue;
    for (std::int64_t n = 0; n < 140; ++n) {
      const auto a = normals(static_cast<std::size_t>(n), 1), b = normals(static_cast<std::size_t>(n), 2);
      double sum = 0, magnitude = 1;
      for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i], magnitude += std::abs(a[i] * b[i]);
      CHECK(std::abs(dot_kernel(isa)(a.data(), b.data(), n) - sum) < 1e-6 * magnitude);
    }
  }
}

TEST_CASE("products with every weight type, few and many rows, odd sizes") {
  platform::Executor executor(make_thread_pool(2), {}, matmul_scratch_floats(4096), nullptr);
  unsigned seed = 10;
  for (const quant::Type type : quant::all_types()) {
    for (const auto& [m, n, k] : read_shapes("small")) {
      if (k % quant::traits(type).block_size != 0) continue;
      const auto blocks = random_blocks(type, n, k, ++seed);
      const Matrix w{blocks.data(), type, n, k, quant::row_bytes(type, k)};
      const auto x = normals(static_cast<std::size_t>(m * (k + 1)), ++seed);
      std::vector<float> y(static_cast<std::size_t>(m * (n + 2)));
      const MatmulParams p{x.data(), k + 1, m, w, y.data(), n + 2};
      std::vector<float> scratch(matmul_scratch_floats(k));
      matmul_on_this_thread(p, scratch);
      check_close(p, y, false);
      std::vector<std::byte> memory(int8_rows_bytes(m, k));
      std::ranges::fill(y, 0.0f);
      matmul(p, memory, executor);
      check_close(p, y, !round_rows(p.x, p.ldx, m, k, {type}, memory, executor).is_empty());
    }
  }
}

TEST_CASE("the products of real models, one token and a few") {
  platform::Executor executor(make_thread_pool(2), {}, matmul_scratch_floats(7168), nullptr);
  for (const quant::Type type : {quant::Type::q4_k, quant::Type::q8_0}) {
    for (const auto& [m, n, k] : read_shapes("models")) {
      if (m > 4 || k % quant::traits(type).block_size != 0) continue;  // check_close() takes its time
      const auto blocks = random_blocks(type, n, k, 1);
      const auto x = normals(static_cast<std::size_t>(m * k), 2);
      std::vector<float> y(static_cast<std::size_t>(m * n));
      std::vector<std::byte> memory(int8_rows_bytes(m, k));
      const MatmulParams p{x.data(), k, m, {blocks.data(), type, n, k, quant::row_bytes(type, k)}, y.data(), n};
      matmul(p, memory, executor);
      check_close(p, y, !round_rows(p.x, p.ldx, m, k, {type}, memory, executor).is_empty());
    }
  }
}

TEST_CASE("products of bytes against plain loops") {
  for (const auto& [m, n, k] : read_shapes("small")) {
    std::mt19937 random(3);
    std::vector<std::uint8_t> a(static_cast<std::size_t>(m * k));
    std::vector<std::int8_t> b(static_cast<std::size_t>(n * k));
    // 7 bits: two products then never exceed 16, whatever instructions oneDNN takes
    for (std::uint8_t& v : a) v = static_cast<std::uint8_t>(random() % 128);
    for (std::int8_t& v : b) v = static_cast<std::int8_t>(static_cast<int>(random() % 256) - 128);
    std::vector<std::int32_t> c(static_cast<std::size_t>(m * n), -1), expected(c.size(), 0);
    integer_gemm({a.data(), b.data(), c.data(), m, n, k});
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j)
        for (std::int64_t l = 0; l < k; ++l)
          expected[static_cast<std::size_t>(i * n + j)] += a[static_cast<std::size_t>(i * k + l)] * b[static_cast<std::size_t>(j * k + l)];
    CHECK(c == expected);
  }
}

TEST_CASE("the machine's rates are positive, and more threads are refused than can be") {
  const MachineRates rates = measure_machine(1);
  for (const double rate : {rates.read_bytes, rates.f32_operations, rates.int8_operations}) {
    CHECK(rate > 1e6);
    CHECK(rate < 1e15);
  }
  CHECK_THROWS_AS(measure_machine(-1), Error);
}

TEST_CASE("row-wise operations") {
  const auto x = normals(1000, 5), w = normals(1000, 6);
  std::vector<float> y(1000);
  rms_norm(x.data(), w.data(), 1e-6f, y.data(), 1000);
  double squares = 0;
  for (const float v : x) squares += static_cast<double>(v) * v;
  for (std::size_t i = 0; i < 1000; ++i) CHECK(y[i] == Approx(x[i] / std::sqrt(squares / 1000 + 1e-6) * w[i]).epsilon(1e-5));

  auto gate = x;
  gate[0] = 200, gate[1] = -200;
  const auto before = gate;
  silu_multiply(gate.data(), w.data(), 1000);
  for (std::size_t i = 0; i < 1000; ++i)
    CHECK(gate[i] == Approx(before[i] / (1 + std::exp(-static_cast<double>(before[i]))) * w[i]).epsilon(1e-5).margin(1e-30));

  constexpr float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> scores{1.0f, -infinity, 3.0f, -500.0f, 2.0f};
  const float sum = exp_minus_max(scores.data(), 3.0f, 5);
  CHECK(scores[1] == 0.0f);
  CHECK(scores[2] == Approx(1.0f));
  CHECK(scores[3] < 1e-30f);
  CHECK(sum == Approx(1 + std::exp(-1.0) + std::exp(-2.0)));

  std::vector<float> pair{3.0f, 4.0f};
  const float cosine = 0.6f, sine = 0.8f;
  rope_interleaved(pair.data(), &cosine, &sine, 1);
  CHECK(pair[0] == Approx(3 * 0.6 - 4 * 0.8).margin(1e-6));
  CHECK(pair[1] == Approx(3 * 0.8 + 4 * 0.6));
}
