// oneDNN's sums depend on how many rows it is given. These do not.
#include <algorithm>

#include "kernels/dot.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/sgemm.hpp"

namespace mla::kernels {

void sgemm_by_rows(const SgemmParams& p) noexcept {
  const DotFn dot = active_dot();
  for (std::int64_t i = 0; i < p.m; ++i) {
    const float* const a = p.a + i * p.lda;
    float* const c = p.c + i * p.ldc;
    if (p.beta == 0.0f) std::fill_n(c, p.n, 0.0f);
    if (p.transpose_b == Transpose::yes)
      for (std::int64_t j = 0; j < p.n; ++j) c[j] += dot(a, p.b + j * p.ldb, p.k);
    else
      for (std::int64_t k = 0; k < p.k; ++k) add_scaled(c, p.b + k * p.ldb, a[k], p.n);
  }
}

}  // namespace mla::kernels
