"""Checks of the timers and the jobs they start: what `scheduler status` knows, and whether their program is there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from memtool.query.doctor.finding import Advice, CannotCheckError, ok, problem, skipped, warning
from memtool.query.doctor.scene import Scene
from memtool.systemd.jobs import JOBS
from memtool.systemd.status import Trouble, sentence
from memtool.systemd.systemctl import NOT_BOOTED, meaning, parse_show

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
    if found := [one for one in scene.status.troubles if one.kind not in known]:
        return _advice(found)
    off = [job for job, timer in timers.states.items() if not timer.is_live]
    paused = [row.job.name for row in scene.status.jobs if row.pause]
    words = [f"{len(timers.states) - len(off)} of {len(timers.states)} armed ({timers.scope})"]
    words += [f"off: {', '.join(off)}"] if off else []
    words += [f"paused: {', '.join(paused)}"] if paused else []
    return ok("; ".join(words))


def check_jobs(scene: Scene) -> Advice:
    """Check that every job's last run went well, began in time and left nothing."""
    found = [one for one in scene.status.troubles if one.kind in _RUNS]
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
    found = [one for one in scene.status.troubles if one.kind == kind]
    return warning(sentence(found[0]), found[0].hint) if found else ok(well)


def _advice(found: Sequence[Trouble]) -> Advice:
    """Return the first trouble, the worse before the harmless, and how many more there are."""
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
