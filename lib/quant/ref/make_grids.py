#!/usr/bin/env python3
"""Writes grids.inc, the codebooks of IQ1_S to IQ3_S, from the tables of the gguf Python package (0.19.0):  python3 make_grids.py

An entry of a codebook is 8 or 4 values out of a few. Here it is one number: the values' places in that list, the first value
in the lowest bits (2 bits each for lists of up to 4 values, 3 for those of 8).
"""
from pathlib import Path

from gguf import quants

GRIDS = ("IQ1_S", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S")


def packed(grid, values):
    bits = 2 if len(values) <= 4 else 3
    return [sum(values.index(int(v)) << bits * i for i, v in enumerate(entry)) for entry in grid]


def main():
    lines = ["// Written by make_grids.py. The first value of an entry is in the lowest bits."]
    for name in GRIDS:
        quant = getattr(quants, name)
        quant.init_grid()
        values = [int(v) for v in quant.grid_map]
        numbers = packed(quant.grid.reshape(quant.grid_shape), values)
        lines += ["", f"constexpr int {name.lower()}_values[] = {{{', '.join(map(str, values))}}};"]
        lines += [f"constexpr std::uint16_t {name.lower()}_packed[] = {{"]
        lines += ["    " + ", ".join(map(str, numbers[i : i + 20])) + "," for i in range(0, len(numbers), 20)]
        lines += ["};"]
    Path(__file__).with_name("grids.inc").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
