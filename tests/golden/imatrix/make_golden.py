#!/usr/bin/env python3
"""Makes the importance matrices of the format tests: one set of numbers in both file formats, measured.gguf and measured.dat beside this file.
The GGUF one is written by the gguf package."""
import struct
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


write_gguf(HERE / "measured.gguf")
(HERE / "measured.dat").write_bytes(dat_bytes())
