// What each instruction set implements. Files compiled for a wide instruction set include this header,
// so it holds declarations only: no inline code, no C++ library header.
#pragma once
#include <stdint.h>

#include "quant/gguf_type.hpp"

namespace mla::quant {

using DequantizeFn = void (*)(const void* blocks, float* out, int64_t n) noexcept;
using QuantizeFn = void (*)(const float* in, void* blocks, int64_t n) noexcept;

struct Kernel {
  Type type;
  DequantizeFn dequantize;
  QuantizeFn quantize;  // nullptr: not implemented here
};

// Each list ends with a null `dequantize` and is constant-initialised: no wide instruction runs before detection.
namespace ref {
extern const Kernel kernels[];  // complete: every type
}
namespace avx2 {
extern const Kernel kernels[];
}
namespace avx512 {
extern const Kernel kernels[];
}

}  // namespace mla::quant
