#!/bin/sh
# The ABI of the C headers against the one that is committed: sh abi.sh STUBS.so [update]
# Any difference fails. Where it is growth that docs/api-stability.md allows, "update" writes it down, for a reviewer to see.
set -eu
committed=$(cd "$(dirname "$0")" && pwd)/libmla.abi
command -v abidw >/dev/null && command -v abidiff >/dev/null || { echo "SKIPPED: libabigail is missing: apt-get install abigail-tools" >&2; exit 4; }
[ "$(uname -m)" = x86_64 ] || { echo "SKIPPED: the committed ABI is that of x86_64" >&2; exit 4; }
actual=$(mktemp)
trap 'rm -f "$actual"' EXIT
abidw --no-show-locs --no-corpus-path --no-comp-dir-path "$1" | sed "s/ path='[^']*'//; s/soname='[^']*'/soname='libmla.so.0'/" >"$actual"
if [ "${2:-}" = update ]; then
  cp "$actual" "$committed"
elif ! abidiff "$committed" "$actual"; then
  echo "the ABI has changed; if docs/api-stability.md allows it:  sh tests/capi/abi/abi.sh $1 update" >&2
  exit 1
fi
