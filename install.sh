#!/usr/bin/env bash
# Sets memtool up inside this checkout and, with --demo, shows it at work on a sample.
# It may also be sourced for its functions: nothing runs then. It never touches anything
# outside the checkout but the system packages that it names before installing them.
set -euo pipefail

MEMTOOL_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly MEMTOOL_ROOT

usage() {
  cat <<'TEXT'
Usage: ./install.sh [--demo | --help]

Without an option: make a private Python environment in .venv/ inside this checkout,
with memtool in it, and say how to start it.

  --demo   do that, then show memtool at work on the sample in demo/: a throw-away
           store, nothing of yours is read or written
  --help   show this text

Needs Python 3.11 or newer. Where the system lacks the package that makes virtual
environments (python3-venv on Debian), it is installed if this is run as root or
with sudo, else named. pip's own configuration (pip.conf, PIP_*) is respected.
The environment is made again when it is broken, and brought up to date when
pyproject.toml has changed; deleting .venv/ is always safe.

Exit codes: 0 done; 1 something failed, and which; 2 wrong usage.
TEXT
}

say() { printf 'memtool: %s\n' "$*" >&2; }

die() {
  say "$@"
  exit 1
}

# --- The system: its Python and its packages ---------------------------------------------

# Print the first Python of at least 3.11 on PATH.
find_python() {
  local name seen=''
  for name in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
    # A name may be on PATH and yet not run (a version manager's shim): that one does not count.
    seen+=$("$name" -c 'import sys; print(" ", sys.executable, sys.version.split()[0])' 2>/dev/null || :)
  done
  say "memtool needs Python 3.11 or newer; found:${seen:- none}"
  say 'Debian 12, Ubuntu 24.04 and Fedora have it as python3; elsewhere put python3.11, 3.12, 3.13 or 3.14 on PATH.'
  return 1
}

package_manager() {
  local name
  for name in apt-get dnf pacman; do
    if command -v "$name" >/dev/null; then
      echo "$name"
      return
    fi
  done
  return 1
}

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif ! command -v sudo >/dev/null; then
    return 1
  elif [[ -t 0 ]]; then
    sudo "$@"
  else
    sudo -n "$@" # nobody is there to type a password
  fi
}

# Install the named system packages, or fail.
install_packages() {
  if ((EUID != 0)) && ! command -v sudo >/dev/null; then return 1; fi
  say "installing system packages: $*"
  case $(package_manager) in
    apt-get)
      # A fresh machine has no package lists. One broken third-party source is not our business.
      as_root apt-get update -qq || say 'apt-get update failed, going on with the lists that are here'
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
      ;;
    dnf) as_root dnf install -y -q "$@" ;;
    pacman) as_root pacman -Sy --noconfirm --needed "$@" ;;
    *) return 1 ;;
  esac
}

# Print the system packages that give this Python (X.Y) its venv and ensurepip modules.
venv_packages() {
  case $(package_manager) in
    apt-get) echo "python$1-venv" ;;
    dnf) echo "python3-pip" ;;
    pacman) echo "python" ;;
    *) echo "the Python $1 modules venv and ensurepip" ;;
  esac
}

# Make sure that this Python can make virtual environments.
require_venv() {
  local python=$1 version packages
  if "$python" -c 'import ensurepip, venv' 2>/dev/null; then return; fi
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  packages=$(venv_packages "$version")
  install_packages "$packages" || :
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    die "$python cannot make virtual environments. Have this package installed by root, then run this again: $packages"
}

# --- The private environment -------------------------------------------------------------
# .venv/.memtool-made comes first and says that the folder is ours to delete; .memtool-runtime
# and .memtool-dev come last and say what the environment was made for. Without the last ones
# it is half made, and is made again.

