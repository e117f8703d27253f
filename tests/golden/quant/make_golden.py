#!/usr/bin/env python3
"""Writes the golden files of the block formats: random blocks and what the gguf Python package makes of them.

Made with gguf 0.19.0 and numpy 2.4.6:  python3 make_golden.py [FOLDER]

<TYPE>.bin        int32 n_blocks, the blocks, their values as float32 (all little-endian)
<TYPE>_rows.bin   int32 n_values, float32 values, the blocks that the package quantises them to
"""
import sys
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize, quantize

# Byte offsets of the f16 scales in a block.
SCALES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0],
}
# The same for the types with codebooks, and the number of entries in the codebook.
CODEBOOKS = {"IQ1_S": (0, 2048), "IQ1_M": (None, 2048), "IQ2_XXS": (0, 256), "IQ2_XS": (0, 512), "IQ2_S": (0, 1024), "IQ3_XXS": (0, 256),
             "IQ3_S": (0, 512)}
# Zero, smallest and largest subnormal, smallest normal, one third, one, largest; and their negatives.
SPECIAL = np.array([0x0000, 0x0001, 0x03FF, 0x0400, 0x3555, 0x3C00, 0x7BFF], np.uint16)
SPECIAL = np.concatenate([SPECIAL, SPECIAL | 0x8000])


def finite_halves(rng, n):
    """Half random finite bit patterns, half the magnitudes of real scales."""
    bits = rng.integers(0, 0x7C00, n).astype(np.uint16) | (rng.integers(0, 2, n) << 15).astype(np.uint16)
    usual = (rng.standard_normal(n) * 0.01).astype(np.float16).view(np.uint16)
    return np.where(rng.random(n) < 0.5, bits, usual).astype(np.uint16)


def blocks_of(name, n_blocks, rng):
    blocks = rng.integers(0, 256, (n_blocks, GGML_QUANT_SIZES[Type[name]][1]), dtype=np.uint8)
    for k, at in enumerate(SCALES[name]):
        scale = finite_halves(rng, n_blocks)
        scale[: len(SPECIAL)] = np.roll(SPECIAL, 3 * k)
        blocks[:, at : at + 2] = scale.astype("<u2").view(np.uint8).reshape(-1, 2)
    tail = blocks[len(SPECIAL) :]  # every quant and sub-scale at its least and at its most
    for row, fill in ((0, 0x00), (1, 0xFF)):
        keep = np.zeros(blocks.shape[1], bool)
        for at in SCALES[name]:
            keep[at : at + 2] = True
        tail[row, ~keep] = fill
    return blocks


def put_indices(name, blocks, indices):
    """Overwrites the codebook indices: [n_blocks, 32], or [n_blocks, 64] for IQ3."""
    low, high = (indices & 255).astype(np.uint8), indices >> 8
    if name == "IQ2_XXS":
        blocks[:, 2:66].reshape(-1, 8, 8)[:, :, :4] = low.reshape(-1, 8, 4)
    elif name == "IQ2_XS":
        words = blocks[:, 2:66].copy().view("<u2")
        blocks[:, 2:66] = ((words & 0xFE00) | indices.astype("<u2")).astype("<u2").view(np.uint8)
    elif name == "IQ1_M":
        blocks[:, :32] = low
        nibbles = (blocks[:, 32:48] & 0x88) | (high[:, 0::2] | high[:, 1::2] << 4).astype(np.uint8)
        blocks[:, 32:48] = nibbles
    else:
        blocks[:, 2 : 2 + indices.shape[1]] = low
        if name == "IQ1_S":
            words = blocks[:, 34:50].copy().view("<u2") & 0xF000
            packed = sum(high[:, i::4].astype(np.uint32) << 3 * i for i in range(4))
            blocks[:, 34:50] = (words | packed).astype("<u2").view(np.uint8)
        elif name == "IQ2_S":
            blocks[:, 66:74] = sum(high[:, i::4] << 2 * i for i in range(4)).astype(np.uint8)
        elif name == "IQ3_S":
            blocks[:, 66:74] = sum(high[:, i::8] << i for i in range(8)).astype(np.uint8)


