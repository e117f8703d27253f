// Where the fields of a block lie in a row and in a panel. Plain constants: files for several instruction sets include this.
#pragma once

namespace mla::kernels {

constexpr int panel_rows = 16;

/// Sixteen blocks become [half fields][16], [fifth bits][16], [words][16]. Words are moved as they are; together the fields are
/// the whole block.
struct PanelLayout {
  int block_bytes;
  int halves_at, n_halves;  ///< 16-bit fields from this byte of a block on
  int fifth_bits_at;        ///< a word whose bit i is the fifth bit of value i, or -1. In a panel, bit j of its byte i belongs to
                            ///< value 4j + i: one shift then brings the bits of four neighbours into place
  int words_at, n_words;    ///< 32-bit fields from this byte on
};

// quant/ref has the meaning of the fields.
namespace layouts {
constexpr PanelLayout q4_0 = {18, 0, 1, -1, 2, 4};
constexpr PanelLayout q4_1 = {20, 0, 2, -1, 4, 4};
constexpr PanelLayout q5_0 = {22, 0, 1, 2, 6, 4};
constexpr PanelLayout q5_1 = {24, 0, 2, 4, 8, 4};
constexpr PanelLayout q8_0 = {34, 0, 1, -1, 2, 8};
constexpr PanelLayout q2_k = {84, 80, 2, -1, 0, 20};
constexpr PanelLayout q3_k = {110, 108, 1, -1, 0, 27};
constexpr PanelLayout q4_k = {144, 0, 2, -1, 4, 35};
constexpr PanelLayout q5_k = {176, 0, 2, -1, 4, 43};
constexpr PanelLayout q6_k = {210, 208, 1, -1, 0, 52};
constexpr PanelLayout iq4_nl = {18, 0, 1, -1, 2, 4};
constexpr PanelLayout iq4_xs = {136, 0, 2, -1, 4, 33};
}  // namespace layouts

}  // namespace mla::kernels
