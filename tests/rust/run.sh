#!/bin/sh
# run.sh "" | _oldest | _pkg_config | _from_source  BINARY_DIR  FOLDER_OF_libmla.so  FOLDER_OF_PROGRAMS: tests of capi/rust.
set -eu
kind=$1 scratch=$2 library=$3 programs=$4
root=$(cd "$(dirname "$0")/../.." && pwd)
rust=$root/capi/rust model=$root/examples/models/demo-f16.gguf under=
export CARGO_TARGET_DIR="$scratch/target$kind"

skip() {
  echo "SKIPPED: the Rust crates were NOT tested$1"
  exit 4
}

# with_library COMMAND …: takes the library of this build.
with_library() {
  MLA_LIB_DIR=$library LD_LIBRARY_PATH=$library${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$@"
}

# twin PROGRAM_IN_C EXAMPLE TEXT …: the example writes what its twin in C writes; with $under before cargo.
twin() {
  program=$1 example=$2
  shift 2
  "$programs/$program" "$model" "$@" >"$scratch/c$kind.txt"
  $under cargo run --quiet --locked --example "$example" -- "$model" "$@" >"$scratch/rust$kind.txt"
  cmp "$scratch/c$kind.txt" "$scratch/rust$kind.txt"
}

twins() {
  twin mla-hello generate "In the beginning"
  twin example-embeddings embeddings "the whale and the sea" "a ball at the house"
}

command -v cargo >/dev/null || skip ": no cargo (apt-get install cargo)"
cd "$rust"
case $kind in
  "")
    with_library cargo test --locked
    with_library env RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
    under=with_library twins
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
  _pkg_config)
    # An installed library, elsewhere than it was installed, that pkg-config alone knows.
    unset MLA_LIB_DIR
    command -v pkg-config >/dev/null || skip " with pkg-config: apt-get install pkg-config"
    rm -rf "$scratch/installed" "$scratch/prefix" "$CARGO_TARGET_DIR"
    cmake --install "$library/.." --prefix "$scratch/installed" >/dev/null
    mv "$scratch/installed" "$scratch/prefix"
    PKG_CONFIG_PATH=$(dirname "$(find "$scratch/prefix" -name mla.pc)")
    LD_LIBRARY_PATH=$(PKG_CONFIG_PATH=$PKG_CONFIG_PATH pkg-config --variable=libdir mla)
    export PKG_CONFIG_PATH LD_LIBRARY_PATH
    twins
    ldd "$CARGO_TARGET_DIR/debug/examples/generate" | grep -F "libmla.so.0 => $LD_LIBRARY_PATH/" || {
      echo "the example runs with another libmla than pkg-config named" >&2
      exit 1
    }
    ;;
  _from_source)
    # No folder, and a pkg-config that knows everything but libmla: build.rs has to build it.
    unset MLA_LIB_DIR LD_LIBRARY_PATH
    export PKG_CONFIG="$scratch/pkg-config"
    printf '#!/bin/sh\ncase "$*" in *"mla "*) exit 1 ;; esac\nexec pkg-config "$@"\n' >"$PKG_CONFIG"
    chmod +x "$PKG_CONFIG"
    twins
    ;;
esac
