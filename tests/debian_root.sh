# Sourced: bare Debian systems in folders, for tests that need another one than this. POSIX sh.
# Roots are kept in $MLA_ROOTS (default: build/roots), so that only the first run downloads them.

root_of_tree=$(cd "$(dirname "$0")/.." && pwd)
roots=${MLA_ROOTS:-$root_of_tree/build/roots}

# Ends the test as skipped, which ctest and people see.
skip() {
  echo "SKIPPED: $*" >&2
  exit 4
}

can_make_roots() {
  [ "$(id -u)" -eq 0 ] || skip "needs root, for debootstrap and chroot"
  command -v debootstrap >/dev/null || skip "debootstrap is missing: apt-get install debootstrap"
  unshare --mount true 2>/dev/null || skip "this system doesn't let root make mounts of its own"
}

# make_root SUITE NAME [PACKAGE …]: a minimal Debian in $roots/NAME, with these packages.
make_root() {
  suite=$1 made=$roots/$2
  shift 2
  if [ ! -e "$made/etc/mla-root" ]; then
    rm -rf "$made"
    mkdir -p "$made"
    debootstrap --variant=minbase "$suite" "$made" http://deb.debian.org/debian >"$made.log" 2>&1 || {
      tail -n 20 "$made.log" >&2
      skip "debootstrap could not fetch Debian $suite"
    }
    cp /etc/resolv.conf "$made/etc/resolv.conf"
    touch "$made/etc/mla-root"
  fi
  [ $# -eq 0 ] || in_root "$made" "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $*" >"$made.log" 2>&1 || {
    tail -n 20 "$made.log" >&2
    exit 1
  }
}

# in_root FOLDER COMMANDS: as root inside it, with its own /proc, which goes when the commands end.
in_root() {
  unshare --mount sh -c 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" /bin/sh -euc "$1"' "$1" "$2"
}

# copy_tree FOLDER: the sources, without what was built. A file that hasn't changed keeps its time and others get that of now, whatever they
# have here: a build in FOLDER/build goes on from what it made of the last copy.
copy_tree() {
  copy=$1 new=$1.new
  rm -rf "$new"
  mkdir -p "$copy" "$new"
  tar -C "$root_of_tree" --exclude='./build*' --exclude=./.git --exclude=./capi/rust/target --exclude=__pycache__ -cf - . |
    tar -C "$new" --no-same-owner -mxf -
  (cd "$new" && find . -type f) | while read -r file; do
    if cmp -s "$new/$file" "$copy/$file"; then touch -r "$copy/$file" "$new/$file"; fi
  done
  find "$copy" -mindepth 1 -maxdepth 1 ! -name 'build*' -exec rm -rf {} +
  find "$new" -mindepth 1 -maxdepth 1 -exec mv -t "$copy" {} +
  rmdir "$new"
}
