// IQ3_XXS, IQ3_S: four magnitudes for an index of 8 or 9 bits, and their signs.
#include "quant/ref/blocks.hpp"
#include "quant/ref/codebook.hpp"
#include "quant/ref/grids.hpp"

namespace mla::quant::ref {

void dequantize_iq3_xxs(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // d, indices[64], 8 · (32 bits: four times 7 signs, scale)
  for (std::int64_t i = 0; i < n; i += 256, block += 98) {
    const float d = half_at(block);
    for (int sub = 0; sub < 8; ++sub) {
      const std::uint32_t word = u32_at(block + 66 + 4 * sub);
      const float scale = d * (0.5f + static_cast<float>(word >> 28)) * 0.5f;
      for (int l = 0; l < 8; ++l) {
        const unsigned signs = signs_of_seven(word >> (l / 2 * 7)) >> (l % 2 * 4);
        put_signed(scale, iq3_xxs_grid.entries[block[2 + 8 * sub + l]], signs, out + i + 32 * sub + 4 * l);
      }
    }
  }
}

void dequantize_iq3_s(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // d, low index bits[64], ninth bits[8], signs[32], scales[4]
  for (std::int64_t i = 0; i < n; i += 256, block += 110) {
    const float d = half_at(block);
    for (int l = 0; l < 64; ++l) {
      const unsigned index = block[2 + l] | (block[66 + l / 8] >> (l % 8) & 1u) << 8;
      const float scale = d * static_cast<float>(1 + 2 * (block[106 + l / 16] >> (l / 8 % 2 * 4) & 15));
      put_signed(scale, iq3_s_grid.entries[index], block[74 + l / 2] >> (l % 2 * 4), out + i + 4 * l);
    }
  }
}

}  // namespace mla::quant::ref
