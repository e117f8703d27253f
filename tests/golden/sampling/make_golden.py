#!/usr/bin/env python3
"""Makes filters.txt, sequences.txt and mirostat.txt: what the sampler's tests compare with.

filters.txt    what Hugging Face transformers' logits processors keep of made-up logits, and with which probabilities
sequences.txt  tokens drawn from what transformers keeps, by this file's own xoshiro256++
mirostat.txt   tokens and mu of Mirostat 2.0, written here in numpy after Basu et al. 2021 (arXiv 2007.14966), algorithm 2:
               surprise is that under the model's whole distribution, as the paper defines it and its authors' program does

Made with transformers 5.23.0, torch 2.15.0, numpy 2.4.6:  python3 make_golden.py
"""
import os

import numpy as np
import torch
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

MASK = (1 << 64) - 1
HERE = os.path.dirname(os.path.abspath(__file__))


def splitmix64(state):
    state = (state + 0x9E3779B97F4A7C15) & MASK
    z = state
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return state, z ^ (z >> 31)


class Generator:
    """xoshiro256++ 1.0, seeded by splitmix64."""

    def __init__(self, seed):
        self.s = []
        for _ in range(4):
            seed, word = splitmix64(seed)
            self.s.append(word)

    def uniform(self):
        s = self.s
        rotl = lambda x, k: ((x << k) | (x >> (64 - k))) & MASK
        result = (rotl((s[0] + s[3]) & MASK, 23) + s[0]) & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotl(s[3], 45)
        return (result >> 11) * 2.0**-53


def make_logits(n, seed, step):
    """24 (u^4 - 1/4) for uniform u; rounded to multiples of `step` if that is not 0, so that many are equal."""
    out = np.empty(n, np.float32)
    for i in range(n):
        seed, x = splitmix64(seed)
        u = (x >> 40) * 2.0**-24
        value = 24.0 * (u * u * u * u - 0.25)
        out[i] = np.floor(value / step) * step if step else value
    return out


def f32(x):
    return float(np.float32(x))


NEUTRAL = dict(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, typical_p=1.0, repeat=1.0, presence=0.0, frequency=0.0)


def scores_after(logits, window, o):
    """Scores (float64, -inf where removed) after transformers' chain; penalties in float32 as a model's logits are."""
    scores = torch.from_numpy(logits.copy())[None]
    if window and o["repeat"] != 1.0:
        scores = RepetitionPenaltyLogitsProcessor(f32(o["repeat"]))(torch.tensor([window]), scores)
    if window and (o["presence"] or o["frequency"]):  # OpenAI: logit[t] -= count[t] * frequency + (count[t] > 0) * presence
        count = torch.bincount(torch.tensor(window), minlength=len(logits)).to(torch.float32)
        scores = scores - (count * f32(o["frequency"]) + (count > 0) * f32(o["presence"]))
    scores = scores.to(torch.float64)
    if o["temperature"] != 1.0:
        scores = TemperatureLogitsWarper(f32(o["temperature"]))(None, scores)
    if o["top_k"]:
        scores = TopKLogitsWarper(o["top_k"])(None, scores)
    if o["top_p"] < 1:
        scores = TopPLogitsWarper(f32(o["top_p"]))(None, scores)
    if o["min_p"] > 0:
        scores = MinPLogitsWarper(f32(o["min_p"]))(None, scores)
    if o["typical_p"] < 1:
        scores = TypicalLogitsWarper(f32(o["typical_p"]))(None, scores)
    return scores[0]


def options_text(o):
    return " ".join("%.9g" % f32(o[key]) for key in NEUTRAL)


