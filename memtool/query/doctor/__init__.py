"""Checks of what memtool stands on. Takes no lock, writes nothing, waits for no job. The table is at the end."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path, PurePosixPath

from msgspec import Struct

from memtool import __version__
from memtool.errors import MOVE, ConfigError, DamagedError, MemtoolError
from memtool.ledger.file import ledger_path
from memtool.model.calendar import transitions, year_of
from memtool.paths import Role, home_directory, key_files, name_of
from memtool.query.doctor.agents import check_ingest, check_retention, check_transcripts
from memtool.query.doctor.scene import (
    Advice,
    CannotCheckError,
    Finding,
    Scene,
    in_words,
    ok,
    problem,
    skipped,
    span,
    warning,
)
from memtool.rollup.configured import (
    budget_of,
    calendar_for_new_store,
    options_of,
    recipe_of,
    spent_today,
    wanted_calendar,
    zone_is_set,
)
from memtool.store.access import SWAP
from memtool.summarize import problem as problem_of
from memtool.summarize import row
from memtool.summarize.models import command
from memtool.systemd.dropins import names_zone
from memtool.systemd.jobs import JOBS
from memtool.systemd.programs import find_program
from memtool.systemd.status import JobStatus, Problem, sentence
from memtool.systemd.systemctl import NOT_BOOTED, machine_zone, meaning, parse_show
from memtool.text import size

_ESCAPE = re.compile(r"\\([0-7]{3})")


class Mount(Struct, frozen=True):
    """One row of /proc/self/mountinfo: where, of which type, from what, and with which options."""

    point: PurePosixPath
    kind: str
    source: str
    options: frozenset[str]


class Unfit(Struct, frozen=True):
    """What is wrong with a type of file system for a store. `options`: those that make it a problem at once."""

    kinds: tuple[str, ...]
    why: str
    is_problem: bool = False
    options: tuple[str, ...] = ()


_SHARED = "is shared over a network, where locks may not hold between machines"
UNFIT = (
    Unfit(("nfs", "nfs4"), _SHARED, options=("nolock", "local_lock=all", "local_lock=flock")),
    Unfit(("cifs", "smb3", "smbfs"), _SHARED, options=("nobrl",)),
    Unfit(("9p", "virtiofs", "vboxsf", "fuse.vmhgfs-fuse", "fuse.grpcfuse"),
          "is shared with another machine, where locks may not hold", ),
    Unfit(("fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse", "fuse.davfs", "fuse.curlftpfs"),
          "is a remote directory without locks", is_problem=True),
    Unfit(("afs", "ceph", "fuse.ceph", "fuse.glusterfs", "glusterfs", "lustre", "gfs2", "ocfs2", "beegfs", "gpfs"),
          _SHARED),
    Unfit(("tmpfs", "ramfs"), "is in memory: what is stored there is gone when the machine stops", is_problem=True),
    Unfit(("vfat", "exfat", "msdos", "ntfs", "ntfs3", "fuseblk"), "keeps no permissions: others may read the store"),
)  # fmt: skip


def parse_mounts(text: str) -> Iterator[Mount]:
    """Yield the rows of /proc/self/mountinfo; one that is not understood is passed over."""
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        left, right = before.split(" "), after.split(" ")
        if dash and len(left) > 5 and len(right) > 1:  # noqa: PLR2004 - proc(5)
            options = {*left[5].split(","), *(right[2].split(",") if len(right) > 2 else ())}  # noqa: PLR2004
            point = PurePosixPath(_unescaped(left[4]))
            yield Mount(point, right[0], _unescaped(right[1]), frozenset(options))


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)


def mount_of(path: Path, text: str) -> Mount | None:
    """Return the mount that holds the (real) path: the longest, and of those one over another the last."""
    fitting = [mount for mount in parse_mounts(text) if path.is_relative_to(mount.point)]
    longest = max((len(mount.point.parts) for mount in fitting), default=0)
    return next((one for one in reversed(fitting) if len(one.point.parts) == longest), None)


def unfit(mount: Mount) -> tuple[str, bool] | None:
    """Return what is wrong with it for a store, and whether that does harm now; None where it fits."""
    for one in UNFIT:
        if mount.kind in one.kinds:
            bad = sorted(mount.options & set(one.options))
            return f"{one.why} ({', '.join(bad)})" if bad else one.why, one.is_problem or bool(bad)
    return None


OLDEST_PYTHON = (3, 11)
_DAY_US = 86_400_000_000
_SLACK_US = 60_000_000
_RELEASED_US = 1_767_225_600_000_000  # 2026-01-01: before this there was no memtool


def check_python(scene: Scene) -> Advice:  # noqa: ARG001 - the interpreter that runs this
    """Check the interpreter."""
    return python_advice(sys.version_info[:3])


def python_advice(version: tuple[int, ...]) -> Advice:
    """Return what this version of Python means."""
    name = f"Python {'.'.join(map(str, version))}"
    if version < OLDEST_PYTHON:
        return problem(
            f"{name} is older than 3.11", "install Python 3.11 or later, then ./install.sh"
        )
    return ok(name)


def check_locale(scene: Scene) -> Advice:
    """Check that file names and output are UTF-8."""
    return locale_advice(
        next(
            (
                scene.environ[name]
                for name in ("LC_ALL", "LC_CTYPE", "LANG")
                if scene.environ.get(name)
            ),
            "",
        ),
        sys.getfilesystemencoding(),
    )


def locale_advice(name: str, encoding: str) -> Advice:
    """Return what the locale means; Python itself makes UTF-8 of none, of C and of POSIX."""
    shown = name or "no locale"
    if encoding.lower().replace("-", "") != "utf8":
        text = f"{shown}: file names are taken for {encoding}, and what does not fit is shown as ?"
        return warning(text, "export LANG=C.UTF-8")
    return ok(f"{shown}, UTF-8")


def check_version(scene: Scene) -> Advice:
    """Check that the timers run this memtool, by what their newest run says of itself."""
    runs = [run for run in scene.history.runs if run.trigger in ("timer", "systemd")]
    if not runs:
        return skipped(f"memtool {__version__}; no timer has run a job yet")
    newest = runs[-1].version
    if newest != __version__:
        text = f"this is memtool {__version__}, the timers' last run was of {newest}"
        return warning(text, "memtool setup brings what the timers run up to date")
    return ok(f"memtool {__version__}, and the timers run the same")


def check_clock(scene: Scene) -> Advice:
    """Check that the clock is not behind what was recorded, and no event is ahead of it."""
    now_us = scene.now_us
    if now_us < _RELEASED_US:
        return problem("the clock is set to a time before 2026", "timedatectl set-ntp true")
    newest_us = max((run.ended_us or run.started_us for run in scene.history.runs), default=0)
    if newest_us > now_us + _SLACK_US:
        behind = span((newest_us - now_us) // 1_000_000)
        text = f"the clock is {behind} behind the newest run in the ledger"
        return problem(text, "timedatectl set-ntp true")
    if scene.has_store and (ahead_us := _newest_event_us(scene) - now_us) > _DAY_US:
        text = f"the newest event is {span(ahead_us // 1_000_000)} in the future"
        return warning(text, "memtool verify lists such events; was the clock wrong?")
    return ok("not behind anything that was recorded")


def _newest_event_us(scene: Scene) -> int:
    bounds = scene.facts.span_us
    return bounds[1] if bounds else 0


def check_configuration(scene: Scene) -> Advice:
    """Check that every setting is understood."""
    if scene.faults:
        first, more = scene.faults[0], len(scene.faults) - 1
        text = f"{first.message}{_more(more)}; every command and job stops at this"
        return problem(text, first.hint or "memtool config check")
    if scene.config.warnings:
        return warning(scene.config.warnings[0], "take it out; memtool config check names all")
    files = [file.path for file in scene.config_files if file.path.exists()]
    return ok(f"read from {', '.join(map(str, files))}" if files else "all settings are defaults")


def _more(count: int) -> str:
    return f" (and {count} more)" if count else ""


def check_store(scene: Scene) -> Advice:
    """Check that the store opens, and its format is known."""
    if not scene.has_store:
        return skipped(f"there is none at {scene.root} yet", "memtool ingest makes it")
    try:
        facts = scene.read_store
    except MemtoolError as error:
        return problem(error.message, error.hint or "memtool verify")
    if facts.format is None:
        text = "it has no FORMAT file, by which an older memtool would leave a newer store alone"
        return warning(text, f"put it back from a backup: {scene.root / 'FORMAT'}")
    return ok(f"opens, format {facts.format}")


def check_ledger(scene: Scene) -> Advice:
    """Check that the record of what ran can be read."""
    try:
        history = scene.read_history
    except DamagedError as error:
        return problem(error.message, error.hint)
    if history.damaged_lines:
        records = in_words(history.damaged_lines, "record")
        text = f"{records} cannot be read; the disk may be failing"
        return warning(text, f"look at {ledger_path(scene.root)}; what is damaged is passed over")
    aside = sorted(ledger_path(scene.root).parent.glob("ledger.damaged-*"))
    if aside:
        text = "a damaged ledger was set aside: runs and budgets count from then on"
        return warning(text, f"remove it when you need it no more: {aside[-1]}")
    if not history.runs:
        return skipped("no job has run yet")
    return ok(f"{in_words(len(history.runs), 'run')} on record")


def check_unfinished(scene: Scene) -> Advice:
    """Check that no work on the whole store was begun and left."""
    if os.path.lexists(scene.root / SWAP):  # False where one may not look
        return problem("a restore was interrupted", "run memtool restore again")
    facts = scene.facts
    if facts.erasing_us is not None:
        age = span((scene.now_us - facts.erasing_us) // 1_000_000)
        text = f"something was taken away {age} ago, and its bytes may still be in the files"
        return warning(text, "memtool compact")
    if facts.building:
        return warning(
            "a rebuild was begun and has not ended; what is shown is the table before it",
            "memtool rebuild goes on with it",
        )
    return ok("no rebuild, restore or erasing is half done")


def check_damage(scene: Scene) -> Advice:
    """Check what earlier ingests could not read."""
    sources = scene.facts.sources
    damaged = {path: row for path, row in sources.items() if row.damaged or row.problem}
    if not damaged:
        return ok(f"{in_words(len(sources), 'transcript')} on record, none damaged")
    path, row = next(iter(damaged.items()))
    why = row.problem or in_words(row.damaged, "damaged line")
    text = f"{in_words(len(damaged), 'transcript')} could not be read whole, such as {path}: {why}"
    return warning(text, "memtool ingest --json lists them; all else in them was taken in")


_MOST_FILES = 20_000
_OTHERS_READ, _OTHERS_WRITE = 0o077, 0o022
_LEAST_BYTES = 64 << 20
_LEAST_FILES = 1000
_READ_ONLY = "mount it read-write; Linux makes a disk read-only when it fails: dmesg"
_CREDENTIAL = "etc/credstore/memtool.llm-key"


def nearest_directory(path: Path) -> Path:
    """Return the path, or where it would be made: its first parent that is there."""
    return next((each for each in (path, *path.parents) if each.is_dir()), Path("/"))


def _below(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield what is in the store's directory, without following links; not more than a bound."""
    waiting = [root]
    seen = 0
    while waiting and seen < _MOST_FILES:
        try:
            entries = sorted(islice(waiting.pop().iterdir(), _MOST_FILES))
        except OSError:  # another check says so
            continue
        for path in entries:
            try:
                found = path.lstat()
            except OSError:
                continue  # a file that a job has removed meanwhile
            seen += 1
            yield path, found
            if stat.S_ISDIR(found.st_mode):
                waiting.append(path)


