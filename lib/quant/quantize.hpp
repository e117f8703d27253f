// Floats to blocks of a GGUF tensor.
#pragma once
#include <cstdint>

#include "quant/types.hpp"

namespace mla::quant {

/// Whether this version can write the type: f32, f16, bf16, q4_0, q6_0, q8_0.
bool can_quantize(Type type) noexcept;

/// n values (a multiple of the block size) from `in` to blocks at `out`, at any alignment, without overlap.
/// f16 and bf16 round to nearest even; every type that the gguf Python package can write gives the same bits for finite values
/// whose scale has a finite reciprocal.
/// Throws Error(unsupported) if the type cannot be written.
void quantize(Type type, const float* in, void* out, std::int64_t n);

}  // namespace mla::quant
