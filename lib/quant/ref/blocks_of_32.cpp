// Q4_0, Q4_1, Q5_0, Q5_1, Q6_0, Q8_0, MXFP4: 32 values that share one scale, and in the _1 formats one minimum.
// Of the 16 bytes of nibbles, the low ones are values 0 to 15 and the high ones 16 to 31.
#include <algorithm>
#include <bit>
#include <cmath>

#include "quant/ref/blocks.hpp"

namespace mla::quant::ref {
namespace {

// value = (q - offset) * d, or q * d + m with has_min. A block: d, [m], [32 fifth bits], 16 bytes of nibbles.
template <int bits, bool has_min>
void dequantize_nibbles(const void* blocks, float* out, std::int64_t n) noexcept {
  constexpr int header = has_min ? 4 : 2, fifth_bytes = bits == 5 ? 4 : 0;
  constexpr int offset = has_min ? 0 : 1 << (bits - 1);
  const auto* block = static_cast<const std::uint8_t*>(blocks);
  for (std::int64_t i = 0; i < n; i += 32, block += header + fifth_bytes + 16) {
    const float d = half_at(block), m = has_min ? half_at(block + 2) : 0.0f;
    const std::uint8_t* nibbles = block + header + fifth_bytes;
    for (int j = 0; j < 32; ++j) {
      int q = j < 16 ? nibbles[j] & 15 : nibbles[j - 16] >> 4;
      if (bits == 5) q |= (block[header + j / 8] >> (j % 8) & 1) << 4;
      const float product = d * static_cast<float>(q - offset);
      out[i + j] = has_min ? product + m : product;
    }
  }
}

// The value that is furthest from zero; a NaN if there is one.
float extreme_of(const float* in) noexcept {
  float extreme = in[0];
  for (int j = 0; j < 32; ++j) {
    if (std::isnan(in[j])) return in[j];
    if (std::fabs(in[j]) > std::fabs(extreme)) extreme = in[j];
  }
  return extreme;
}

// Quants 0 … 2·offset-1 of a block whose extreme value becomes 0, and its scale as f16. Blocks of zeros, or so small that 1/d overflows,
// get quants that mean zero; so do those with an infinity or NaN, which the scale then turns into NaN when they are read.
std::uint16_t quantize_block(const float* in, int offset, std::uint8_t* quants) noexcept {
  const float d = extreme_of(in) / static_cast<float>(-offset), inverse = d == 0.0f ? 0.0f : 1.0f / d;
  const bool usable = std::isfinite(d) && std::isfinite(inverse);
  for (int j = 0; j < 32; ++j) {  // in double, the sum is the same whether or not it is fused
    const double scaled = usable ? static_cast<double>(in[j]) * static_cast<double>(inverse) : 0.0;
    quants[j] = static_cast<std::uint8_t>(std::min(2 * offset - 1, static_cast<int>(scaled + (offset + 0.5))));
  }
  return f32_to_f16(d);
}

}  // namespace

void dequantize_q4_0(const void* blocks, float* out, std::int64_t n) noexcept { dequantize_nibbles<4, false>(blocks, out, n); }
void dequantize_q4_1(const void* blocks, float* out, std::int64_t n) noexcept { dequantize_nibbles<4, true>(blocks, out, n); }
void dequantize_q5_0(const void* blocks, float* out, std::int64_t n) noexcept { dequantize_nibbles<5, false>(blocks, out, n); }
void dequantize_q5_1(const void* blocks, float* out, std::int64_t n) noexcept { dequantize_nibbles<5, true>(blocks, out, n); }

void dequantize_q6_0(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // d, two high bits[8], nibbles[16]
  for (std::int64_t i = 0; i < n; i += 32, block += 26) {
    const float d = half_at(block);
    for (int j = 0; j < 16; ++j) {  // a byte of high bits serves values j, j + 16, j + 8, j + 24, from the lowest bits up
      const int high = block[2 + j % 8] >> (j / 8 * 4), nibbles = block[10 + j];
      out[i + j] = d * static_cast<float>(((nibbles & 15) | (high & 3) << 4) - 32);
      out[i + j + 16] = d * static_cast<float>((nibbles >> 4 | (high >> 2 & 3) << 4) - 32);
    }
  }
}

void quantize_q4_0(const float* in, void* blocks, std::int64_t n) noexcept {
  auto* block = static_cast<std::uint8_t*>(blocks);
  for (std::int64_t i = 0; i < n; i += 32, block += 18) {
    std::uint8_t q[32];
    const std::uint16_t d = quantize_block(in + i, 8, q);
    std::memcpy(block, &d, sizeof d);
    for (int j = 0; j < 16; ++j) block[2 + j] = static_cast<std::uint8_t>(q[j] | q[j + 16] << 4);
  }
}

void quantize_q6_0(const float* in, void* blocks, std::int64_t n) noexcept {
  auto* block = static_cast<std::uint8_t*>(blocks);
  for (std::int64_t i = 0; i < n; i += 32, block += 26) {
    std::uint8_t q[32];
    const std::uint16_t d = quantize_block(in + i, 32, q);
    std::memcpy(block, &d, sizeof d);
    for (int j = 0; j < 8; ++j)
      block[2 + j] = static_cast<std::uint8_t>(q[j] >> 4 | q[j + 16] >> 4 << 2 | q[j + 8] >> 4 << 4 | q[j + 24] >> 4 << 6);
    for (int j = 0; j < 16; ++j) block[10 + j] = static_cast<std::uint8_t>((q[j] & 15) | (q[j + 16] & 15) << 4);
  }
}

void dequantize_mxfp4(const void* blocks, float* out, std::int64_t n) noexcept {
  static constexpr float values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};  // twice those of E2M1
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // exponent, nibbles[16]
  for (std::int64_t i = 0; i < n; i += 32, block += 17) {
    const unsigned exponent = block[0];  // half of 2^(exponent - 127); the two smallest are subnormal
    const float d = std::bit_cast<float>(exponent < 2 ? 0x200000u << exponent : (exponent - 1) << 23);
    for (int j = 0; j < 16; ++j) {
      out[i + j] = d * values[block[1 + j] & 15];
      out[i + j + 16] = d * values[block[1 + j] >> 4];
    }
  }
}

