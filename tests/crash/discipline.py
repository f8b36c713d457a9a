"""A summarizer that waits for something outside, and what another process does to the store meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from memtool.context import Limits, RunContext
from memtool.errors import MemtoolError
from memtool.jobs.runner import run_job
from memtool.model.records import Recipe
from memtool.model.summary import Draft, Request
from memtool.store.access import Access
from memtool.store.capture import capture
from memtool.summarize import Calls, Options, Price, make
from memtool.summarize.mock import Mock
from memtool.systemd.jobs import job_named
from tests.crash.events import an_event
from tests.memory import UTC_CALENDAR


@dataclass
class Waiting:
    """Answers as the mock does, and signs as it does, after something has happened outside."""

    meanwhile: Callable[[Request], None]
    requests: list[Request] = field(default_factory=list)
    waits: Literal[True] = True

    @property
    def recipe(self) -> Recipe:
        """The mock's, so that its nodes can be compared with the mock's."""
        return make("mock", Options(max_bullets=5)).recipe

    def without_call(self, request: Request) -> Draft | None:  # noqa: ARG002
        """Every node waits."""
        return None

    def price(self, request: Request) -> Price:  # noqa: ARG002
        """One call a node."""
        return Price(1)

    async def summarize(self, request: Request, calls: Calls) -> Draft:  # noqa: ARG002
        """Return the mock's draft."""
        self.requests.append(request)
        self.meanwhile(request)
        return Mock(5).summarize(request)


def take_in_at_once(root: Path, numbers: list[int]) -> tuple[int, MemtoolError | None]:
    """Ingest events without any wait for a lock; return the exit code and the error."""

    def body(context: RunContext) -> None:
        with Access(root).lease(context.writer, UTC_CALENDAR) as lease:
            capture(lease.store(), [an_event(number) for number in numbers])

    limits = Limits(lock_wait_s=0)
    outcome = run_job(job_named("ingest"), body, root=root, limits=limits, clock=lambda: 0)
    return outcome.exit_code, outcome.error
