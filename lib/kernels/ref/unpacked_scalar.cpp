// In plain loops: the oracle of the vector code.
#include <math.h>

#include "kernels/unpacked.hpp"

namespace mla::kernels::scalar {
namespace {

void add_products(const quant::IntegerBlock* const (&w)[4], const int8_t* q, const float* scale, int64_t n, float (&y)[4]) {
  for (int64_t c = 0; c < n; ++c)
    for (int r = 0; r < 4; ++r) {
      int32_t total = 0;
      for (int i = 0; i < 256; ++i) total += w[r][c].scale[i / 16] * w[r][c].q[i] * q[c * 256 + i];
      y[r] = fmaf((float)total, w[r][c].d * scale[c], y[r]);
    }
}

#include "kernels/unpacked.inc"

}  // namespace

Int8Kernels::ProductFn unpacked_product(quant::Type type) noexcept { return find_unpacked(type); }

}  // namespace mla::kernels::scalar
