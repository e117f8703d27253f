#!/bin/sh
# run.sh BUILD_FOLDER: builds the tests of the integer kernels for 64-bit ARM and runs them in qemu. Exit status 4: skipped.
set -eu
build=$1
source=$(cd "$(dirname "$0")" && pwd)

# need COMMAND PACKAGE
need() {
  command -v "$1" >/dev/null && return
  echo "SKIPPED: the NEON kernels were NOT tested, because $1 is missing: apt-get install $2"
  exit 4
}
need aarch64-linux-gnu-g++ g++-aarch64-linux-gnu
need qemu-aarch64 qemu-user

cmake -S "$source" -B "$build" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ \
  -DCMAKE_BUILD_TYPE=Release
cmake --build "$build" --parallel "$(nproc)"
test=$build/test_kernels_arm
set -x
qemu-aarch64 -cpu max "$test" "[dotprod]"
qemu-aarch64 -cpu cortex-a53 "$test" "[no-dotprod]"
qemu-aarch64 -cpu max -E MLA_ISA=avx2 "$test" "[avx2]"
qemu-aarch64 -cpu max "$test"
