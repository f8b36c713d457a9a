"""How far a job is: one line that moves on a terminal, or plain lines now and then, on stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from importlib import import_module
from threading import Timer
from typing import TYPE_CHECKING

import typer

from memtool.cli.options import Invocation, JsonOption, ScheduledOption, invocation
from memtool.cli.output import NOTICE, WARNING, clean, console, note, print_json
from memtool.context import Limits, Progress, Reports
from memtool.errors import EXIT_CODES, ExitCode
from memtool.jobs.runner import Body, Outcome, run_job, trigger_of
from memtool.settings import Config
from memtool.systemd.jobs import Job, runnable_named
from memtool.text import size

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


_PATIENCE_S = 1.0
"""A run that takes no longer shows nothing; """
_SOON_S = 0.2
"""nor does one of several that takes no longer than this: it would only flicker."""
_EVERY_S = 5.0
"""How far apart plain lines are."""


class Show(Enum):
    """Where progress is shown."""

    TERMINAL = "on a terminal, of a run that takes longer than a moment"
    ALWAYS = "on a terminal soon, elsewhere as plain lines"
    NEVER = "nowhere"


@contextmanager
def shown(environ: Mapping[str, str], job: str, show: Show) -> Iterator[Reports]:
    """Give what shows a job's progress and its notes."""
    is_terminal = sys.stderr.isatty() and environ.get("TERM") != "dumb"
    if show is Show.NEVER or (show is Show.TERMINAL and not is_terminal):
        yield Reports(talk=_warn)  # a journal wants no bars
    elif not is_terminal:
        yield Reports(progress=_Lines(job).show, talk=_warn)
    else:
        line = _Line(environ, job, _SOON_S if show is Show.ALWAYS else _PATIENCE_S)
        try:
            yield Reports(progress=line.show, talk=line.talk)
        finally:
            line.close()


def _warn(text: str) -> None:
    note(text, WARNING)


class _Lines:
    """Prints a plain line if the last one was printed some seconds ago."""

    def __init__(self, job: str) -> None:
        self._job = job
        self._last_s = time.monotonic()

    def show(self, progress: Progress) -> None:
        """Note how far the job is."""
        now_s = time.monotonic()
        if now_s - self._last_s >= _EVERY_S:
            self._last_s = now_s
            percent = f"{100 * progress.done // progress.total}%, " if progress.total else ""
            note(f"{self._job}: {percent}{_words(progress)}")


def _words(progress: Progress) -> str:
    done, total = progress.done, progress.total
    if progress.is_bytes:
        amount = f"{size(done)} of {size(total)}"
    else:
        amount = f"{done:,} of {total:,}" if total else f"{done:,}"
    return ", ".join(filter(None, (amount, progress.label)))


class _Line:
    """A line on the terminal that moves, and is gone at the end. It appears when a run has taken longer than a moment,
    so that one that is done by then need not load what draws it.
    """

    def __init__(self, environ: Mapping[str, str], job: str, patience_s: float) -> None:
        self._environ = environ
        self._job = job
        self._last: Progress | None = None
        self._bar: Bar | None = None
        self._timer = Timer(patience_s, self._appear)
        self._timer.daemon = True
        self._timer.start()

    def show(self, progress: Progress) -> None:
        """Note how far the job is."""
        self._last = progress
        if self._bar is not None:
            self._update(self._bar, progress)

    def talk(self, text: str) -> None:
        """Print a note above the line."""
        if self._bar is None:
            note(text)
        else:
            self._bar.console.print(clean(text))

    def close(self) -> None:
        """Take the line away, or let it not appear."""
        self._timer.cancel()
        self._timer.join()
        if self._bar is not None:
            self._bar.stop()

    def _appear(self) -> None:
        bar = _bar(self._environ)
        bar.add_task(self._job, total=None)
        if self._last is not None:
            self._update(bar, self._last)
        bar.start()
        self._bar = bar

    def _update(self, bar: Bar, progress: Progress) -> None:
        bar.update(
            bar.task_ids[0],
            completed=progress.done,
            total=progress.total or None,
            description=clean(f"{self._job}: {_words(progress)}"),
        )


def _bar(environ: Mapping[str, str]) -> Bar:
    """Return what draws the line. On a narrow terminal its words are cut, not wrapped."""
    from rich.progress import BarColumn, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar
    from rich.table import Column
    from rich.text import Text

    class Remaining(TimeRemainingColumn):
        def render(self, task: Task) -> Text:
            """Return the time with what it means, nothing while it is not known."""
            text = super().render(task)
            return Text() if task.time_remaining is None else text.append(" left")

    screen = console(environ, sys.stderr)
    words = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns = (
        TaskProgressColumn(),
        BarColumn(bar_width=min(30, screen.width // 5)),
        TextColumn("{task.description}", table_column=words),
        Remaining(compact=True),
    )
    return Bar(*columns, console=screen, transient=True, expand=True)


def run(
    call: Invocation,
    job: str,
    body: Body,
    *,
    waits: bool = False,
    show: Show = Show.TERMINAL,
    is_recorded: bool = True,
) -> Outcome:
    """Run the body of the job, or task, of this name for this command and return how it ended.

    With `waits` it waits for another run of the same job, which does other work.
    """
    with shown(call.environ, job, show) as reports:
        return run_job(
            runnable_named(job),
            body,
            root=call.store.root,
            trigger=trigger_of(call.environ, os.getpid(), is_scheduled=call.is_scheduled),
            limits=_limits(call.config, waits=waits),
            reports=reports,
            is_recorded=is_recorded,
        )


def _limits(config: Config, *, waits: bool) -> Limits:
    wait_s = config.locks.wait_s
    return Limits(wait_s, config.jobs.deadline_s, job_wait_s=wait_s if waits else 0)


def conclude(outcome: Outcome) -> ExitCode:
    """Return the exit code of the run; raise its error, so that it is said in the one place for errors."""
    if outcome.error is not None:
        raise outcome.error
    if outcome.run.reason and outcome.run.result != "done":
        note(f"memtool: {outcome.run.job} {outcome.run.result}: {outcome.run.reason}", NOTICE)
    return next(row for row in EXIT_CODES if row.code == outcome.exit_code)


def outcome_json(outcome: Outcome) -> Mapping[str, object]:
    """Return how a run ended, as every job's --json has it."""
    error = outcome.error
    return {
        "run": outcome.run.run,
        "job": outcome.run.job,
        "result": outcome.run.result,
        "exit_code": outcome.exit_code,
        "error": error.message if error else "",
        "hint": error.hint if error else "",
        "reason": outcome.run.reason,
        "left": outcome.run.left,
    }


def command_of(job: Job) -> Callable[..., ExitCode]:
    """Return the command of a job whose row names the body: it runs that, and says how it ended."""
    module, _, name = job.body.partition(":")

    def command(
        context: typer.Context, *, scheduled: ScheduledOption = False, json: JsonOption = False
    ) -> ExitCode:
        del scheduled  # its callback has noted it
        outcome = run(invocation(context), job.name, getattr(import_module(module), name))
        if json:
            print_json(job.name, 1, outcome_json(outcome))
        return conclude(outcome)

    command.__doc__ = job.help
    return command
