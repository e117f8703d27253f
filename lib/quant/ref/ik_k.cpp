// IQ2_K to IQ6_K of ik_llama.cpp: super-blocks of 256 values in 16 sub-blocks of 16, with one scale and one of two tables each.
#include "quant/ref/blocks.hpp"
#include "quant/ref/ik_values.hpp"

namespace mla::quant::ref {
namespace {

// Scale `sub` of 16 in IQ4_K and IQ5_K: 4 low bits, two to a byte; 2 high bits, four to a byte.
int scale_of_6_bits(const std::uint8_t* high, const std::uint8_t* low, int sub) {
  return ((low[sub / 2] >> (sub % 2 * 4) & 15) | (high[sub / 4] >> (sub % 4 * 2) & 3) << 4) - 32;
}

}  // namespace

// Two sub-blocks make a line of 32 values. Four lines share 32 bytes of 2-bit fields, the first line lowest; two share 32 bytes
// of nibbles; the further bits of a value are in 32 bytes that all eight (or, of two bits, four) lines share.

void dequantize_iq2_k(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // d, tables: 16 bits, scales[8], quants[64]
  for (std::int64_t i = 0; i < n; i += 256, block += 76) {
    const float d = half_at(block);
    const unsigned tables = u16_at(block + 2);
    for (int sub = 0; sub < 16; ++sub) {
      const int line = sub / 2;
      const float scale = d * static_cast<float>((block[4 + line] >> (sub % 2 * 4) & 15) - 8);
      const std::int8_t* values = iq2_k_values[tables >> sub & 1u];
      const std::uint8_t* quants = block + 12 + line / 4 * 32 + sub % 2 * 16;
      for (int j = 0; j < 16; ++j) out[i + 16 * sub + j] = scale * static_cast<float>(values[quants[j] >> (line % 4 * 2) & 3]);
    }
  }
}

void dequantize_iq3_k(const void* blocks, float* out, std::int64_t n) noexcept {
  // d, tables: 16 bits, signs of scales: 16 bits, scales[8], quants[64], third bits[32]
  const auto* block = static_cast<const std::uint8_t*>(blocks);
  for (std::int64_t i = 0; i < n; i += 256, block += 110) {
    const float d = half_at(block);
    const unsigned tables = u16_at(block + 2), negative = u16_at(block + 4);
    for (int sub = 0; sub < 16; ++sub) {
      const int line = sub / 2, magnitude = 2 * (block[6 + line] >> (sub % 2 * 4) & 15) + 1;
      const float scale = d * static_cast<float>(negative >> sub & 1u ? -magnitude : magnitude);
      const std::int8_t* values = iq3_k_values[tables >> sub & 1u];
      const std::uint8_t *quants = block + 14 + line / 4 * 32 + sub % 2 * 16, *third = block + 78 + sub % 2 * 16;
      for (int j = 0; j < 16; ++j) {
        const int q = (quants[j] >> (line % 4 * 2) & 3) | (third[j] >> line & 1) << 2;
        out[i + 16 * sub + j] = scale * static_cast<float>(values[q]);
      }
    }
  }
}

void dequantize_iq4_k(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // d, tables: 16 bits, scales high[4], low[8], quants[128]
  for (std::int64_t i = 0; i < n; i += 256, block += 144) {
    const float d = half_at(block);
    const unsigned tables = u16_at(block + 2);
    for (int sub = 0; sub < 16; ++sub) {  // here a line's two sub-blocks are the low and the high nibbles of 16 bytes
      const float scale = d * static_cast<float>(scale_of_6_bits(block + 4, block + 8, sub));
      const std::int8_t* values = iq4_k_values[tables >> sub & 1u];
      const std::uint8_t* quants = block + 16 + sub / 2 * 16;
      for (int j = 0; j < 16; ++j) out[i + 16 * sub + j] = scale * static_cast<float>(values[quants[j] >> (sub % 2 * 4) & 15]);
    }
  }
}

void dequantize_iq5_k(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // d, tables: 16 bits, scales high[4], low[8], quants[128], fifth bits[32]
  for (std::int64_t i = 0; i < n; i += 256, block += 176) {
    const float d = half_at(block);
    const unsigned tables = u16_at(block + 2);
    for (int sub = 0; sub < 16; ++sub) {
      const int line = sub / 2;
      const float scale = d * static_cast<float>(scale_of_6_bits(block + 4, block + 8, sub));
      const std::int8_t* values = iq5_k_values[tables >> sub & 1u];
      const std::uint8_t *quants = block + 16 + line / 2 * 32 + sub % 2 * 16, *fifth = block + 144 + sub % 2 * 16;
      for (int j = 0; j < 16; ++j) {
        const int q = (quants[j] >> (line % 2 * 4) & 15) | (fifth[j] >> line & 1) << 4;
        out[i + 16 * sub + j] = scale * static_cast<float>(values[q]);
      }
    }
  }
}

// ik_llama.cpp has two readings of IQ6_K: its processor code for single rows evaluates a polynomial, of which the table is the
// rounded values; its CUDA dequantiser and all its products use the table. So does this.
void dequantize_iq6_k(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // d, tables: 16 bits, int8 scales[16], quants[128], high bits[64]
  for (std::int64_t i = 0; i < n; i += 256, block += 212) {
    const float d = half_at(block);
    const unsigned tables = u16_at(block + 2);
    for (int sub = 0; sub < 16; ++sub) {
      const int line = sub / 2, higher = static_cast<int>(tables >> sub & 1u);
      const float scale = d * static_cast<float>(static_cast<std::int8_t>(block[4 + sub]));
      const std::uint8_t *quants = block + 20 + line / 2 * 32 + sub % 2 * 16, *high = block + 148 + line / 4 * 32 + sub % 2 * 16;
      for (int j = 0; j < 16; ++j) {
        const int q = (quants[j] >> (line % 2 * 4) & 15) | (high[j] >> (line % 4 * 2) & 3) << 4;
        out[i + 16 * sub + j] = scale * static_cast<float>(iq6_k_values[q] + higher);
      }
    }
  }
}

}  // namespace mla::quant::ref
