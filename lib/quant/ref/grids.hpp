// The codebooks of IQ1_S to IQ3_S: an index of 8 to 11 bits stands for 8 or 4 values.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace mla::quant::ref {

template <std::size_t n_values, std::size_t n_entries>
using Grid = std::array<std::array<std::int8_t, n_values>, n_entries>;

extern const Grid<8, 2048> iq1_s_grid;  // also of IQ1_M
extern const Grid<8, 256> iq2_xxs_grid;
extern const Grid<8, 512> iq2_xs_grid;
extern const Grid<8, 1024> iq2_s_grid;
extern const Grid<4, 256> iq3_xxs_grid;
extern const Grid<4, 512> iq3_s_grid;

}  // namespace mla::quant::ref
