#include "kernels/sgemm.hpp"

namespace mla::kernels {

void sgemm_reference(const SgemmParams& p) {
  for (std::int64_t i = 0; i < p.m; ++i) {
    for (std::int64_t j = 0; j < p.n; ++j) {
      double sum = 0;
      for (std::int64_t k = 0; k < p.k; ++k) {
        const float b = p.transpose_b == Transpose::yes ? p.b[j * p.ldb + k] : p.b[k * p.ldb + j];
        sum += static_cast<double>(p.a[i * p.lda + k]) * b;
      }
      float& c = p.c[i * p.ldc + j];
      c = static_cast<float>(p.beta == 0.0f ? sum : sum + static_cast<double>(p.beta) * c);
    }
  }
}

}  // namespace mla::kernels