def check_permissions(scene: Scene) -> Advice:
    """Check that the store is its owner's alone, and all in it is the owner's."""
    root = scene.root
    try:
        top = root.stat()
    except FileNotFoundError:
        return skipped(f"there is no {root} yet; it is made for its owner alone")
    if scene.uid and (top.st_uid != scene.uid or not os.access(root, os.R_OK | os.W_OK | os.X_OK)):
        text = f"{root} is not yours to read and write (owner {name_of(top.st_uid)})"
        return problem(text, "run memtool as its owner, or chown it to who runs the jobs")
    strangers = [path for path, found in _below(root) if found.st_uid != top.st_uid]
    if strangers:
        text = f"{in_words(len(strangers), 'file')} of another owner, such as {strangers[0]}"
        return problem(text, f"chown -R {name_of(top.st_uid)}: {root}")
    if top.st_mode & _OTHERS_WRITE:
        return problem(f"others may write to {root}", f"chmod 700 {root}")
    if top.st_mode & _OTHERS_READ:
        return warning(f"others may look into {root} ({mode_of(top)})", f"chmod 700 {root}")
    return ok(f"{root} is {name_of(top.st_uid)}'s alone ({mode_of(top)})")


def mode_of(found: os.stat_result) -> str:
    """Return such as `0700`."""
    return f"{stat.S_IMODE(found.st_mode):04o}"


