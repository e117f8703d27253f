"""What crate mla costs at generation: its loop and that of C++, in turns, on the same model.

    cargo build --release --example bench_generation      # in capi/rust, with MLA_LIB_DIR=build/lib
    python bench/rust_overhead.py build/bin/mla-bench-generation capi/rust/target/release/examples/bench_generation [-m MODEL]

It ends with the layer's own time, which no noise can hide: what passes between the calls of the library on this model, and what the same program
takes with a library whose functions do nothing. Weights are used where the file maps them, so that the processes share them. Two processes of
the same program differ too: C++ runs twice.
"""

import argparse
import os
import pathlib
import re
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).parent.parent
HEADER = ROOT / "include/mla/mla.h"
DEMO = ROOT / "examples/models/demo-f16.gguf"


class Loop:
    """A program that answers each line with the seconds of one run."""

    def __init__(self, command, n_predict, env=None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        self.n_predict = n_predict

    def us_per_token(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return 1e6 * float(self.process.stdout.readline()) / self.n_predict


def declarations():
    """(type, name, parameters) of the header's functions."""
    return re.findall(r"MLA_API ([^;(]*?)(mla_\w+)\(([^;]*)\);", HEADER.read_text())


def built(folder, source, name):
    library = pathlib.Path(folder) / name
    library.with_suffix(".c").write_text(source)
    flags = ["-O2", "-shared", "-fPIC", "-I", ROOT / "include", f"-Wl,--version-script={ROOT / 'capi/libmla.map'}", f"-Wl,-soname,{name}"]
    subprocess.run(["cc", *flags, library.with_suffix(".c"), "-o", library], check=True)
    return library


def ns_of_the_layer(program, n_predict):
    """Nanoseconds a token with a libmla.so whose functions return at once: 0, and an address where one is handed out."""
    source = "static char something[4096];\n"
    for _, name, parameters in declarations():
        hands_out = re.match(r"[\w ]*\*(?:const )?\*", parameters)
        source += f"long {name}(void **out) {{ {'*out = something;' if hands_out else '(void)out;'} return 0; }}\n"
    with tempfile.TemporaryDirectory() as folder:
        built(folder, source, "libmla.so.0")
        loop = Loop([program, "nothing", str(n_predict), "1"], n_predict, env={**os.environ, "LD_LIBRARY_PATH": folder})
        return 1e3 * statistics.median(loop.us_per_token() for _ in range(9))


# The time outside the library's functions, from the end of one decode to that of the next: the median at exit, on standard error.
BETWEEN_CALLS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <mla/mla.h>
static double last, gap, gaps[1 << 20];
static int n;
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return 1e9 * t.tv_sec + t.tv_nsec; }
static int by_size(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }
__attribute__((destructor)) static void report(void) {
  qsort(gaps, n, sizeof *gaps, by_size);
  fprintf(stderr, "%f", gaps[n / 2]);
}
"""


def ns_between_calls(program, model, n_predict, threads):
    """Nanoseconds a token that pass in the program outside libmla's functions, on a real model; two clock readings a call count with them."""
    source = BETWEEN_CALLS
    for result, name, parameters in declarations():
        if result.strip() == "void" or parameters == "void":
            continue  # not called for a token
        arguments = ", ".join(re.findall(r"(\w+)\s*(?:,|$)", parameters))
        end_of_token = "if (n < 1 << 20) gaps[n++] = gap; gap = 0;" if name == "mla_context_decode" else ""
        source += f"""{result}{name}({parameters}) {{
  static {result}(*real)({parameters});
  gap += now() - last;
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "{name}");
  {result}value = real({arguments});
  {end_of_token}
  return last = now(), value;
}}
"""
    with tempfile.TemporaryDirectory() as folder:
        shim = built(folder, source, "between.so")
        command = [program, model, str(n_predict), str(threads)]
        done = subprocess.run(command, input="\n" * 4, env={**os.environ, "LD_PRELOAD": shim}, capture_output=True, text=True, check=True)
        return float(done.stderr)


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
    for loop in loops:
        loop.process.stdin.close()
    print(f"between the calls: {ns_between_calls(flags.rust, flags.model, flags.n_predict, flags.threads):.0f} ns a token")
    print(f"the layer alone: {ns_of_the_layer(flags.rust, 1_000_000):.0f} ns a token")


if __name__ == "__main__":
    main()
