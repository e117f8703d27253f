#!/bin/sh
# run_openai_test.sh FOLDER TEST.py: runs a test in a virtual environment in FOLDER that has PyPI's openai, websocket-client and gguf.
# MLA_TEST_PYTHON may name a Python that has it already.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${MLA_TEST_PYTHON:-$1/bin/python}
if ! "$python" -c 'import openai, websocket, gguf' 2>/dev/null; then
  if [ -n "${MLA_TEST_PYTHON:-}" ] || ! { python3 -m venv "$1" && "$1/bin/pip" -q install openai websocket-client gguf; }; then
    echo "SKIPPED: mla-server was NOT tested from outside, because Python's venv or PyPI's openai, websocket-client and gguf can't be had" >&2
    exit 4
  fi
fi
exec "$python" "$here/$2"