void dequantize_q8_0(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);
  for (std::int64_t i = 0; i < n; i += 32, block += 34) {
    const float d = half_at(block);
    for (int j = 0; j < 32; ++j) out[i + j] = d * static_cast<float>(static_cast<std::int8_t>(block[2 + j]));
  }
}

void quantize_q8_0(const float* in, void* blocks, std::int64_t n) noexcept {
  auto* block = static_cast<std::uint8_t*>(blocks);
  for (std::int64_t i = 0; i < n; i += 32, block += 34) {
    float largest = 0;
    for (int j = 0; j < 32; ++j) {
      const float magnitude = std::fabs(in[i + j]);
      if (magnitude > largest || std::isnan(magnitude)) largest = magnitude;
      if (std::isnan(magnitude)) break;
    }
    const float d = largest / 127.0f;
    const std::uint16_t half = f32_to_f16(d);
    std::memcpy(block, &half, sizeof half);
    // Blocks of zeros, or so small that 1/d overflows, get zero quants; so do those with an infinity or NaN,
    // which the scale then turns into NaN when they are read.
    const float inverse = d == 0.0f ? 0.0f : 1.0f / d;
    const bool usable = std::isfinite(d) && std::isfinite(inverse);
    for (int j = 0; j < 32; ++j) {
      const float scaled = usable ? in[i + j] * inverse : 0.0f;
      const int floored = static_cast<int>(std::fabs(scaled));
      const int rounded = floored + (std::fabs(scaled) - static_cast<float>(floored) >= 0.5f);  // half away from zero
      block[2 + j] = static_cast<std::uint8_t>(scaled < 0 ? -rounded : rounded);
    }
  }
}

}  // namespace mla::quant::ref