def codebook_blocks(name, rng):
    """Random blocks in which every entry of the codebook occurs (IQ1_M: of IQ1_S), and scales as in blocks_of."""
    at, n_entries = CODEBOOKS[name]
    per_block = 64 if name.startswith("IQ3") else 32
    n_blocks = 18 if name == "IQ1_M" else max(18, n_entries // per_block)  # its codebook is that of IQ1_S
    blocks = rng.integers(0, 256, (n_blocks, GGML_QUANT_SIZES[Type[name]][1]), dtype=np.uint8)
    scale = finite_halves(rng, n_blocks)
    scale[: len(SPECIAL)] = SPECIAL
    if at is None:  # IQ1_M: a nibble of the scale on top of each of four words
        words = blocks[:, 48:].copy().view("<u2") & 0x0FFF
        nibbles = scale[:, None] >> np.array([0, 4, 8, 12], np.uint16) & 15
        blocks[:, 48:] = (words | nibbles << 12).astype("<u2").view(np.uint8)
    else:
        blocks[:, at : at + 2] = scale.astype("<u2").view(np.uint8).reshape(-1, 2)
    order = np.concatenate([rng.permutation(n_entries) for _ in range(-(-n_blocks * per_block // n_entries))])
    put_indices(name, blocks, order[: n_blocks * per_block].reshape(n_blocks, per_block))
    return blocks


def mxfp4_blocks(rng):
    blocks = rng.integers(0, 256, (64, 17), dtype=np.uint8)
    blocks[:, 0] = np.concatenate([[0, 1, 2, 3, 127, 250, 251], rng.integers(0, 252, 57)])  # above, 12 times the scale is infinite
    return blocks


def write(path, count, *arrays):
    path.write_bytes(np.array(count, "<i4").tobytes() + b"".join(np.ascontiguousarray(a).tobytes() for a in arrays))


def rows_to_quantize(rng):
    rows = [rng.standard_normal(32 * 16) * 10.0 ** rng.integers(-6, 4, 32 * 16)]
    rows += [rng.standard_normal(32 * 16)]
    ties = np.concatenate([[127.0], np.arange(31) - 15.5])
    big = np.finfo(np.float32).max
    tiny = np.float32(1e-45)
    rows += [ties, -ties, np.zeros(32), -np.zeros(32), np.full(32, big), np.full(32, -big)]
    rows += [np.linspace(-1, 1, 32) * float(big), np.full(32, tiny), np.arange(32) * float(tiny)]
    rows += [np.linspace(-1, 1, 32) * scale for scale in (1e-39, 4e-37, 1e-36, 5e-6, 7.6e-6, 1e-3, 8.3e6, 8.33e6)]
    return np.concatenate([np.asarray(row, np.float32) for row in rows])


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
    rng = np.random.default_rng(20240607)
    for name in SCALES:
        block_size = GGML_QUANT_SIZES[Type[name]][0]
        blocks = blocks_of(name, 64 if block_size == 32 else 18, rng)
        values = dequantize(blocks, Type[name]).astype("<f4")
        assert np.isfinite(values).all()
        write(folder / f"{name}.bin", len(blocks), blocks, values)
    for name, infinity in (("F16", 0x7C00), ("BF16", 0x7F80)):
        beyond = np.array([infinity, infinity | 0x8000, 0x7FC0, 0xFFC1], np.uint16)  # infinities, quiet NaNs
        halves = np.concatenate([finite_halves(rng, 1024), SPECIAL, beyond])
        values = dequantize(halves.view(np.uint8), Type[name]).astype("<f4")
        write(folder / f"{name}.bin", halves.size, halves, values)
    rows = rows_to_quantize(rng)
    largest = np.abs(rows.reshape(-1, 32)).max(axis=1)
    regular = rows.reshape(-1, 32)[(largest == 0) | (largest > 1e-37)].ravel()  # below, the package's 1/d is infinite
    for name in ("F16", "BF16", "Q4_0", "Q8_0"):
        values = regular if name == "Q4_0" else rows
        with np.errstate(all="ignore"):
            write(folder / f"{name}_rows.bin", values.size, values, quantize(values, Type[name]))
    for name in [*CODEBOOKS, "MXFP4"]:
        blocks = mxfp4_blocks(rng) if name == "MXFP4" else codebook_blocks(name, rng)
        with np.errstate(over="ignore"):
            values = dequantize(blocks, Type[name]).astype("<f4")
        write(folder / f"{name}.bin", len(blocks), blocks, values)


if __name__ == "__main__":
    main()
