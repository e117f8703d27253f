#!/bin/sh
# sh tests/run.sh [quick | full]: sets up what is missing, builds and tests.
#   quick (the default): the tests with the label quick
#   full: all tests, then all of them again under the address, undefined-behaviour and thread sanitizers
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/cmake/setup.sh"

# run_tests PRESET [CTEST FLAGS …]
run_tests() {
  test_preset=$1
  shift
  configure_and_build "$test_preset"
  ctest --preset "$test_preset" --parallel "$(nproc)" "$@"
}

case ${1:-quick} in
  quick) run_tests release -L quick ;;
  full)
    for preset in release asan tsan; do
      run_tests "$preset"
    done
    ;;
  *) die "tests/run.sh takes quick or full, not $1" ;;
esac
