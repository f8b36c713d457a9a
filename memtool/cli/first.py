"""The first use: show which sessions there are, offer to ingest them, and continue with the command."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

import typer
from msgspec import Struct

from memtool.agents.discover import discover, waiting
from memtool.agents.registry import Root, root_of
from memtool.cli.ingest import calendar_words, ingest_all
from memtool.cli.options import Invocation
from memtool.cli.output import Page, ask, cleaned, note, number
from memtool.cli.rollup import run_level
from memtool.cli.running import Show
from memtool.errors import (
    BAD_DATA,
    EXIT_CODES,
    FAILED,
    INTERRUPTED,
    IO_ERROR,
    OK,
    SKIPPED,
    TERMINATED,
    ConfigError,
    ExitCode,
    StorageError,
)
from memtool.jobs.ingest import Report
from memtool.jobs.runner import Outcome
from memtool.model.levels import PERIOD_LEVELS
from memtool.query.reader import reader_for
from memtool.rollup.plan import Choices
from memtool.store.access import Access
from memtool.summarize import row
from memtool.text import size

_BYTES_PER_S = 5 << 20
"""How much ingest and rollup together get through: 3 MiB a second on a machine with eight times the work that it has
cores for, about 10 MiB in a second of CPU time.
"""
_FEW_S, _MOST_OF_A_MINUTE_S, _MINUTE_S = 8, 45, 60
_LEFT_SOME = {OK.code, FAILED.code, BAD_DATA.code, IO_ERROR.code, SKIPPED.code}
"""How an ingest may end whose rollup is still worth its while."""
_STOPPED = {INTERRUPTED.code, TERMINATED.code}


class Found(Struct, frozen=True):
    """The transcripts that can be ingested, by agent, and the directories that were searched."""

    roots: tuple[Root, ...]
    sizes: Mapping[str, Sequence[int]]
    """The size of each file, by the agent's title."""
    unreadable: StorageError | None = None
    """A place that could not be looked at, and why."""

    @property
    def files(self) -> int:
        """How many there are."""
        return sum(map(len, self.sizes.values()))

    @property
    def size_bytes(self) -> int:
        """Their size."""
        return sum(map(sum, self.sizes.values()))

    @property
    def words(self) -> str:
        """What there is, or that there is nothing."""
        if not self.files and self.unreadable is not None:
            return f"Cannot read {self.unreadable.message}."
        if not self.files:
            there = [root for root in self.roots if root.path.is_dir()] or self.roots[:1]
            return " ".join(
                f"No session of {root.agent.title} was found below {root.places}." for root in there
            )
        return " ".join(
            f"{agent} has {number(len(sizes), 'session')} here ({size(sum(sizes))})."
            for agent, sizes in self.sizes.items()
        )


def offer(call: Invocation, *, as_json: bool) -> bool:
    """Return whether all transcripts were ingested, after the user at the terminal agreed.

    Return False with `as_json`: the caller prints its empty result. End the program if there is nothing to read.
    """
    found = find_transcripts(call)
    can_ask = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    if as_json or not can_ask or not found.files:
        say_what_helps(call, found)
        if as_json:
            return False
        raise typer.Exit(OK.code)
    if not _is_agreed(call, found):
        raise typer.Exit(OK.code)
    code = take_in(call)
    if code.code in _STOPPED or not _has_memory(call):
        raise typer.Exit(code.code)
    return True


def take_in(call: Invocation, *, as_json: bool = False) -> ExitCode:
    """Ingest all transcripts and roll them up, including open periods, with progress on stderr unless `as_json`.

    Return the worst exit code of these jobs. Errors are reported on stderr and stop no other job.
    """
    began_s = time.monotonic()
    show = Show.NEVER if as_json else Show.ALWAYS
    report = Report()
    outcomes: list[Outcome] = []
    try:
        for outcome in _jobs(call, report, show):
            outcomes.append(outcome)
            _say_problem(outcome)
    except KeyboardInterrupt:  # between two jobs; within one it ends the job, which is on record
        return _stopped(call, INTERRUPTED.code)
    worst = max(outcome.exit_code for outcome in outcomes)
    if worst in _STOPPED:
        return _stopped(call, worst)
    if not as_json:
        events = number(report.captured.new, "new event")
        nodes = sum(outcome.run.nodes for outcome in outcomes)
        took = f"{time.monotonic() - began_s:.0f} s"
        note(f"Read {events}, wrote {number(nodes, 'summary', 'summaries')}, in {took}.")
    return _exit_code(worst)


