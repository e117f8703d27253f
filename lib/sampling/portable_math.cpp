#include "sampling/portable_math.hpp"

#include <bit>
#include <cfloat>
#include <cstdint>

namespace mla::sampling {
namespace {

static_assert(FLT_EVAL_METHOD == 0, "double arithmetic must not be done in a wider type (on 32-bit x86 build with -mfpmath=sse)");

// ln 2 in two parts; the high one has 21 trailing zero bits, so that its product with an exponent is exact.
constexpr double ln2_high = 0x1.62e42fee00000p-1;
constexpr double ln2_low = 0x1.a39ef35793c76p-33;

}  // namespace

double portable_exp(double x) noexcept {
  if (!(x > -708.0)) return 0.0;
  // x = k ln 2 + r with |r| <= ln 2 / 2, then the Taylor series of e^r to r^13 (what is left out is below 2^-58).
  const int k = static_cast<int>(x * 0x1.71547652b82fep+0 - 0.5);
  const double r = (x - k * ln2_high) - k * ln2_low;
  double sum = 1.0 / 6227020800.0;
  sum = sum * r + 1.0 / 479001600.0;
  sum = sum * r + 1.0 / 39916800.0;
  sum = sum * r + 1.0 / 3628800.0;
  sum = sum * r + 1.0 / 362880.0;
  sum = sum * r + 1.0 / 40320.0;
  sum = sum * r + 1.0 / 5040.0;
  sum = sum * r + 1.0 / 720.0;
  sum = sum * r + 1.0 / 120.0;
  sum = sum * r + 1.0 / 24.0;
  sum = sum * r + 1.0 / 6.0;
  sum = sum * r + 0.5;
  sum = 1.0 + (r + r * r * sum);
  return sum * std::bit_cast<double>(static_cast<std::uint64_t>(1023 + k) << 52);
}

double portable_log(double x) noexcept {
  // x = m 2^k with m in [sqrt(1/2), sqrt(2)); with s = (m - 1) / (m + 1), ln m = 2 s (1 + s^2/3 + s^4/5 + …).
  const auto bits = std::bit_cast<std::uint64_t>(x);
  int k = static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0xfffffffffffff) | 0x3ff0000000000000);
  if (m > 0x1.6a09e667f3bcdp+0) {
    m *= 0.5;
    ++k;
  }
  const double s = (m - 1.0) / (m + 1.0);
  const double z = s * s;
  double sum = 1.0 / 21.0;
  for (int odd = 19; odd >= 3; odd -= 2) sum = sum * z + 1.0 / odd;
  return k * ln2_high + (k * ln2_low + 2.0 * s + 2.0 * s * (sum * z));
}

}  // namespace mla::sampling
