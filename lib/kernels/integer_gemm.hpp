// Dense product of bytes, by oneDNN.
#pragma once
#include <cstdint>

namespace mla::kernels {

/// c = a · bᵀ on the calling thread alone, whatever the host's OpenMP settings.
struct IntegerGemmParams {
  const std::uint8_t* a;  ///< [m, k]
  const std::int8_t* b;   ///< [n, k]
  std::int32_t* c;        ///< [m, n]
  std::int64_t m, n, k;
};

/// Throws Error(out_of_memory) if oneDNN can't get its buffers.
void integer_gemm(const IntegerGemmParams& p);

}  // namespace mla::kernels