def check_config_files(scene: Scene) -> Advice:
    """Check that nobody else may change the settings: they name commands that the jobs run."""
    there = [(file, found) for file in scene.config_files if (found := _stat(file.path))]
    for file, found in there:
        owners = {0} if file.role is Role.SYSTEM else {0, scene.uid, _owner_of(scene)}
        if found.st_mode & _OTHERS_WRITE:
            text = f"others may write to {file.path}, which names commands that the jobs run"
            return problem(text, f"chmod go-w {file.path}")
        if found.st_uid not in owners:
            name = name_of(found.st_uid)
            return problem(f"{file.path} is {name}'s", f"chown it: {name} could change your jobs")
    if not there:
        return skipped("there is none")
    return ok(f"nobody else may change {', '.join(str(file.path) for file, _ in there)}")


def _owner_of(scene: Scene) -> int:
    found = _stat(scene.root)
    return found.st_uid if found else scene.uid


def check_key(scene: Scene) -> Advice:
    """Check that a model's key can be read by nobody else."""
    given, own = key_files(scene.environ)
    places = [path for path in (given, own, scene.machine / _CREDENTIAL) if path is not None]
    there = [(path, found) for path in places if (found := _stat(path))]
    for path, found in there:
        if found.st_mode & _OTHERS_READ and path != given:  # systemd guards its own copy
            return problem(f"others may read the key in {path}", f"chmod 600 {path}")
    if not there:
        return skipped("there is no key file; only some summarizers need one")
    return ok(f"{', '.join(str(path) for path, _ in there)} is for its owner alone")


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None  # absent, or not even visible to this user


