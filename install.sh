#!/usr/bin/env bash
# Installs memtool, its timers and a private Python for it: for one user, or for the system. With --demo it
# stays inside this checkout. It may also be sourced for its functions: nothing runs then.
set -euo pipefail

MEMTOOL_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly MEMTOOL_ROOT

usage() {
  cat <<'TEXT'
Usage: ./install.sh [--user] [--with NAMES] [--prefix DIR] [--no-enable]
       ./install.sh --system --run-as USER [--with NAMES] [--prefix DIR] [--no-enable]
       ./install.sh --uninstall [--purge] [--user | --system] [--prefix DIR]
       ./install.sh --demo | --help

Installs memtool with a private Python environment and timers, or brings what is
installed up to date; schedules, pauses and disabled timers stay as they are.

  --user          for you alone, in ~/.local; the default but for root
  --system        for one person's transcripts, by the system's own timers, which need
                  nobody to be logged in; as root
  --run-as USER   with --system: whose transcripts are read, and who owns the memory
  --with NAMES    what summarizers need that ask a model over the network: openai,
                  anthropic or both, with a comma between; none for neither. An
                  upgrade keeps what was chosen before
  --prefix DIR    where the program goes: DIR/bin/memtool and DIR/lib/memtool
                  (default: ~/.local, or /usr/local with --system)
  --no-enable     do not enable the timers
  --uninstall     remove everything but the memory and the settings
  --purge         with --uninstall: remove these, too. This cannot be undone.
  --demo          only show memtool at work on the sample in demo/, from .venv/ in this
                  checkout and in a throw-away store: nothing of yours is read or written
  --help          show this text

DESTDIR in the environment is put before every path, for packages: nothing is started.

The man page and completions for bash, zsh and fish are installed with the program.

Needs Python 3.11 or newer. Where the system lacks the package that makes virtual
environments (python3-venv on Debian), it is installed if this is run as root or
with sudo, else named. pip's own configuration (pip.conf, PIP_*) is respected.
Where there is no systemd, lines for a crontab are printed instead of timers.

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
  # PIP_USER=0: a user's `user = true` cannot hold in here.
  PIP_USER=0 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 "$folder/bin/python" -m pip install -q \
    -e "$MEMTOOL_ROOT" "${requirements[@]}" ||
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

# --- Where things go ---------------------------------------------------------------------
# Set by plan(): $mode (user or system) and, DESTDIR included, $bin, $lib, $units (what this script writes),
# $admin (what `memtool scheduler apply` and an administrator write), $state, and $share, $zsh and $fish (completions).

plan() {
  dest=${DESTDIR-}
  if [[ $mode == system ]]; then
    prefix=${prefix:-/usr/local}
    units=$dest/usr/local/lib/systemd/system # systemd looks here, and below no other prefix but /usr
    if [[ $prefix == /usr ]]; then units=$dest/usr/lib/systemd/system; fi
    admin=$dest/etc/systemd/system
    state=$dest/var/lib/memtool
    config=$dest/etc/memtool
    stamps=$dest/var/lib/systemd/timers
    share=$dest/usr/local/share # shells look here, and below no other prefix but /usr
    if [[ $prefix == /usr ]]; then share=$dest/usr/share; fi
    zsh=$share/zsh/site-functions
    if [[ $prefix == /usr && -e /etc/debian_version ]]; then zsh=$share/zsh/vendor-completions; fi
    fish=$share/fish/vendor_completions.d
  else
    prefix=${prefix:-$HOME/.local}
    units=$dest${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user
    admin=$units
    state=$dest$HOME/.local/state/memtool
    config=$dest${XDG_CONFIG_HOME:-$HOME/.config}/memtool
    share=$dest${XDG_DATA_HOME:-$HOME/.local/share}
    zsh=$share/zsh/site-functions
    fish=$dest${XDG_CONFIG_HOME:-$HOME/.config}/fish/completions
    stamps=$share/systemd/timers
  fi
  bin=$dest$prefix/bin
  lib=$dest$prefix/lib/memtool
}

job_names() {
  local timer
  for timer in "$MEMTOOL_ROOT"/systemd/memtool-*.timer; do
    timer=${timer##*/memtool-}
    echo "${timer%.timer}"
  done
}

timer_names() { job_names | sed 's/.*/memtool-&.timer/'; }
service_names() { job_names | sed 's/.*/memtool-&.service/'; }

# --- Files -------------------------------------------------------------------------------

changed=0 # whether a file that systemd reads was written or removed

# Make the file be what stdin says; one that is so already is not touched.
put() {
  local target=$1 new
  mkdir -p "$(dirname "$target")"
  new=$(mktemp "$target.XXXXXX")
  cat >"$new"
  if cmp -s "$new" "$target"; then
    rm "$new"
    return
  fi
  chmod 644 "$new"
  mv "$new" "$target"
  changed=1
}

take_away() {
  local path
  for path in "$@"; do
    if [[ -e $path || -L $path ]]; then
      rm -rf "$path"
      changed=1
    fi
  done
}

# --- The program -------------------------------------------------------------------------
# $lib/a and $lib/b take turns: the new environment is made beside the one in use, then $bin/memtool is
# pointed to it in one step. A job that runs keeps its files until the upgrade after this one, and an upgrade that
# is killed half-way changes nothing.

source_digest() {
  (cd "$MEMTOOL_ROOT" && find memtool pyproject.toml -name __pycache__ -prune -o -type f -print | LC_ALL=C sort |
    xargs -d '\n' sha256sum | sha256sum)
}

# Print the Python to install with. The system's timers see no home, and run for somebody else than root.
choose_python() {
  local python real
  if [[ $mode == user ]]; then
    find_python
    return
  fi
  python=$(PATH=/usr/bin:/usr/local/bin find_python) || return 1
  real=$("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))')
  case $real in
    /root/* | /home/*)
      say "$python is $real, which the system's timers cannot reach: they see no home"
      return 1
      ;;
  esac
  echo "$python"
}

# Print what an installed environment was made from.
installed_stamp() {
  "$1/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2], sys.prefix)' && source_digest &&
    echo "with $extras"
}

# Print the extras that an installed environment has.
installed_extras() { sed -n 's/^with //p' "$1/.memtool-stamp" 2>/dev/null || :; }

# Print the names of the extras that there are, one a line.
extra_names() {
  sed -n '/^\[project.optional-dependencies\]/,/^\[/s/^\([a-z0-9-]\{1,\}\) *=.*/\1/p' "$MEMTOOL_ROOT/pyproject.toml"
}

# Print the list of --with in order, each name once. Wrong names end the script.
checked_extras() {
  local name known names=()
  known=$(extra_names)
  if [[ $1 == none ]]; then return; fi
  IFS=, read -r -a names <<<"$1"
  for name in "${names[@]}"; do
    if ! grep -qxF -e "$name" <<<"$known"; then
      usage_error "--with knows no \"$name\", only: ${known//$'\n'/, }, none"
    fi
  done
  printf '%s\n' "${names[@]}" | LC_ALL=C sort -u | paste -sd ,
}

slot_is_current() {
  local stamp
  [[ -f $1/.memtool-stamp ]] || return 1
  stamp=$(installed_stamp "$1" 2>/dev/null) || return 1
  [[ $(<"$1/.memtool-stamp") == "$stamp" ]]
}

# Print the environment that $bin/memtool leads to, where it is one of ours.
slot_in_use() {
  local target
  target=$(readlink "$bin/memtool") || return 0
  case $target in
    "${lib#"$dest"}"/[ab]/bin/memtool) echo "$dest${target%/bin/memtool}" ;;
  esac
}

fill_slot() {
  local slot=$1 python=$2
  rm -rf "$slot"
  "$python" -m venv "$slot" || die "could not make $slot"
  mkdir "$slot/source" # a copy: pip would leave its traces in the checkout
  tar -C "$MEMTOOL_ROOT" --exclude=__pycache__ -cf - memtool completions man systemd pyproject.toml README.md LICENSE | tar -C "$slot/source" -xf -
  PIP_USER=0 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 "$slot/bin/python" -m pip install -q \
    "$slot/source${extras:+[$extras]}" ||
    die 'pip could not install what memtool needs (see above). Is the network up? What was installed before is unchanged.'
  rm -r "$slot/source"
  if [[ $dest ]]; then sed -i "1s|^#!$dest/|#!/|" "$slot"/bin/*; fi
  installed_stamp "$slot" >"$slot/.memtool-stamp"
}

install_program() {
  local python current slot
  current=$(slot_in_use)
  if [[ -e $bin/memtool || -L $bin/memtool ]] && [[ ! $current ]]; then
    die "$bin/memtool is not from this script, and is left alone. Remove it, or name another --prefix."
  fi
  if [[ ! $with && $current ]]; then extras=$(installed_extras "$current"); fi
  if [[ $current ]] && slot_is_current "$current"; then return; fi
  python=$(choose_python) || exit 1
  require_venv "$python"
  slot=$lib/a
  if [[ $current == "$slot" ]]; then slot=$lib/b; fi
  say "installing memtool${extras:+ with $extras} in $slot ($("$python" -V))"
  mkdir -p "$bin" "$lib"
  fill_slot "$slot" "$python"
  ln -sfn "${slot#"$dest"}/bin/memtool" "$bin/memtool.new"
  mv -T "$bin/memtool.new" "$bin/memtool"
}

# --- Completions and the man page --------------------------------------------------------

# Print a file of the checkout and its place, on two lines, for each.
page_places() {
  printf '%s\n' \
    completions/memtool.bash "$share/bash-completion/completions/memtool" \
    completions/_memtool "$zsh/_memtool" \
    completions/memtool.fish "$fish/memtool.fish" \
    man/memtool.1 "$dest$prefix/share/man/man1/memtool.1"
}

install_pages() {
  local source target
  while read -r source && read -r target; do
    put "$target" <"$MEMTOOL_ROOT/$source"
  done < <(page_places)
}

# Only a system's zsh looks in a place of its own accord. What is in ~/.zshrc is the user's.
say_zsh() {
  local rc=${ZDOTDIR:-$HOME}/.zshrc
  if [[ $mode == system || ${SHELL-} != */zsh ]] || grep -qsF "${zsh##"$HOME"/}" "$rc"; then return; fi
  say "for completion in zsh, put this into $rc before compinit: fpath=($zsh \$fpath)"
}

remove_pages() {
  local target
  while read -r _ && read -r target; do
    take_away "$target"
  done < <(page_places)
}

# --- The units ---------------------------------------------------------------------------

# Ask the manager that is installed for; a user's is found also where nobody told the shell of it. Without
# one that runs, systemctl still enables and disables.
control() {
  local offline=1
  if ((has_manager)); then offline=0; fi
  if [[ $mode == system ]]; then
    SYSTEMD_OFFLINE=$offline systemctl "$@"
  else
    SYSTEMD_OFFLINE=$offline XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/run/user/$EUID} systemctl --user "$@"
  fi
}

