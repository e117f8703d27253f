// IQ2_XXS, IQ2_XS, IQ2_S: eight magnitudes for an index of 8, 9 or 10 bits, and their signs.
#include "quant/ref/blocks.hpp"
#include "quant/ref/codebook.hpp"
#include "quant/ref/grids.hpp"

namespace mla::quant::ref {
namespace {

float quarter_scale(float d, int scale) { return d * (0.5f + static_cast<float>(scale)) * 0.25f; }

}  // namespace

void dequantize_iq2_xxs(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // d, 8 · (indices[4], 32 bits: four times 7 signs, scale)
  for (std::int64_t i = 0; i < n; i += 256, block += 66) {
    const float d = half_at(block);
    for (int sub = 0; sub < 8; ++sub) {
      const std::uint8_t* indices = block + 2 + 8 * sub;
      const std::uint32_t word = u32_at(indices + 4);
      const float scale = quarter_scale(d, static_cast<int>(word >> 28));
      for (int l = 0; l < 4; ++l) put_signed(scale, iq2_xxs_grid.entries[indices[l]], signs_of_seven(word >> (7 * l)), out + i + 32 * sub + 8 * l);
    }
  }
}

void dequantize_iq2_xs(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // d, 32 words of an index of 9 bits and 7 signs, scales[8]
  for (std::int64_t i = 0; i < n; i += 256, block += 74) {
    const float d = half_at(block);
    for (int l = 0; l < 32; ++l) {
      const unsigned word = u16_at(block + 2 + 2 * l);
      const float scale = quarter_scale(d, block[66 + l / 4] >> (l / 2 % 2 * 4) & 15);
      put_signed(scale, iq2_xs_grid.entries[word & 511u], signs_of_seven(word >> 9), out + i + 8 * l);
    }
  }
}

void dequantize_iq2_s(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // d, low index bits[32], signs[32], high index bits[8], scales[8]
  for (std::int64_t i = 0; i < n; i += 256, block += 82) {
    const float d = half_at(block);
    for (int l = 0; l < 32; ++l) {
      const unsigned index = block[2 + l] | (block[66 + l / 4] >> (l % 4 * 2) & 3u) << 8;
      const float scale = quarter_scale(d, block[74 + l / 4] >> (l / 2 % 2 * 4) & 15);
      put_signed(scale, iq2_s_grid.entries[index], block[34 + l], out + i + 8 * l);
    }
  }
}

}  // namespace mla::quant::ref
