#!/bin/sh
# Builds libmla on Debian 13 (GCC 14, oneDNN 3.7, Catch2 v3) and runs the quick tests there, then packs it: sh tests/debian13.sh
# Takes half an hour on two cores the first time. Packages are left in the root's /src/build for tests/packages.sh.
set -eu
. "$(dirname "$0")/debian_root.sh"
can_make_roots

packages=$(. "$root_of_tree/cmake/setup.sh" && echo $packages)
make_root trixie trixie $packages dpkg-dev file
copy_tree "$roots/trixie/src"
in_root "$roots/trixie" '
  cd /src
  CMAKE_GENERATOR=Ninja cmake --preset release -DCMAKE_INSTALL_PREFIX=/usr
  cmake --build build --parallel "$(nproc)"
  ctest --preset release -L quick --parallel "$(nproc)"
  cd build && cpack'
