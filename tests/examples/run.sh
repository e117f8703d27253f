#!/bin/sh
# Runs the examples in C and C++ with the demo model and checks what they say: sh run.sh BIN_FOLDER MODEL
set -eu
bin=$1 model=$2
[ -e "$model" ] || { echo "SKIPPED: $model is missing" >&2; exit 4; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# check WHAT CONDITION …: a test(1) that must hold.
check() {
  what=$1
  shift
  test "$@" || { echo "FAILED: $what: test $*" >&2; exit 1; }
  echo "ok: $what"
}
example() {
  name=$1
  shift
  "$bin/example-$name" "$model" "$@"
}

near=$(example embeddings "the king of Israel" "the king of Judah")
far=$(example embeddings "the king of Israel" "a whale in the sea")
same=$(example embeddings "Call me Ishmael." "Call me Ishmael.")
check "embeddings: a text is like itself" "$same" = 1.0000
check "embeddings: kings are more alike than a king and a whale" "$(printf '%s\n' "$near" "$far" | sort -g | head -1)" = "$far"

example conversations "In the beginning" "Call me" "It is a truth" >"$work/three"
check "conversations: one line each" "$(grep -c -e '^In the beginning' -e '^Call me' -e '^It is a truth' "$work/three")" = 3

# In two runs what one run would have written: the second computes only what is new.
example resume "$work/state" "In the beginning" >"$work/first" 2>/dev/null
example resume "$work/state" " of the" >"$work/second" 2>"$work/known"
check "resume: the first run's tokens are there" "$(cat "$work/known")" != "0 tokens are there already"
example resume "$work/whole" "In the beginning$(cat "$work/first") of the" >"$work/expected" 2>/dev/null
check "resume: goes on as if never interrupted" "$(cat "$work/second")" = "$(cat "$work/expected")"
printf damaged >"$work/state"
if example resume "$work/state" x >/dev/null 2>"$work/error"; then exit 1; fi
check "resume: a damaged file is refused by name" "$(grep -c "$work/state" "$work/error")" = 1

lipogram=$(example custom-sampler "In the beginning" e)
check "custom sampler: no e" -z "$(printf %s "$lipogram" | tr -cd eE)"
check "custom sampler: but text" "${#lipogram}" -gt 40

example shared-prefix "And it came to pass in the days when the judges judged," " that" " he" >"$work/users"
check "shared prefix: the second user's is known" "$(grep -c '^user 1: 1[0-9] of 1[0-9] tokens were known' "$work/users")" = 1

example speculative "And the sons of Israel were" >"$work/guessed" 2>"$work/steps"
"$bin/mla-run" -m "$model" -p "And the sons of Israel were" --temp 0 -n 96 >"$work/plain" 2>/dev/null
check "speculative: the text that greedy sampling writes" "And the sons of Israel were$(cat "$work/guessed")" = "$(cat "$work/plain")"
check "speculative: in fewer steps than tokens" "$(sed 's/.* in \([0-9]*\) steps/\1/' "$work/steps")" -lt 96

: >"$work/stream"  # there before the loop looks
"$bin/example-streaming" "$model" "In the beginning" >>"$work/stream" &
streaming=$!
while [ "$(wc -c <"$work/stream")" -lt 50 ]; do sleep 0.05; done
kill -INT $streaming
wait $streaming
check "streaming: Ctrl-C ends it in order" "$(grep -c '\[aborted after [0-9]* tokens\]$' "$work/stream")" = 1
