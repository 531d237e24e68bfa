# Shared by ./quickstart and ./check: progress lines, packages, the MPICH tools. Sourced by bash scripts that have set
# `set -euo pipefail` and stand in the root of the tree.
# shellcheck shell=bash

psnam_script=${0##*/}

say() { printf '%s: %s\n' "$psnam_script" "$*"; }
complain() { printf '%s: %s\n' "$psnam_script" "$*" >&2; }

# Names of the packages of the given groups in tools/packages.txt.
packages_of() {
  local wanted=" $* " package group _
  while read -r package group _; do
    [[ -z $package || $package == \#* ]] && continue
    [[ $wanted == *" $group "* ]] && printf '%s\n' "$package"
  done <"${PSNAM_PACKAGES:-tools/packages.txt}"
  return 0
}

# Those of the given packages that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || printf '%s\n' "$package"
  done
}

# Runs a command as root; only called when there is a way to.
as_root() {
  if [[ ${PSNAM_UID:-$(id -u)} == 0 ]]; then
    "$@"
  else
    sudo "$@"
  fi
}

may_become_root() { [[ ${PSNAM_UID:-$(id -u)} == 0 ]] || command -v sudo >/dev/null; }

# Installs what is missing of the packages of the given groups. Asks for no rights where nothing is missing.
install_packages() {
  local -a wanted missing
  mapfile -t wanted < <(packages_of "$@")
  if ! command -v dpkg-query >/dev/null; then
    complain "no dpkg-query: this is not Debian; install the counterparts of tools/packages.txt and run Meson by hand (docs/install.md)"
    return 1
  fi
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  if ((${#missing[@]} == 0)); then
    say "packages: all ${#wanted[@]} installed"
    return 0
  fi
  if ! may_become_root; then
    complain "missing packages, and neither root nor sudo to install them. Ask an administrator to run:"
    complain "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
    complain "then start ./$psnam_script again."
    return 1
  fi
  say "packages: installing ${missing[*]}"
  as_root apt-get -q update
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"
}

# The MPICH tool NAME (mpicc, mpiexec, mpifort), whatever the system's alternatives lead to.
mpich_tool() {
  local name=$1
  if command -v "$name.mpich"; then return 0; fi
  if command -v "$name" >/dev/null && "$name" -show 2>&1 </dev/null | grep -q mpich; then
    command -v "$name"
    return 0
  fi
  if [[ $name == mpiexec ]] && command -v mpiexec >/dev/null && mpiexec --version 2>&1 | grep -qi hydra; then
    command -v mpiexec
    return 0
  fi
  complain "no $name of MPICH found ($name.mpich, or a $name that is MPICH's)"
  return 1
}

# Configures DIR, whether it is new, configured or left half-made by an interrupted run; further arguments are Meson's.
configure() {
  local dir=$1
  shift
  if [[ -f $dir/build.ninja ]]; then
    meson setup --reconfigure "$dir" "$@"
  else
    rm -rf "${dir:?}/meson-private"
    meson setup "$dir" "$@"
  fi
}

# Runs a command quietly: its output goes to LOG and is shown (its end) only when it fails.
quietly() {
  local log=$1
  shift
  if "$@" >"$log" 2>&1; then return 0; fi
  tail -n "${PSNAM_LOG_LINES:-60}" "$log" >&2
  complain "failed: $* (whole output: $log)"
  return 1
}
