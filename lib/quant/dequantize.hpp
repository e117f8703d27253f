// Blocks of a GGUF tensor to floats.
#pragma once
#include <cstdint>

#include "platform/cpu.hpp"
#include "quant/types.hpp"

namespace mla::quant {

/// n values (a multiple of the block size) from `blocks` to `out`, at any alignment, without overlap.
/// The result is the same bits on every ISA, and the same that the gguf Python package gives.
using DequantizeFn = void (*)(const void* blocks, float* out, std::int64_t n) noexcept;

/// On the active ISA, which was resolved without error before (platform::active_isa()).
void dequantize(Type type, const void* blocks, float* out, std::int64_t n) noexcept;

/// The best implementation that `isa` can run; never nullptr.
DequantizeFn dequantizer(Type type, platform::Isa isa) noexcept;

}  // namespace mla::quant
