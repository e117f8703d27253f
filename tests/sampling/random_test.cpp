// The generator against its authors' reference outputs, exp and log against the C library in extended precision.
#include <cmath>
#include <limits>

#include "catch.hpp"
#include "sampling/portable_math.hpp"
#include "sampling/random.hpp"

using namespace mla::sampling;

namespace {

// Error of `value` in units of the last place of the double nearest to `exact`.
double ulps(double value, long double exact) {
  const double nearest = static_cast<double>(exact);
  const double ulp = std::nextafter(std::fabs(nearest), std::numeric_limits<double>::infinity()) - std::fabs(nearest);
  return static_cast<double>(std::fabs(value - exact) / ulp);
}

}  // namespace

TEST_CASE("splitmix64 gives the outputs of Vigna's splitmix64.c") {
  std::uint64_t state = 1477776061723855037u;
  for (const std::uint64_t expected : {1985237415132408290u, 2979275885539914483u, 13511426838097143398u, 8488337342461049707u,
                                       15141737807933549159u, 17093170987380407015u, 16389528042912955399u, 13177319091862933652u}) {
    CHECK(splitmix64(state) == expected);
  }
}

TEST_CASE("xoshiro256++ gives the outputs of Blackman and Vigna's xoshiro256plusplus.c") {
  Xoshiro256pp generator({1, 2, 3, 4});
  for (const std::uint64_t expected : {41943041u, 58720359u}) CHECK(generator.next() == expected);
  for (const std::uint64_t expected : {3588806011781223u, 3591011842654386u, 9228616714210784205u, 9973669472204895162u,
                                       14011001112246962877u, 12406186145184390807u, 15849039046786891736u, 10450023813501588000u}) {
    CHECK(generator.next() == expected);
  }
}

TEST_CASE("exp is within its stated error") {
  double worst = 0, worst_x = 0;
  Xoshiro256pp generator = Xoshiro256pp::seeded(1);
  for (int i = 0; i < 200000; ++i) {
    const double x = -(i % 3 == 0 ? 708.0 : i % 3 == 1 ? 30.0 : 0.7) * generator.uniform();
    const double error = ulps(portable_exp(x), std::exp(static_cast<long double>(x)));
    if (error > worst) worst = error, worst_x = x;
  }
  INFO("exp(" << worst_x << ") is off by " << worst << " ulp");
  CHECK(worst < 1);
  CHECK(portable_exp(0) == 1);
  CHECK(portable_exp(-709) == 0);
  CHECK(portable_exp(-std::numeric_limits<double>::infinity()) == 0);
}

TEST_CASE("log is within its stated error") {
  double worst = 0, worst_x = 0;
  Xoshiro256pp generator = Xoshiro256pp::seeded(2);
  for (int i = 0; i < 200000; ++i) {
    const double x = 1 + (i % 2 == 0 ? 1e6 : 1.0) * generator.uniform();
    const double error = ulps(portable_log(x), std::log(static_cast<long double>(x)));
    if (error > worst) worst = error, worst_x = x;
  }
  INFO("log(" << worst_x << ") is off by " << worst << " ulp");
  CHECK(worst < 3);
  CHECK(portable_log(1) == 0);
}
