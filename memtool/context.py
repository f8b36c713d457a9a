"""What a job's body is given: its fixed now, its tally, the store's locks, and when to stop.

Never ends the process by itself.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Self

from msgspec import Struct, field

from memtool import locks as lock
from memtool.ledger.file import MAX_PERIODS, WROTE
from memtool.locks import Holder, Lock, LockWait
from memtool.text import first_line

_MAX_FAILURES = 20


class Stopped(Exception):  # noqa: N818 - no error: it was asked for
    """A signal asked the job to leave, and a step has just ended."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.signal_number = signal_number


class DeadlineReached(Exception):  # noqa: N818 - no error: the rest waits for the next run
    """The job's time is up, and a step has just ended."""


class Tally(Struct):
    """What a run did, counted as it does it, so that the ledger is right however the run ends."""

    nodes: int = 0
    events: int = 0
    calls: int = 0
    tokens: int = 0
    periods: list[str] = []
    periods_count: int = 0
    left: dict[str, dict[str, int]] | None = None
    """What waits after this run, by level and reason; None if it did not look."""
    details: dict[str, int] = {}
    failures: list[str] = []
    failures_count: int = 0
    cut_short: str = ""
    """Why work was left for the next run, such as "the budget of 100 calls is used up"; empty if none was."""
    problem: str = ""
    """What is wrong, was reported by an earlier run, and keeps nothing else from being done."""

    def add_period(self, period_id: str) -> None:
        """Count a period that this run worked on. The first few are named in the ledger."""
        self.periods_count += 1
        if len(self.periods) < MAX_PERIODS:
            self.periods.append(period_id)

    def wrote(self, level: str) -> None:
        """Count a node that was written."""
        self.nodes += 1
        self.details[f"{WROTE}{level}"] = self.details.get(f"{WROTE}{level}", 0) + 1

    def looked(self) -> None:
        """Note that this run counts what waits after it, from zero."""
        self.left = {}

    def leave(self, level: str, reason: str, count: int = 1) -> None:
        """Count what waits after this run, such as ("week", "stale", 2)."""
        self.left = {} if self.left is None else self.left
        reasons = self.left.setdefault(level, {})
        reasons[reason] = reasons.get(reason, 0) + count

    def fail(self, what: str, message: str) -> None:
        """Count a part of the work that failed while the rest goes on: the run ends 1."""
        self.failures_count += 1
        if len(self.failures) < _MAX_FAILURES:
            self.failures.append(first_line(f"{what}: {message}"))


class Limits(Struct, frozen=True):
    """How long a job waits for a lock, and after how long it stops between two steps (0: never).

    `job_wait_s` is how long it waits for another run of the same job. A timer's run does not wait.
    """

    lock_wait_s: float = 300
    deadline_s: float = 0
    job_wait_s: float = 0


class Progress(Struct, frozen=True):
    """How far a run is: `done` of `total` things, or bytes; a total of 0 is not known."""

    done: int
    total: int
    label: str
    is_bytes: bool = False


def _ignore(_: object) -> None:
    """Do nothing."""


class Reports(Struct, frozen=True):
    """Where a job's progress and its notes for the person go while it runs."""

    progress: Callable[[Progress], None] = _ignore
    talk: Callable[[str], None] = _ignore


class Signals:
    """While entered, SIGTERM and SIGINT only set a flag.

    A second SIGINT kills at once. Outside the main thread: does nothing.
    """

    _CAUGHT = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.received = 0
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None]
        self._before = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in self._CAUGHT}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.received = self.received or number
        if number == signal.SIGINT:  # the next one kills, also where Python is not running
            signal.signal(signal.SIGINT, signal.SIG_DFL)


class RunContext(Struct, frozen=True):
    """One run, as its body sees it."""

    root: Path
    now_us: int
    holder: Holder
    tally: Tally = field(default_factory=Tally)
    limits: Limits = Limits()
    reports: Reports = Reports()
    signals: Signals = field(default_factory=Signals)
    paused: frozenset[str] = frozenset()
    """The levels whose jobs are paused."""
    held: frozenset[str] = frozenset()
    """Those of them that this run must not write: all in a scheduled run, none in a run by hand."""
    began_s: float = field(default_factory=time.monotonic)
    aside: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext()
    """Lets another run of the same job do its work while this one waits for what it names (`jobs/runner`)."""

    @property
    def remaining_s(self) -> float:
        """Seconds until the deadline, infinite where there is none."""
        if self.limits.deadline_s <= 0:
            return math.inf
        return self.began_s + self.limits.deadline_s - time.monotonic()

    def clock_us(self) -> int:
        """Return the present instant, in microseconds since 1970: the run's now, and what has passed since."""
        return self.now_us + int((time.monotonic() - self.began_s) * 1_000_000)

    def should_stop(self) -> bool:
        """Return whether `checkpoint` would raise."""
        return bool(self.signals.received) or self.remaining_s <= 0

    def checkpoint(self) -> None:
        """Raise Stopped after a signal, DeadlineReached when the time is up. Call it between steps."""
        if self.signals.received:
            raise Stopped(self.signals.received)
        if self.remaining_s <= 0:
            raise DeadlineReached

    def progress(self, done: int, total: int, label: str, *, is_bytes: bool = False) -> None:
        """Show how far the run is."""
        self.reports.progress(Progress(done, total, label, is_bytes))

    def tree(self) -> AbstractContextManager[Lock]:
        """Hold the tree lock. Waiting for it has a limit, and is a place to stop, like `checkpoint`."""
        return lock.tree(
            self.root, self.holder, self.lock_wait("table of contents", self.limits.lock_wait_s)
        )

    def writer(self) -> AbstractContextManager[Lock]:
        """Hold the writer lock. Waiting for it, in line, has a limit, and is a place to stop, like `checkpoint`."""
        return lock.writer(self.root, self.holder, self.lock_wait("store", self.limits.lock_wait_s))

    def lock_wait(self, what: str, wait_s: float) -> LockWait:
        """Return how to wait for a lock: within the limit; signals end the wait, and a note says once who holds it."""

        def on_wait(other: Holder | None) -> None:
            self.reports.talk(f"waiting for the {what}: {other or 'another process'} is at work")

        return LockWait(wait_s, self.checkpoint, on_wait)
