// What an ARM processor is seen to have. run.sh says which one is running, by the tag.
#include "catch.hpp"
#include "kernels/int8.hpp"

using namespace mla;

TEST_CASE("a processor with dot products runs the NEON kernels", "[.][dotprod]") {
  CHECK(platform::active_isa() == platform::Isa::neon);
  CHECK(kernels::active_int8_kernels() == &kernels::neon::int8);
  for (const platform::Isa other : {platform::Isa::scalar, platform::Isa::avx2, platform::Isa::avx512}) CHECK(kernels::int8_kernels(other) == nullptr);
}

TEST_CASE("a processor without dot products computes in floats", "[.][no-dotprod]") {
  CHECK(platform::active_isa() == platform::Isa::scalar);
  CHECK(kernels::active_int8_kernels() == nullptr);
}

TEST_CASE("the instruction sets of another architecture are refused by name", "[.][avx2]") {
  CHECK_THROWS_WITH(platform::active_isa(), Catch::Contains("MLA_ISA=avx2: this processor has only neon"));
}
