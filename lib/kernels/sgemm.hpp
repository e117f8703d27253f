// Dense float matrix product. The only uses of oneDNN in the library are behind sgemm() and integer_gemm().
#pragma once
#include <cstdint>

namespace mla::kernels {

enum class Transpose : char { no = 'N', yes = 'T' };

/// c = a · b + beta · c on the calling thread alone, whatever the host's OpenMP settings.
struct SgemmParams {
  const float* a;  ///< [m, k], rows lda apart
  std::int64_t lda;
  const float* b;  ///< [k, n], or [n, k] if transpose_b; rows ldb apart
  std::int64_t ldb;
  Transpose transpose_b;
  float* c;  ///< [m, n], rows ldc apart
  std::int64_t ldc;
  std::int64_t m, n, k;
  float beta;  ///< 0 overwrites c, 1 adds to it
  bool fixed_order = false;  ///< each row of c is summed up by itself, in an order that follows from n and k alone; slower
};

/// Throws Error(out_of_memory) if oneDNN can't get its buffers.
void sgemm(const SgemmParams& p);

/// What sgemm() does where the order is fixed.
void sgemm_by_rows(const SgemmParams& p) noexcept;

/// The same in plain loops: the oracle of the tests.
void sgemm_reference(const SgemmParams& p);

}  // namespace mla::kernels
