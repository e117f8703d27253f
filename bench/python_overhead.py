"""What package mla costs at generation: its loop and that of C++ (mla-bench-generation), in turns, on the same model.

    python bench/python_overhead.py build/bin/mla-bench-generation [-m MODEL] [-n 64] [-r 15]

Package mla and mla-bench-generation must be of the same build (MLA_LIBRARY=build/lib/libmla.so.0). Weights are used where the file
maps them, so that both processes share them.
"""

import argparse
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


def seconds_on_ids(context, n_predict):
    """The same for a model that runs on token ids."""
    sampler, n_vocab = mla.Sampler(seed=1), context.model.info.n_vocab
    context.decode(PROMPT)
    start = time.perf_counter()
    for _ in range(n_predict):
        token = sampler.sample_at(context.logits_address(), n_vocab)
        sampler.accept(token)
        context.decode_next(token)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="build/bin/mla-bench-generation")
    parser.add_argument("-m", "--model", default=mla.demo_model())
    parser.add_argument("-n", "--n-predict", type=int, default=64)
    parser.add_argument("-r", "--repetitions", type=int, default=15)
    parser.add_argument("-t", "--threads", type=int, default=0)
    flags = parser.parse_args()
    command = [flags.program, "-m", flags.model, "-n", str(flags.n_predict), "--no-repack", "-t", str(flags.threads)]
    cpp = subprocess.Popen(command if flags.threads else command[:-2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    context = mla.Context(mla.Model.load(flags.model, repack="never"), n_threads=flags.threads)

    def cpp_seconds():
        cpp.stdin.write("\n")
        cpp.stdin.flush()
        return float(cpp.stdout.readline())

    cpp_seconds(), python_seconds(context, flags.n_predict)  # pages of the file, caches
    pairs = []
    for turn in range(flags.repetitions):
        if turn % 2:
            python = python_seconds(context, flags.n_predict)
            pairs.append((cpp_seconds(), python))
        else:
            pairs.append((cpp_seconds(), python_seconds(context, flags.n_predict)))
    cpp.stdin.close()
    per_token = [[1e6 * seconds / flags.n_predict for seconds in column] for column in zip(*pairs)]
    for name, values in zip(("C++", "Python"), per_token):
        print(f"{name:6} {statistics.median(values):10.1f} µs a token (median of {len(values)}; {min(values):.1f} to {max(values):.1f})")
    ratio = statistics.median(p / c for c, p in pairs)
    print(f"ratio  {ratio:10.4f} (median of the pairs); {statistics.median(p - c for c, p in zip(*per_token)):.1f} µs a token more")


if __name__ == "__main__":
    main()
