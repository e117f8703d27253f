// Floats to blocks of a GGUF tensor.
#pragma once
#include <cstdint>

#include "quant/types.hpp"

namespace mla::quant {

/// Whether this version can write the type: f32, f16, bf16, q8_0.
bool can_quantize(Type type) noexcept;

/// n values (a multiple of the block size) from `in` to blocks at `out`, at any alignment, without overlap.
/// f16 and bf16 round to nearest even; every type gives the same bits as the gguf Python package for finite values.
/// Throws Error(unsupported) if the type cannot be written.
void quantize(Type type, const float* in, void* out, std::int64_t n);

}  // namespace mla::quant
