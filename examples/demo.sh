#!/bin/sh
# sh examples/demo.sh ["PROMPT" [FLAGS OF mla-run …]]: sets up what is missing, builds, and writes text with the demo model.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/cmake/setup.sh"

prompt=${1:-In the beginning}
if [ $# -gt 0 ]; then
  shift
fi
configure_and_build release mla-run
exec "$build/bin/mla-run" -m "$root/examples/models/demo-f16.gguf" -p "$prompt" "$@"
