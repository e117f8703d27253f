// What each instruction set implements. Files compiled for a wide instruction set include this header,
// so it holds declarations only: no inline code, no C++ library header.
#pragma once
#include <stdint.h>

#include "quant/gguf_type.hpp"

namespace mla::quant {

using DequantizeFn = void (*)(const void* blocks, float* out, int64_t n) noexcept;
// For types whose rows have a header: blocks of the row that begins with it.
using DequantizeRowFn = void (*)(const void* header, const void* blocks, float* out, int64_t n) noexcept;
using QuantizeFn = void (*)(const float* in, void* blocks, int64_t n) noexcept;

// nullptr: not implemented here. A type has either `dequantize` or `dequantize_row`.
struct Kernel {
  Type type;
  DequantizeFn dequantize;
  QuantizeFn quantize;
  DequantizeRowFn dequantize_row = nullptr;
};

// weights [n], or nullptr (quant/encode.hpp)
using EncodeFn = void (*)(const float* in, const float* weights, void* blocks, int64_t n) noexcept;
struct Encoder {
  Type type;
  EncodeFn encode;
};

// Each list ends with an entry that dequantises nothing and is constant-initialised: no wide instruction runs before detection.
namespace ref {
extern const Kernel kernels[];  // complete: every type
extern const Encoder encoders[];
}
namespace avx2 {
extern const Kernel kernels[];
extern const Encoder encoders[];
}
namespace avx512 {
extern const Kernel kernels[];
}

}  // namespace mla::quant