def check_file_system(scene: Scene) -> Advice:
    """Check that locks hold where the store is, and that it outlives the machine's next start."""
    try:
        text = (scene.machine / "proc/self/mountinfo").read_text(errors="surrogateescape")
    except OSError as error:
        raise CannotCheckError(f"the kernel's list of mounts cannot be read: {error}") from error
    place = nearest_directory(scene.root).resolve()
    mount = mount_of(place, text)
    if mount is None:
        raise CannotCheckError(f"no mount holds {place}")
    found = unfit(mount)
    if found is None:
        return ok(f"{mount.kind}, a local file system")
    why, is_problem = found
    todo = f"move it to a local disk: {MOVE}"
    advise = problem if is_problem else warning
    return advise(f"{place} is on {mount.kind} ({mount.source}), which {why}", todo)


def check_space(scene: Scene) -> Advice:
    """Check that there is room for what a compaction, and a rebuild, write before they drop the old."""
    place = nearest_directory(scene.root)
    disk = os.statvfs(place)
    if disk.f_flag & os.ST_RDONLY:
        return problem(f"{place} is on a read-only file system", _READ_ONLY)
    used = sum(found.st_blocks * 512 for _, found in _below(scene.root))
    files = disk.f_favail if disk.f_files else None
    return space_advice(used, disk.f_bavail * disk.f_frsize, files, str(place))


