// IQ4_NL and IQ4_XS: 4-bit indices into a fixed non-linear table.
#include "quant/iq4_values.hpp"
#include "quant/ref/blocks.hpp"

namespace mla::quant::ref {

void dequantize_iq4_nl(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // d, quants[16]
  for (std::int64_t i = 0; i < n; i += 32, block += 18) {
    const float d = half_at(block);
    for (int j = 0; j < 16; ++j) {
      out[i + j] = d * iq4_values[block[2 + j] & 15];
      out[i + j + 16] = d * iq4_values[block[2 + j] >> 4];
    }
  }
}

void dequantize_iq4_xs(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // d, high scale bits[2], low scale bits[4], quants[128]
  for (std::int64_t i = 0; i < n; i += 256, block += 136) {
    const float d = half_at(block);
    for (int sub = 0; sub < 8; ++sub) {
      const int low = block[4 + sub / 2] >> (sub % 2 * 4) & 15, high = block[2 + sub / 4] >> (sub % 4 * 2) & 3;
      const float scale = d * static_cast<float>((low | high << 4) - 32);
      const std::uint8_t* quants = block + 8 + sub * 16;
      for (int j = 0; j < 16; ++j) {
        out[i + sub * 32 + j] = scale * iq4_values[quants[j] & 15];
        out[i + sub * 32 + j + 16] = scale * iq4_values[quants[j] >> 4];
      }
    }
  }
}

}  // namespace mla::quant::ref
