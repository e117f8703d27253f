// IQ1_S_R4 to IQ3_S_R4: indices into codebooks, and signs.
#include "quant/interleaved/blocks.hpp"
#include "quant/interleaved/values.hpp"

namespace mla::quant::interleaved {
namespace {

// Four bytes, each with one bit of the scale below 7 bits in Gray code, which are the signs of eight values: to the 32 bits of
// IQ2_XXS and IQ3_XXS, four times 7 signs and 4 bits of scale on top.
void put_signs_and_scale(Bytes bytes, std::uint8_t* to) {
  std::uint32_t word = 0;
  for (int i = 0; i < 4; ++i) {
    const std::uint32_t gray = bytes[i] & 0xfeu, signs = (gray ^ gray >> 1) & 127u;
    word |= signs << (7 * i) | (bytes[i] & 1u) << (28 + i);
  }
  std::memcpy(to, &word, sizeof word);
}

}  // namespace

// The rows begin with an f16 scale each; a block is 32 values, four indices.

void restore_iq1_s_r4(Bytes group, int row, std::uint8_t* block) noexcept {  // indices[16]; high bits, scale and offset: 2 · [4]
  for (int i = 0; i < 4; ++i) block[i] = group[4 * i + row];
  copy_half(group + 16, row, block + 4);
}

void restore_iq1_m_r4(Bytes group, int row, std::uint8_t* block) noexcept {  // indices[16], high bits and offsets[8], scales[4]
  for (int i = 0; i < 4; ++i) block[i] = group[4 * i + row];
  for (int i = 0; i < 2; ++i) block[4 + i] = group[16 + 4 * i + row];
  block[6] = group[24 + row];
}

void restore_iq2_xxs_r4(Bytes group, int row, std::uint8_t* block) noexcept {  // d[4], signs and scales[128], indices[128]
  copy_half(group, row, block);
  for (int sub = 0; sub < 8; ++sub) {
    std::memcpy(block + 2 + 8 * sub, group + 136 + 16 * sub + 4 * row, 4);
    put_signs_and_scale(group + 8 + 16 * sub + 4 * row, block + 6 + 8 * sub);
  }
}

void restore_iq3_xxs_r4(Bytes group, int row, std::uint8_t* block) noexcept {  // d[4], signs and scales[128], indices[256]
  copy_half(group, row, block);
  for (int sub = 0; sub < 8; ++sub) {
    std::memcpy(block + 2 + 8 * sub, group + 136 + 32 * sub + 8 * row, 8);
    put_signs_and_scale(group + 8 + 16 * sub + 4 * row, block + 66 + 4 * sub);
  }
}

void restore_iq2_xs_r4(Bytes group, int row, std::uint8_t* block) noexcept {  // d[4], signs and indices: 2 · [128], scales[32]
  copy_half(group, row, block);
  for (int sub = 0; sub < 8; ++sub) {
    block[66 + sub] = group[264 + 4 * sub + row];
    for (int i = 0; i < 4; ++i) {
      const Bytes pair = group + 8 + 2 * (16 * sub + 4 * row + i);
      const unsigned word = pair[0] | static_cast<unsigned>(pair[1]) << 8, gray = word >> 9, signs = (gray ^ gray << 1) & 127u;
      const unsigned plain = (word & 511u) | signs << 9;
      block[2 + 2 * (4 * sub + i)] = static_cast<std::uint8_t>(plain);
      block[3 + 2 * (4 * sub + i)] = static_cast<std::uint8_t>(plain >> 8);
    }
  }
}

void restore_iq2_s_r4(Bytes group, int row, std::uint8_t* block) noexcept {  // d[4], indices[128], high bits[32], signs[128], scales[32]
  copy_half(group, row, block);
  for (int sub = 0; sub < 8; ++sub) {
    std::memcpy(block + 2 + 4 * sub, group + 8 + 16 * sub + 4 * row, 4);
    std::memcpy(block + 34 + 4 * sub, group + 168 + 16 * sub + 4 * row, 4);
    block[66 + sub] = group[136 + 4 * sub + row];
    block[74 + sub] = group[296 + 4 * sub + row];
  }
}

void restore_iq3_s_r4(Bytes group, int row, std::uint8_t* block) noexcept {  // d[4], indices[256], ninth bits[32], signs[128], scales[16]
  copy_half(group, row, block);
  for (int sub = 0; sub < 8; ++sub) {
    for (int i = 0; i < 8; ++i) block[2 + 8 * sub + i] = group[8 + 32 * sub + 8 * (i % 4) + i / 4 * 4 + row];
    block[66 + sub] = group[264 + 4 * sub + row];
    // Bit b of byte i is the sign of value 4b + i.
    for (int b = 0; b < 8; ++b)
      for (int i = 0; i < 4; ++i)
        block[74 + 4 * sub + b / 2] |= static_cast<std::uint8_t>((group[296 + 16 * sub + 4 * row + i] >> b & 1) << (b % 2 * 4 + i));
    const int n = 4 * sub + row;
    block[106 + sub / 2] |= static_cast<std::uint8_t>((group[424 + n % 16] >> (n / 16 * 4) & 15) << (sub % 2 * 4));
  }
}

}  // namespace mla::quant::interleaved
