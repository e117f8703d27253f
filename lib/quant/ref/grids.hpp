// The codebooks of IQ1_S to IQ3_S: an index of 8 to 11 bits stands for 8 or 4 values. Files compiled for a wide instruction set include this
// header, so it holds declarations only.
#pragma once
#include <stdint.h>

namespace mla::quant::ref {

template <int n_values, int n_entries>
struct Grid {
  int8_t entries[n_entries][n_values];
};

extern const Grid<8, 2048> iq1_s_grid;  // also of IQ1_M
extern const Grid<8, 256> iq2_xxs_grid;
extern const Grid<8, 512> iq2_xs_grid;
extern const Grid<8, 1024> iq2_s_grid;
extern const Grid<4, 256> iq3_xxs_grid;
extern const Grid<4, 512> iq3_s_grid;

}  // namespace mla::quant::ref
