# Sourced by examples/demo.sh and tests/run.sh, which set $root: installs what is missing, configures and builds.
# POSIX sh. Says what it does on standard error; the output of the tools goes to a log that is shown when one fails.

# What cmake/MlaDependencies.cmake asks for, as Debian and Ubuntu name it. ocl-icd-opencl-dev is for the CMake files of
# Debian's oneDNN, which want OpenCL whether it is used or not; make is what CMake takes when nobody names a generator (cargo, pip).
packages="g++ make cmake ninja-build pkg-config libdnnl-dev ocl-icd-opencl-dev libeigen3-dev libfmt-dev libspdlog-dev libnuma-dev
nlohmann-json3-dev libpcre2-dev libcli11-dev libcpp-httplib-dev catch2"

say() {
  echo "libmla: $*" >&2
}

die() {
  say "$*"
  exit 1
}

# quietly LOG COMMAND …
quietly() {
  log=$1
  shift
  if "$@" </dev/null >"$log" 2>&1; then
    return 0
  fi
  tail -n 100 "$log" >&2
  die "this failed: $* (above: the end of its output; all of it is in $log)"
}

missing_packages() {
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $packages 2>/dev/null | sed -n 's/ installed$//p')
  for package in $packages; do
    echo "$installed" | grep -qxF "$package" || printf ' %s' "$package"
  done
}

# Prints the command that runs another as root, nothing when already root; fails if there is none.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    return 0
  fi
  command -v sudo >/dev/null 2>&1 || return 1
  if sudo -n true 2>/dev/null || [ -t 0 ]; then
    echo sudo
  else
    return 1
  fi
}

install_packages() {
  if ! command -v dpkg-query >/dev/null 2>&1; then
    say "this system has no dpkg, so its packages are not checked; CMake will name what it lacks"
    return 0
  fi
  missing=$(missing_packages)
  if [ -z "$missing" ]; then
    return 0
  fi
  sudo=$(as_root) || die "packages are missing and this user can't install them; as root run:  apt-get install$missing"
  say "installing$missing"
  for step in update "install -y --no-install-recommends$missing"; do
    # sudo may ask for a password on the terminal, which quietly() would take away.
    if [ -n "$sudo" ]; then
      sudo -v || die "sudo refused; as root run:  apt-get install$missing"
    fi
    quietly "$build/packages.log" $sudo env DEBIAN_FRONTEND=noninteractive \
      apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 $step
  done
}

# configure_and_build PRESET [TARGET]: a preset of CMakePresets.json; without a target, everything.
configure_and_build() {
  preset=$1
  case $preset in
    release) build=$root/build ;;
    *) build=$root/build-$preset ;;
  esac
  mkdir -p "$build"
  install_packages
  cd "$root"
  # From the environment the generator matters only to a new folder: one that was made otherwise stays as it is.
  quietly "$build/configure.log" env CMAKE_GENERATOR=Ninja cmake --preset "$preset"
  say "building ${2:-everything} ($preset, log in $build/build.log)"
  quietly "$build/build.log" cmake --build "$build" --parallel "$(nproc)" ${2:+--target "$2"}
}