def space_advice(used_bytes: int, free_bytes: int, free_files: int | None, place: str) -> Advice:
    """Return what the room means; `free_files` is None where the file system has no bound on their number."""
    text = f"{size(free_bytes)} free at {place}, the store takes {size(used_bytes)}"
    todo = f"free some space there, or move the store: {MOVE}"
    if free_bytes < max(_LEAST_BYTES, used_bytes // 10):
        return problem(f"{text}: jobs will fail soon", todo)
    if free_files is not None and free_files < _LEAST_FILES:
        return problem(f"the file system at {place} has room for {free_files} more files", todo)
    if free_bytes < used_bytes:
        return warning(f"{text}: a compaction or a rebuild may need as much again", todo)
    return ok(text)


_OLD_YEARS = 3
_VERSION = re.compile(r"# version ((\d{4})[a-z]\w*)")


def check_calendar(scene: Scene) -> Advice:
    """Check that config, store and timers mean the same days."""
    if not scene.has_store:
        return _of_new_store(scene)
    facts = scene.facts
    if facts.conflict is not None:
        return problem(facts.conflict.message, facts.conflict.hint)
    zone, here = facts.calendar.zone, machine_zone(scene.machine)
    if strangers := _timers_elsewhere(scene, zone, here):
        text = f"{', '.join(strangers)} by {here or 'a zone without a name'}, the store's days are {zone}'s"
        return warning(f"timers fire {text}", "memtool scheduler apply")
    if here and not _is_same_clock(here, zone, scene.now_us):
        return ok(f"days are {zone}'s, as the store has it; this machine's zone is {here}")
    return ok(f"days are {zone}'s, for the store and this machine")


def _of_new_store(scene: Scene) -> Advice:
    """Say what a store would be made with: it is never changed in place."""
    try:
        calendar = calendar_for_new_store(scene.config)
    except ConfigError as error:
        return problem(error.message, error.hint)
    text = f"a new store would have {calendar.zone}'s days, for good"
    if zone_is_set(scene.config):
        return ok(text)
    return Advice("ok", text, "if you live elsewhere: memtool config set calendar.timezone ZONE")


def _timers_elsewhere(scene: Scene, zone: str, here: str) -> list[str]:
    """Return the jobs whose timers fire by the machine's zone, where that is not the store's."""
    if _is_same_clock(here, zone, scene.now_us):
        return []
    with suppress(CannotCheckError):  # where the timers cannot be told, the rest still can
        return [row.job.name for row in scene.status.jobs if _is_by_machine(row)]
    return []


def _is_by_machine(row: JobStatus) -> bool:
    if not row.job.levels or row.timer is None or not row.timer.is_live:
        return False
    return not all(map(names_zone, row.timer.schedule))


def _is_same_clock(one: str, other: str, now_us: int) -> bool:
    """Return whether the clocks of two zones show the same this year, whatever the zones are called."""
    year = year_of(now_us)
    try:
        return one == other or transitions(one, year, year) == transitions(other, year, year)
    except (LookupError, ValueError, OSError):  # no name, or no data of it
        return False


def check_zone_data(scene: Scene) -> Advice:
    """Check that the zone data is not old, and says of the store's days what it said when they were cut."""
    version, year = zone_data(scene.machine)
    if scene.has_store and (moved := scene.facts.moved_days):
        text = f"zone data {version} moves the bounds of {in_words(moved, 'day')} of the store"
        return warning(text, "memtool rollup all cuts them anew")
    if year and year + _OLD_YEARS <= year_of(scene.now_us):
        return warning(
            f"zone data {version} is old: new rules for clocks are not known",
            "upgrade the package tzdata",
        )
    return ok(f"zone data {version}, and it moves no day")


def zone_data(machine: Path) -> tuple[str, int]:
    """Return the version of the zone data that is used, and its year: the system's, else the package's."""
    try:
        with (machine / "usr/share/zoneinfo/tzdata.zi").open(encoding="utf-8") as file:
            found = _VERSION.match(file.readline(100))
    except (OSError, UnicodeDecodeError):
        found = _VERSION.match(f"# version {_of_package()}")
    return (found[1], int(found[2])) if found else ("of an unknown version", 0)


def _of_package() -> str:
    try:
        import tzdata  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return ""
    return str(getattr(tzdata, "IANA_VERSION", ""))


_RUNS = frozenset({"failed", "died", "backlog", "unit", "overdue"})
_COMMON = frozenset({"both", "linger"})
_HARMLESS = frozenset({"clock", "backlog", "missing", "units"})
_EXEC = re.compile(r"\{ path=(.*?) ; argv\[\]=")
_ASK_S = 15


def check_timers(scene: Scene) -> Advice:
    """Check that every timer is in order."""
    timers = scene.read_status.timers
    if not timers.is_known:
        if timers.problem == NOT_BOOTED or "not on this machine" in timers.problem:
            return skipped(timers.problem, timers.hint)
        return warning(timers.problem, timers.hint or "memtool scheduler status")
    known = _RUNS | _COMMON
    if found := [one for one in scene.status.problems if one.kind not in known]:
        return _advice(found)
    off = [job for job, timer in timers.states.items() if not timer.is_live]
    paused = [row.job.name for row in scene.status.jobs if row.pause]
    words = [f"{len(timers.states) - len(off)} of {len(timers.states)} armed ({timers.scope})"]
    words += [f"off: {', '.join(off)}"] if off else []
    words += [f"paused: {', '.join(paused)}"] if paused else []
    return ok("; ".join(words))


def check_jobs(scene: Scene) -> Advice:
    """Check that every job's last run went well, began in time and left nothing."""
    found = [one for one in scene.status.problems if one.kind in _RUNS]
    if found:
        return _advice(found)
    ran = [row.job.name for row in scene.status.jobs if row.last is not None]
    if not ran:
        return skipped("no job has run yet")
    return ok(f"{', '.join(ran)}: the last run went well")


def check_linger(scene: Scene) -> Advice:
    """Check that a user's timers run while the user is logged out."""
    return _common(scene, "linger", "timers run whether or not anybody is logged in")


def check_managers(scene: Scene) -> Advice:
    """Check that no job is fired by the system's systemd and the user's."""
    return _common(scene, "both", "one systemd alone has the timers")


def _common(scene: Scene, kind: str, well: str) -> Advice:
    if not scene.status.timers.is_known:
        raise CannotCheckError("there are no timers")
    found = [one for one in scene.status.problems if one.kind == kind]
    return warning(sentence(found[0]), found[0].hint) if found else ok(well)


def _advice(found: Sequence[Problem]) -> Advice:
    """Return the first problem, the worse before the harmless, and how many more there are."""
    first = min(found, key=lambda one: one.kind in _HARMLESS)
    more = f" (and {len(found) - 1} more: memtool scheduler status)" if len(found) > 1 else ""
    advise = warning if first.kind in _HARMLESS else problem
    return advise(f"{sentence(first)}{more}", first.hint or "memtool scheduler status")


def check_units(scene: Scene) -> Advice:
    """Check that the program which the units start is there, and that systemd knows the units as they are."""
    if scene.manager is None:
        raise CannotCheckError("no units are installed")
    if not scene.status.timers.is_known:  # it need not be waited for twice
        raise CannotCheckError(scene.status.timers.problem)
    names = [job.unit for job in JOBS]
    done = scene.manager.call(
        "show", "-p", "Id,ExecStart,NeedDaemonReload", *names, timeout_s=_ASK_S
    )
    if not done.is_ok:
        raise CannotCheckError(meaning(done, scene.manager)[0])
    units = parse_show(done.stdout)
    programs = sorted(
        {path for row in units.values() for path in _EXEC.findall(row.get("ExecStart", ""))}
    )
    for path, why in _unusable(programs):
        return problem(
            f"the units start {path}, which {why}", "memtool setup names the program that is there"
        )
    stale = [name for name, row in units.items() if row.get("NeedDaemonReload") == "yes"]
    if stale:
        reload = " ".join(("systemctl", *scene.manager.arguments, "daemon-reload"))
        return warning(f"{stale[0]} has changed, and systemd has not read it again", reload)
    if not programs:
        raise CannotCheckError("systemd names no program of our units")
    return ok(f"the units start {', '.join(programs)}")


def _unusable(programs: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in programs:
        try:
            found = Path(name).stat()
        except PermissionError:
            continue  # another user's
        except OSError:
            yield name, "is not there"
            continue
        if not found.st_mode & 0o111:
            yield name, "may not be run"


def check_summarizer(scene: Scene) -> Advice:
    """Check that the configured summarizer lacks nothing."""
    name = scene.config.summarizer.name
    try:
        recipe_of(scene.config)
        options = options_of(scene.config, scene.environ, scene.root)
        lacking = problem_of(name, options)
        if name == command.NAME:
            _find_program(scene, command.argv_of(options))
    except MemtoolError as error:  # a part of it is missing, or a key file cannot be read
        return _lacking(name, error)
    if lacking is not None:
        return _lacking(name, lacking)
    return ok(f"{name} is ready: {row(name).about}")


def _find_program(scene: Scene, words: Sequence[str]) -> None:
    """Raise ConfigError where the program of the summarizer `command`, or its interpreter, is not there."""
    search = [Path(name) for name in scene.environ.get("PATH", "").split(":") if name[:1] == "/"]
    find_program(words, search, home_directory(scene.environ))


def _lacking(name: str, error: MemtoolError) -> Advice:
    return problem(f"{name}: {error.message}", error.hint or "memtool summarizers")


def check_budget(scene: Scene) -> Advice:
    """Check that today's budget is not used up."""
    if not row(scene.config.summarizer.name).needs_network:
        return skipped("the summarizer asks no model")
    calendar = scene.facts.calendar if scene.has_store else wanted_calendar(scene.config)
    used = spent_today(scene.root, calendar, scene.now_us)
    budget = budget_of(scene.config, None)
    rows = (
        ("calls", used.calls, budget.calls_per_day),
        ("tokens", used.tokens, budget.tokens_per_day),
    )
    words = ", ".join(f"{n:,}{f' of {most:,}' if most else ''} {what}" for what, n, most in rows)
    for what, number, most in rows:
        if most and number >= most:
            todo = f"tomorrow's runs go on, or: memtool config set budget.{what}_per_day N"
            return warning(f"today's {what} are used up: {words}", todo)
    return ok(f"today: {words}")


Check = Callable[[Scene], Advice]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("python", check_python),
    ("locale", check_locale),
    ("version", check_version),
    ("clock", check_clock),
    ("configuration", check_configuration),
    ("config files", check_config_files),
    ("store", check_store),
    ("ledger", check_ledger),
    ("unfinished work", check_unfinished),
    ("damage", check_damage),
    ("permissions", check_permissions),
    ("key file", check_key),
    ("file system", check_file_system),
    ("disk space", check_space),
    ("calendar", check_calendar),
    ("zone data", check_zone_data),
    ("transcripts", check_transcripts),
    ("retention", check_retention),
    ("last ingest", check_ingest),
    ("timers", check_timers),
    ("jobs", check_jobs),
    ("linger", check_linger),
    ("managers", check_managers),
    ("units", check_units),
    ("summarizer", check_summarizer),
    ("budget", check_budget),
)
assert len({name for name, _ in CHECKS}) == len(CHECKS)


def examine(scene: Scene, checks: tuple[tuple[str, Check], ...] = CHECKS) -> tuple[Finding, ...]:
    """Return what every check found, in the table's order. One that fails says so, and hides no other."""
    return tuple(Finding(name, _outcome(check, scene)) for name, check in checks)


def _outcome(check: Check, scene: Scene) -> Advice:
    try:
        return check(scene)
    except CannotCheckError as reason:
        return skipped(str(reason))
    except MemtoolError as error:
        return problem(f"this check failed: {error.message}", error.hint)
    except Exception as error:  # noqa: BLE001 - a fault in one check, of ours too, must not hide what the others find
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return problem(
            f"this check failed: {what}", "if the message does not help, please report it"
        )
