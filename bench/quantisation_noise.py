#!/usr/bin/env python3
"""How much of a difference between two quantisers is chance: the same model with its columns in other orders.

    bench/quantisation_noise.py --bin build/bin --peer FOLDER --seeds 40 --types Q5_0,Q6_K     needs numpy and the gguf package

A random order of the residual stream's columns and of the neurons of every feed-forward part gives the same function and other blocks. For
each order both programs quantise the model (libmla's mla-quantize, and llama-quantize in FOLDER), without importances and with those of
mla-imatrix; printed are the mean ratios of KL divergence and of perplexity, libmla's to the peer's, and their 95 % intervals. Seed 0 is
the model as it is. Importances come from the first 12 kB of the text, the figures from the next 20.
"""
import argparse
import json
import math
import statistics
import subprocess
import tempfile
from pathlib import Path

import gguf
import numpy
from original_layout import copy_metadata, finish, write_original_layout

ROOT = Path(__file__).parents[1]
RESIDUAL_COLUMNS = ("attn_q_a", "attn_q", "attn_kv_a_mqa", "ffn_gate", "ffn_up", "ffn_gate_exps", "ffn_up_exps", "ffn_gate_shexp",
                    "ffn_up_shexp", "ffn_gate_inp", "output", "token_embd", "attn_norm", "ffn_norm", "output_norm")
RESIDUAL_ROWS = ("attn_output", "ffn_down", "ffn_down_exps", "ffn_down_shexp")


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, errors="replace").stdout


def permuted(name, data, random, neurons, residual):
    layer, base = (name.split(".")[1], name.split(".")[2]) if name.startswith("blk.") else ("", name.split(".")[0])
    if base.startswith(("ffn_gate", "ffn_up", "ffn_down")) and base != "ffn_gate_inp":
        down, part = base.startswith("ffn_down"), base.split("_", 2)[2:]
        stack = data if data.ndim == 3 else data[None]
        width = stack.shape[2 if down else 1]
        orders = neurons.setdefault((layer, *part), [random.permutation(width) for _ in stack])
        stack = numpy.stack([matrix.take(order, axis=1 if down else 0) for matrix, order in zip(stack, orders)])
        data = stack.reshape(data.shape)
    if base in RESIDUAL_COLUMNS:
        data = data.take(residual, axis=-1)
    return data.take(residual, axis=-2) if base in RESIDUAL_ROWS else data


def write_shuffled(source, path, seed):
    reader, random, neurons = gguf.GGUFReader(source), numpy.random.default_rng(seed), {}
    writer = gguf.GGUFWriter(path, "deepseek2")
    copy_metadata(reader, writer)
    width = reader.fields["deepseek2.embedding_length"].contents()
    residual = random.permutation(width)
    for tensor in reader.tensors:
        data = numpy.array(tensor.data)
        data = permuted(tensor.name, data, random, neurons, residual) if seed else data
        writer.add_tensor(tensor.name, numpy.ascontiguousarray(data))
    finish(writer)


def compare(flags, folder, calibration, text):
    """Logarithms of the ratios, by type and importances."""
    ours, peer, model, base = Path(flags.bin), Path(flags.peer) / "llama-quantize", folder / "model.gguf", folder / "base"
    ratios = {}
    write_original_layout(flags.model, folder / "original.gguf")
    for seed in range(flags.seeds):
        write_shuffled(folder / "original.gguf", model, seed)
        run(ours / "mla-perplexity", "-m", model, "-f", text, "--kl-divergence-base", base, "--json")
        run(ours / "mla-imatrix", "-m", model, "-f", calibration, "-o", folder / "im.dat", "--attention", "deepseek2", "--process-output")
        for kind in flags.types.split(","):
            for weighted in (False, True):
                extra, found = ["--imatrix", folder / "im.dat"] if weighted else [], []
                run(ours / "mla-quantize", model, folder / "ours.gguf", kind, *extra)
                run(peer, *extra, model, folder / "peer.gguf", kind, 2)
                for file in ("ours.gguf", "peer.gguf"):
                    out = json.loads(run(ours / "mla-perplexity", "-m", folder / file, "--kl-divergence-base", base, "--kl-divergence",
                                         "--json"))
                    found.append((out["kl_divergence"]["value"], out["perplexity"]["value"]))
                ratios.setdefault((kind, weighted), []).append([math.log(a / b) for a, b in zip(*found)])
    return ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--bin", "--peer"):
        parser.add_argument(name, required=True)
    parser.add_argument("--model", default=ROOT / "examples/models/demo-f16.gguf")
    parser.add_argument("--text", default=ROOT / "examples/models/heldout.txt")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--types", default="Q5_0,Q6_K,Q3_K_M")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder, text = Path(temporary), Path(flags.text).read_text()
        (folder / "calibration.txt").write_text(text[:12000])
        (folder / "text.txt").write_text(text[12000:32000])
        ratios = compare(flags, folder, folder / "calibration.txt", folder / "text.txt")
    for (kind, weighted), rows in ratios.items():
        cells = [kind, "yes" if weighted else "no"]
        for values in zip(*rows):
            error = 1.96 * statistics.stdev(values) / math.sqrt(len(values))
            cells.append(f"{100 * math.expm1(statistics.mean(values)):+.2f} ± {100 * error:.2f} %")
        print("| " + " | ".join(cells) + " |")


main()
