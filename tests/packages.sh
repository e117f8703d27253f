#!/bin/sh
# Packs libmla, and installs and runs the packages on bare systems: sh tests/packages.sh
# Debian 12: built here, if this is one. Debian 13: what tests/debian13.sh has packed. Both must be clean to lintian, where it is installed.
set -eu
. "$(dirname "$0")/debian_root.sh"
can_make_roots
model=usr/share/mla/demo-f16.gguf

# try_packages SUITE FOLDER: on a bare root of its own.
try_packages() {
  suite=$1 folder=$2
  if command -v lintian >/dev/null; then
    lintian --allow-root --fail-on error,warning "$folder"/*.deb
  else
    echo "lintian is missing: the packages are not checked (apt-get install lintian)" >&2
  fi
  make_root "$suite" "$suite-bare"
  rm -rf "$roots/$suite-bare/packages"
  mkdir "$roots/$suite-bare/packages"
  cp "$folder"/*.deb "$root_of_tree/tests/consumers/use_c.c" "$root_of_tree/tests/consumers/use_cpp.cpp" "$roots/$suite-bare/packages"
  in_root "$roots/$suite-bare" "
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update >/dev/null
    apt-get -q install -y --no-install-recommends /packages/libmla0_*.deb /packages/mla-tools_*.deb >/dev/null
    mla-run --seed 1 -n 20 -p 'In the beginning' </dev/null
    mla-inspect /$model >/dev/null
    apt-get -q install -y --no-install-recommends g++ pkg-config /packages/libmla-dev_*.deb >/dev/null
    cd /packages
    cc use_c.c -o use_c \$(pkg-config --cflags --libs mla) && ./use_c /$model
    c++ -std=c++20 use_cpp.cpp -o use_cpp \$(pkg-config --static --cflags --libs mla | sed 's/-lmla\b/-l:libmla.a/') && ./use_cpp /$model
    apt-get -q purge -y libmla0 >/dev/null  # all three go
    ! ls /usr/lib/*/libmla* 2>/dev/null"
  echo "Debian $suite: packages install, run, compile and go"
}

if [ "$(cut -d. -f1 /etc/debian_version)" = 12 ]; then
  build=$root_of_tree/build-deb
  CMAKE_GENERATOR=Ninja cmake --preset release -B "$build" -DCMAKE_INSTALL_PREFIX=/usr -DMLA_BUILD_TESTS=OFF >/dev/null
  cmake --build "$build" --parallel "$(nproc)" >/dev/null
  rm -rf "$build/packages"
  (cd "$build" && cpack >/dev/null)
  try_packages bookworm "$build/packages"
else
  echo "not a Debian 12: its packages are not made" >&2
fi
if [ -d "$roots/trixie/src/build/packages" ]; then
  try_packages trixie "$roots/trixie/src/build/packages"
else
  echo "no packages for Debian 13: run tests/debian13.sh first" >&2
fi
