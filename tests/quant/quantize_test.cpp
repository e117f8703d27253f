#include "quant/quantize.hpp"

#include <cmath>
#include <mla/error.hpp>

#include "catch.hpp"
#include "quant/dequantize.hpp"
#include "quant/dispatch.hpp"
#include "support.hpp"

using namespace mla::quant;
using namespace mla::quant::test;

TEST_CASE("quantised rows are those of the gguf package, bit for bit", "[quant]") {
  for (const Type type : {Type::f16, Type::bf16, Type::q8_0}) {
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
    CHECK(can_quantize(type) == (type == Type::f32 || type == Type::f16 || type == Type::bf16 || type == Type::q8_0));
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

TEST_CASE("q8_0 of infinities and NaN reads as NaN, and spoils no other block", "[quant]") {
  for (const float bad : {INFINITY, -INFINITY, NAN}) {
    for (const std::size_t at : {32u, 47u, 63u}) {
      std::vector<float> row(96), back(96);
      for (std::size_t i = 0; i < row.size(); ++i) row[i] = std::sin(static_cast<float>(i));
      row[at] = bad;
      std::vector<std::uint8_t> blocks(row_bytes(Type::q8_0, 96));
      quantize(Type::q8_0, row.data(), blocks.data(), 96);
      dequantize(Type::q8_0, blocks.data(), back.data(), 96);
      for (std::size_t i = 0; i < back.size(); ++i) {
        INFO(bad << " at " << at << ", value " << i);
        if (i / 32 == 1)
          CHECK(std::isnan(back[i]));
        else
          CHECK(std::fabs(back[i] - row[i]) <= 1.0f / 127 * 0.51f);  // half a step, and the scale's rounding
      }
    }
  }
}
