#!/usr/bin/env python3
"""Rows to be quantised and the error that other quantisers leave on them: writes encode.bin and encode.txt.

    make_encode.py IK LLAMA   IK: a shared library with ik_llama.cpp's quantize_q4_K and its like (8337e4cd3); LLAMA: one with llama.cpp's
                              ggml_quantize_chunk (that of the Python package xllamacpp 2026.10.11549). numpy, and the gguf package, whose
                              dequantiser tells the errors (that of Q6_0 is here)

encode.bin: 8 sets of 16 rows of 1,024 values, f16; then 1,024 importances, f32. encode.txt: type, set, "plain" or "weighted", and the mean of
importance · error², importances scaled to a mean of 1: the smaller one of the two quantisers'.
"""
import ctypes
import sys
from pathlib import Path

import gguf
import numpy

HERE = Path(__file__).parent
ROWS, COLUMNS = 16, 1024
TYPES = {"Q4_0": 18, "Q5_0": 22, "Q6_0": 26, "Q8_0": 34, "Q2_K": 84, "Q3_K": 110, "Q4_K": 144, "Q5_K": 176, "Q6_K": 210, "IQ4_NL": 18, "IQ4_XS": 136}
SYMBOLS = {"IQ4_NL": "iq4_nl", "IQ4_XS": "iq4_xs"}


def sets():
    random = numpy.random.default_rng(11)
    shape = (ROWS, COLUMNS)
    gauss = random.normal(0, 0.02, shape)
    yield "gauss", gauss
    yield "laplace", random.laplace(0, 0.02, shape)
    yield "uniform", random.uniform(-0.05, 0.05, shape)
    yield "student", 0.02 * random.standard_t(4, shape)
    yield "columns", random.normal(0, 0.02, shape) * numpy.exp(0.7 * random.normal(size=COLUMNS))
    yield "outliers", random.normal(0, 0.02, shape) * numpy.where(random.uniform(size=shape) > 0.99, 10, 1)
    yield "shifted", random.normal(0.03, 0.02, shape)
    reader = gguf.GGUFReader(HERE.parents[2] / "examples/models/demo-f16.gguf")
    tensor = next(t for t in reader.tensors if t.name == "blk.1.ffn_gate.weight")
    yield "demo", tensor.data.reshape(-1)[: ROWS * COLUMNS].reshape(shape)


def dequantize(name, data):
    if name != "Q6_0":
        return gguf.quants.dequantize(data, gguf.GGMLQuantizationType[name]).reshape(ROWS, COLUMNS)
    blocks = data.reshape(-1, 26)
    d = blocks[:, :2].copy().view(numpy.float16).astype(numpy.float32)
    j = numpy.arange(16)
    high = blocks[:, 2 + j % 8] >> (j // 8 * 4)
    low, up = (blocks[:, 10:] & 15) | (high & 3) << 4, blocks[:, 10:] >> 4 | (high >> 2 & 3) << 4
    return (d * (numpy.concatenate([low, up], axis=1).astype(numpy.float32) - 32)).reshape(ROWS, COLUMNS)


def quantize_with(ik, llama, kind, x, weights):
    """What each of them makes of the rows; llama.cpp has no Q6_0."""
    pointer = None if weights is None else weights.ctypes.data_as(ctypes.c_void_p)
    rows, columns = ctypes.c_int64(ROWS), ctypes.c_int64(COLUMNS)
    block = 256 if kind[-2:] in ("_K", "XS") else 32
    outputs = [numpy.zeros(ROWS * COLUMNS // block * TYPES[kind], dtype=numpy.uint8) for _ in range(1 if kind == "Q6_0" else 2)]
    into = [out.ctypes.data_as(ctypes.c_void_p) for out in outputs]
    quantize = getattr(ik, "quantize_" + SYMBOLS.get(kind, kind.lower().replace("k", "K")))
    quantize.restype = ctypes.c_size_t
    options = (ctypes.c_bool * 2)(False, False)
    quantize(x.ctypes.data_as(ctypes.c_void_p), into[0], rows, columns, pointer, options)
    if len(into) > 1:
        llama.ggml_quantize_chunk.restype = ctypes.c_size_t
        number = ctypes.c_int(gguf.GGMLQuantizationType[kind].value)
        llama.ggml_quantize_chunk(number, x.ctypes.data_as(ctypes.c_void_p), into[1], ctypes.c_int64(0), rows, columns, pointer)
    return outputs


def main():
    ik, llama = ctypes.CDLL(sys.argv[1]), ctypes.CDLL(sys.argv[2])
    importances = numpy.random.default_rng(12).lognormal(0, 1, COLUMNS)
    importances = (importances / importances.mean()).astype(numpy.float32)
    lines, stored = [], b""
    all_sets = [(name, values.astype(numpy.float16)) for name, values in sets()]
    for name, values in all_sets:
        stored += values.tobytes()
    for kind in TYPES:
        for name, values in all_sets:
            x = numpy.ascontiguousarray(values.astype(numpy.float32))
            for weights in (None, importances):
                w = 1 if weights is None else weights.astype(numpy.float64)
                errors = [((dequantize(kind, out).astype(numpy.float64) - x) ** 2 * w).mean() for out in quantize_with(ik, llama, kind, x, weights)]
                print(kind, name, "plain" if weights is None else "weighted", *(f"{error:.4e}" for error in errors))
                lines.append(f"{kind} {name} {'plain' if weights is None else 'weighted'} {min(errors):.6e}\n")
    (HERE / "encode.bin").write_bytes(stored + importances.tobytes())
    (HERE / "encode.txt").write_text("".join(lines))


main()
