"""Times, lengths and tables in words for `memtool scheduler`. Pure but for the machine's zone."""

from __future__ import annotations

import time
from collections.abc import Sequence

from memtool.ledger.run import Run
from memtool.systemd.pauses import ALL, Pause

WIDTH = 80
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_TENTHS_BELOW_S = 10
_DAY_US = 86_400_000_000
_YEAR_IS_SHOWN_AFTER_US = 300 * _DAY_US


def moment(time_us: int, now_us: int) -> str:
    """Return the local time of this machine, with the year in the place of the hour where it is far away."""
    is_far = abs(now_us - time_us) > _YEAR_IS_SHOWN_AFTER_US
    return local(time_us, "%Y-%m-%d" if is_far else "%m-%d %H:%M")


def coming(time_us: int, now_us: int) -> str:
    """Return when something will be, relative and absolute, in 18 characters at most."""
    is_today = 0 <= time_us - now_us < _DAY_US
    when = local(time_us, "%H:%M") if is_today else moment(time_us, now_us)
    return f"{ago(time_us, now_us)} {when}"


def local(time_us: int, pattern: str) -> str:
    """Return the time in the machine's zone."""
    return time.strftime(pattern, time.localtime(time_us / 1_000_000))


def ago(time_us: int, now_us: int) -> str:
    """Return how long ago, or in how long, something is."""
    past_s = (now_us - time_us) // 1_000_000
    return f"in {span(-past_s)}" if past_s < 0 else f"{span(past_s)} ago"


def took(run: Run, now_us: int) -> str:
    """Return how long it took, or has taken so far."""
    spent_us = max(0, now_us - run.started_us) if run.result is None else run.duration_us
    if spent_us is None:
        return "-"
    spent_s = spent_us / 1_000_000
    return f"{spent_s:.1f}s" if spent_s < _TENTHS_BELOW_S else span(int(spent_s))


def span(length_s: int) -> str:
    """Return a length in its largest whole unit."""
    for size_s, unit in _UNITS:
        if length_s >= size_s:
            return f"{length_s // size_s}{unit}"
    return "0s"


def pause_words(pause: Pause, now_us: int) -> str:
    """Return since when, until when and why: what stands behind "paused"."""
    since = f"since {moment(pause.since_us, now_us)} ({ago(pause.since_us, now_us)})"
    by = f" by {pause.by}" if pause.by else ""
    until = "" if pause.until_us is None else f" until {moment(pause.until_us, now_us)}"
    together = ", with all jobs" if pause.who == ALL else ""
    why = f": {pause.reason}" if pause.reason else ""
    return f"{since}{by}{until}{together}{why}"


def table(rows: Sequence[Sequence[str]], *, right: frozenset[int]) -> list[str]:
    """Return the rows as lines, columns aligned: two spaces between them, one where the terminal is too narrow."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    gap = "  " if sum(widths) + 2 * (len(widths) - 1) <= WIDTH else " "
    return [
        gap.join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