def _jobs(call: Invocation, report: Report, show: Show) -> Iterator[Outcome]:
    """Run the jobs one after the other, as far as there is a point in it."""
    outcome = ingest_all(call, report, show=show)
    yield outcome
    if outcome.exit_code not in _LEFT_SOME or not Access(call.store.root).exists():
        return
    for level in PERIOD_LEVELS:
        outcome = run_level(call, level, Choices(include_open=True), waits=True, show=show)
        yield outcome
        if outcome.exit_code not in {OK.code, FAILED.code, SKIPPED.code}:
            return


def _say_problem(outcome: Outcome) -> None:
    if outcome.error is not None:
        note(f"memtool: {outcome.run.job}: {outcome.error.message}")
        if outcome.error.hint:
            note(f"hint: {outcome.error.hint}")
    elif outcome.run.result == "partial":
        note(f"memtool: {outcome.run.job}: {outcome.run.reason}")


def _stopped(call: Invocation, code: int) -> ExitCode:
    note("Stopped. What was done is kept. To go on:")
    _say_commands(call)
    return _exit_code(code)


def _exit_code(code: int) -> ExitCode:
    return next(found for found in EXIT_CODES if found.code == code)


def say_what_helps(call: Invocation, found: Found | None = None) -> None:
    """Say on stderr that there is no memory yet, which sessions can be ingested, and how."""
    found = found or find_transcripts(call)
    note(f"memtool: no memory yet in {call.store.root}. {found.words}")
    if not found.files and found.unreadable is not None:
        note(f"hint: {found.unreadable.hint or 'look at it: ls -l'}")
    elif not found.files:
        variables = " or ".join(filter(None, (root.agent.variable for root in found.roots)))
        note(
            f"hint: if they are elsewhere, set {variables} to the directory that holds them, "
            f"or name a file or a directory: {_command(call, 'ingest')} PATH"
        )
    else:
        ingest, rollup = _commands(call)
        note(f"hint: {ingest} && {rollup}")


def find_transcripts(call: Invocation) -> Found:
    """Return what an ingest would read now."""
    access = Access(call.store.root)
    sources = {}
    if access.exists():
        with access.reading() as store:
            sources = store.sources()
    looked = discover(roots=call.roots)
    sizes: dict[str, list[int]] = {}
    for path, found in waiting(looked.files, sources):
        sizes.setdefault(root_of(path, call.roots).agent.title, []).append(found.size_bytes)
    unreadable = next((why for _, why in looked.failed), None)
    return Found(call.roots, sizes, unreadable)


def _has_memory(call: Invocation) -> bool:
    with reader_for(call.config, call.store.root, call.now_us).memory() as store:
        return store is not None


def _is_named(call: Invocation) -> bool:
    """Return whether this very call names the store: then a slip is as likely as a new memory."""
    return call.config.origin("store.path").kind in ("option", "environment")


def _is_agreed(call: Invocation, found: Found) -> bool:
    """Ask the user. Return False if the answer is no, or there is none."""
    page = Page(call.environ, sys.stderr)
    for line in _introduction(call, found):
        page.line(line)
    question = f"Take them in now? {_duration(call, found)}"
    if ask(call.environ, question, default=not _is_named(call)):
        return True
    note("Nothing was ingested. To do it by hand:")
    _say_commands(call)
    return False


def _introduction(call: Invocation, found: Found) -> Iterator[str]:
    yield f"No memory yet. {found.words}"
    if not Access(call.store.root).exists():
        yield f"The new memory will be in {call.store.root}."
        yield (
            f"{calendar_words(call)} Later only a rebuild changes that. To change it first, answer n and use "
            "memtool config set calendar.timezone (or day_starts_at, week_starts_on)."
        )
    if _has_model(call):
        yield (
            f"The summaries are written by {call.config.summarizer.name}, within the budget that is set."
        )


def _duration(call: Invocation, found: Found) -> str:
    expected_s = found.size_bytes / _BYTES_PER_S
    if _has_model(call):
        return "How long it takes depends on the model."
    if expected_s <= _FEW_S:
        return "It takes a few seconds."
    if expected_s <= _MOST_OF_A_MINUTE_S:
        return "It takes less than a minute."
    return f"It takes about {number(round(expected_s / _MINUTE_S), 'minute')}."


def _has_model(call: Invocation) -> bool:
    try:
        return row(call.config.summarizer.name).waits
    except ConfigError:
        return False  # the rollup says what is wrong


def _say_commands(call: Invocation) -> None:
    page = Page(call.environ, sys.stderr)
    for command in _commands(call):
        page.row(cleaned(command), "  ")


def _commands(call: Invocation) -> tuple[str, str]:
    return _command(call, "ingest"), _command(call, "rollup", "all", "--include-open")


def _command(call: Invocation, *arguments: str) -> str:
    options = {"--store": call.store_option, "--config": call.config_option}
    given = [word for name, value in options.items() if value for word in (name, str(value))]
    return shlex.join(["memtool", *given, *arguments])
