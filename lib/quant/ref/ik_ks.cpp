// IQ2_KS, IQ2_KL, IQ3_KS, IQ4_KS, IQ4_KSS, IQ5_KS of ik_llama.cpp: a row begins with its scale, as f16 or float; super-blocks
// of 256 values in 8 sub-blocks of 32, with a small scale and one of two tables each.
#include "quant/ref/blocks.hpp"
#include "quant/ref/ik_values.hpp"

namespace mla::quant::ref {
namespace {

float half_header(const void* header) { return half_at(static_cast<const std::uint8_t*>(header)); }

float float_header(const void* header) {
  float d;
  std::memcpy(&d, header, sizeof d);
  return d;
}

// A byte: the scale in steps of 2, and below it which table.
float scale_of_byte(float d, int byte) { return d * static_cast<float>((byte & 254) - 127); }

}  // namespace

void dequantize_iq2_ks(const void* header, const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // tables[1], fifth bits of scales[1], scales[4], quants[64]
  const float d = half_header(header);
  for (std::int64_t i = 0; i < n; i += 256, block += 70)
    for (int sub = 0; sub < 8; ++sub) {
      const int scale = (block[2 + sub / 2] >> (sub % 2 * 4) & 15) | (block[1] >> sub & 1) << 4;
      const float ds = d * static_cast<float>(scale - 16);
      const std::int8_t* values = iq2_k_values[block[0] >> sub & 1];
      const std::uint8_t* quants = block + 6 + sub / 4 * 32;
      for (int j = 0; j < 32; ++j) out[i + 32 * sub + j] = ds * static_cast<float>(values[quants[j] >> (sub % 4 * 2) & 3]);
    }
}

void dequantize_iq2_kl(const void* header, const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // high bits of scales: 16 bits, low[4], indices[64], fifth bits[16]
  const float d = half_header(header);
  for (std::int64_t i = 0; i < n; i += 256, block += 86) {
    const unsigned high = u16_at(block);
    for (int sub = 0; sub < 8; ++sub) {
      const int scale = (block[2 + sub % 4] >> (sub / 4 * 4) & 15) | static_cast<int>(high >> (2 * sub) & 3u) << 4;
      const float ds = d * static_cast<float>(scale - 32);
      const std::uint8_t *indices = block + 6 + sub / 2 * 16, *fifth = block + 70;
      for (int j = 0; j < 16; ++j) {
        const std::int8_t* pair = iq2_kl_values[(indices[j] >> (sub % 2 * 4) & 15) | (fifth[j] >> sub & 1) << 4];
        out[i + 32 * sub + 2 * j] = ds * static_cast<float>(pair[0]);
        out[i + 32 * sub + 2 * j + 1] = ds * static_cast<float>(pair[1]);
      }
    }
  }
}

void dequantize_iq3_ks(const void* header, const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block =
      static_cast<const std::uint8_t*>(blocks);  // fifth bits of scales[1], tables[1], scales[4], quants[64], third bits[32]
  const float d = half_header(header);
  for (std::int64_t i = 0; i < n; i += 256, block += 102)
    for (int sub = 0; sub < 8; ++sub) {
      const int scale = (block[2 + sub % 4] >> (sub / 4 * 4) & 15) | (block[0] >> sub & 1) << 4;
      const float ds = d * static_cast<float>(scale - 16);
      const std::int8_t* values = iq3_k_values[block[1] >> sub & 1];
      const std::uint8_t *quants = block + 6 + sub / 4 * 32, *third = block + 70;
      for (int j = 0; j < 32; ++j) {
        const int q = (quants[j] >> (sub % 4 * 2) & 3) | (third[j] >> sub & 1) << 2;
        out[i + 32 * sub + j] = ds * static_cast<float>(values[q]);
      }
    }
}

void dequantize_iq4_ks(const void* header, const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // scales[8], quants[128]
  const float d = float_header(header);
  for (std::int64_t i = 0; i < n; i += 256, block += 136)
    for (int sub = 0; sub < 8; ++sub) {
      const float ds = scale_of_byte(d, block[sub]);
      const std::int8_t* values = iq4_k_values[block[sub] & 1];
      const std::uint8_t* quants = block + 8 + 16 * sub;
      for (int j = 0; j < 16; ++j) {
        out[i + 32 * sub + j] = ds * static_cast<float>(values[quants[j] & 15]);
        out[i + 32 * sub + j + 16] = ds * static_cast<float>(values[quants[j] >> 4]);
      }
    }
}

// The lowest bits of a sub-block's eight words are the byte of its scale. Above them are the quants, four to a word, such that
// the word exclusive-or itself shifted right by one gives them.
void dequantize_iq4_kss(const void* header, const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // words: 2 · [64]
  const float d = float_header(header);
  for (std::int64_t i = 0; i < n; i += 32, block += 16) {
    int byte = 0;
    for (int k = 0; k < 8; ++k) byte |= (u16_at(block + 2 * k) & 1) << k;
    const float ds = scale_of_byte(d, byte);
    const std::int8_t* values = iq4_k_values[byte & 1];
    for (int k = 0; k < 8; ++k) {
      const unsigned above = u16_at(block + 2 * k) & 0xfffeu, quants = above ^ above >> 1;
      for (int j = 0; j < 2; ++j) {
        out[i + 2 * k + j] = ds * static_cast<float>(values[quants >> (8 * j) & 15u]);
        out[i + 2 * k + j + 16] = ds * static_cast<float>(values[quants >> (8 * j + 4) & 15u]);
      }
    }
  }
}

void dequantize_iq5_ks(const void* header, const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // scales[8], quants[128], fifth bits[32]
  const float d = float_header(header);
  for (std::int64_t i = 0; i < n; i += 256, block += 168)
    for (int sub = 0; sub < 8; ++sub) {
      const float ds = scale_of_byte(d, block[sub]);
      const std::int8_t* values = iq5_k_values[block[sub] & 1];
      const std::uint8_t *quants = block + 8 + sub / 2 * 32, *fifth = block + 136;
      for (int j = 0; j < 32; ++j) {
        const int q = (quants[j] >> (sub % 2 * 4) & 15) | (fifth[j] >> sub & 1) << 4;
        out[i + 32 * sub + j] = ds * static_cast<float>(values[q]);
      }
    }
}

}  // namespace mla::quant::ref
