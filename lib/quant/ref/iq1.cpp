// IQ1_S, IQ1_M: eight values out of {-1, 0, 1} for an index of 11 bits, all moved by an eighth up or down; and the same
// with one f16 scale per row, as IQ1_S_R4 and IQ1_M_R4 have it.
#include "quant/ref/blocks.hpp"
#include "quant/ref/grids.hpp"

namespace mla::quant::ref {
namespace {

void put_moved(float scale, unsigned index, bool down, float* out) {
  const float offset = down ? -0.125f : 0.125f;
  for (std::size_t j = 0; j < 8; ++j) out[j] = scale * (static_cast<float>(iq1_s_grid.entries[index][j]) + offset);
}

// 32 values of IQ1_S: low bits of four indices, and a word of their high bits (3 each), a scale (3) and the offset's sign.
void put_iq1_s(float d, const std::uint8_t* low, unsigned word, float* out) {
  const float scale = d * static_cast<float>(2 * (word >> 12 & 7u) + 1);
  for (unsigned l = 0; l < 4; ++l) put_moved(scale, low[l] | (word >> (3 * l) & 7u) << 8, word >> 15 != 0, out + 8 * l);
}

// 16 values of IQ1_M: low bits of two indices, and a byte with a nibble for each: 3 high bits, and the offset's sign.
void put_iq1_m(float scale, const std::uint8_t* low, unsigned high, float* out) {
  for (unsigned l = 0; l < 2; ++l) {
    const unsigned nibble = high >> (4 * l) & 15u;
    put_moved(scale, low[l] | (nibble & 7u) << 8, nibble >> 3 != 0, out + 8 * l);
  }
}

}  // namespace

void dequantize_iq1_s(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // d, low index bits[32], words: 2 · [8]
  for (std::int64_t i = 0; i < n; i += 256, block += 50) {
    const float d = half_at(block);
    for (int sub = 0; sub < 8; ++sub) put_iq1_s(d, block + 2 + 4 * sub, u16_at(block + 34 + 2 * sub), out + i + 32 * sub);
  }
}

void dequantize_iq1_m(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // low index bits[32], high bits and offsets[16], scales: 2 · [4]
  for (std::int64_t i = 0; i < n; i += 256, block += 56) {
    // Each word of scales has four of 3 bits and, on top, a nibble of d.
    unsigned half = 0;
    for (int word = 0; word < 4; ++word) half |= static_cast<unsigned>(u16_at(block + 48 + 2 * word) >> 12) << (4 * word);
    const float d = f16_to_f32(static_cast<std::uint16_t>(half));
    for (int sub = 0; sub < 16; ++sub) {
      const int scale = u16_at(block + 48 + sub / 4 * 2) >> (sub % 4 * 3) & 7;
      put_iq1_m(d * static_cast<float>(2 * scale + 1), block + 2 * sub, block[32 + sub], out + i + 16 * sub);
    }
  }
}

void dequantize_iq1_s_row(const void* header, const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // low index bits[4], word
  const float d = half_at(static_cast<const std::uint8_t*>(header));
  for (std::int64_t i = 0; i < n; i += 32, block += 6) put_iq1_s(d, block, u16_at(block + 4), out + i);
}

void dequantize_iq1_m_row(const void* header, const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* block = static_cast<const std::uint8_t*>(blocks);  // low index bits[4], high bits and offsets[2], two scales of 4 bits
  const float d = half_at(static_cast<const std::uint8_t*>(header));
  for (std::int64_t i = 0; i < n; i += 32, block += 7)
    for (int half = 0; half < 2; ++half)
      put_iq1_m(d * static_cast<float>(block[6] >> (4 * half) & 15), block + 2 * half, block[4 + half], out + i + 16 * half);
}

}  // namespace mla::quant::ref
