#!/bin/sh
# sh run.sh OUTPUT_FOLDER, in the root of the tree
set -eu
command -v doxygen >/dev/null || { echo "SKIPPED: doxygen is missing: apt-get install doxygen" >&2; exit 4; }
mkdir -p "$1"
{ cat docs/Doxyfile; echo "OUTPUT_DIRECTORY = $1"; } | doxygen -
# The comments of the C header became its documentation.
grep -q "moves the positions" "$1/html/mla_8h.html" || { echo "mla.h is there without its comments" >&2; exit 1; }
