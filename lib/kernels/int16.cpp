#include "kernels/int16.hpp"

namespace mla::kernels {

Int16Kernels int16_kernels(platform::Isa isa) noexcept {
  Int16Kernels kernels = scalar::int16;
#ifdef MLA_X86
  if (isa >= platform::Isa::avx2) kernels = avx2::int16;
  if (isa >= platform::Isa::avx512 && __builtin_cpu_supports("avx512vnni")) kernels.multiply = avx512::multiply_int16;
#endif
  (void)isa;
  return kernels;
}

const Int16Kernels& active_int16_kernels() {
  static const Int16Kernels kernels = int16_kernels(platform::active_isa());
  return kernels;
}

}  // namespace mla::kernels