# Print the Python of an environment and the place of the checkout: with another of them it is of no use.
environment_place() {
  local version
  version=$("$1/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || return 1
  echo "$version $MEMTOOL_ROOT"
}

# Print what a finished environment carries: two lines, its place and its requirements.
environment_stamp() {
  environment_place "$1" && sha256sum <"$MEMTOOL_ROOT/pyproject.toml"
}

environment_is_current() {
  local folder=$1 wanted=$2 stamp
  [[ -f $folder/.memtool-$wanted ]] || return 1
  stamp=$(environment_stamp "$folder") || return 1
  [[ $(<"$folder/.memtool-$wanted") == "$stamp" ]]
}

# Finished once, and only the requirements have changed since: it can be updated where it is.
environment_is_sound() {
  local folder=$1 stamped place
  [[ -f $folder/.memtool-runtime ]] || return 1
  place=$(environment_place "$folder") || return 1
  read -r stamped <"$folder/.memtool-runtime" && [[ $stamped == "$place" ]]
}

create_environment() {
  local folder=$1 python
  if [[ -e $folder && ! -e $folder/.memtool-made ]]; then
    die "$folder was not made by memtool, and is left alone. Move it away, then run this again."
  fi
  python=$(find_python) || exit 1
  require_venv "$python"
  say "making a private environment in $folder ($("$python" -V))"
  rm -rf "$folder"
  mkdir "$folder"
  : >"$folder/.memtool-made"
  "$python" -m venv "$folder" || die "could not make $folder"
}

# Print the requirements of a dependency group of pyproject.toml; `pip --group` needs pip 25.1.
group_requirements() {
  "$1/bin/python" - "$MEMTOOL_ROOT/pyproject.toml" "$2" <<'PYTHON'
import pathlib, sys, tomllib
groups = tomllib.loads(pathlib.Path(sys.argv[1]).read_text("utf-8"))["dependency-groups"]
print(*groups[sys.argv[2]], sep="\n")
PYTHON
}

fill_environment() {
  local folder=$1 wanted=$2 stamp requirements=()
  if [[ $wanted == dev ]]; then
    mapfile -t requirements < <(group_requirements "$folder" dev)
  fi
  say "installing memtool and what it needs (${wanted})"
  rm -f "$folder"/.memtool-{runtime,dev}
  # PIP_USER=0: a user's `user = true` cannot hold in here. editable_mode=compat: a plain path
  # file, where setuptools' import hook would cost every start of memtool some modules.
  PIP_USER=0 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 "$folder/bin/python" -m pip install -q \
    --config-settings editable_mode=compat -e "$MEMTOOL_ROOT" "${requirements[@]}" ||
    die 'pip could not install what memtool needs (see above). Is the network up?'
  stamp=$(environment_stamp "$folder")
  echo "$stamp" >"$folder/.memtool-runtime"
  if [[ $wanted == dev ]]; then echo "$stamp" >"$folder/.memtool-dev"; fi
}

# Make sure that FOLDER is an environment for `runtime` or `dev`; quick when it is one.
ensure_environment() {
  local folder=$1 wanted=$2
  if environment_is_current "$folder" "$wanted"; then return; fi
  # One at a time: the lock is on the checkout itself, so no file has to be left for it.
  (
    if command -v flock >/dev/null; then flock 9; fi
    if environment_is_current "$folder" "$wanted"; then exit; fi
    if ! environment_is_sound "$folder"; then create_environment "$folder"; fi
    fill_environment "$folder" "$wanted" 9<&-
  ) 9<"$MEMTOOL_ROOT"
}

# --- The command line --------------------------------------------------------------------

main() {
  case ${1-} in
    --help | -h)
      usage
      return
      ;;
    '' | --demo) ;;
    --user | --system | --run-as* | --prefix* | --uninstall | --purge | --no-enable)
      say "$1 comes with the timers, which are not here yet; see --help"
      return 2
      ;;
    *)
      say "unknown option: $1; see --help"
      return 2
      ;;
  esac
  if (($# > 1)); then
    say "one option at most; see --help"
    return 2
  fi
  ensure_environment "$MEMTOOL_ROOT/.venv" runtime
  if [[ ${1-} == --demo ]]; then exec "$MEMTOOL_ROOT/demo/run"; fi
  echo "$MEMTOOL_ROOT/.venv/bin/memtool"
  say 'ready: try the command above with --help, or ./install.sh --demo'
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then main "$@"; fi
