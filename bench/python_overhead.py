"""What package mla costs at generation: its loop and that of C++ (mla-bench-generation), in turns, on the same model.

    python bench/python_overhead.py build/bin/mla-bench-generation [-m MODEL] [-n 64] [-r 24] [-t 2]

Two processes of C++ take part, so that their difference says what the measurement is worth. "Python alone" is the loop of Python around
a C function that does nothing: what it takes between the calls of a token. Package mla and the program must be of the same
build (MLA_LIBRARY=build/lib/libmla.so.0). Weights are used where the file maps them: the processes share them.
"""

import argparse
import ctypes
import statistics
import subprocess
import time

import mla

PROMPT = [0, 11, 12, 13]


def python_seconds(context, n_predict):
    """Seconds from the end of the prompt to the last token, as the C++ program counts them."""
    context.kv.clear()
    try:
        eos = context.model.tokenizer.eos
    except mla.UnsupportedError:
        return seconds_on_ids(context, n_predict)
    generation = context.generate(PROMPT, max_tokens=n_predict + 1, seed=1, logit_bias={eos: -float("inf")}, stream=True)
    next(generation)
    start, first = time.perf_counter(), len(generation.tokens)
    for _ in generation:
        pass
    return (time.perf_counter() - start) * n_predict / (len(generation.tokens) - first)


class WithoutSteps:
    """The library, but its steps cost nothing and do nothing."""

    def __init__(self, library):
        self._library = library
        self.mla_context_step = ctypes.CDLL(None).abs
        self.mla_context_step.argtypes, self.mla_context_step.restype = library.mla_context_step.argtypes, None

    def __getattr__(self, name):
        return getattr(self._library, name)


def seconds_alone(context, n_predict):
    """Seconds that the loop of Python takes between the calls."""
    banned = {context.model.tokenizer.eos: -float("inf")}
    generation = context.generate(PROMPT, max_tokens=n_predict + 1, seed=1, logit_bias=banned, stream=True)
    next(generation)
    library = mla.context.lib
    mla.context.lib = WithoutSteps(library)
    try:
        start = time.perf_counter()
        for _ in generation:
            pass
        return time.perf_counter() - start
    finally:
        mla.context.lib = library


def seconds_on_ids(context, n_predict):
    """The same for a model that runs on token ids."""
    sampler = mla.Sampler(seed=1)
    context.decode(PROMPT)
    start = time.perf_counter()
    for _ in range(n_predict):
        token = sampler.sample(context.logits())
        sampler.accept(token)
        context.decode([token])
    return time.perf_counter() - start


def cpp_loop(flags):
    """A function that runs the loop of C++ in a process of its own."""
    command = [flags.program, "-m", flags.model, "-n", str(flags.n_predict), "--no-repack"]
    command += ["-t", str(flags.threads)] if flags.threads else []
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seconds():
        process.stdin.write("\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="build/bin/mla-bench-generation")
    parser.add_argument("-m", "--model", default=mla.demo_model())
    parser.add_argument("-n", "--n-predict", type=int, default=64)
    parser.add_argument("-r", "--repetitions", type=int, default=24)
    parser.add_argument("-t", "--threads", type=int, default=0)
    flags = parser.parse_args()
    context = mla.Context(mla.Model.load(flags.model, repack="never"), n_threads=flags.threads)
    loops = [cpp_loop(flags), cpp_loop(flags), lambda: python_seconds(context, flags.n_predict)]
    for loop in loops:
        loop()  # pages of the file, caches
    turns = []
    for turn in range(flags.repetitions):
        seconds = [0.0] * 3
        for k in range(3):
            seconds[(turn + k) % 3] = loops[(turn + k) % 3]()
        turns.append([1e6 * s / flags.n_predict for s in seconds])
    for name, values in zip(("C++", "C++", "Python"), zip(*turns)):
        ratio = statistics.median(value / turn[0] for value, turn in zip(values, turns))
        print(f"{name:6} {statistics.median(values):10.1f} µs a token (median of {len(values)}; {min(values):.1f} to {max(values):.1f}), "
              f"{ratio:.4f} of the first")
    try:
        alone = statistics.median(1e6 * seconds_alone(context, flags.n_predict) / flags.n_predict for _ in range(flags.repetitions))
    except mla.UnsupportedError:
        return  # a model that runs on token ids
    print(f"Python alone {alone:.2f} µs a token, {alone / statistics.median(turn[0] for turn in turns):.4f} of the first")


if __name__ == "__main__":
    main()
