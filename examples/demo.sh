#!/bin/sh
# sh examples/demo.sh ["PROMPT"] [FLAGS OF mla-run …]: sets up what is missing, builds, and writes text with the demo model.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/cmake/setup.sh"

case ${1-} in
  '' | -*) ;;
  *)
    prompt=$1
    shift
    set -- -p "$prompt" "$@"
    ;;
esac
configure_and_build release mla-run
exec "$build/bin/mla-run" "$@"
