#!/bin/sh
# run.sh "" | _oldest | _from_source  BINARY_DIR  FOLDER_OF_libmla.so  MLA_HELLO: tests of capi/rust.
set -eu
kind=$1 scratch=$2 library=$3 hello=$4
root=$(cd "$(dirname "$0")/../.." && pwd)
rust=$root/capi/rust
export CARGO_TARGET_DIR="$scratch/target$kind"

skip() {
  echo "SKIPPED: the Rust crates were NOT tested$1"
  exit 4
}

# with_library COMMAND …: takes the library of this build.
with_library() {
  MLA_LIB_DIR=$library LD_LIBRARY_PATH=$library${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$@"
}

# The example writes what its twin in C writes.
twins() {
  prompt="In the beginning"
  model=$root/examples/models/demo-f16.gguf
  "$hello" "$model" "$prompt" >"$scratch/c$kind.txt"
  "$@" cargo run --quiet --locked --example generate -- "$model" "$prompt" >"$scratch/rust$kind.txt"
  cmp "$scratch/c$kind.txt" "$scratch/rust$kind.txt"
}

command -v cargo >/dev/null || skip ": no cargo (apt-get install cargo)"
cd "$rust"
case $kind in
  "")
    with_library cargo test --locked
    with_library env RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
    twins with_library
    # Parts of a tool chain that a distribution packs apart.
    if cargo clippy --version >/dev/null 2>&1; then
      with_library cargo clippy --locked --all-targets -- -D warnings
    else
      echo "SKIPPED: no cargo clippy"
    fi
    if cargo fmt --version >/dev/null 2>&1; then cargo fmt --check; else echo "SKIPPED: no cargo fmt"; fi
    ;;
  _oldest)
    [ -x /usr/bin/cargo ] && [ -x /usr/bin/rustc ] || skip " with the distribution's compiler: apt-get install cargo"
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' mla/Cargo.toml)
    found=$(/usr/bin/rustc --version | cut -d' ' -f2)
    case $found in
      "$wanted".*) ;;
      *) skip " with Rust $wanted: /usr/bin/rustc is $found" ;;
    esac
    export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc
    with_library /usr/bin/cargo test --locked
    ;;
  _from_source)
    # No installed library and no folder: build.rs has to build it.
    unset MLA_LIB_DIR LD_LIBRARY_PATH
    twins env PKG_CONFIG=false
    ;;
esac
