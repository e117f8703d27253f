#!/bin/sh
# Projects that use libmla, built and run: sh run.sh BUILD_FOLDER installed|source MODEL
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$1 kind=$2 model=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -e "$model" ] || { echo "SKIPPED: $model is missing" >&2; exit 4; }
expected=

# runs PROGRAM: the same words from each.
runs() {
  said=$("$@" "$model")
  : "${expected:=$said}"
  echo "$*: $said"
  [ "$said" = "$expected" ] || { echo "$*: expected '$expected'" >&2; exit 1; }
  case $said in "libmla 0."*": token "[0-9]*) ;; *) exit 1 ;; esac
}

# builds NAME PROJECT [FLAGS …]: use_c, and use_cpp where the project has it, in $work/NAME.
builds() {
  name=$1 project=$2
  shift 2
  cmake -S "$here/$project" -B "$work/$name" -DCMAKE_BUILD_TYPE=Release "$@" >"$work/$name.log" 2>&1 &&
    cmake --build "$work/$name" --parallel "$(nproc)" >>"$work/$name.log" 2>&1 || {
    tail -n 60 "$work/$name.log" >&2
    exit 1
  }
}

installed() {
  cmake --install "$build" --prefix "$work/first" >/dev/null
  mv "$work/first" "$work/prefix"  # what was installed may be moved
  builds found installed -DCMAKE_PREFIX_PATH="$work/prefix"
  runs "$work/found/use_c"
  runs "$work/found/use_cpp"
  builds c_only c_only -DCMAKE_PREFIX_PATH="$work/prefix"
  runs "$work/c_only/use_c"

  PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name mla.pc)")
  export PKG_CONFIG_PATH
  libdir=$(pkg-config --variable=libdir mla)
  cc -std=c99 -pedantic -Wall -Werror $(pkg-config --cflags mla) "$here/use_c.c" -o "$work/shared" $(pkg-config --libs mla)
  runs env LD_LIBRARY_PATH="$libdir" "$work/shared"
  readelf -d "$work/shared" | grep -q 'NEEDED.*libmla\.so\.0' || { echo "not linked with libmla.so.0" >&2; exit 1; }
  # The archive for both languages; what it needs stays shared.
  static=$(pkg-config --static --libs mla | sed 's/-lmla\b/-l:libmla.a/')
  cc -std=c99 $(pkg-config --cflags mla) "$here/use_c.c" -o "$work/static_c" $static
  runs "$work/static_c"
  c++ -std=c++20 $(pkg-config --cflags mla) "$here/use_cpp.cpp" -o "$work/static_cpp" $static
  runs "$work/static_cpp"
  "$work/prefix/bin/mla-run" -n 1 -p "In the beginning" >/dev/null  # finds the model that was installed with it, or the tree's
}

source() {
  builds subdirectory source -DHOW=subdirectory
  builds fetch source -DHOW=fetch
  for how in subdirectory fetch; do
    runs "$work/$how/use_c"
    runs "$work/$how/use_cpp"
  done
}

"$kind"
