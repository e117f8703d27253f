// Floats to blocks of a GGUF tensor with as little error as the format allows: for files, where quantize.hpp is for activations and caches.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "platform/cpu.hpp"
#include "quant/types.hpp"

namespace mla::quant {

/// F32, F16, BF16, Q4_0, Q5_0, Q6_0, Q8_0, Q2_K to Q6_K, IQ4_NL, IQ4_XS.
bool can_encode(Type type) noexcept;

/// An infinity or NaN if there is one among the values, else 0.
float find_not_finite(std::span<const float> values) noexcept;

/// n finite values (a multiple of the block size) from `in` to blocks at `out`, at any alignment, without overlap. The sum of
/// weight · (value - what it reads back as)² is made small by a search; `weights` [n] are positive and of a size around 1 (see level_weights), or
/// nullptr for equal ones. F32, F16, BF16 and Q8_0 are what quantize() writes, whatever the weights. The same bits on every ISA.
/// A scale beyond the largest half-precision float becomes that one. Throws Error(unsupported) if the type cannot be written.
void encode(Type type, const float* in, const float* weights, void* out, std::int64_t n);

/// The same by the best implementation that `isa` can run, for a type that can be written.
void encode_on(platform::Isa isa, Type type, const float* in, const float* weights, void* out, std::int64_t n) noexcept;

/// Measured importances, not negative, scaled to a mean of 1; none is left so small that a block of them would carry no weight.
void level_weights(std::span<float> weights) noexcept;

/// What to give encode() to weigh the values of a row [n], n a multiple of 256, of a model by its columns' `importances` [n]: these for most
/// types. For Q2_K times √(1 + value² / mean square of its 256), written to `scratch`: with four values to choose from, the least weighted
/// error alone sacrifices the few large values that a model needs (docs/quantisation.md). Equal importances stay equal.
const float* value_weights(Type type, std::span<const float> values, const float* importances, std::vector<float>& scratch);

}  // namespace mla::quant
