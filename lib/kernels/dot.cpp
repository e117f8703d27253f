#include "kernels/dot.hpp"

namespace mla::kernels {

#ifdef MLA_X86
float dot_avx2(const float* a, const float* b, std::int64_t n);
#endif

namespace {

float dot_scalar(const float* a, const float* b, std::int64_t n) {
  float sums[4] = {};  // four, so that rounding grows no faster than in the vector twins
  std::int64_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (int lane = 0; lane < 4; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  for (; i < n; ++i) sums[0] += a[i] * b[i];
  return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

}  // namespace

DotFn dot_kernel(platform::Isa isa) noexcept {
#ifdef MLA_X86
  if (isa >= platform::Isa::avx2) return dot_avx2;
#endif
  (void)isa;
  return dot_scalar;
}

DotFn active_dot() {
  static const DotFn kernel = dot_kernel(platform::active_isa());
  return kernel;
}

}  // namespace mla::kernels
