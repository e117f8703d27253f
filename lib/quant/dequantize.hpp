// Rows of a GGUF tensor to floats.
#pragma once
#include <cstdint>

#include "platform/cpu.hpp"
#include "quant/types.hpp"

namespace mla::quant {

/// Values first … first + n - 1 of a row (both numbers multiples of the block size) to `out`, at any alignment, without overlap.
/// The result is the same bits on every ISA, and the same that the type's public dequantiser gives (docs/formats.md).
/// Runs on the active ISA, which was resolved without error before (platform::active_isa()).
void dequantize(Type type, const void* row, std::int64_t first, std::int64_t n, float* out) noexcept;

/// The first n values of a row. Where rows have no header, these may be those of several rows.
void dequantize(Type type, const void* row, float* out, std::int64_t n) noexcept;

/// Values first … first + n - 1, by the best implementation that `isa` can run.
void dequantize_on(platform::Isa isa, Type type, const void* row, std::int64_t first, std::int64_t n, float* out) noexcept;

}  // namespace mla::quant
