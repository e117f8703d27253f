#include "quant/ref/grids.hpp"

#include <cstddef>
#include <cstdint>

namespace mla::quant::ref {
namespace {

#include "quant/ref/grids.inc"

template <int n_values, std::size_t n_list, std::size_t n_entries>
constexpr Grid<n_values, int{n_entries}> unpack(const int (&list)[n_list], const std::uint16_t (&packed)[n_entries]) {
  constexpr unsigned bits = n_list <= 4 ? 2 : 3;
  Grid<n_values, int{n_entries}> grid{};
  for (std::size_t entry = 0; entry < n_entries; ++entry)
    for (int i = 0; i < n_values; ++i)
      grid.entries[entry][i] = static_cast<std::int8_t>(list[packed[entry] >> bits * i & ((1u << bits) - 1)]);
  return grid;
}

}  // namespace

constinit const Grid<8, 2048> iq1_s_grid = unpack<8>(iq1_s_values, iq1_s_packed);
constinit const Grid<8, 256> iq2_xxs_grid = unpack<8>(iq2_xxs_values, iq2_xxs_packed);
constinit const Grid<8, 512> iq2_xs_grid = unpack<8>(iq2_xs_values, iq2_xs_packed);
constinit const Grid<8, 1024> iq2_s_grid = unpack<8>(iq2_s_values, iq2_s_packed);
constinit const Grid<4, 256> iq3_xxs_grid = unpack<4>(iq3_xxs_values, iq3_xxs_packed);
constinit const Grid<4, 512> iq3_s_grid = unpack<4>(iq3_s_values, iq3_s_packed);

}  // namespace mla::quant::ref
