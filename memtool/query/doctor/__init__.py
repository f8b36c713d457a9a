"""Checks what memtool needs. Takes no lock, writes nothing, waits for no job. The table of checks is at the end."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path, PurePosixPath

from msgspec import Struct

from memtool import __version__
from memtool.errors import MOVE, ConfigError, MemtoolError
from memtool.model.calendar import transitions, year_of
from memtool.paths import Role, home_directory, key_files, name_of
from memtool.query.doctor.agents import check_ingest, check_retention, check_transcripts
from memtool.query.doctor.scene import (
    VERDICTS,
    Advice,
    CannotCheckError,
    Examination,
    Finding,
    Scene,
    StorePlace,
    in_words,
    ok,
    problem,
    skipped,
    span,
    warning,
)
from memtool.redact.rules import RULESET_VERSION
from memtool.rollup.configured import (
    calendar_for_new_store,
    options_of,
    recipe_of,
    zone_is_set,
)
from memtool.store.access import SWAP
from memtool.summarize import problem as problem_of
from memtool.summarize import row
from memtool.summarize.models import command
from memtool.systemd.dropins import names_zone
from memtool.systemd.programs import find_program
from memtool.systemd.status import JobStatus, sentence
from memtool.systemd.systemctl import NOT_BOOTED, machine_zone
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
    """Return what is wrong with a file system for a store, and whether it is a problem now; None if nothing is."""
    for one in UNFIT:
        if mount.kind in one.kinds:
            bad = sorted(mount.options & set(one.options))
            return f"{one.why} ({', '.join(bad)})" if bad else one.why, one.is_problem or bool(bad)
    return None


_DAY_US = 86_400_000_000
_SLACK_US = 60_000_000
_RELEASED_US = 1_767_225_600_000_000  # 2026-01-01: before this there was no memtool


_MOST_FILES = 20_000
_OTHERS_READ, _OTHERS_WRITE = 0o077, 0o022
_LEAST_BYTES = 64 << 20
_LEAST_FILES = 1000
_READ_ONLY = "mount it read-write; Linux makes a disk read-only when it fails: dmesg"
_CREDENTIAL = "etc/credstore/memtool.llm-key"


def nearest_directory(path: Path) -> Path:
    """Return the path, or its first parent that exists."""
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


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None  # absent, or not even visible to this user


def check_file_system(scene: Scene) -> Advice:
    """Check that locks work on the store's file system, and that it is kept after a restart."""
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
    """Return what the free space means; `free_files` is None if the number of files is not limited."""
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
_STATUS = "memtool scheduler status"
_HARMLESS = frozenset(
    {"backlog", "units", "settings", "both", "linger", "not-enabled", "unreadable"}
)
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
        calendar = calendar_for_new_store(scene.config, scene.environ, scene.now_us)
    except ConfigError as error:
        return problem(error.message, error.hint)
    text = f"a new store would have {calendar.zone}'s days"
    if zone_is_set(scene.config):
        return ok(text)
    return Advice("ok", text, "if you live elsewhere: memtool config set calendar.timezone ZONE")


def _timers_elsewhere(scene: Scene, zone: str, here: str) -> list[str]:
    """Return the jobs whose timers use the machine's zone, if that is not the store's."""
    if _is_same_clock(here, zone, scene.now_us):
        return []
    with suppress(MemtoolError):  # without the timers the rest can still be checked
        return [row.job.name for row in scene.status.jobs if _is_by_machine(row)]
    return []


def _is_by_machine(row: JobStatus) -> bool:
    if not row.job.levels or row.timer is None or not row.timer.is_live:
        return False
    return not all(map(names_zone, row.timer.schedule))


def _is_same_clock(one: str, other: str, now_us: int) -> bool:
    """Return whether the clocks of two zones show the same this year, under any names."""
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
        return warning(text, "memtool rollup all updates them")
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


def check_store(scene: Scene) -> Advice:
    """Check that the store opens and has a known format."""
    if not scene.has_store:
        return skipped(f"there is none at {scene.root} yet", "memtool ingest makes it")
    if os.path.lexists(scene.root / SWAP):  # False if it is not visible to this user
        return problem("a restore was interrupted", "run memtool restore again")
    if scene.facts.format is None:
        text = "it has no FORMAT file, so an older memtool would not know a newer store"
        return warning(text, f"restore it from a backup: {scene.root / 'FORMAT'}")
    return ok(f"opens, format {scene.facts.format}")


