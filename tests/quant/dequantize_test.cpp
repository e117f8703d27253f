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
  switch (type) {
    case Type::f32:
    case Type::f16:
    case Type::bf16: return {};
    case Type::q4_1:
    case Type::q5_1:
    case Type::q4_k:
    case Type::q5_k: return {0, 2};
    case Type::q2_k: return {80, 82};
    case Type::q3_k: return {108};
    case Type::q6_k: return {208};
    default: return {0};
  }
}

// Random blocks whose scales are random finite halves.
std::vector<std::uint8_t> random_blocks(Type type, std::int64_t n_blocks, std::mt19937& random) {
  const auto block_bytes = static_cast<std::size_t>(traits(type).block_bytes);
  std::vector<std::uint8_t> blocks(static_cast<std::size_t>(n_blocks) * block_bytes);
  for (auto& byte : blocks) byte = static_cast<std::uint8_t>(random());
  for (std::size_t block = 0; block < blocks.size(); block += block_bytes)
    for (const int at : scale_offsets(type)) blocks[block + static_cast<std::size_t>(at) + 1] &= 0xbf;  // below 2.0
  return blocks;
}

}  // namespace

TEST_CASE("dequantised blocks are those of the gguf package, bit for bit", "[quant]") {
  for (const Type type : all_types) {
    if (type == Type::f32) continue;  // a copy: see below
    const TypeTraits& t = traits(type);
    const Golden golden(std::string(t.name) + ".bin");
    const auto n = golden.count() * t.block_size;
    REQUIRE(n > 500);
    const auto blocks = golden.at<std::uint8_t>(0, row_bytes(type, n));
    const auto want = golden.at<float>(blocks.size(), static_cast<std::size_t>(n));
    for (const Isa isa : machine_isas()) {
      INFO(t.name << " on " << to_string(isa));
      std::vector<float> got(want.size(), -1.0f);
      dequantizer(type, isa)(blocks.data(), got.data(), n);
      CHECK(difference(got, want) == "");
    }
  }
}

TEST_CASE("every ISA dequantises to the bits of the scalar code", "[quant]") {
  std::mt19937 random(5);
  for (const Type type : all_types) {
    const TypeTraits& t = traits(type);
    for (const std::int64_t n_blocks : {0, 1, 2, 3, 7, 8, 15, 17, 31, 33, 63, 100}) {
      const std::int64_t n = n_blocks * t.block_size;
      auto blocks = random_blocks(type, n_blocks, random);
      if (type == Type::f16) {  // no infinity or NaN, of which not every bit need agree
        for (std::size_t i = 1; i < blocks.size(); i += 2) blocks[i] &= 0xbf;
      }
      // The floats begin at an address that is no multiple of a vector, the blocks at an odd one, and a guard follows.
      blocks.insert(blocks.begin(), 0xff);
      blocks.shrink_to_fit();
      std::vector<float> want(static_cast<std::size_t>(n) + 2, 77.0f);
      dequantizer(type, Isa::scalar)(blocks.data() + 1, want.data() + 1, n);
      for (const Isa isa : machine_isas()) {
        INFO(t.name << " on " << to_string(isa) << ", " << n_blocks << " blocks");
        std::vector<float> got(want.size(), 77.0f);
        dequantizer(type, isa)(blocks.data() + 1, got.data() + 1, n);
        CHECK(difference(got, want) == "");
      }
      std::vector<float> got(want.size(), 77.0f);
      dequantize(type, blocks.data() + 1, got.data() + 1, n);
      CHECK(difference(got, want) == "");
    }
  }
}

TEST_CASE("f32 rows are copied", "[quant]") {
  const std::vector<float> row{0.0f, -0.0f, 1e-45f, 3.4e38f, -1.5f};
  for (const Isa isa : machine_isas()) {
    std::vector<float> got(row.size());
    dequantizer(Type::f32, isa)(row.data(), got.data(), static_cast<std::int64_t>(row.size()));
    CHECK(difference(got, row) == "");
  }
}

TEST_CASE("an infinite or NaN scale spreads to its block only", "[quant]") {
  std::mt19937 random(6);
  for (const Type type : all_types) {
    const auto offsets = scale_offsets(type);
    if (offsets.empty()) continue;
    const TypeTraits& t = traits(type);
    const auto block_size = static_cast<std::size_t>(t.block_size);
    auto blocks = random_blocks(type, 3, random);
    std::uint8_t* middle = blocks.data() + t.block_bytes;
    for (const int half : {0x7c00, 0x7e00}) {
      middle[offsets[0]] = static_cast<std::uint8_t>(half);
      middle[offsets[0] + 1] = static_cast<std::uint8_t>(half >> 8);
      for (const Isa isa : machine_isas()) {
        INFO(t.name << " on " << to_string(isa) << ", scale " << half);
        std::vector<float> got(3 * block_size);
        dequantizer(type, isa)(blocks.data(), got.data(), static_cast<std::int64_t>(got.size()));
        std::size_t finite[3] = {};
        for (std::size_t i = 0; i < got.size(); ++i) finite[i / block_size] += std::isfinite(got[i]);
        CHECK(finite[0] == block_size);
        CHECK(finite[1] == 0);
        CHECK(finite[2] == block_size);
      }
    }
  }
}
