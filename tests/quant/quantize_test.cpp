#include "quant/quantize.hpp"

#include <cmath>
#include <mla/error.hpp>
#include <set>

#include "catch.hpp"
#include "quant/dequantize.hpp"
#include "quant/dispatch.hpp"
#include "support.hpp"

using namespace mla::quant;
using namespace mla::quant::test;

TEST_CASE("quantised rows are those of the gguf package, bit for bit", "[quant]") {
  for (const Type type : {Type::f16, Type::bf16, Type::q4_0, Type::q8_0}) {
    const TypeTraits& t = traits(type);
    const Golden golden(std::string(t.name) + "_rows.bin");
    const auto n = golden.count();
    REQUIRE(n > 1000);
    const auto values = golden.at<float>(0, static_cast<std::size_t>(n));
    const auto want = golden.at<std::uint8_t>(values.size() * sizeof(float), row_bytes(type, n));
    for (const auto isa : machine_isas()) {
      std::vector<std::uint8_t> got(want.size());
      find_quantizer(type, isa)(values.data(), got.data(), n);
      std::size_t wrong = 0, first = 0;
      for (std::size_t i = got.size(); i-- > 0;)
        if (got[i] != want[i]) ++wrong, first = i;
      INFO(t.name << " on " << to_string(isa) << ": byte " << first << " of block "
                  << first / static_cast<std::size_t>(t.block_bytes));
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("what cannot be written is refused by name", "[quant]") {
  for (const Type type : all_types())
    CHECK(can_quantize(type) == std::set{Type::f32, Type::f16, Type::bf16, Type::q4_0, Type::q6_0, Type::q8_0}.contains(type));
  const std::vector<float> row(256, 1.0f);
  std::vector<std::uint8_t> blocks(144);
  try {
    quantize(Type::q4_k, row.data(), blocks.data(), 256);
    FAIL("no error");
  } catch (const mla::Error& error) {
    CHECK(error.status() == mla::Status::unsupported);
    CHECK(std::string(error.what()).find("Q4_K") != std::string::npos);
  }
}

TEST_CASE("q4_0 and q6_0: the extreme value is kept, the others are within a step of it", "[quant]") {
  for (const auto& [type, offset] : {std::pair{Type::q4_0, 8}, {Type::q6_0, 32}}) {
    for (unsigned seed = 0; seed < 200; ++seed) {
      std::vector<float> row(64), back(64);
      for (std::size_t i = 0; i < row.size(); ++i) row[i] = std::sin(static_cast<float>(seed * 100 + i * i)) * std::exp(static_cast<float>(seed % 20) - 10);
      std::vector<std::uint8_t> blocks(row_bytes(type, 64));
      quantize(type, row.data(), blocks.data(), 64);
      dequantize(type, blocks.data(), back.data(), 64);
      for (std::size_t block = 0; block < 64; block += 32) {
        float extreme = 0;
        for (std::size_t i = block; i < block + 32; ++i)
          if (std::fabs(row[i]) > std::fabs(extreme)) extreme = row[i];
        const float step = std::fabs(extreme) / static_cast<float>(offset), f16_error = std::fabs(extreme) * 0x1p-11f + 32 * 0x1p-25f;
        for (std::size_t i = block; i < block + 32; ++i) {
          const bool clipped = std::fabs(row[i] + extreme) < step;  // of the other sign there is one quant less
          INFO(traits(type).name << ", seed " << seed << ", value " << i << ": " << row[i] << " became " << back[i] << ", extreme " << extreme);
          CHECK(std::fabs(back[i] - row[i]) <= (row[i] == extreme ? 0.0f : clipped ? step : step * 0.5001f) + f16_error);
        }
      }
    }
  }
}

TEST_CASE("blocks with infinities and NaN read as NaN, and spoil no other block", "[quant]") {
  const std::pair<Type, float> steps[] = {{Type::q4_0, 1.01f / 8}, {Type::q6_0, 1.01f / 32}, {Type::q8_0, 0.51f / 127}};  // and the scale's rounding
  for (const auto& [type, step] : steps)
    for (const float bad : {INFINITY, -INFINITY, NAN})
      for (const std::size_t at : {32u, 47u, 63u}) {
        std::vector<float> row(96), back(96);
        for (std::size_t i = 0; i < row.size(); ++i) row[i] = std::sin(static_cast<float>(i));
        row[at] = bad;
        std::vector<std::uint8_t> blocks(row_bytes(type, 96));
        quantize(type, row.data(), blocks.data(), 96);
        dequantize(type, blocks.data(), back.data(), 96);
        for (std::size_t i = 0; i < back.size(); ++i) {
          INFO(traits(type).name << ": " << bad << " at " << at << ", value " << i);
          if (i / 32 == 1)
            CHECK(std::isnan(back[i]));
          else
            CHECK(std::fabs(back[i] - row[i]) <= step);
        }
      }
}
