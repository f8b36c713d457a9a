#!/usr/bin/env -S bash -p
# Usage: ./install.sh [--user | --system --run-as USER] [--prefix DIR] [SETUP OPTION…] | --demo | --help
#        ./install.sh --uninstall [--purge] [--user | --system] [--prefix DIR]
# Installs memtool from this checkout, or upgrades it, and runs `memtool setup`.
#
#   --user        for you alone, in ~/.local; the default, except for root
#   --system      for the sessions of one person, USER, with timers of the system; as root
#   --prefix DIR  put the program into DIR/bin and DIR/lib, instead of ~/.local or /usr/local
#   --uninstall   remove memtool; the memory and the settings stay
#   --purge       with --uninstall: delete these, too. This cannot be undone.
#   --demo        only show memtool at work on a sample, from .venv/ in this checkout
# SETUP OPTION: --take-over USER, --with NAMES, --no-enable, --yes (implied without a terminal).
# Needs Python 3.11 or newer. Debian's package for virtual environments is installed as root or with sudo.
set -euo pipefail # and -p above: bash reads no BASH_ENV, and takes no functions from the environment
unset CDPATH
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
say() { printf 'install.sh: %s\n' "$*" >&2; }
die() { say "$@" && exit 1; }
usage_error() { say "$1; see ./install.sh --help" && exit 2; }

# Run a program without the settings that lead Python and pip to other places.
isolated() (unset "${!PYTHON@}" PIP_PREFIX PIP_TARGET PIP_USER PIP_ROOT PIP_PYTHON PIP_DRY_RUN && exec "$@")

# Print the first Python of at least 3.11 on PATH; inside a virtual environment, the one that made it.
find_python() {
  local name found seen='' code='import sys; print(sys._base_executable, sys.version.split()[0])'
  for name in python3 python3.14 python3.13 python3.12 python3.11; do
    found=$(isolated "$name" -I -c "$code; sys.exit(sys.version_info < (3, 11))" 2>/dev/null) && echo "${found% *}" && return
    seen+=${found:+ $found}
  done
  die "memtool needs Python 3.11 or newer on PATH; found:${seen:- none}"
}

# Make sure that this Python can make virtual environments.
require_venv() {
  local package sudo=() code='import sys; print("python%d.%d-venv" % sys.version_info[:2]); import ensurepip, venv'
  if package=$(isolated "$1" -I -c "$code" 2>/dev/null); then return; fi
  if ((EUID)); then sudo=(sudo) && if [[ ! -t 0 ]]; then sudo+=(-n); fi; fi
  say "installing the system package $package"
  { "${sudo[@]}" apt-get update -qq; "${sudo[@]}" apt-get install -y -qq --no-install-recommends "$package"; } >&2 || :
  isolated "$1" -I -c "$code" &>/dev/null || die "$1 lacks the module venv. As root, install $package; then run this again."
}

# Make FOLDER a virtual environment, and run pip install in it with the other arguments.
make_environment() {
  local folder=$1 python unchanged='What was installed before is unchanged.'
  python=$(find_python)
  require_venv "$python"
  say "installing memtool in $folder with $python"
  isolated "$python" -I -m venv --clear "$folder" || die "could not make $folder. $unchanged"
  # pip reads this file after those of the system and the user. An empty value overrides theirs.
  printf '[%s]\nprefix =\ntarget =\nuser =\nroot =\npython =\n' global install >"$folder/pip.conf"
  isolated "$folder/bin/python" -I -m pip install -q --disable-pip-version-check --no-input --no-user "${@:2}" ||
    die "pip could not install memtool (see above). $unchanged"
  "$folder/bin/memtool" --version >/dev/null || die "$folder/bin/memtool does not run (see above). $unchanged"
}

demo() {
  local folder=$root/.venv made=$root/.venv/.memtool-made
  if [[ -e $folder && ! -e $made ]]; then die "$folder was not made by memtool. Move it away first."; fi
  [[ $root/pyproject.toml -ot $made && $("$folder/bin/memtool" --version) ]] || make_environment "$folder" -e "$root"
  touch "$made" && exec "$root/demo/run"
}

