#!/usr/bin/env python3
"""Writes the golden GGUF files with the gguf Python package, and reads libmla's own with it.

Made with gguf 0.19.0 and numpy 2.4.6:
  make_golden.py           writes types.gguf, aligned.gguf and split-0000N-of-00003.gguf, and a listing of what the
                           package reads in each
  make_golden.py --check from_libmla.gguf
                           takes the file that test_format left, because libmla's writer had changed, and writes from_libmla.txt

A listing has a line for each metadata key and each tensor. Floats stand as the bits of a double, data as 64-bit FNV-1a.
"""
import json
import math
import shutil
import struct
import sys
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from gguf.constants import GGML_QUANT_SIZES

FOLDER = Path(__file__).parent
BLOCK_TYPES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"]


def text_of(value, kind):
    if kind in (GGUFValueType.FLOAT32, GGUFValueType.FLOAT64):
        return struct.pack(">d", value).hex()
    if kind == GGUFValueType.STRING:
        return json.dumps(value)
    if kind == GGUFValueType.BOOL:
        return "true" if value else "false"
    return str(int(value))


def fnv1a(data):
    state = 0xCBF29CE484222325
    for byte in data:
        state = (state ^ byte) * 0x100000001B3 % 2**64
    return f"{state:016x}"


def listing(path):
    reader = GGUFReader(path)
    lines = []
    for key, field in reader.fields.items():
        if key.startswith("GGUF."):
            continue
        kind = field.types[-1]
        value = field.contents()
        name = kind.name.lower()
        if field.types[0] == GGUFValueType.ARRAY:
            lines.append(f"{key} array {name} [{', '.join(text_of(v, kind) for v in value)}]")
        else:
            lines.append(f"{key} {name} {text_of(value, kind)}")
    for tensor in reader.tensors:
        shape = "x".join(str(int(n)) for n in tensor.shape)
        lines.append(f"{tensor.name} {tensor.tensor_type.name} {shape} {fnv1a(tensor.data.tobytes())}")
    return "\n".join(lines) + "\n"


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def types(path, rng):
    writer = GGUFWriter(path, "deepseek2")
    for kind, low, high in ((GGUFValueType.UINT8, 0, 2**8 - 1), (GGUFValueType.INT8, -(2**7), 2**7 - 1), (GGUFValueType.UINT16, 0, 2**16 - 1),
                            (GGUFValueType.INT16, -(2**15), 2**15 - 1), (GGUFValueType.UINT32, 0, 2**32 - 1), (GGUFValueType.INT32, -(2**31), 2**31 - 1),
                            (GGUFValueType.UINT64, 0, 2**64 - 1), (GGUFValueType.INT64, -(2**63), 2**63 - 1)):
        name = kind.name.lower()
        writer.add_key_value(f"low.{name}", low, kind)
        writer.add_key_value(f"high.{name}", high, kind)
        writer.add_key_value(f"array.{name}", [low, 1, high], GGUFValueType.ARRAY, sub_type=kind)
    floats = [0.0, -0.0, 1 / 3, 1e-45, 3.4028234663852886e38, math.inf, -math.inf]
    doubles = [5e-324, 1.7976931348623157e308, 1 / 3]
    writer.add_float32("one.float32", -1.5)
    writer.add_float64("one.float64", math.pi)
    writer.add_key_value("array.float32", floats, GGUFValueType.ARRAY, sub_type=GGUFValueType.FLOAT32)
    writer.add_key_value("array.float64", doubles, GGUFValueType.ARRAY, sub_type=GGUFValueType.FLOAT64)
    writer.add_bool("yes", True)
    writer.add_bool("no", False)
    writer.add_array("array.bool", [True, False, True])
    writer.add_string("text", "a \"quoted\" line\nand another; Grüße, 世界 🌍")
    writer.add_key_value("text.empty", "", GGUFValueType.STRING)
    writer.add_array("array.string", ["", "x", "two words", "<｜begin▁of▁sentence｜>"])
    writer.add_tensor("one", rng.standard_normal(5).astype(np.float32))
    writer.add_tensor("two", rng.standard_normal((3, 7)).astype(np.float16))
    writer.add_tensor("three", rng.standard_normal((2, 3, 5)).astype(np.float32))
    writer.add_tensor("four", rng.standard_normal((2, 1, 3, 4)).astype(np.float32))
    writer.add_tensor("bf16", rng.integers(0, 256, (3, 10), dtype=np.uint8), raw_dtype=Type.BF16)
    for name in BLOCK_TYPES:
        writer.add_tensor(name.lower() + ".weight", rng.integers(0, 256, (2, GGML_QUANT_SIZES[Type[name]][1]), dtype=np.uint8), raw_dtype=Type[name])
    finish(writer)


def aligned(path, rng):
    writer = GGUFWriter(path, "deepseek2")
    writer.add_custom_alignment(128)
    for i in range(3):
        writer.add_tensor(f"t{i}", rng.standard_normal(3 + i).astype(np.float32))
    finish(writer)


def split(path, rng):
    writer = GGUFWriter(path, "deepseek2", split_max_tensors=2)
    writer.add_string("general.name", "in three parts")
    for i in range(5):
        writer.add_tensor(f"t{i}", rng.standard_normal((2, 4 + i)).astype(np.float32))
    finish(writer)


def main():
    if sys.argv[1:2] == ["--check"]:
        shutil.copyfile(sys.argv[2], FOLDER / "from_libmla.gguf")
        (FOLDER / "from_libmla.txt").write_text(listing(FOLDER / "from_libmla.gguf"))
        return
    rng = np.random.default_rng(20240612)
    types(FOLDER / "types.gguf", rng)
    aligned(FOLDER / "aligned.gguf", rng)
    split(FOLDER / "split.gguf", rng)
    for path in sorted(FOLDER.glob("*.gguf")):
        if path.stem != "from_libmla":
            path.with_suffix(".txt").write_text(listing(path))


if __name__ == "__main__":
    main()