has_manager=1 # whether there is one that runs, and is to know of this installation

find_manager() {
  if [[ $dest || ! -d /run/systemd/system ]] || ! control show --property=Version >/dev/null 2>&1; then
    has_manager=0
  fi
}

new_timers=()

# Put all units in place, as memtool/scheduler/unitfiles.py has them, and remember the timers that were not there before.
install_units() {
  local name timer texts paths=()
  for timer in $(timer_names); do
    if [[ ! -e $units/$timer ]]; then new_timers+=("$timer"); fi
  done
  texts=$(mktemp -d)
  "$(slot_in_use)/bin/python" - "$texts" "$mode" "$prefix/bin/memtool" "$run_as" "$(home_of "${run_as:-"$(id -un)"}")" "$1" <<'PYTHON'
import sys
from pathlib import Path
from memtool.scheduler.unitfiles import Installation, possible_unit_paths, unit_files

target, scope, program, run_as, home, sandbox = sys.argv[1:]
files = unit_files(Installation(scope, Path(program), run_as, Path(home), sandbox == "1"))
for name, text in files.items():
    path = Path(target, name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
for name in possible_unit_paths():
    if name not in files:
        print(name, file=Path(target, ".old").open("a"))
PYTHON
  mapfile -t paths < <(cd "$texts" && find . -type f ! -name .old -printf '%P\n')
  for name in "${paths[@]}"; do put "$units/$name" <"$texts/$name"; done
  while read -r name; do
    take_away "$units/$name"
    rmdir "$(dirname "$units/$name")" 2>/dev/null || :
  done <"$texts/.old"
  rm -r "$texts"
}

home_of() { getent passwd "$1" | cut -d: -f6; }

# Whom the installed system units run as.
installed_run_as() {
  cat "$units"/memtool-.service.d/15-memtool-run-as.conf "$units"/memtool-ingest.service.d/10-run-as.conf 2>/dev/null |
    sed -n 's/^User=//p' | head -n 1 || :
}

# Make the store's directory, so that there is somewhere to look, and to pause, before the first run.
install_state() {
  if [[ $mode == user ]]; then
    install -d -m 700 "$state"
  elif [[ ! $dest ]]; then
    install -d -m 700 "$state"
    if [[ $(stat -c %U "$state") != "$run_as" ]]; then chown -R "$run_as:" "$state"; fi
  fi
}

# Whether the program runs with the lines of the sandbox. Kernels and containers differ; so it is tried.
sandbox_works() {
  local line properties=()
  while read -r line; do
    case $line in [A-Z]*=*) properties+=("--property=${line//%h/$HOME}") ;; esac
  done < <(grep -v ^ExecStartPre= "$MEMTOOL_ROOT/systemd/user/memtool-.service.d/20-memtool-sandbox.conf")
  XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/run/user/$EUID} systemd-run --user --quiet --wait --collect \
    "${properties[@]}" "$prefix/bin/memtool" --version >/dev/null 2>&1
}

