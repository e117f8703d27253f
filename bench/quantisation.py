#!/usr/bin/env python3
"""What quantising costs: quantises a model to every type, with and without importances, and measures each file against the model.

    bench/quantisation.py --bin build/bin [--peer FOLDER] > table.md     needs numpy and the gguf package; writes docs/quantisation.svg too

--peer: a folder with ik_llama.cpp's llama-quantize, whose files of the same types stand beside ours.

A single measurement says little, for it depends on which values happen to share a block. So all is done --orders times, each time with the
model's columns in another order (column_orders.py) and with another third of the text, cut out of it as if it were a ring, for the
importances; the figures come from the other two thirds. Printed are means. Ratios to the peer's are means of the orders' logarithms, with
their standard error: the deviation among the orders divided by the root of their number. The error is Σ(difference)² / Σ(value)² over
all matrices, weighted where there are importances.
"""
import argparse
import json
import math
import statistics
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gguf
import numpy
from column_orders import write_in_order
from original_layout import write_original_layout
from quantisation_plot import plot

ROOT = Path(__file__).parents[1]
TYPES = ["Q8_0", "Q6_K", "Q6_0", "Q5_K_M", "Q5_0", "Q4_K_M", "Q4_K_S", "IQ4_NL", "IQ4_XS", "Q4_0", "Q3_K_M", "Q2_K"]


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, errors="replace").stdout


def is_quantised(name, shape):
    return len(shape) > 1 and not name.endswith("ffn_gate_inp.weight")


def matrices(path):
    return {t.name: t.data.astype(numpy.float32) for t in gguf.GGUFReader(path).tensors if is_quantised(t.name, t.shape)}


class Order:
    """One order of the columns and one part of the text, in a folder."""

    def __init__(self, flags, folder, original, seed):
        self.bin, self.peer, self.folder, self.model = Path(flags.bin), flags.peer, folder, folder / "model.gguf"
        write_in_order(original, self.model, seed)
        lines = Path(flags.text).read_text().splitlines(keepends=True)
        first, third = len(lines) * seed // flags.orders, len(lines) // 3
        ring = lines[first:] + lines[:first]
        (folder / "calibration.txt").write_text("".join(ring[:third]))
        (folder / "text.txt").write_text("".join(ring[third:]))
        for file in ("imatrix.gguf", "imatrix.dat"):
            run(self.bin / "mla-imatrix", "-m", self.model, "-f", folder / "calibration.txt", "-o", folder / file, "--process-output",
                "--attention", "deepseek2", "-t", 1)
        self.base = json.loads(self.perplexity(self.model, "-f", folder / "text.txt"))["perplexity"]["value"]
        self.values = matrices(self.model)
        self.imatrix = {t.name: t.data.astype(numpy.float64) for t in gguf.GGUFReader(folder / "imatrix.gguf").tensors}

    def perplexity(self, model, *more):
        return run(self.bin / "mla-perplexity", "-m", model, "--kl-divergence-base", self.folder / "base", "--json", "-t", 1, *more)

    def quantize(self, who, kind, weighted):
        path = self.folder / "quantised.gguf"
        name = "imatrix.dat" if who == "peer" else "imatrix.gguf"
        importances = ["--imatrix", self.folder / name] if weighted else []
        if who == "peer":
            run(Path(self.peer) / "llama-quantize", *importances, self.model, path, kind, 1)
        else:
            run(self.bin / "mla-quantize", self.model, path, kind, *importances, "-t", 1)
        return path

    def columns(self, name, n_columns):
        """The weights of a tensor's columns, [matrices, columns], with a mean of 1 in each matrix."""
        if name + ".in_sum2" not in self.imatrix:
            return numpy.ones((1, n_columns))
        counts = self.imatrix[name + ".counts"].reshape(-1)
        sums = self.imatrix[name + ".in_sum2"].reshape(counts.size, -1)
        means = numpy.where(counts[:, None] > 0, sums / numpy.maximum(counts, 1)[:, None], 1)
        return means / means.mean(axis=1, keepdims=True)

    def error(self, path, weighted):
        plain, error, square = self.folder / "f32.gguf", 0, 0
        run(self.bin / "mla-quantize", path, plain, "f32", "-t", 1)
        for name, values in matrices(plain).items():
            n_columns = values.shape[-1]
            weights = self.columns(name, n_columns) if weighted else numpy.ones((1, n_columns))
            of_columns = lambda x: numpy.square(x, dtype=numpy.float64).reshape(len(weights), -1, n_columns).sum(axis=1)
            error += (weights * of_columns(values - self.values[name])).sum()
            square += (weights * of_columns(self.values[name])).sum()
        return error / square

    def bits(self, path):
        listing = json.loads(run(self.bin / "mla-inspect", "--json", path))  # the package doesn't know every type
        tensors = [tensor for tensor in listing["tensors"] if is_quantised(tensor["name"], tensor["shape"])]
        return 8 * sum(tensor["bytes"] for tensor in tensors) / sum(math.prod(tensor["shape"]) for tensor in tensors)

    def measure(self, who, kind, weighted):
        path = self.quantize(who, kind, weighted)
        out = json.loads(self.perplexity(path, "--kl-divergence"))
        return {"bits": self.bits(path), "error": self.error(path, weighted), "kl": out["kl_divergence"]["value"],
                "perplexity": out["perplexity"]["value"] / self.base, "top": out["top_agreement"]["value"]}


