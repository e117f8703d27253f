// Formats of 4-bit indices into one fixed table.
#include "quant/iq4_values.hpp"
#include "quant/x86/blocks.hpp"
#include "quant/x86/simd.hpp"

namespace mla::quant::MLA_QUANT_ISA {
namespace {

// 32 values from 16 bytes of indices
void look_up_block(Table table, const uint8_t* indices, float* out) {
  for (int j = 0; j < 16; j += lanes) {
    const Ints index = load_u8(indices + j);
    store(out + j, look_up(table, index));  // which reads only the low four bits
    store(out + j + 16, look_up(table, index >> 4));
  }
}

}  // namespace

void dequantize_iq4_nl(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  const Table table = load_table(iq4_values);
  for (int64_t i = 0; i < n; i += 32, block += 18) look_up_block(half_at(block) * table, block + 2, out + i);
}

void dequantize_iq4_xs(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  const Table table = load_table(iq4_values);
  for (int64_t i = 0; i < n; i += 256, block += 136) {
    const float d = half_at(block);
    const uint32_t low_bits = u32_at(block + 4), high_bits = u16_at(block + 2);
    for (int sub = 0; sub < 8; ++sub) {
      const int scale = (int)((low_bits >> (4 * sub) & 15) | (high_bits >> (2 * sub) & 3) << 4) - 32;
      look_up_block(d * (float)scale * table, block + 8 + sub * 16, out + i + sub * 32);
    }
  }
}

void dequantize_mxfp4(const void* blocks, float* out, int64_t n) noexcept {
  static constexpr int8_t twice[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  const uint8_t* block = (const uint8_t*)blocks;
  const Table table = load_table(twice);
  for (int64_t i = 0; i < n; i += 32, block += 17) {
    const uint32_t exponent = block[0], bits = exponent < 2 ? 0x200000u << exponent : (exponent - 1) << 23;
    float d;
    memcpy(&d, &bits, sizeof d);
    look_up_block(d * table, block + 1, out + i);
  }
}

}  // namespace mla::quant::MLA_QUANT_ISA