# Print 1 where the sandbox is to be, else 0.
wants_sandbox() {
  if [[ $mode == system ]]; then
    echo 0
  elif ((!has_manager)); then # not to be tried: what is there stays
    cat "$units"/memtool-.service.d/20-memtool-sandbox.conf "$units"/memtool-ingest.service.d/10-sandbox.conf 2>/dev/null |
      grep -c ^PrivateUsers=yes || :
  elif sandbox_works; then
    echo 1
  else
    say 'user namespaces do not work here: the jobs run with the part of the sandbox that needs none'
    echo 0
  fi
}

# --- Timers, or a crontab ----------------------------------------------------------------

# The words to type for systemctl, as a person would.
systemctl_words() { if [[ $mode == user ]]; then echo 'systemctl --user'; else echo systemctl; fi; }

# Start the timers that are new; what somebody has disabled or stopped is not for us to start.
start_timers() {
  local off=()
  if ((${#new_timers[@]} && enable)); then
    if ((has_manager)); then
      control --quiet enable --now "${new_timers[@]}"
    else
      control --quiet enable "${new_timers[@]}"
      say 'the timers begin at your next login: no systemd of yours is running now'
    fi
  fi
  mapfile -t off < <(disabled_timers)
  if ((${#off[@]})); then
    say "not enabled: ${off[*]}"
    say "to enable: $(systemctl_words) enable --now ${off[*]}"
  fi
}

disabled_timers() {
  local timer
  for timer in $(timer_names); do
    if [[ $(control is-enabled "$timer" 2>/dev/null) == disabled ]]; then echo "$timer"; fi
  done
}

say_linger() {
  local name
  name=$(id -un)
  if [[ -e /var/lib/systemd/linger/$name ]]; then
    say 'linger is on: the timers run whether you are logged in or not'
  else
    say "linger is off: the timers run only while you are logged in. To have them run always: loginctl enable-linger $name"
  fi
}

# Print the job table as lines of a crontab. cron knows no pauses: the lines look for the flags themselves.
crontab_lines() {
  "$(slot_in_use)/bin/python" - "$prefix/bin/memtool" "$state/pause" <<'PYTHON'
import re, sys
from memtool.scheduler.jobs import JOBS

program, flags = (argument.replace("%", r"\%") for argument in sys.argv[1:])
form = re.compile(r"(?:(Sun|Mon) )?\*(?:-(\*|\d+)-(\*|\d+) )?(?:(\d+):(\d+):00|:0/(\d+))")
for job in JOBS:
    weekday, month, day, hour, minute, step = form.fullmatch(job.on_calendar).groups()
    times = (f"*/{step}", "*") if step else (str(int(minute)), str(int(hour)))
    days = (part.lstrip("0") if part else "*" for part in (day, month))
    free = f'[ -e "{flags}/all" ] || [ -e "{flags}/{job.name}" ]'
    print(*times, *days, weekday or "*", f'{free} || "{program}"', *job.command)
PYTHON
}

say_crontab() {
  local who=''
  if [[ $mode == system ]]; then who=" -u $run_as"; fi
  say "there is no systemd here. These lines for \`crontab$who -e\` do what the timers would:"
  crontab_lines
}

# --- Install -----------------------------------------------------------------------------

check_plan() {
  # Words of a unit end at blanks, and percent signs and quotes mean something in it.
  if [[ ! $prefix =~ ^/[A-Za-z0-9/._+@-]*$ && $prefix != "$HOME/.local" ]]; then
    usage_error "--prefix must be an absolute path of plain letters: $prefix"
  fi
  if [[ $mode == user ]]; then
    check_user_store
    return
  fi
  if ((EUID != 0)) && [[ ! $dest ]]; then usage_error '--system needs root'; fi
  case $prefix/ in
    /root/* | /home/*) usage_error "--system cannot have its program in $prefix: the timers see no home" ;;
  esac
}

# The timers keep to ~/.local/state, where their units look for pauses.
check_user_store() {
  if ((uninstall)) || [[ $dest ]]; then return; fi
  if [[ -d /var/lib/memtool && $(stat -c %u /var/lib/memtool) == "$EUID" ]]; then
    die 'your transcripts are read by the timers of the system already (/var/lib/memtool): see --system, --uninstall'
  fi
  if [[ ${XDG_STATE_HOME:-$HOME/.local/state} != "$HOME/.local/state" ]]; then
    say "XDG_STATE_HOME is set for you, but not for the timers: for one memory, memtool config set store.path $state"
  fi
}

check_run_as() {
  local home
  run_as=${run_as:-$(installed_run_as)}
  if [[ ! $run_as ]]; then
    if [[ $dest ]]; then return; fi # a package: whoever installs it says so
    usage_error "say whose transcripts to read: ./install.sh --system --run-as ${SUDO_USER:-USER}"
  fi
  home=$(home_of "$run_as") || usage_error "there is no user named $run_as"
  if [[ ! $home =~ ^/[A-Za-z0-9/._+@-]+$ ]]; then
    die "the home of $run_as is \"$home\": systemd's units need an absolute path of plain letters"
  fi
}

install_all() {
  check_plan
  if [[ $mode == system ]]; then
    check_run_as
    umask 022 # whatever root has: the program is for everybody
  fi
  install_program
  install_state
  if [[ ! $dest ]] && ! command -v systemctl >/dev/null; then
    say_crontab
  else
    install_timers
  fi
  install_pages
  if [[ ! $dest ]]; then finish; fi
}

install_timers() {
  install_units "$(wants_sandbox)"
  if ((changed && has_manager)); then control daemon-reload; fi
  if [[ $dest ]]; then return; fi
  if [[ ! -d /run/systemd/system ]]; then
    say_crontab
    return
  fi
  start_timers
  if [[ $mode == user ]]; then say_linger; fi
}

# Say where the program is, and show what it knows of the jobs. That no job has run yet is no failure.
finish() {
  if [[ :$PATH: != *:$prefix/bin:* ]]; then say "$prefix/bin is not on your PATH: add it, or type $prefix/bin/memtool"; fi
  say_zsh
  say "installed: $prefix/bin/memtool"
  if [[ $mode == user ]]; then
    XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/run/user/$EUID} "$prefix/bin/memtool" scheduler status || :
  else
    # As the one who owns the memory, with nothing of root's.
    runuser -u "$run_as" -- env -i PATH="$PATH" LANG="${LANG-C.UTF-8}" HOME="$(home_of "$run_as")" \
      "$prefix/bin/memtool" scheduler status || :
  fi
}

# --- Uninstall ---------------------------------------------------------------------------

uninstall_all() {
  check_plan
  stop_jobs
  remove_units
  remove_pages
  take_away "$lib"
  if [[ $(readlink "$bin/memtool") == "${lib#"$dest"}"/* ]]; then rm "$bin/memtool"; fi
  if ((purge)); then
    rm -rf "$state" "$config"
    if [[ $mode == system ]]; then rm -f "$dest/etc/credstore/memtool.llm-key"; fi
    say 'memtool, the memory and the settings are removed'
  else
    say "memtool is removed. The memory stays in $state, settings in $config; --uninstall --purge removes them, too."
  fi
}

stop_jobs() {
  local timers services
  mapfile -t timers < <(timer_names)
  mapfile -t services < <(service_names)
  if ! command -v systemctl >/dev/null || [[ $dest ]]; then return; fi
  for timer in "${timers[@]}"; do
    if [[ ! -e $units/$timer ]]; then continue; fi
    if ((has_manager)); then
      control --quiet disable --now "$timer"
      control clean --what=state "$timer" # when it last fired; only of timers: a service's state is the memory
    else
      control --quiet disable "$timer"
    fi
  done
  # Each ends its step. The units may be gone already; then there is nothing to stop.
  if ((has_manager)); then control stop "${services[@]}" memtool.slice 2>/dev/null || :; fi
}

remove_units() {
  local name folder
  for name in $(timer_names) $(service_names); do
    take_away "$units/$name" "$stamps/stamp-$name"
    for folder in "$units" "$admin"; do remove_drop_ins "$folder/$name.d"; done
  done
  take_away "$units"/memtool.slice "$units"/memtool-.service.d/{10-memtool,15-memtool-run-as,20-memtool-sandbox}.conf
  rmdir "$units"/memtool-.service.d 2>/dev/null || :
  take_away "$admin"/{on-memtool-failure,memtool-on-failure}@.service # of `memtool scheduler apply`
  if ((changed && has_manager)); then
    control daemon-reload
    control reset-failed 'memtool-*' 2>/dev/null || :
  fi
}

# Remove the drop-ins that memtool has made; somebody else's only when nothing is to stay.
remove_drop_ins() {
  local folder=$1
  if [[ ! -d $folder ]]; then return; fi
  take_away "$folder"/{10-run-as,10-sandbox,10-transcripts,15-memtool-transcripts,50-memtool,60-memtool-{network,command}}.conf
  if ((purge)); then take_away "$folder"; fi
  if [[ -d $folder ]]; then rmdir "$folder" 2>/dev/null || say "left as they are, not made by memtool: $folder/*"; fi
}

# --- The command line --------------------------------------------------------------------

usage_error() {
  say "$1; see --help"
  exit 2
}

mode='' run_as='' prefix='' with='' extras='' enable=1 uninstall=0 purge=0

read_options() {
  while (($#)); do
    case $1 in
      --run-as=* | --prefix=* | --with=*)
        set -- "${1%%=*}" "${1#*=}" "${@:2}"
        continue
        ;;
      --user | --system)
        if [[ $mode && $mode != "${1#--}" ]]; then usage_error '--user and --system exclude each other'; fi
        mode=${1#--}
        ;;
      --run-as | --prefix | --with)
        if [[ ! ${2-} ]]; then usage_error "$1 needs a value"; fi
        case $1 in
          --prefix) prefix=${2%/} ;;
          --run-as) run_as=$2 ;;
          --with) with=$2 ;;
        esac
        shift
        ;;
      --no-enable) enable=0 ;;
      --uninstall) uninstall=1 ;;
      --purge) purge=1 ;;
      --demo | --help | -h) usage_error "$1 stands alone" ;;
      *) usage_error "unknown option: $1" ;;
    esac
    shift
  done
}

check_options() {
  if ((purge && !uninstall)); then usage_error '--purge goes with --uninstall'; fi
  if ((uninstall && !enable)); then usage_error '--no-enable is for installing'; fi
  if ((uninstall)) && [[ $run_as ]]; then usage_error '--run-as is for installing'; fi
  if ((uninstall)) && [[ $with ]]; then usage_error '--with is for installing'; fi
  if [[ $with ]]; then extras=$(checked_extras "$with") || exit; fi
  if [[ $mode != system && $run_as ]]; then usage_error '--run-as goes with --system'; fi
  if [[ $mode ]]; then return; fi
  if ((EUID == 0)) && [[ ! ${DESTDIR-} ]]; then
    usage_error "as root, say for whom: ./install.sh --system --run-as ${SUDO_USER:-USER}, or --user for root alone"
  fi
  mode=user
}

main() {
  if [[ ${1-} == --help || ${1-} == -h ]] && (($# == 1)); then
    usage
    return
  fi
  if [[ ${1-} == --demo ]] && (($# == 1)); then
    ensure_environment "$MEMTOOL_ROOT/.venv" runtime
    exec "$MEMTOOL_ROOT/demo/run"
  fi
  read_options "$@"
  check_options
  plan
  find_manager
  if ((uninstall)); then uninstall_all; else install_all; fi
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then main "$@"; fi