# Print what an environment was made from.
stamp_of() {
  "$1/bin/python" -I -c 'import sys; print(*sys.version_info[:2], sys.prefix)' 2>/dev/null && cd "$root" &&
    find memtool systemd man completions pyproject.toml -type f ! -name '*.pyc' -exec sha256sum {} + | LC_ALL=C sort | sha256sum
}

# $lib/a and $lib/b take turns: the new one is made beside the one in use, then the link changes in one step.
install_program() {
  local slot=$lib/a extras made='' folder
  if [[ $used == "$slot" ]]; then slot=$lib/b; fi
  if [[ $used && $(stamp_of "$used") == "$(cat "$used/.memtool-stamp" 2>&1)" ]]; then return; fi
  extras=$(find "${used:-$root}"/lib/python3* -maxdepth 2 \( -name openai -o -name anthropic \) -printf '%f,' 2>/dev/null) || :
  for folder in "$bin" "$lib"; do while [[ ! -d $folder ]]; do made+=$folder$'\n' folder=${folder%/*}; done; done
  { mkdir -p -- "$bin" "$lib" && printf %s "$made" >>"$lib/made-directories"; } || die "cannot write below $prefix"
  make_environment "$slot" "$root${extras:+[${extras%,}]}"
  stamp_of "$slot" >"$slot/.memtool-stamp"
  ln -sfn "$slot/bin/memtool" "$bin/memtool.new" && mv -T "$bin/memtool.new" "$bin/memtool"
}

mode='' prefix='' remove='' options=()
while (($#)); do
  case $1 in
    --help | -h) sed -n '2,/^set/s/^# \{0,1\}//p' "$root/install.sh" && exit ;;
    --demo) demo ;;
    --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" && continue ;;
    --user | --system) mode+=$1 ;;
    --prefix) prefix=${2-} && shift ;;
    --run-as | --take-over | --with) options+=("$1" "${2-}") && shift ;;
    --uninstall) remove=--remove ;;
    --purge | --no-enable | --yes) options+=("$1") ;;
    *) usage_error "unknown option: $1" ;;
  esac
  shift || usage_error 'the last option needs a value'
done
if ((EUID)); then mode=${mode:---user}; fi
[[ $mode == --user || $mode == --system ]] || usage_error "say for whom: --user, or --system --run-as ${SUDO_USER:-USER}"
[[ $remove || " ${options[*]} " != *' --purge '* ]] || usage_error '--purge goes with --uninstall'
[[ ${HOME-} == /* ]] || { unset HOME && export HOME=~; }
[[ $mode == --user ]] || { umask 022 && PATH=/usr/bin:/usr/local/bin:/usr/sbin:/bin && prefix=${prefix:-/usr/local}; }
prefix=$(realpath -ms -- "${prefix:-$HOME/.local}") bin=$prefix/bin lib=$prefix/lib/memtool
used=$(readlink "$bin/memtool" || :) && used=${used%/bin/memtool}
[[ $used =~ ^"$lib"/[ab]$ || ! (-e $bin/memtool || -L $bin/memtool) ]] ||
  die "$bin/memtool is not from this script, and is left alone. Remove it, or name another --prefix."
[[ -t 0 && -t 2 ]] || options+=(--yes)
if [[ ! $remove ]]; then
  install_program
  isolated "$bin/memtool" setup "$mode" "${options[@]}" || die "$bin/memtool is installed, but not set up (see above)"
  "$bin/memtool" --version >/dev/null || die "$bin/memtool does not run in this shell (see above)"
else
  [[ $used ]] || { say "memtool is not installed in $prefix" && exit; }
  MEMTOOL_INSTALLER=1 isolated "$bin/memtool" setup --remove "$mode" "${options[@]}" ||
    die "$bin/memtool stays (see above). If it is older than this checkout, run ./install.sh first, and this again."
  mapfile -t made < <(sort -ru "$lib/made-directories" 2>/dev/null)
  rm -rf -- "$lib" "$bin/memtool" && say "removed $bin/memtool"
  rmdir -- "${made[@]}" 2>/dev/null || : # those with something else in them stay
fi
