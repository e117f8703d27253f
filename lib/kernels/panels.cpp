#include "kernels/panels.hpp"

#include <cstring>

#include "kernels/int8.hpp"
#include "quant/dequantize.hpp"

namespace mla::kernels {
namespace {

using quant::Type;

constexpr std::size_t widest_block = 256;  // Q6_K takes 210 bytes

template <typename T>
T load(const std::byte* p) noexcept {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}
template <typename T>
void store(std::byte* p, T value) noexcept {
  std::memcpy(p, &value, sizeof value);
}

// Swaps the bits of `mask` with those `shift` above them.
constexpr std::uint32_t swap_bits(std::uint32_t x, std::uint32_t mask, int shift) noexcept {
  const std::uint32_t difference = (x ^ (x >> shift)) & mask;
  return x ^ difference ^ (difference << shift);
}

// Bit 8i + j goes to 4j + i: each step exchanges two bits of the bits' numbers.
std::uint32_t gather_fifth_bits(std::uint32_t x) noexcept {
  x = swap_bits(x, 0x0000f0f0, 12);
  x = swap_bits(x, 0x00cc00cc, 6);
  x = swap_bits(x, 0x0a0a0a0a, 3);
  return swap_bits(x, 0x22222222, 1);
}

// The block of one row, from its place in a block column of a panel.
void take_block(const PanelLayout& l, const std::byte* panel, int row, std::byte* block) noexcept {
  for (int i = 0; i < l.n_halves; ++i) store(block + l.halves_at + 2 * i, load<std::uint16_t>(panel + 2 * (panel_rows * i + row)));
  panel += 2 * panel_rows * l.n_halves + 4 * row;
  if (l.fifth_bits_at >= 0) {
    store(block + l.fifth_bits_at, gather_fifth_bits(load<std::uint32_t>(panel)));
    panel += 4 * panel_rows;
  }
  for (int i = 0; i < l.n_words; ++i) store(block + l.words_at + 4 * i, load<std::uint32_t>(panel + 4 * panel_rows * i));
}

}  // namespace

const PanelLayout* panel_layout(Type type) noexcept {
  switch (type) {
    case Type::q4_0: return &layouts::q4_0;
    case Type::q4_1: return &layouts::q4_1;
    case Type::q5_0: return &layouts::q5_0;
    case Type::q5_1: return &layouts::q5_1;
    case Type::q8_0: return &layouts::q8_0;
    case Type::q2_k: return &layouts::q2_k;
    case Type::q3_k: return &layouts::q3_k;
    case Type::q4_k: return &layouts::q4_k;
    case Type::q5_k: return &layouts::q5_k;
    case Type::q6_k: return &layouts::q6_k;
    case Type::iq4_nl: return &layouts::iq4_nl;
    case Type::iq4_xs: return &layouts::iq4_xs;
    default: return nullptr;
  }
}

bool fits_panels(const Matrix& w) noexcept { return panel_layout(w.type) != nullptr && w.rows > 0 && w.rows % panel_rows == 0; }

void rows_to_panel(const Matrix& w, std::int64_t first_row, std::byte* panel) noexcept {
  static const Int8Kernels& kernels = active_int8_kernels() != nullptr ? *active_int8_kernels() : scalar::int8;
  kernels.find_interleave(w.type)(w.row(first_row), w.row_bytes, panel);
}

void panel_to_rows(Type type, std::int64_t cols, const std::byte* panel, std::byte* rows) noexcept {
  const PanelLayout& layout = *panel_layout(type);
  const std::size_t block = static_cast<std::size_t>(layout.block_bytes), row_bytes = quant::row_bytes(type, cols);
  for (std::size_t at = 0; at < row_bytes; at += block)
    for (int row = 0; row < panel_rows; ++row)
      take_block(layout, panel + panel_rows * at, row, rows + static_cast<std::size_t>(row) * row_bytes + at);
}

void dequantize_panel(Type type, std::int64_t cols, const std::byte* panel, float* out, std::int64_t ldw) noexcept {
  const PanelLayout& layout = *panel_layout(type);
  const std::int64_t block_size = quant::traits(type).block_size;
  std::byte block[widest_block];
  for (std::int64_t first = 0; first < cols; first += block_size, panel += panel_rows * layout.block_bytes)
    for (int row = 0; row < panel_rows; ++row) {
      take_block(layout, panel, row, block);
      quant::dequantize(type, block, out + row * ldw + first, block_size);
    }
}

}  // namespace mla::kernels
