#!/usr/bin/env python3
"""Makes the importance matrices of the format tests: one set of numbers in both file formats. The GGUF one is written by the gguf package.

    make_golden.py            writes measured.gguf and measured.dat beside this file
    make_golden.py --check F  F, written by libmla, holds the same (its GGUF is read by the package)
"""
import struct
import sys
from pathlib import Path

import gguf
import numpy

HERE = Path(__file__).parent
CHUNKS, CHUNK_TOKENS, DATASET = 5, 64, "corpus of 5 chunks.txt"
COUNTS = {"blk.0.attn_q.weight": [320], "blk.1.ffn_up_exps.weight": [100, 0, 220], "output.weight": [320]}
COLUMNS = {"blk.0.attn_q.weight": 8, "blk.1.ffn_up_exps.weight": 4, "output.weight": 3}


def sums(name):
    """[n_matrices, n_columns]: numbers that f32 holds exactly, zero where a matrix was never used."""
    counts = numpy.array(COUNTS[name], dtype=numpy.float32)[:, None]
    return counts * (numpy.arange(COLUMNS[name], dtype=numpy.float32) + 1)[None, :] / 4


def write_gguf(path):
    writer = gguf.GGUFWriter(path, arch="")
    writer.kv_data[0].clear()  # such files have no architecture
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", [DATASET])
    writer.add_uint32("imatrix.chunk_count", CHUNKS)
    writer.add_uint32("imatrix.chunk_size", CHUNK_TOKENS)
    for name, counts in COUNTS.items():
        writer.add_tensor(name + ".in_sum2", sums(name))
        writer.add_tensor(name + ".counts", numpy.array(counts, dtype=numpy.float32)[:, None])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def dat_bytes():
    out = struct.pack("<i", len(COUNTS))
    for name, counts in COUNTS.items():
        counts = numpy.array(counts, dtype=numpy.float32)[:, None]
        means = numpy.where(counts > 0, sums(name) / numpy.maximum(counts, 1), 1).astype(numpy.float32) * CHUNKS
        out += struct.pack("<i", len(name)) + name.encode() + struct.pack("<ii", CHUNKS, means.size) + means.tobytes()
    return out + struct.pack("<ii", CHUNKS, len(DATASET)) + DATASET.encode()


def check(path):
    reader = gguf.GGUFReader(path)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    assert reader.fields["general.type"].contents() == "imatrix"
    assert reader.fields["imatrix.datasets"].contents() == [DATASET]
    assert reader.fields["imatrix.chunk_count"].contents() == CHUNKS and reader.fields["imatrix.chunk_size"].contents() == CHUNK_TOKENS
    assert len(tensors) == 2 * len(COUNTS)
    for name, counts in COUNTS.items():
        assert numpy.array_equal(tensors[name + ".in_sum2"].data.reshape(-1), sums(name).reshape(-1)), name
        assert list(tensors[name + ".in_sum2"].shape) == [COLUMNS[name], len(counts)], name
        assert list(tensors[name + ".counts"].shape) == [1, len(counts)], name
        assert tensors[name + ".counts"].data.reshape(-1).tolist() == counts, name


if len(sys.argv) == 3 and sys.argv[1] == "--check":
    check(sys.argv[2])
    print("the same")
else:
    write_gguf(HERE / "measured.gguf")
    (HERE / "measured.dat").write_bytes(dat_bytes())
