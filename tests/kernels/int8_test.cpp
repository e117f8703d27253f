// The 8-bit products of every instruction set against double sums over dequantised weights and the same rounded activations.
#include <cmath>
#include <optional>
#include <random>
#include <vector>

#include "catch.hpp"
#include "kernels/int8.hpp"
#include "quant/dequantize.hpp"
#include "quant/types.hpp"

using namespace mla;
using namespace mla::kernels;

namespace {

struct Activations {
  std::vector<float> x;
  std::vector<std::byte> memory;
  Int8Rows rows;

  Activations(const Int8Kernels& kernels, std::vector<float> values, std::int64_t m, std::int64_t k) : x(std::move(values)), memory(int8_rows_bytes(m, k)) {
    rows = int8_rows_at(memory.data(), m, k);
    for (std::int64_t i = 0; i < m; ++i) kernels.quantize(x.data() + i * k, k, rows.from(i));
  }
  double value(std::int64_t i, std::int64_t k) const {
    const Int8Rows row = rows.from(i);
    return static_cast<double>(row.q[k]) * row.scale[k / chunk_values];
  }
};

std::vector<float> normals(std::int64_t n, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& v : values) v = normal(random);
  return values;
}

// Random bits, or all of them alike, are valid blocks of every type; blocks whose scales came out infinite, NaN or huge are drawn again.
std::vector<std::byte> blocks(quant::Type type, std::int64_t rows, std::int64_t k, std::mt19937& random, std::optional<std::byte> extreme = {}) {
  const quant::TypeTraits& traits = quant::traits(type);
  std::vector<std::byte> data(static_cast<std::size_t>(rows) * quant::row_bytes(type, k));
  std::vector<float> values(static_cast<std::size_t>(traits.block_size));
  const auto bytes = static_cast<std::size_t>(traits.block_bytes);
  for (std::size_t at = 0; at < data.size(); at += bytes) {
    bool tame = false;
    for (int round = 0; !tame; ++round) {
      for (std::size_t i = 0; i < bytes; ++i) data[at + i] = extreme && round == 0 ? *extreme : static_cast<std::byte>(random());
      if (extreme)  // f16 scales are at one end or the other of a block; 0x3cff is 1.25, 0x3c00 is 1
        for (const std::size_t scale : {std::size_t{0}, std::size_t{2}, bytes - 4, bytes - 2})
          if (round == 0) data[at + scale + 1] = std::byte{0x3c};
      quant::dequantize(type, data.data() + at, values.data(), traits.block_size);
      tame = true;
      for (const float value : values) tame &= std::abs(value) < 1e6f;
    }
  }
  return data;
}

void check_product(const Int8Kernels::ProductFn product, quant::Type type, const std::vector<std::byte>& weights, const Activations& a, std::int64_t m,
                   std::int64_t n, std::int64_t k) {
  const std::size_t row_bytes = quant::row_bytes(type, k);
  const std::int64_t ldy = n + 3;
  std::vector<float> y(static_cast<std::size_t>(m * ldy), 77.0f), row(static_cast<std::size_t>(k));
  alignas(64) static std::byte scratch[int8_scratch_bytes];
  product({a.rows, m, weights.data(), row_bytes, n, k, y.data(), ldy}, scratch);
  double worst = 0;
  std::int64_t worst_i = 0, worst_j = 0;
  for (std::int64_t j = 0; j < n; ++j) {
    quant::dequantize(type, weights.data() + static_cast<std::size_t>(j) * row_bytes, row.data(), k);
    double widest = 0;  // q + 128 times its offset, before they cancel: rounding is relative to these
    for (const float v : row) widest = std::max(widest, std::abs(static_cast<double>(v)));
    for (std::int64_t i = 0; i < m; ++i) {
      double sum = 0, magnitude = 1e-30;
      for (std::int64_t c = 0; c < k; ++c) {
        sum += a.value(i, c) * row[static_cast<std::size_t>(c)];
        magnitude += std::abs(a.value(i, c)) * widest;
      }
      const double error = std::abs(y[static_cast<std::size_t>(i * ldy + j)] - sum) / magnitude;
      if (!(error <= worst)) worst = error, worst_i = i, worst_j = j;
    }
  }
  INFO(quant::traits(type).name << ", m " << m << ", n " << n << ", k " << k << ": worst at row " << worst_i << ", column " << worst_j);
  CHECK(worst < 2e-6);
  bool untouched = true;
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = n; j < ldy; ++j) untouched &= y[static_cast<std::size_t>(i * ldy + j)] == 77.0f;
  CHECK(untouched);
}

void for_each_kernel(const auto& body) {
  body(scalar::int8);
  for (const platform::Isa isa : {platform::Isa::avx2, platform::Isa::avx512, platform::Isa::neon}) {
    const Int8Kernels* const kernels = int8_kernels(isa);
    if (isa > platform::detected_isa() || kernels == nullptr) continue;
    INFO(platform::to_string(isa));
    body(*kernels);
  }
}

}  // namespace