def measure_orders(flags, keys):
    """The F16 model's perplexities, and of each key (who, type, importances) what each order gave."""
    with tempfile.TemporaryDirectory() as temporary:
        original = Path(temporary) / "original.gguf"
        write_original_layout(flags.model, original)

        def measure(seed):
            folder = Path(temporary) / str(seed)
            folder.mkdir()
            order = Order(flags, folder, original, seed)
            return order.base, [order.measure(*key) for key in keys]

        with ThreadPoolExecutor(flags.jobs) as pool:
            orders = list(pool.map(measure, range(flags.orders)))
    return [base for base, _ in orders], dict(zip(keys, zip(*(found for _, found in orders))))


def ratio(ours, others, key):
    """The mean ratio, less 1, and its standard error."""
    logarithms = [math.log(a[key] / b[key]) for a, b in zip(ours, others)]
    error = statistics.stdev(logarithms) / len(logarithms) ** 0.5 if len(logarithms) > 1 else math.nan
    return f"{math.expm1(statistics.fmean(logarithms)):+.2%} ± {error:.2%}"


def print_table(found, peer):
    mean = lambda of, key: statistics.fmean(one[key] for one in of)
    columns = ["type", "importances", "bits per weight"]
    for name in ("error", "KL divergence", "perplexity above F16's"):
        columns += [name] + (["ours to the peer's"] if peer else [])
    columns += ["same first choice"] + (["peer's"] if peer else [])
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    for kind in TYPES:
        for weighted in (False, True):
            ours, others = found["libmla", kind, weighted], found.get(("peer", kind, weighted))
            cells = [kind, "yes" if weighted else "no", f"{mean(ours, 'bits'):.2f}"]
            for key, value in (("error", f"{mean(ours, 'error'):.3e}"), ("kl", f"{mean(ours, 'kl'):.5f}"),
                               ("perplexity", f"{mean(ours, 'perplexity') - 1:.2%}")):
                cells += [value] + ([ratio(ours, others, key)] if peer else [])
            cells += [f"{mean(ours, 'top'):.2%}"] + ([f"{mean(others, 'top'):.2%}"] if peer else [])
            print("| " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--model", default=ROOT / "examples/models/demo-f16.gguf")
    parser.add_argument("--text", default=ROOT / "examples/models/heldout.txt")
    parser.add_argument("--peer", help="folder of llama-quantize")
    parser.add_argument("--orders", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=2, help="orders measured at once, one thread each")
    flags = parser.parse_args()
    programs = ["libmla"] + (["peer"] if flags.peer else [])
    bases, found = measure_orders(flags, [(who, kind, weighted) for kind in TYPES for weighted in (False, True) for who in programs])
    print(f"F16: perplexity {statistics.fmean(bases):.3f}, {min(bases):.3f} to {max(bases):.3f} by the text; {flags.orders} orders\n")
    print_table(found, flags.peer)
    plot(found, TYPES, ROOT / "docs/quantisation.svg")


main()
