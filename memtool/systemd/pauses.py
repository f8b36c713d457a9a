"""Pauses of jobs: small files in `<root>/pause/` that the units, the runner and a person can read. Starts nothing.

`<job>` and `all` have no end. The unit checks for them (ConditionPathExists=!), so they work after a reboot and with a
broken Python. `<job>.until` and `all.until` have an end, which the runner checks. `memtool scheduler run
--ignore-pause` renames a pause without end to `.lifted` until its run has started, and makes `<job>.once`, by which
the runner knows the run that may start.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from memtool.errors import StorageError, UsageError
from memtool.files import atomic_write, private_directory, reporting
from memtool.person import as_owner
from memtool.text import first_line

ALL = "all"
_UNTIL = ".until"
_LIFTED = ".lifted"
_ONCE = ".once"
_KINDS = ("", _LIFTED, _UNTIL)

_SECONDS = {"min": 60, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LENGTH = r"(?:[0-9]{1,6}(?:min|[mhdw]))+"
_PART = r"([0-9]+)(min|[mhdw])"
_INSTANT = r"([0-9]{1,17})\b"
_INSTANTS = ("%H:%M", "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M")
_LONGEST_S = 10 * 366 * 86_400
_T = TypeVar("_T", int, None)


class Pause(NamedTuple):
    """One pause of a job or of `all`: since when, until when (None: until it is resumed), by whom and why."""

    who: str
    since_us: int
    until_us: int | None = None
    by: str = ""
    reason: str = ""


def directory(root: Path) -> Path:
    """Return where the store's pauses are."""
    return root / "pause"


def seconds_of(text: str) -> int:
    """Return the seconds of a duration such as 90min, 2h, 2d, 1w or 1d12h. Raise UsageError."""
    total = 0
    if re.fullmatch(_LENGTH, text):
        total = sum(int(number) * _SECONDS[unit] for number, unit in re.findall(_PART, text))
    if not 0 < total <= _LONGEST_S:
        raise UsageError(f"not a duration: {text}", hint="such as 90min, 2h, 2d or 1w")
    return total


def instant_of(text: str, now_us: int) -> int:
    """Return the instant of a date, a time or both, in the machine's zone: 2026-12-01, 18:30 or 2026-12-01 18:30.

    A time alone is the next one. Raise UsageError if it is none of these, or has passed.
    """
    for pattern in _INSTANTS:
        with suppress(ValueError, OverflowError):
            given = time.strptime(text.strip(), pattern)
            if pattern == "%H:%M":
                today = time.localtime(now_us / 1_000_000)
                days = [(*today[:2], today[2] + more, *given[3:5], 0, 0, 0, -1) for more in (0, 1)]
                found = [int(time.mktime(day)) * 1_000_000 for day in days]
            else:
                found = [int(time.mktime((*given[:6], 0, 0, -1))) * 1_000_000]
            if (next_us := next((us for us in found if us > now_us), None)) is not None:
                return next_us
            raise UsageError(f"{text} has passed", hint="name a time to come")
    raise UsageError(f"not a time: {text}", hint="such as 18:30, 2026-12-01 or '2026-12-01 18:30'")


def pause_of(root: Path, job: str, now_us: int) -> Pause | None:
    """Return the pause of this job that ends last; None if it is not paused now."""
    names = _names(root)
    found = [
        pause
        for who in (job, ALL)
        for kind in _KINDS
        if who + kind in names
        for pause in (_read(root, who, kind),)
        if pause is not None and _holds(pause, now_us)
    ]
    return max(
        found, key=lambda one: float("inf") if one.until_us is None else one.until_us, default=None
    )


def paused(root: Path, jobs: Iterable[str], now_us: int) -> Mapping[str, Pause]:
    """Return the pause of each of these jobs that has one."""
    if not _names(root):
        return {}
    each = ((job, pause_of(root, job, now_us)) for job in jobs)
    return {job: pause for job, pause in each if pause is not None}


def set_pause(root: Path, pause: Pause) -> None:
    """Record the pause. It replaces an earlier one of the same job, or of all. Raise StorageError."""
    kind = "" if pause.until_us is None else _UNTIL
    with as_owner(root):  # the jobs have to read and remove it
        where = private_directory(directory(root))
        atomic_write(where / (pause.who + kind), _text(pause).encode())
        for other in _KINDS:
            if other != kind:
                _remove(where / (pause.who + other))