def check_index(scene: Scene) -> Advice:
    """Check that the search index can be used, and is not behind the store."""
    if not scene.has_store:
        return skipped("there is no store yet")
    days = scene.facts.index_behind
    if days is None:
        return warning("there is no index of this store; searches read the store", "memtool ingest")
    if days > _MOST_DAYS_BEHIND:
        return warning(f"it is {days} days behind", "memtool ingest")
    return ok(
        "up to date" if not days else f"{days} days behind; searches read these from the store"
    )


def check_redaction(scene: Scene) -> Advice:
    """Check that today's rules were applied to all that is stored, and that no file holds what was deleted."""
    facts = scene.facts
    if facts.span_us is not None and facts.rules_applied < RULESET_VERSION:
        return warning(
            f"the rules of this version (number {RULESET_VERSION}) were not applied to all that is stored",
            "memtool redact --again",
        )
    if facts.erasing_us is not None:
        age = span((scene.now_us - facts.erasing_us) // 1_000_000)
        return warning(f"what was deleted {age} ago may still be in the files", "memtool compact")
    return ok("today's rules were applied to all that is stored")


def check_timers(scene: Scene) -> Advice:
    """Check that `memtool scheduler status` is healthy."""
    timers = scene.status.timers
    if not timers.is_known and not timers.is_installed:
        if timers.problem == NOT_BOOTED or "not on this" in timers.problem:
            return skipped(timers.problem, timers.hint)
        return warning(timers.problem, timers.hint or _STATUS)
    if found := scene.status.problems:
        more = f" (and {len(found) - 1} more: {_STATUS})" if len(found) > 1 else ""
        worst = min(found, key=lambda one: one.kind in _HARMLESS)
        advise = warning if worst.kind in _HARMLESS else problem
        return advise(f"{sentence(worst)}{more}", worst.hint or _STATUS)
    live = sum(timer.is_live for timer in timers.states.values())
    return ok(f"{live} of {len(timers.states)} armed ({timers.scope}), every last run went well")


def check_program(scene: Scene) -> Advice:
    """Check that the program that the units start is there, and is of this version."""
    if scene.manager is None:
        raise CannotCheckError("no units are installed")
    if not scene.status.timers.is_known:
        raise CannotCheckError(scene.status.timers.problem)
    services = [timer.service for timer in scene.status.timers.states.values()]
    programs = sorted({path for service in services for path in service.programs})
    for path, why in _unusable(programs):
        return problem(f"the units start {path}, which {why}", "memtool setup corrects this")
    runs = [run for run in scene.history.runs if run.trigger in ("timer", "systemd")]
    if runs and runs[-1].version != __version__:
        text = f"this is memtool {__version__}, the timers' last run was of {runs[-1].version}"
        return warning(text, "memtool setup updates what the timers run")
    if not programs:
        raise CannotCheckError("systemd names no program of our units")
    return ok(f"the units start {', '.join(programs)}")


def check_clock(scene: Scene) -> Advice:
    """Check that the clock is not behind what was recorded, and no event is ahead of it."""
    newest_us = max((run.ended_us or run.started_us for run in scene.history.runs), default=0)
    newest_us = max(newest_us, _RELEASED_US)
    if newest_us > scene.now_us + _SLACK_US:
        behind = span((newest_us - scene.now_us) // 1_000_000)
        text = f"the clock is {behind} behind the newest run in the ledger"
        return problem(text, "timedatectl set-ntp true")
    bounds = scene.facts.span_us if scene.has_store else None
    if bounds and (ahead_us := bounds[1] - scene.now_us) > _DAY_US:
        text = f"the newest event is {span(ahead_us // 1_000_000)} in the future"
        return warning(text, "memtool verify lists such events; was the clock wrong?")
    return ok("not behind anything that was recorded")


def check_permissions(scene: Scene) -> Advice:
    """Check that the store and the key are for their owner alone, and that no other user can change the settings."""
    for file in scene.config_files:
        if found := _stat(file.path):
            owners = {0} if file.role is Role.SYSTEM else {0, scene.uid, _owner_of(scene)}
            if found.st_mode & _OTHERS_WRITE:
                text = f"others may write to {file.path}, which names commands that the jobs run"
                return problem(text, f"chmod go-w {file.path}")
            if found.st_uid not in owners:
                name = name_of(found.st_uid)
                text = f"{file.path} belongs to {name}, who can change your jobs"
                return problem(text, f"chown {name_of(scene.uid)} {file.path}")
    for path in (key_files(scene.environ)[1], scene.machine / _CREDENTIAL):
        # A key that systemd hands over is guarded by systemd.
        if path and (found := _stat(path)) and found.st_mode & _OTHERS_READ:
            return problem(f"others may read the key in {path}", f"chmod 600 {path}")
    return _of_directory(scene)


def _owner_of(scene: Scene) -> int:
    found = _stat(scene.root)
    return found.st_uid if found else scene.uid


def _of_directory(scene: Scene) -> Advice:
    root = scene.root
    try:
        top = root.stat()
    except FileNotFoundError:
        return skipped(f"there is no {root} yet; it is made for its owner alone")
    owner = name_of(top.st_uid)
    if scene.uid and (top.st_uid != scene.uid or not os.access(root, os.R_OK | os.W_OK | os.X_OK)):
        text = f"{root} is not yours to read and write (owner {owner})"
        return problem(text, "run memtool as its owner, or chown it to the user of the jobs")
    strangers = [path for path, found in _below(root) if found.st_uid != top.st_uid]
    if strangers:
        text = f"{in_words(len(strangers), 'file')} of another owner, such as {strangers[0]}"
        return problem(text, f"chown -R {owner}: {root}")
    if top.st_mode & _OTHERS_WRITE:
        return problem(f"others may write to {root}", f"chmod 700 {root}")
    if top.st_mode & _OTHERS_READ:
        mode = f"{stat.S_IMODE(top.st_mode):04o}"
        return warning(f"others may look into {root} ({mode})", f"chmod 700 {root}")
    return ok(f"{root} is for {owner} alone")


def check_summarizer(scene: Scene) -> Advice:
    """Check that the configured summarizer lacks nothing. Calls no model."""
    name = scene.config.summarizer.name
    lacking: MemtoolError | None
    try:
        recipe_of(scene.config)
        options = options_of(scene.config, scene.environ, scene.root)
        lacking = problem_of(name, options)
        if name == command.NAME:
            search = [
                Path(part) for part in scene.environ.get("PATH", "").split(":") if part[:1] == "/"
            ]
            find_program(command.argv_of(options), search, home_directory(scene.environ))
    except MemtoolError as error:  # a part of it is missing, or a key file cannot be read
        lacking = error
    if lacking is not None:
        return problem(f"{name}: {lacking.message}", lacking.hint or "memtool summarizers")
    return ok(f"{name} is ready: {row(name).about}")


_MOST_DAYS_BEHIND = 3
Checks = Sequence[tuple[str, Callable[[Scene], Advice]]]
CHECKS: Checks = (
    ("store", check_store),
    ("timers", check_timers),
    ("program", check_program),
    ("last ingest", check_ingest),
    ("transcripts", check_transcripts),
    ("retention", check_retention),
    ("search index", check_index),
    ("redaction", check_redaction),
    ("summarizer", check_summarizer),
    ("permissions", check_permissions),
    ("file system", check_file_system),
    ("disk space", check_space),
    ("calendar", check_calendar),
    ("zone data", check_zone_data),
    ("clock", check_clock),
)


def examine(scene: Scene, checks: Checks = CHECKS) -> Examination:
    """Return what each check found. What cannot be read is a problem of the first check that needs it."""
    told: dict[int, str] = {}
    found: list[Finding] = []
    for name, check in checks:
        try:
            advice = check(scene)
        except CannotCheckError as reason:
            advice = skipped(str(reason))
        except MemtoolError as error:
            if id(error) in told:
                advice = skipped(f"cannot be checked: see {told[id(error)]}")
            else:
                told[id(error)] = name
                advice = problem(error.message, error.hint or _STATUS)
        found.append(Finding(name, advice.verdict, advice.found, advice.todo))
    counts = Counter(finding.verdict for finding in found)
    return Examination(
        store=StorePlace(str(scene.root), scene.store.why),
        healthy=not counts["problem"] and not counts["warning"],
        counts={verdict: counts[verdict] for verdict in VERDICTS},
        checks=tuple(found),
    )
