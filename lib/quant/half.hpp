// 16-bit floats: IEEE half (f16) and bfloat16 (bf16), to float and back, rounding to nearest even; 8-bit ones to float.
#pragma once
#include <cstdint>

namespace mla::quant {

/// Exact, in integer arithmetic; a signalling NaN becomes quiet.
float f16_to_f32(std::uint16_t half) noexcept;
/// A NaN stays a NaN (quiet), keeping the payload bits that fit.
std::uint16_t f32_to_f16(float value) noexcept;
float bf16_to_f32(std::uint16_t half) noexcept;
/// 4 bits of exponent, 3 of mantissa, no infinity ("e4m3fn"): exact; a NaN has torch's bits.
float f8_e4m3_to_f32(std::uint8_t code) noexcept;
std::uint16_t f32_to_bf16(float value) noexcept;

// Rows of n values, at any alignment, without overlap; the same bits as the functions above on every ISA.
void f16_to_f32(const std::uint16_t* in, float* out, std::int64_t n) noexcept;
void f32_to_f16(const float* in, std::uint16_t* out, std::int64_t n) noexcept;
void bf16_to_f32(const std::uint16_t* in, float* out, std::int64_t n) noexcept;
void f32_to_bf16(const float* in, std::uint16_t* out, std::int64_t n) noexcept;

}  // namespace mla::quant