TEST_CASE("activations are rounded to the nearest of 255 steps", "[int8]") {
  for_each_kernel([](const Int8Kernels& kernels) {
    std::mt19937 random(1);
    for (const std::int64_t k : {32, 256, 1408}) {
      const Activations a(kernels, normals(3 * k, random), 3, k);
      for (std::int64_t i = 0; i < 3; ++i) {
        const Int8Rows row = a.rows.from(i);
        for (std::int64_t c = 0; c < n_chunks(k) * chunk_values; ++c) {
          const float x = c < k ? a.x[static_cast<std::size_t>(i * k + c)] : 0.0f, scale = row.scale[c / chunk_values];
          REQUIRE(std::abs(static_cast<float>(row.q[c]) * scale - x) <= 0.5001f * scale);
        }
        for (std::int64_t b = 0; b < n_chunks(k) * 16; ++b) {
          float sum = 0;
          for (int c = 0; c < 16; ++c) sum += row.q[b * 16 + c];
          REQUIRE(static_cast<float>(row.sums16[b]) == sum);
        }
        for (std::int64_t b = 0; b < n_chunks(k) * 8; ++b) REQUIRE(row.sums32[b] == row.sums16[2 * b] + row.sums16[2 * b + 1]);
      }
    }
  });
}

TEST_CASE("zeros stay zero, and what isn't finite is seen in the result", "[int8]") {
  for_each_kernel([](const Int8Kernels& kernels) {
    std::vector<float> x(3 * 256, 0.0f);
    x[256 + 7] = INFINITY, x[512 + 100] = NAN;
    const Activations a(kernels, x, 3, 256);
    CHECK(a.value(0, 5) == 0);
    CHECK(std::isnan(a.rows.scale[1]));
    CHECK(std::isnan(a.rows.scale[2]));
  });
}

TEST_CASE("8-bit products of every format, few and many rows, odd sizes, extreme values", "[int8]") {
  for_each_kernel([](const Int8Kernels& kernels) {
    std::mt19937 random(2);
    int formats = 0;
    for (std::uint32_t number = 0; number < 40; ++number) {
      if (quant::find_traits(number) == nullptr) continue;
      const auto type = static_cast<quant::Type>(number);
      if (kernels.find(type) == nullptr) continue;
      ++formats;
      const bool of_32 = quant::traits(type).block_size == 32;
      for (const std::int64_t k : {of_32 ? 32 : 256, of_32 ? 1408 : 1280}) {
        for (const std::int64_t n : {1, 16, 37}) {
          const auto weights = blocks(type, n, k, random);
          for (const std::int64_t m : {1, 2, 3, 4, 7, 8, 29}) {
            const Activations a(kernels, normals(m * k, random), m, k);
            check_product(kernels.find(type), type, weights, a, m, n, k);
          }
        }
      }
      // Largest magnitudes everywhere: nothing saturates.
      const std::int64_t k = 512;
      for (const std::byte bits : {std::byte{0xff}, std::byte{0}})
        for (const float sign : {1.0f, -1.0f}) {
          const auto weights = blocks(type, 16, k, random, bits);
          const Activations a(kernels, std::vector<float>(static_cast<std::size_t>(8 * k), sign), 8, k);
          for (const std::int64_t m : {1, 8}) check_product(kernels.find(type), type, weights, a, m, 16, k);
        }
    }
#ifdef __aarch64__
    CHECK(formats == (&kernels == &scalar::int8 ? 19 : 12));  // the codebook types run in floats there
#else
    CHECK(formats == 19);
#endif
  });
}

TEST_CASE("every instruction set gives the bits of the plain loops, for rows and for panels", "[int8]") {
  for_each_kernel([](const Int8Kernels& kernels) {
    std::mt19937 random(3);
    constexpr std::int64_t n = 32;
    alignas(64) static std::byte scratch[int8_scratch_bytes];
    for (const quant::Type type : quant::all_types()) {
      if (kernels.find(type) == nullptr) continue;
      REQUIRE(scalar::int8.find(type) != nullptr);
      const std::int64_t k = quant::traits(type).block_size == 32 ? 2336 : 2560;  // more than one run of chunks
      const auto rows = blocks(type, n, k, random);
      const std::size_t row_bytes = quant::row_bytes(type, k);
      const bool has_panels = kernels.find_interleave(type) != nullptr;
      std::vector<std::byte> panels(rows.size());
      for (const std::size_t panel : {std::size_t{0}, 16 * row_bytes})
        if (has_panels) kernels.find_interleave(type)(rows.data() + panel, row_bytes, panels.data() + panel);
      for (const std::int64_t m : {1, 3, 15, 300}) {  // up to more than one run of activations
        INFO(quant::traits(type).name << ", m " << m);
        const auto x = normals(m * k, random);
        const Activations a(kernels, x, m, k), expected_a(scalar::int8, x, m, k);
        CHECK(a.memory == expected_a.memory);
        std::vector<float> expected(static_cast<std::size_t>(m * n)), y(expected.size());
        scalar::int8.find(type)({a.rows, m, rows.data(), row_bytes, n, k, expected.data(), n}, scratch);
        kernels.find(type)({a.rows, m, rows.data(), row_bytes, n, k, y.data(), n}, scratch);
        CHECK(y == expected);
        if (!has_panels) continue;
        kernels.find(type)({a.rows, m, panels.data(), row_bytes, n, k, y.data(), n, true}, scratch);
        CHECK(y == expected);
      }
    }
  });
}

TEST_CASE("rows of codebook types that are longer than what is unpacked at once", "[int8]") {
  for_each_kernel([](const Int8Kernels& kernels) {
    if (kernels.find(quant::Type::iq2_xxs) == nullptr) return;
    std::mt19937 random(4);
    constexpr std::int64_t k = 65 * chunk_values;
    for (const quant::Type type : {quant::Type::iq1_m, quant::Type::iq2_xxs, quant::Type::iq3_s})
      for (const std::int64_t n : {3, 18}) {
        const auto weights = blocks(type, n, k, random);
        for (const std::int64_t m : {1, 5}) {
          const Activations a(kernels, normals(m * k, random), m, k);
          check_product(kernels.find(type), type, weights, a, m, n, k);
        }
      }
  });
}
