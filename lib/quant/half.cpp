#include "quant/half.hpp"

#include <bit>

#include "quant/dispatch.hpp"
#include "quant/types.hpp"

namespace mla::quant {

float f16_to_f32(std::uint16_t half) noexcept {
  const std::uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31u, mantissa = half & 0x3ffu;
  if (exponent == 0) {  // zero or subnormal: units of 2^-24
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
  }
  if (exponent == 31) {
    const std::uint32_t quiet = mantissa != 0 ? 0x400000u : 0u;
    return std::bit_cast<float>(sign | 0x7f800000u | quiet | mantissa << 13);
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

std::uint16_t f32_to_f16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  const auto with_sign = [sign](std::uint32_t half) { return static_cast<std::uint16_t>(sign | half); };
  if (magnitude > 0x7f800000u) return with_sign(0x7e00u | (magnitude >> 13 & 0x3ffu));  // NaN
  if (magnitude >= 0x477ff000u) return with_sign(0x7c00u);  // from 65520, half way beyond the largest: infinity
  if (magnitude >= 0x38800000u) {                           // from 2^-14: normal
    const std::uint32_t rebased = magnitude - (112u << 23);
    return with_sign((rebased + 0xfffu + (rebased >> 13 & 1u)) >> 13);
  }
  if (magnitude < 0x33000000u) return with_sign(0);  // below 2^-25
  const std::uint32_t shift = 126 - (magnitude >> 23), mantissa = (magnitude & 0x7fffffu) | 0x800000u;
  const std::uint32_t whole = mantissa >> shift, rest = mantissa & ((1u << shift) - 1), tie = 1u << (shift - 1);
  return with_sign(whole + (rest > tie || (rest == tie && (whole & 1u) != 0)));
}

float bf16_to_f32(std::uint16_t half) noexcept { return std::bit_cast<float>(static_cast<std::uint32_t>(half) << 16); }

float f8_e4m3_to_f32(std::uint8_t code) noexcept {
  const std::uint32_t sign = (code & 0x80u) << 24, exponent = code >> 3 & 15u, mantissa = code & 7u;
  if (exponent == 0) {  // zero or subnormal: units of 2^-9
    const float magnitude = static_cast<float>(mantissa) * 0x1p-9f;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
  }
  if ((code & 0x7fu) == 0x7f) return std::bit_cast<float>(sign | 0x7ff00000u);
  return std::bit_cast<float>(sign | (exponent + 120) << 23 | mantissa << 20);
}

std::uint16_t f32_to_bf16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>(bits >> 16 | 0x40u);  // NaN
  return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

void f16_to_f32(const std::uint16_t* in, float* out, std::int64_t n) noexcept { active_dequantizer(Type::f16)(in, out, n); }
void f32_to_f16(const float* in, std::uint16_t* out, std::int64_t n) noexcept { active_quantizer(Type::f16)(in, out, n); }
void bf16_to_f32(const std::uint16_t* in, float* out, std::int64_t n) noexcept { active_dequantizer(Type::bf16)(in, out, n); }
void f32_to_bf16(const float* in, std::uint16_t* out, std::int64_t n) noexcept { active_quantizer(Type::bf16)(in, out, n); }

}  // namespace mla::quant
