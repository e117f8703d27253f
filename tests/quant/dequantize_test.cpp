#include "quant/dequantize.hpp"

#include <cmath>
#include <random>

#include "catch.hpp"
#include "quant/half.hpp"
#include "support.hpp"

using namespace mla::quant;
using namespace mla::quant::test;
using mla::platform::Isa;

namespace {

// Byte offsets of the f16 scales in a block.
std::vector<int> scale_offsets(Type type) {
  if (traits(type).header_bytes > 0) return {};
  switch (type) {
    case Type::f32:
    case Type::f16:
    case Type::bf16:
    case Type::f8_e4m3:
    case Type::mxfp4: return {};
    case Type::q4_1:
    case Type::q5_1:
    case Type::q4_k:
    case Type::q5_k: return {0, 2};
    case Type::q2_k: return {80, 82};
    case Type::q3_k: return {108};
    case Type::q6_k: return {208};
    case Type::iq1_m: return {54};  // where its highest nibble is
    default: return {0};
  }
}

// A row of random blocks whose scales, and that of the row, are random finite numbers.
std::vector<std::uint8_t> random_row(Type type, std::int64_t n_blocks, std::mt19937& random) {
  const auto block_bytes = static_cast<std::size_t>(traits(type).block_bytes), header = static_cast<std::size_t>(traits(type).header_bytes);
  std::vector<std::uint8_t> row(header + static_cast<std::size_t>(n_blocks) * block_bytes);
  for (auto& byte : row) byte = static_cast<std::uint8_t>(random());
  if (header > 0) row[header - 1] &= 0xbf;  // below 2.0
  for (std::size_t block = header; block < row.size(); block += block_bytes)
    for (const int at : scale_offsets(type)) row[block + static_cast<std::size_t>(at) + 1] &= 0xbf;
  return row;
}

}  // namespace

TEST_CASE("dequantised blocks are those of the public dequantisers, bit for bit", "[quant]") {
  for (const Type type : all_types()) {
    if (type == Type::f32 || type == Type::iq1_s_row || type == Type::iq1_m_row) continue;  // a copy: see below; interleaving_test.cpp
    const TypeTraits& t = traits(type);
    const Golden golden(std::string(t.name) + ".bin");
    const auto n_rows = t.header_bytes > 0 ? golden.count() : 1;
    const auto n = t.header_bytes > 0 ? 2 * t.block_size : golden.count() * t.block_size;
    REQUIRE(n_rows * n > 500);
    const auto bytes = row_bytes(type, n);
    const auto rows = golden.at<std::uint8_t>(0, static_cast<std::size_t>(n_rows) * bytes);
    const auto want = golden.at<float>(rows.size(), static_cast<std::size_t>(n_rows * n));
    for (const Isa isa : machine_isas()) {
      INFO(t.name << " on " << to_string(isa));
      std::vector<float> got(want.size(), -1.0f);
      for (std::int64_t r = 0; r < n_rows; ++r)
        dequantize_on(isa, type, rows.data() + static_cast<std::size_t>(r) * bytes, 0, n, got.data() + r * n);
      CHECK(difference(got, want) == "");
    }
  }
}

TEST_CASE("every ISA dequantises to the bits of the scalar code", "[quant]") {
  std::mt19937 random(5);
  for (const Type type : all_types()) {
    const TypeTraits& t = traits(type);
    for (const std::int64_t n_blocks : {0, 1, 2, 3, 7, 8, 15, 17, 31, 33, 63, 100}) {
      const std::int64_t n = n_blocks * t.block_size;
      auto row = random_row(type, n_blocks, random);
      if (type == Type::f16) {  // no infinity or NaN, of which not every bit need agree
        for (std::size_t i = 1; i < row.size(); i += 2) row[i] &= 0xbf;
      }
      // The floats begin at an address that is no multiple of a vector, the row at an odd one, and a guard follows.
      row.insert(row.begin(), 0xff);
      row.shrink_to_fit();
      std::vector<float> want(static_cast<std::size_t>(n) + 2, 77.0f);
      dequantize_on(Isa::scalar, type, row.data() + 1, 0, n, want.data() + 1);
      for (const Isa isa : machine_isas()) {
        INFO(t.name << " on " << to_string(isa) << ", " << n_blocks << " blocks");
        std::vector<float> got(want.size(), 77.0f);
        dequantize_on(isa, type, row.data() + 1, 0, n, got.data() + 1);
        CHECK(difference(got, want) == "");
      }
      std::vector<float> got(want.size(), 77.0f);
      dequantize(type, row.data() + 1, got.data() + 1, n);
      CHECK(difference(got, want) == "");
    }
  }
}

TEST_CASE("a range of columns has the values that it has in the whole row", "[quant]") {
  std::mt19937 random(9);
  for (const Type type : all_types()) {
    const std::int64_t block = traits(type).block_size, n = 9 * block;
    const auto row = random_row(type, 9, random);
    std::vector<float> whole(static_cast<std::size_t>(n));
    dequantize(type, row.data(), whole.data(), n);
    for (const auto& [first, count] : {std::pair<int, int>{0, 9}, {0, 1}, {1, 1}, {8, 1}, {3, 4}, {2, 7}, {5, 0}}) {
      INFO(traits(type).name << ", " << count << " blocks from " << first);
      const std::vector<float> want(whole.begin() + first * block, whole.begin() + (first + count) * block);
      std::vector<float> got(want.size() + 1, 77.0f);
      dequantize(type, row.data(), first * block, count * block, got.data());
      CHECK(got.back() == 77.0f);
      got.pop_back();
      CHECK(difference(got, want) == "");
    }
  }
}

TEST_CASE("f32 rows are copied", "[quant]") {
  const std::vector<float> row{0.0f, -0.0f, 1e-45f, 3.4e38f, -1.5f};
  for (const Isa isa : machine_isas()) {
    std::vector<float> got(row.size());
    dequantize_on(isa, Type::f32, row.data(), 0, static_cast<std::int64_t>(row.size()), got.data());
    CHECK(difference(got, row) == "");
  }
}

TEST_CASE("an infinite or NaN scale spreads to its block only", "[quant]") {
  std::mt19937 random(6);
  for (const Type type : all_types()) {
    const auto offsets = scale_offsets(type);
    if (offsets.empty() || type == Type::iq1_m) continue;  // whose scale is in four pieces
    const TypeTraits& t = traits(type);
    const auto block_size = static_cast<std::size_t>(t.block_size);
    auto blocks = random_row(type, 3, random);
    std::uint8_t* middle = blocks.data() + t.block_bytes;
    for (const int half : {0x7c00, 0x7e00}) {
      middle[offsets[0]] = static_cast<std::uint8_t>(half);
      middle[offsets[0] + 1] = static_cast<std::uint8_t>(half >> 8);
      for (const Isa isa : machine_isas()) {
        INFO(t.name << " on " << to_string(isa) << ", scale " << half);
        std::vector<float> got(3 * block_size);
        dequantize_on(isa, type, blocks.data(), 0, static_cast<std::int64_t>(got.size()), got.data());
        std::size_t finite[3] = {};
        for (std::size_t i = 0; i < got.size(); ++i) finite[i / block_size] += std::isfinite(got[i]);
        CHECK(finite[0] == block_size);
        CHECK(finite[1] == 0);
        CHECK(finite[2] == block_size);
      }
    }
  }
}