def filter_cases():
    cases = [dict(n=n, seed=n) for n in (1, 2, 7, 100)]
    for i, n in enumerate((50, 300, 1000)):
        for step in (0, 1):
            base = dict(n=n, step=step, seed=1000 + 10 * i + step)
            cases += [dict(base, top_k=k) for k in (1, 5, 17, 40)]
            cases += [dict(base, top_p=p) for p in (0.0, 0.1, 0.5, 0.9)]
            cases += [dict(base, min_p=p) for p in (0.01, 0.05, 0.5, 1.0)]
            cases += [dict(base, typical_p=p) for p in (0.05, 0.2, 0.5, 0.9)]
            cases += [dict(base, temperature=t, top_k=20) for t in (0.1, 0.8, 1.7)]
            cases += [dict(base, temperature=0.8, top_k=40, top_p=0.95, min_p=0.05)]
            cases += [dict(base, temperature=1.5, top_k=30, top_p=0.8, min_p=0.02, typical_p=0.7)]
            window = [(7 * j * j) % (n // 3) for j in range(64)]
            top = [int(t) for t in np.argsort(-make_logits(n, base["seed"], step), kind="stable")[:10]]
            window[3:13] = top
            window[20:25] = top[:5]
            cases += [dict(base, window=window, top_k=30, repeat=r) for r in (0.7, 1.3)]
            cases += [dict(base, window=window, top_k=30, presence=0.5), dict(base, window=window, top_k=30, frequency=0.3)]
            cases += [dict(base, window=window, top_k=30, repeat=1.1, presence=0.25, frequency=0.125)]
    cases += [dict(n=3, seed=5, top_k=100), dict(n=40, seed=6, top_k=40), dict(n=129280, seed=7, top_k=40, top_p=0.95, min_p=0.05)]
    cases += [dict(n=20000, seed=8, top_p=0.02), dict(n=20000, seed=9, min_p=0.9), dict(n=20000, seed=10, typical_p=0.01)]
    return cases


def write_filters():
    with open(os.path.join(HERE, "filters.txt"), "w") as out:
        out.write("# n seed step, temperature top_k top_p min_p typical_p repeat presence frequency, n_window window…,\n")
        out.write("# n_kept (token probability)…, the most likely first; 'ties': token ids left open (transformers' sort)\n")
        for case in filter_cases():
            o = {**NEUTRAL, **{k: v for k, v in case.items() if k in NEUTRAL}}
            n, seed, step, window = case["n"], case["seed"], case.get("step", 0), case.get("window", [])
            scores = scores_after(make_logits(n, seed, step), window, o)
            p = torch.softmax(scores, -1).numpy()
            kept = np.flatnonzero(np.isfinite(scores.numpy()))
            kept = kept[np.lexsort((kept, -p[kept]))]
            # transformers' top-p cuts through equal scores in whatever order torch.sort leaves them.
            open_ids = step and o["top_p"] < 1
            out.write(f"{n} {seed} {step} {options_text(o)} {len(window)} {' '.join(map(str, window))} {len(kept)} "
                      f"{'ties' if open_ids else 'exact'} " + " ".join(f"{t} {p[t]:.17g}" for t in kept) + "\n")


def draw(weights, generator):
    """Index into weights by inverse transform, in their order."""
    cumulative = np.cumsum(weights)
    return int(np.searchsorted(cumulative, generator.uniform() * cumulative[-1], side="right"))


def write_sequences():
    """200 tokens of 500, each accepted into a window of 64; logits of step i have seed 5000 + i."""
    with open(os.path.join(HERE, "sequences.txt"), "w") as out:
        out.write("# sampler seed, temperature top_k top_p min_p typical_p repeat presence frequency, 200 tokens\n")
        for seed, o in ((0, dict(temperature=0.8, top_k=40, top_p=0.95, min_p=0.05)), (1, dict()),
                        (2**64 - 1, dict(temperature=1.5)),
                        (42, dict(temperature=1.2, top_p=0.7, repeat=1.2, presence=0.1, frequency=0.2)),
                        (7, dict(temperature=1.3, typical_p=0.6))):
            o = {**NEUTRAL, **o}
            generator, history = Generator(seed), []
            for i in range(200):
                scores = scores_after(make_logits(500, 5000 + i, 0), history[-64:], o)
                p = torch.softmax(scores, -1).numpy()
                # Lists that a filter had to sort stay sorted, the others are in order of id.
                order = np.lexsort((np.arange(500), -p)) if o["top_p"] < 1 or o["typical_p"] < 1 else np.arange(500)
                history.append(int(order[draw(p[order], generator)]))
            out.write(f"{seed} {options_text(o)} " + " ".join(map(str, history)) + "\n")


def write_mirostat():
    """100 tokens of 400; logits of step i have seed 9000 + i."""
    with open(os.path.join(HERE, "mirostat.txt"), "w") as out:
        out.write("# seed temperature tau eta, 100 times: token, mu after it\n")
        for seed, temperature, tau, eta in ((1, 1.0, 3.0, 0.1), (2, 1.5, 5.0, 0.5), (3, 0.7, 0.5, 1.0)):
            generator, mu, parts = Generator(seed), 2 * f32(tau), []
            for i in range(100):
                scores = make_logits(400, 9000 + i, 0).astype(np.float64) / f32(temperature)
                p = np.exp(scores - scores.max())
                p /= p.sum()
                order = np.argsort(-p, kind="stable")
                keep = max(1, int(np.count_nonzero(-np.log2(p[order]) <= mu)))
                left = np.sort(order[:keep])  # drawn in order of id
                token = int(left[draw(p[left] / p[left].sum(), generator)])
                mu -= f32(eta) * (-np.log2(p[token]) - f32(tau))
                parts.append(f"{token} {mu:.17g}")
            out.write(f"{seed} {temperature:.9g} {tau:.9g} {eta:.9g} " + " ".join(parts) + "\n")


if __name__ == "__main__":
    write_filters()
    write_sequences()
    write_mirostat()