def end_pause(root: Path, who: str) -> None:
    """Remove the pause of this job; for `all`, every pause. Raise StorageError."""
    with as_owner(root):
        for name in _names(root):
            if who == ALL or name in {who + kind for kind in (*_KINDS, _ONCE)}:
                _remove(directory(root) / name)


def admit(
    root: Path, job: str, jobs: Iterable[str], now_us: int, *, may_ignore: bool
) -> Mapping[str, Pause]:
    """Return the pauses, by job, that a scheduled run of the job has to respect: its own, and those of other jobs.

    A run by `memtool scheduler run --ignore-pause` (`may_ignore`) respects none, once. Expired pauses are removed,
    and a lifted one is put back.
    """
    names = _names(root)
    is_allowed = may_ignore and job + _ONCE in names
    with suppress(StorageError):  # only cleaning up
        _tidy(root, job, now_us, is_allowed=is_allowed)
    return {} if is_allowed else paused(root, jobs, now_us)


def _tidy(root: Path, job: str, now_us: int, *, is_allowed: bool) -> None:
    names = _names(root)
    if is_allowed:
        _remove(directory(root) / (job + _ONCE))
    if is_allowed or not any(name.endswith(_ONCE) for name in names):
        _put_back(root)
    for who in (job, ALL):
        pause = _read(root, who, _UNTIL) if who + _UNTIL in names else None
        if pause is not None and not _holds(pause, now_us):
            _remove(directory(root) / (who + _UNTIL))


@contextmanager
def ignoring(root: Path, job: str) -> Iterator[None]:
    """Let one run of the job, started by hand within the block, ignore pauses.

    If this process is killed, the pause still holds: the runner respects a lifted one, and puts it back.
    """
    once = directory(root) / (job + _ONCE)
    with as_owner(root):
        where = private_directory(directory(root))
        atomic_write(once, b"")
        with reporting(where):
            for who in (job, ALL):
                if (where / who).exists():
                    (where / who).rename(where / (who + _LIFTED))
    try:
        yield
    finally:
        with as_owner(root):
            _remove(once)
            _put_back(root)


def described(pause: Pause) -> str:
    """Return the pause in words, with its end in UTC, for the ledger and the log."""
    end = "until resumed" if pause.until_us is None else f"until {_utc(pause.until_us)}"
    why = f": {pause.reason}" if pause.reason else ""
    return f"paused{' with all jobs' if pause.who == ALL else ''} {end}{why}"


def _names(root: Path) -> frozenset[str]:
    with reporting(directory(root)):
        try:
            return frozenset(os.listdir(directory(root)))  # noqa: PTH208 - names are all it takes
        except FileNotFoundError:
            return frozenset()


def _holds(pause: Pause, now_us: int) -> bool:
    return pause.until_us is None or now_us < pause.until_us


def _text(pause: Pause) -> str:
    """Return the text of a pause's file, readable with `cat`."""
    rows = [f"since_us {pause.since_us} ({_utc(pause.since_us)})"]
    if pause.until_us is not None:
        rows.append(f"until_us {pause.until_us} ({_utc(pause.until_us)})")
    rows += [f"by {first_line(pause.by)}", f"reason {first_line(pause.reason)}"]
    return "\n".join(rows) + "\n"


def _read(root: Path, who: str, kind: str) -> Pause | None:
    """Return the pause in a file, which may be empty if made by hand; None if it is gone."""
    path = directory(root) / (who + kind)
    with reporting(path):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
            made_us = path.stat().st_mtime_ns // 1000
        except FileNotFoundError:
            return None
    rows = dict(line.partition(" ")[::2] for line in text.splitlines())
    pause = Pause(who, _number(rows.get("since_us", ""), made_us))
    if kind == _UNTIL:  # without a readable end it has no end: a pause fails safe
        pause = pause._replace(until_us=_number(rows.get("until_us", ""), None))
    return pause._replace(
        by=first_line(rows.get("by", "")), reason=first_line(rows.get("reason", ""))
    )


def _number(text: str, otherwise: _T) -> int | _T:
    found = re.match(_INSTANT, text)
    return int(found[1]) if found else otherwise


def _put_back(root: Path) -> None:
    for name in _names(root):
        if name.endswith(_LIFTED):
            path = directory(root) / name
            with reporting(path):
                try:
                    path.rename(path.with_name(name.removesuffix(_LIFTED)))
                except FileNotFoundError:
                    continue  # another was faster


def _remove(path: Path) -> None:
    with reporting(path):
        path.unlink(missing_ok=True)


def _utc(time_us: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(time_us / 1_000_000))
