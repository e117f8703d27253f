#include "quant/types.hpp"

#include "catch.hpp"
#include "support.hpp"

using namespace mla::quant;

TEST_CASE("types have the names and sizes of GGUF", "[quant]") {
  // GGML_QUANT_SIZES of the gguf Python package 0.19.0
  struct {
    std::uint32_t number;
    const char* name;
    int block_size, block_bytes;
  } const expected[] = {
      {0, "F32", 1, 4},       {1, "F16", 1, 2},       {2, "Q4_0", 32, 18},    {3, "Q4_1", 32, 20},      {6, "Q5_0", 32, 22},
      {7, "Q5_1", 32, 24},    {8, "Q8_0", 32, 34},    {10, "Q2_K", 256, 84},  {11, "Q3_K", 256, 110},   {12, "Q4_K", 256, 144},
      {13, "Q5_K", 256, 176}, {14, "Q6_K", 256, 210}, {20, "IQ4_NL", 32, 18}, {23, "IQ4_XS", 256, 136}, {30, "BF16", 1, 2},
  };
  for (const auto& e : expected) {
    INFO(e.name);
    const TypeTraits* t = find_traits(e.number);
    REQUIRE(t != nullptr);
    CHECK(std::string(t->name) == e.name);
    CHECK(t->block_size == e.block_size);
    CHECK(t->block_bytes == e.block_bytes);
    CHECK(parse_type(e.name) == static_cast<Type>(e.number));
  }
  std::size_t known = 0;
  for (std::uint32_t number = 0; number < 400; ++number) known += find_traits(number) != nullptr;
  CHECK(known == std::size(expected));
  CHECK(find_traits(0xffffffffu) == nullptr);
}

TEST_CASE("type names are read in any case", "[quant]") {
  CHECK(parse_type("q4_k") == Type::q4_k);
  CHECK(parse_type("iq4_Nl") == Type::iq4_nl);
  CHECK_FALSE(parse_type("q4_").has_value());
  CHECK_FALSE(parse_type("q4_kk").has_value());
  CHECK_FALSE(parse_type("").has_value());
}

TEST_CASE("row bytes", "[quant]") {
  CHECK(row_bytes(Type::q4_k, 2048) == 8 * 144);
  CHECK(row_bytes(Type::q5_0, 1408) == 44 * 22);
  CHECK(row_bytes(Type::f16, 3) == 6);
  CHECK(row_bytes(Type::f32, std::int64_t{1} << 40) == std::size_t{1} << 42);
}
