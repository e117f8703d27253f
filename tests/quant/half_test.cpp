#include "quant/half.hpp"

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "quant/dequantize.hpp"
#include "quant/dispatch.hpp"
#include "support.hpp"

using namespace mla::quant;
using namespace mla::quant::test;

namespace {

std::vector<std::uint16_t> every_half() {
  std::vector<std::uint16_t> halves(65536);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
  return halves;
}

bool is_nan(std::uint16_t half, int mantissa_bits) { return (half & 0x7fff) > (0x7fff >> mantissa_bits << mantissa_bits); }

// By the definition of the format.
float f16_value(std::uint16_t half) {
  const int exponent = half >> 10 & 31, mantissa = half & 1023;
  float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -24)
                                  : std::ldexp(static_cast<float>(1024 + mantissa), exponent - 25);
  if (exponent == 31) magnitude = std::numeric_limits<float>::infinity();
  return std::copysign(magnitude, half & 0x8000 ? -1.0f : 1.0f);
}

float bf16_value(std::uint16_t half) { return std::bit_cast<float>(static_cast<std::uint32_t>(half) << 16); }

struct Format {
  Type type;
  int mantissa_bits;
  float (*value)(std::uint16_t);
  std::uint16_t (*narrow)(float) noexcept;
};
const Format formats[] = {
    {Type::f16, 10, f16_value, f32_to_f16},
    {Type::bf16, 7, bf16_value, f32_to_bf16},
};

// Every value of the format, the midpoint to its neighbour, and the floats next to that midpoint; and what each
// rounds to. Beyond the largest finite value the neighbour is where the next one would be: infinity takes over there.
void rounding_cases(const Format& f, std::vector<float>& in, std::vector<std::uint16_t>& want) {
  const int infinity = 0x7fff >> f.mantissa_bits << f.mantissa_bits;
  for (int sign = 0; sign <= 0x8000; sign += 0x8000) {
    for (int half = 0; half < infinity; ++half) {
      const auto here = static_cast<std::uint16_t>(sign | half), next = static_cast<std::uint16_t>(here + 1);
      const double value = f.value(here);
      const auto before = static_cast<std::uint16_t>(here - 1);
      const double step = half + 1 < infinity ? f.value(next) - value : value - f.value(before);
      const double middle = value + step / 2;
      const auto mid = static_cast<float>(middle);
      const auto even = half % 2 == 0 ? here : next;
      in.push_back(static_cast<float>(value));
      want.push_back(here);
      if (static_cast<double>(mid) != middle) continue;  // half of the least float is no float
      const float outward = sign != 0 ? -INFINITY : INFINITY;
      in.insert(in.end(), {mid, std::nextafter(mid, static_cast<float>(value)), std::nextafter(mid, outward)});
      want.insert(want.end(), {even, here, next});
    }
  }
}

}  // namespace

TEST_CASE("16-bit floats widen to their values, and back to themselves", "[quant]") {
  const auto halves = every_half();
  const auto n = static_cast<std::int64_t>(halves.size());
  for (const Format& f : formats) {
    for (const auto isa : machine_isas()) {
      INFO(traits(f.type).name << " on " << to_string(isa));
      std::vector<float> wide(halves.size()), want(halves.size());
      find_dequantizer(f.type, isa)(halves.data(), wide.data(), n);
      std::vector<std::uint16_t> back(halves.size());
      find_quantizer(f.type, isa)(wide.data(), back.data(), n);
      std::size_t wrong_nans = 0, wrong_back = 0;
      for (std::size_t i = 0; i < halves.size(); ++i) {
        want[i] = f.value(halves[i]);
        if (is_nan(halves[i], f.mantissa_bits)) {
          const int quiet = halves[i] | 1 << (f.mantissa_bits - 1);
          wrong_nans += !std::isnan(wide[i]) || std::signbit(wide[i]) != (halves[i] >> 15 != 0) || back[i] != quiet;
          want[i] = wide[i];
        } else {
          wrong_back += back[i] != halves[i];
        }
      }
      CHECK(difference(wide, want) == "");
      CHECK(wrong_nans == 0);
      CHECK(wrong_back == 0);
    }
  }
}

TEST_CASE("floats round to the nearest 16-bit float, ties to even", "[quant]") {
  for (const Format& f : formats) {
    std::vector<float> in;
    std::vector<std::uint16_t> want;
    rounding_cases(f, in, want);
    REQUIRE(in.size() > 200000);
    for (const auto isa : machine_isas()) {
      INFO(traits(f.type).name << " on " << to_string(isa));
      std::vector<std::uint16_t> got(in.size());
      find_quantizer(f.type, isa)(in.data(), got.data(), static_cast<std::int64_t>(in.size()));
      std::size_t wrong = 0, first = 0;
      for (std::size_t i = in.size(); i-- > 0;)
        if (got[i] != want[i]) ++wrong, first = i;
      INFO("first wrong: " << in[first] << " gives " << got[first] << " instead of " << want[first]);
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("the row functions and the single ones agree", "[quant]") {
  const std::vector<float> values{0.0f,  -0.0f,         1.0f,  -2.5f,    65519.9f, 65520.0f,
                                  1e-8f, 5.9604645e-8f, 1e30f, INFINITY, -INFINITY};
  const auto n = static_cast<std::int64_t>(values.size());
  std::vector<std::uint16_t> f16(values.size()), bf16(values.size());
  std::vector<float> wide_f16(values.size()), wide_bf16(values.size());
  f32_to_f16(values.data(), f16.data(), n);
  f32_to_bf16(values.data(), bf16.data(), n);
  f16_to_f32(f16.data(), wide_f16.data(), n);
  bf16_to_f32(bf16.data(), wide_bf16.data(), n);
  for (std::size_t i = 0; i < values.size(); ++i) {
    INFO(values[i]);
    CHECK(f16[i] == f32_to_f16(values[i]));
    CHECK(bf16[i] == f32_to_bf16(values[i]));
    CHECK(wide_f16[i] == f16_to_f32(f16[i]));
    CHECK(wide_bf16[i] == bf16_to_f32(bf16[i]));
  }
}

TEST_CASE("narrowing keeps NaN and its sign", "[quant]") {
  for (const Format& f : formats) {
    for (const std::uint32_t bits : {0x7f800001u, 0x7fc00000u, 0x7fffffffu, 0xff800001u, 0xffffffffu}) {
      const auto nan = std::bit_cast<float>(bits);
      const std::uint16_t half = f.narrow(nan);
      INFO(traits(f.type).name << " of " << bits);
      CHECK(is_nan(half, f.mantissa_bits));
      CHECK(half >> 15 == bits >> 31);
      for (const auto isa : machine_isas()) {
        std::uint16_t row = 0;
        find_quantizer(f.type, isa)(&nan, &row, 1);
        CHECK(row == half);
      }
    }
  }
}
