"""Checks of the timers, of the program that they start, and of the clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from memtool import __version__
from memtool.query.doctor.scene import (
    STATUS,
    Advice,
    CannotCheckError,
    Scene,
    ok,
    problem,
    skipped,
    span,
    warning,
)
from memtool.systemd.problems import sentence
from memtool.systemd.systemctl import NOT_BOOTED

_DAY_US = 86_400_000_000
_SLACK_US = 60_000_000
_RELEASED_US = 1_767_225_600_000_000  # 2026-01-01: before this there was no memtool
_HARMLESS = frozenset(
    {"backlog", "units", "settings", "both", "linger", "not-enabled", "unreadable"}
)


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


def check_timers(scene: Scene) -> Advice:
    """Check that `memtool scheduler status` is healthy."""
    timers = scene.status.timers
    if not timers.is_known and not timers.is_installed:
        if timers.problem == NOT_BOOTED or "not on this" in timers.problem:
            return skipped(timers.problem, timers.hint)
        return warning(timers.problem, timers.hint or STATUS)
    if found := scene.status.problems:
        more = f" (and {len(found) - 1} more: {STATUS})" if len(found) > 1 else ""
        worst = min(found, key=lambda one: one.kind in _HARMLESS)
        advise = warning if worst.kind in _HARMLESS else problem
        return advise(f"{sentence(worst)}{more}", worst.hint or STATUS)
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
    if len(programs) > 1:
        text = f"the units start different programs: {', '.join(programs)}"
        return warning(text, "systemctl cat 'memtool-*.service' shows where")
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
