"""A whole memory in a directory, driven as the commands drive it: real store, real runner, a clock by argument."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from memtool.context import Limits, RunContext
from memtool.jobs.runner import Outcome, run_job
from memtool.ledger.file import Trigger
from memtool.model.calendar import Calendar
from memtool.model.levels import PERIOD_LEVELS, Level, Period
from memtool.model.records import Node, Record
from memtool.rollup.job import roll_up
from memtool.rollup.plan import Choices, RollupOptions
from memtool.store import keys
from memtool.store.access import Access
from memtool.store.capture import Captured, capture
from memtool.store.store import Store
from memtool.summarize import Options, Summarizer, make
from memtool.summarize.calls import Budget
from memtool.systemd.jobs import job_named

UTC_CALENDAR = Calendar("UTC")


@dataclass
class Memory:
    """One store and the jobs on it."""

    root: Path
    calendar: Calendar = UTC_CALENDAR

    @property
    def access(self) -> Access:
        return Access(self.root)

    def take_in(self, records: Sequence[Record], *, now_us: int = 0) -> Captured:
        """Capture the records in one batch, under the locks of a real ingest."""
        captured: list[Captured] = []

        def body(context: RunContext) -> None:
            with self.access.lease(context.writer, self.calendar) as lease:
                captured.append(capture(lease.store(), records))

        outcome = run_job(job_named("ingest"), body, root=self.root, clock=lambda: now_us)
        assert outcome.exit_code == 0, outcome.error
        return captured[0]

    def roll_up(
        self,
        level: Level,
        now_us: int,
        *,
        summarizer: Summarizer | None = None,
        choices: Choices = Choices(),  # noqa: B008 - frozen
        calendar: Calendar | None = None,
        budget: Budget = Budget(),  # noqa: B008 - frozen
        at_once: int = 1,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        trigger: Trigger = "manual",
    ) -> Outcome:
        """Run one rollup job at the given instant."""
        options = RollupOptions(
            level=level,
            summarizer=summarizer or make("mock", Options(max_bullets=5)),
            calendar=calendar or self.calendar,
            zone_is_set=True,
            choices=choices,
            budget=budget,
            at_once=at_once,
        )

        def body(context: RunContext) -> None:
            roll_up(context, options)

        job = job_named(f"{level.word}-rollup")
        return run_job(
            job, body, root=self.root, trigger=trigger, clock=lambda: now_us, limits=limits
        )

    def roll_up_all(self, now_us: int, **choices: object) -> list[Outcome]:
        """Run the four rollup jobs in order."""
        return [self.roll_up(level, now_us, **choices) for level in PERIOD_LEVELS]  # type: ignore[arg-type]

    def closed_part(self, now_us: int) -> dict[str, dict[bytes, bytes]]:
        """Return every key and value of the closed periods' cuts, nodes and grips."""
        with self.access.reading() as store:
            return {
                keys.CUTS: _rows(store, keys.CUTS, lambda key: _day_closed(store, key, now_us)),
                keys.NODES: _rows(store, keys.NODES, lambda key: _node_closed(store, key, now_us)),
                keys.GRIPS: _rows(
                    store,
                    keys.GRIPS,
                    lambda key: _node_closed(store, key[:4] + key[4 + keys.ID_BYTES :], now_us),
                ),
            }

    def nodes(self, level: Level) -> list[Node]:
        """Return all nodes of a level."""
        with self.access.reading() as store:
            return list(store.nodes(level))

    def marks(self) -> dict[Period, int]:
        """Return what is marked."""
        with self.access.reading() as store:
            return store.marks()

    def everything(self) -> dict[str, dict[bytes, bytes]]:
        """Return every key and value of the store."""
        with self.access.reading() as store:
            return {name: dict(store.engine.scan(name)) for name in keys.FAMILIES}


def _rows(store: Store, family: str, wanted: object) -> dict[bytes, bytes]:
    assert callable(wanted)
    prefix = keys.generation(store.generation)
    rows = store.engine.scan(family, prefix, keys.after_prefix(prefix))
    return {key: value for key, value in rows if wanted(key)}


def _day_closed(store: Store, key: bytes, now_us: int) -> bool:
    day = Period(Level.DAY, int.from_bytes(key[4:8], "big"))
    return store.calendar.is_closed(day, now_us)


def _node_closed(store: Store, key: bytes, now_us: int) -> bool:
    level = max(Level.DAY, Level(key[4]))
    return store.calendar.is_closed(Period(level, int.from_bytes(key[5:9], "big")), now_us)


def all_of(*batches: Iterable[Record]) -> list[Record]:
    """Return the records of all batches in one."""
    return [record for batch in batches for record in batch]
