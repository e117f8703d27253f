// Products with rows as a cache stores them: every type and instruction set against sums in double.
#include "kernels/stored_rows.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "catch.hpp"
#include "quant/dequantize.hpp"
#include "quant/quantize.hpp"

using namespace mla;
using namespace mla::kernels;
using mla::platform::Isa;

namespace {

constexpr StoredType types[] = {StoredType::f32, StoredType::f16, StoredType::bf16, StoredType::q8_0, StoredType::q6_0, StoredType::q4_0, StoredType::q8_row, StoredType::q16_row};

bool has_blocks(StoredType type) { return type != StoredType::q8_row && type != StoredType::q16_row; }

quant::Type block_type(StoredType type) {
  switch (type) {
    case StoredType::f32: return quant::Type::f32;
    case StoredType::f16: return quant::Type::f16;
    case StoredType::bf16: return quant::Type::bf16;
    case StoredType::q6_0: return quant::Type::q6_0;
    case StoredType::q4_0: return quant::Type::q4_0;
    default: return quant::Type::q8_0;
  }
}

// Rows in some type with something before them, and the values that are stored.
struct Stored {
  static constexpr std::size_t offset = 6;
  std::vector<std::vector<std::byte>> memory;
  std::vector<const std::byte*> pointers;
  std::vector<std::vector<float>> values;

  Stored(StoredType type, int n, int width, std::mt19937& random) {
    std::normal_distribution<float> normal;
    for (int row = 0; row < n; ++row) {
      std::vector<float> x(static_cast<std::size_t>(width));
      for (float& v : x) v = normal(random);
      std::vector<std::byte> bytes(offset + (static_cast<std::size_t>(width) + 1) * sizeof(float));
      store(type, x, bytes.data() + offset);
      values.push_back(x), memory.push_back(std::move(bytes));
    }
    for (const auto& bytes : memory) pointers.push_back(bytes.data());
  }

 private:
  static void store(StoredType type, std::vector<float>& x, std::byte* out) {
    if (has_blocks(type)) {
      quant::quantize(block_type(type), x.data(), out, std::ssize(x));
      return quant::dequantize(block_type(type), out, x.data(), std::ssize(x));
    }
    type == StoredType::q8_row ? store_integers<std::int8_t>(0.06f, x, out) : store_integers<std::int16_t>(0.0005f, x, out);
  }

  template <typename Int>
  static void store_integers(float scale, std::vector<float>& x, std::byte* out) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto q = static_cast<Int>(std::lrint(std::fmax(-4.0f, std::fmin(4.0f, x[i])) / scale));
      std::memcpy(out + i * sizeof q, &q, sizeof q);
      x[i] = scale * static_cast<float>(q);
    }
    std::memcpy(out + x.size() * sizeof(Int), &scale, sizeof scale);
  }
};

}  // namespace

TEST_CASE("products with stored rows are those of their values", "[kernels]") {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (const Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512}) {
    if (isa > platform::detected_isa()) continue;
    for (const StoredType type : types)
      for (const int width : {32, 64, 128, 192, 20, 24, 100})
        for (const int n : {1, 8, 13}) {
          if (has_blocks(type) && width % quant::traits(block_type(type)).block_size != 0) continue;
          CAPTURE(to_string(isa), static_cast<int>(type), width, n);
          Stored stored(type, n, width, random);
          const StoredRowList list{stored.pointers.data(), n - n / 2, Stored::offset, width, n / 2};
          const StoredRowKernels kernels = stored_row_kernels(type, width, isa);
          std::vector<float> x(static_cast<std::size_t>(width)), weights(static_cast<std::size_t>(n)), dots(weights.size(), 1.0f), sums(x.size(), 2.0f);
          for (float& v : x) v = normal(random);
          for (float& v : weights) v = std::abs(normal(random));
          kernels.add_dots(list, x.data(), dots.data());
          kernels.add_weighted(list, weights.data(), sums.data());
          std::vector<double> expected(x.size(), 2.0);
          for (int row = 0; row < n; ++row) {
            const auto r = static_cast<std::size_t>(row);
            double dot = 1;
            for (std::size_t i = 0; i < x.size() && row < list.n; ++i) dot += static_cast<double>(x[i]) * stored.values[r][i], expected[i] += static_cast<double>(weights[r]) * stored.values[r][i];
            CHECK(std::abs(dots[r] - dot) < 1e-5 * width);
          }
          for (std::size_t i = 0; i < x.size(); ++i) CHECK(std::abs(sums[i] - expected[i]) < 1e-5 * n);
        }
  }
}

TEST_CASE("a stored row with the weight 0 is left out, whatever is in it", "[kernels]") {
  std::mt19937 random(6);
  for (const Isa isa : {Isa::scalar, Isa::avx2}) {
    if (isa > platform::detected_isa()) continue;
    Stored stored(StoredType::f32, 2, 64, random);
    const float nan = std::numeric_limits<float>::quiet_NaN(), weights[] = {0.0f, 1.0f};
    std::memcpy(stored.memory[0].data() + Stored::offset, &nan, sizeof nan);
    std::vector<float> y(64);
    stored_row_kernels(StoredType::f32, 64, isa).add_weighted({stored.pointers.data(), 2, Stored::offset, 64}, weights, y.data());
    CHECK(y == stored.values[1]);
  }
}
