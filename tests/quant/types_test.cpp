#include "quant/types.hpp"

#include "catch.hpp"
#include "quant/interleaving.hpp"
#include "support.hpp"

using namespace mla::quant;

TEST_CASE("types have the names and sizes of GGUF", "[quant]") {
  // GGML_QUANT_SIZES of the gguf Python package 0.19.0, and from 133 on type_traits of ik_llama.cpp, with the bytes before a row's blocks
  struct {
    std::uint32_t number;
    const char* name;
    int block_size, block_bytes, header_bytes = 0;
  } const expected[] = {
      {0, "F32", 1, 4},       {1, "F16", 1, 2},       {2, "Q4_0", 32, 18},    {3, "Q4_1", 32, 20},      {6, "Q5_0", 32, 22},
      {7, "Q5_1", 32, 24},    {8, "Q8_0", 32, 34},    {10, "Q2_K", 256, 84},  {11, "Q3_K", 256, 110},   {12, "Q4_K", 256, 144},
      {13, "Q5_K", 256, 176}, {14, "Q6_K", 256, 210}, {20, "IQ4_NL", 32, 18}, {23, "IQ4_XS", 256, 136}, {30, "BF16", 1, 2},
      {16, "IQ2_XXS", 256, 66}, {17, "IQ2_XS", 256, 74}, {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50}, {21, "IQ3_S", 256, 110},
      {22, "IQ2_S", 256, 82}, {29, "IQ1_M", 256, 56}, {39, "MXFP4", 32, 17}, {133, "Q6_0", 32, 26}, {137, "IQ2_K", 256, 76},
      {138, "IQ3_K", 256, 110}, {139, "IQ4_K", 256, 144}, {140, "IQ5_K", 256, 176}, {141, "IQ6_K", 256, 212},
      {144, "IQ4_KS", 256, 136, 4}, {145, "IQ2_KS", 256, 70, 2}, {146, "IQ4_KSS", 256, 128, 4}, {152, "IQ5_KS", 256, 168, 4},
      {156, "IQ3_KS", 256, 102, 2}, {157, "IQ2_KL", 256, 86, 2},
  };
  for (const auto& e : expected) {
    INFO(e.name);
    const TypeTraits* t = find_traits(e.number);
    REQUIRE(t != nullptr);
    CHECK(std::string(t->name) == e.name);
    CHECK(t->block_size == e.block_size);
    CHECK(t->block_bytes == e.block_bytes);
    CHECK(t->header_bytes == e.header_bytes);
    CHECK(std::string(type_name(e.number)) == e.name);
    CHECK(parse_type(e.name) == static_cast<Type>(e.number));
  }
  std::size_t known = 0;
  for (std::uint32_t number = 0; number < 2000; ++number) known += find_traits(number) != nullptr;
  CHECK(known == std::size(expected));
  CHECK(find_traits(0xffffffffu) == nullptr);
}

TEST_CASE("types that files can't have, or whose rows can't be read one by one", "[quant]") {
  for (const Type type : {Type::iq1_s_row, Type::iq1_m_row, Type::f8_e4m3}) {
    CHECK(find_traits(static_cast<std::uint32_t>(type)) == nullptr);
    CHECK_FALSE(parse_type(traits(type).name).has_value());
    CHECK(std::string(type_name(static_cast<std::uint32_t>(type))) == "");
  }
  CHECK(find_traits(212) == nullptr);
  CHECK(std::string(type_name(212)) == "Q4_K_R4");
  CHECK(find_interleaving(212)->base == Type::q4_k);
  CHECK(find_interleaving(12) == nullptr);
  CHECK(std::string(type_name(153)) == "IQ2_KT");
  CHECK(std::string(type_name(399)) == "Q8_K_R8");
  for (const std::uint32_t number : {4u, 5u, 500u, 511u, 512u, 0xffffffffu}) CHECK(std::string(type_name(number)) == "");
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
  CHECK(row_bytes(Type::iq4_ks, 7168) == 4 + 28 * 136);
  CHECK(row_bytes(Type::iq1_m_row, 1408) == 2 + 44 * 7);
  CHECK(row_bytes(Type::f32, std::int64_t{1} << 40) == std::size_t{1} << 42);
}
