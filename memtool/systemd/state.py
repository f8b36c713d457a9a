"""The values of the status model: one job as it is, what was looked at, what is wrong. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from memtool.ledger.run import Left, Run
from memtool.systemd.jobs import Job
from memtool.systemd.pauses import Pause
from memtool.systemd.systemctl import Timers
from memtool.systemd.units import TimerState


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong, with a job or (job "") with all. In words: job, what, when (note): detail."""

    kind: str
    job: str
    what: str
    since_us: int | None = None
    note: str = ""
    detail: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """One job: the run on its way, the last one that ended, counts since the ledger began, what waits for it."""

    job: Job
    running: Run | None
    last: Run | None
    newest: Run | None
    """The newest record of any kind, a skip too: it shows that the job was begun."""
    last_by_timer: Run | None
    """The last that ended and was not begun by hand."""
    runs: int
    errors: int
    skips: int
    left: Left
    timer: TimerState | None = None
    pause: Pause | None = None
    troubles: tuple[Trouble, ...] = ()

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is wrong with it. A job that never ran, or is paused, is healthy."""
        return not self.troubles

    @property
    def waits(self) -> int:
        """How much waits for it, all reasons together."""
        return count(self.left)


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at beside the ledger, and when: timers, pauses by job, the machine's zone, a setting."""

    now_us: int = 0
    timers: Timers = field(default_factory=Timers)
    pauses: Mapping[str, Pause] = field(default_factory=dict)
    machine_zone: str = ""
    skips_on_battery: bool = False
    """Whether the settings have rollups skipped on battery power."""


@dataclass(frozen=True, slots=True)
class Status:
    """All jobs in the table's order. `looked_by` is the run whose word on what waits the rollups' rows repeat."""

    jobs: tuple[JobStatus, ...]
    looked_by: Run | None
    damaged_lines: int
    timers: Timers
    troubles: tuple[Trouble, ...]
    """All there are: the jobs' own, in their order, then the common ones."""

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not self.troubles


def count(left: Left) -> int:
    """Return how much is left, all levels and reasons together."""
    return sum(number for reasons in left.values() for number in reasons.values())


def words(left: Left) -> str:
    """Return in words what is left, such as "2 days stale, 1 week failed"."""
    parts = [
        f"{number} {level if number == 1 else level + 's'} {reason}"
        for level, reasons in left.items()
        for reason, number in reasons.items()
    ]
    return ", ".join(parts)
