#!/usr/bin/env python3
"""What quantising costs: quantises a model to every type, with and without importances, and measures each file against the model.

    bench/quantisation.py --bin build/bin [--peer FOLDER] > table.md     needs numpy and the gguf package; writes docs/quantisation.svg too

Importances come from the first third of the text, the figures from the rest. The error is Σ(difference)² / Σ(value)² over all matrices,
weighted where there are importances. --peer: a folder with ik_llama.cpp's llama-quantize, whose files of the same types stand beside ours.
"""
import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import gguf
import numpy
from original_layout import write_original_layout

ROOT = Path(__file__).parents[1]
TYPES = ["Q8_0", "Q6_K", "Q6_0", "Q5_K_M", "Q5_0", "Q4_K_M", "Q4_K_S", "IQ4_NL", "IQ4_XS", "Q4_0", "Q3_K_M", "Q2_K"]


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, errors="replace").stdout


def is_quantised(name, shape):
    return len(shape) > 1 and not name.endswith("ffn_gate_inp.weight")


def matrices(path):
    return {t.name: t.data.astype(numpy.float64).reshape(-1) for t in gguf.GGUFReader(path).tensors if is_quantised(t.name, t.shape)}


class Measure:
    def __init__(self, flags, folder):
        self.bin, self.peer, self.folder, self.model = Path(flags.bin), flags.peer, folder, folder / "model.gguf"
        write_original_layout(flags.model, self.model)
        lines = Path(flags.text).read_text().splitlines(keepends=True)
        cut = len(lines) // 3
        (folder / "calibration.txt").write_text("".join(lines[:cut]))
        (folder / "text.txt").write_text("".join(lines[cut:]))
        for file in ("imatrix.gguf", "imatrix.dat"):
            run(self.bin / "mla-imatrix", "-m", self.model, "-f", folder / "calibration.txt", "-o", folder / file, "--process-output",
                "--attention", "deepseek2")
        base = run(self.bin / "mla-perplexity", "-m", self.model, "-f", folder / "text.txt", "--kl-divergence-base", folder / "base",
                   "--json")
        self.base = json.loads(base)["perplexity"]["value"]
        self.values = matrices(self.model)
        self.imatrix = {t.name: t.data.astype(numpy.float64) for t in gguf.GGUFReader(folder / "imatrix.gguf").tensors}

    def quantize(self, who, kind, weighted):
        path = self.folder / f"{who}-{kind}{'.imatrix' if weighted else ''}.gguf"
        if who == "peer":
            importances = ["--imatrix", self.folder / "imatrix.dat"] if weighted else []
            run(Path(self.peer) / "llama-quantize", *importances, self.model, path, kind, 2)
        else:
            importances = ["--imatrix", self.folder / "imatrix.gguf"] if weighted else []
            run(self.bin / "mla-quantize", self.model, path, kind, *importances)
        return path

    def weights(self, name, n):
        """Of every value of a tensor, with a mean of 1 in each matrix."""
        if name + ".in_sum2" not in self.imatrix:
            return numpy.ones(n)
        counts = self.imatrix[name + ".counts"].reshape(-1)
        sums = self.imatrix[name + ".in_sum2"].reshape(counts.size, -1)
        means = numpy.where(counts[:, None] > 0, sums / numpy.maximum(counts, 1)[:, None], 1)
        means /= means.mean(axis=1, keepdims=True)
        return numpy.repeat(means[:, None, :], n // means.size, axis=1).reshape(-1)

    def of(self, path, weighted):
        out = json.loads(run(self.bin / "mla-perplexity", "-m", path, "--kl-divergence-base", self.folder / "base", "--kl-divergence",
                             "--json"))
        plain = self.folder / "f32.gguf"
        run(self.bin / "mla-quantize", path, plain, "f32")
        error = square = size = n = 0
        for name, values in matrices(plain).items():
            weights = self.weights(name, values.size) if weighted else 1
            error += (weights * (values - self.values[name]) ** 2).sum()
            square += (weights * self.values[name] ** 2).sum()
        listing = json.loads(run(self.bin / "mla-inspect", "--json", path))  # the package doesn't know every type
        for tensor in listing["tensors"]:
            if is_quantised(tensor["name"], tensor["shape"]):
                size, n = size + tensor["bytes"], n + numpy.prod(tensor["shape"])
        return {"bits": 8 * size / n, "error": error / square, "perplexity": out["perplexity"]["value"],
                "kl": out["kl_divergence"]["value"], "top": out["top_agreement"]["value"]}


def plot(series, path):
    """Bits per weight against KL divergence, both axes with marks; the divergence in powers of ten."""
    width, height, left, bottom = 720, 440, 70, 50
    low_x, high_x, low_y, high_y = 2.5, 9.5, -4.0, 0.0
    x = lambda bits: left + (bits - low_x) / (high_x - low_x) * (width - left - 20)
    y = lambda kl: height - bottom - (numpy.log10(kl) - low_y) / (high_y - low_y) * (height - bottom - 20)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/>']
    def text(at_x, at_y, what, attributes=""):
        out.append(f'<text x="{at_x:.1f}" y="{at_y:.1f}"{attributes}>{what}</text>')

    for power in range(int(low_y), int(high_y) + 1):
        out.append(f'<path d="M{left} {y(10.0**power):.1f}H{width - 20}" stroke="#ddd"/>')
        text(left - 8, y(10.0**power) + 4, f"{10.0**power:g}", ' text-anchor="end"')
    for bits in range(3, 10):
        out.append(f'<path d="M{x(bits):.1f} 20V{height - bottom}" stroke="#eee"/>')
        text(x(bits), height - bottom + 18, bits, ' text-anchor="middle"')
    text((left + width) / 2, height - 10, "bits per weight", ' text-anchor="middle"')
    out.append(f'<text transform="translate(16 {height / 2}) rotate(-90)" text-anchor="middle">'
               "KL divergence from the F16 model, nats per token</text>")
    for i, (name, colour, points) in enumerate(series):
        out.append(f'<circle cx="{width - 250}" cy="{36 + 18 * i}" r="4" fill="{colour}"/>')
        text(width - 240, 40 + 18 * i, name)
        for kind, bits, kl in points:
            title = f"<title>{kind}: {bits:.2f} bits, {kl:.5f}</title>"
            out.append(f'<circle cx="{x(bits):.1f}" cy="{y(kl):.1f}" r="4" fill="{colour}">{title}</circle>')
            if i == 0:
                text(x(bits) + 6, y(kl) - 6, kind, ' fill="#444"')
    path.write_text("\n".join(out + ["</svg>"]) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--model", default=ROOT / "examples/models/demo-f16.gguf")
    parser.add_argument("--text", default=ROOT / "examples/models/heldout.txt")
    parser.add_argument("--peer", help="folder of llama-quantize")
    flags = parser.parse_args()
    series = {(who, weighted): [] for who in ("libmla", "peer") for weighted in (False, True)}
    with tempfile.TemporaryDirectory() as temporary:
        measure = Measure(flags, Path(temporary))
        print(f"F16: perplexity {measure.base:.3f}\n")
        measured = ("error", "KL divergence", "perplexity", "same first choice")
        print("| type | importances | bits per weight | " + " | ".join(f"{what} | peer's" for what in measured) + " |")
        print("|---|---|---|---|---|---|---|---|---|---|---|")
        for kind in TYPES:
            for weighted in (False, True):
                ours = measure.of(measure.quantize("libmla", kind, weighted), weighted)
                other = measure.of(measure.quantize("peer", kind, weighted), weighted) if flags.peer else None
                for who, found in (("libmla", ours), ("peer", other)):
                    if found:
                        series[who, weighted].append((kind, found["bits"], found["kl"]))
                cells = [kind, "yes" if weighted else "no", f"{ours['bits']:.2f}"]
                for key, form in (("error", "{:.3e}"), ("kl", "{:.5f}"), ("perplexity", "{:.3f}"), ("top", "{:.2%}")):
                    cells += [form.format(ours[key]), form.format(other[key]) if other else ""]
                print("| " + " | ".join(cells) + " |", flush=True)
    colours = {("libmla", True): "#1b6ca8", ("libmla", False): "#7fb3d5",
               ("peer", True): "#c0392b", ("peer", False): "#e6a49a"}
    label = lambda who, weighted: who + (", with importances" if weighted else "")
    plot([(label(*key), colour, series[key]) for key, colour in colours.items() if series[key]], ROOT / "docs/quantisation.svg")


main()
