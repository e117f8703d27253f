"""What crate mla costs at generation: its loop and that of C++, in turns, on the same model.

    cargo build --release --example bench_generation      # in capi/rust, with MLA_LIB_DIR=build/lib
    python bench/rust_overhead.py build/bin/mla-bench-generation capi/rust/target/release/examples/bench_generation [-m MODEL]

It ends with the layer's own time: the same program with a library whose functions do nothing, which is what no noise can hide.
Weights are used where the file maps them, so that the processes share them. Two processes of the same program differ too: C++ runs twice.
"""

import argparse
import os
import pathlib
import re
import statistics
import subprocess
import tempfile

HEADER = pathlib.Path(__file__).parent.parent / "include/mla/mla.h"
DEMO = pathlib.Path(__file__).parent.parent / "examples/models/demo-f16.gguf"


class Loop:
    """A program that answers each line with the seconds of one run."""

    def __init__(self, command, n_predict, env=None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        self.n_predict = n_predict

    def us_per_token(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return 1e6 * float(self.process.stdout.readline()) / self.n_predict


def ns_of_the_layer(program, n_predict):
    """Nanoseconds a token with a libmla.so whose functions return at once: 0, and an address where one is handed out."""
    with tempfile.TemporaryDirectory() as folder:
        library = pathlib.Path(folder) / "libmla.so.0"
        with open(library.with_suffix(".c"), "w") as source:
            source.write("static char something[4096];\n")
            for name, parameters in re.findall(r"MLA_API [^;(]*?(mla_\w+)\(([^;]*)\);", HEADER.read_text()):
                hands_out = re.match(r"[\w ]*\*(?:const )?\*", parameters)
                source.write(f"long {name}(void **out) {{ {'*out = something;' if hands_out else '(void)out;'} return 0; }}\n")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", library.with_suffix(".c"), "-o", library], check=True)
        loop = Loop([program, "nothing", str(n_predict), "1"], n_predict, env={**os.environ, "LD_LIBRARY_PATH": folder})
        return 1e3 * statistics.median(loop.us_per_token() for _ in range(9))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cpp", help="build/bin/mla-bench-generation")
    parser.add_argument("rust", help="the example bench_generation")
    parser.add_argument("-m", "--model", default=str(DEMO))
    parser.add_argument("-n", "--n-predict", type=int, default=64)
    parser.add_argument("-r", "--repetitions", type=int, default=15)
    parser.add_argument("-t", "--threads", type=int, default=1)
    flags = parser.parse_args()
    n, threads = str(flags.n_predict), str(flags.threads)
    cpp = [flags.cpp, "-m", flags.model, "-n", n, "--no-repack", "-t", threads]
    commands = {"C++": cpp, "Rust": [flags.rust, flags.model, n, threads], "C++ again": cpp}
    loops = [Loop(command, flags.n_predict) for command in commands.values()]
    for loop in loops:  # pages of the file, caches
        loop.us_per_token()
    columns = [[] for _ in loops]
    for turn in range(flags.repetitions):
        for i in range(len(loops)):
            k = (i + turn) % len(loops)
            columns[k].append(loops[k].us_per_token())
    for name, values in zip(commands, columns):
        print(f"{name:9} {statistics.median(values):10.1f} us a token (median of {len(values)}; {min(values):.1f} to {max(values):.1f})")
    turns = list(zip(*columns))
    for name, k in (("Rust", 1), ("C++ again", 2)):
        ratio, more = statistics.median(t[k] / t[0] for t in turns), statistics.median(t[k] - t[0] for t in turns)
        print(f"{name} / C++ {ratio:.4f} (median of the turns); {more:+.1f} us a token")
    print(f"the layer alone: {ns_of_the_layer(flags.rust, 1_000_000):.0f} ns a token")


if __name__ == "__main__":
    main()
