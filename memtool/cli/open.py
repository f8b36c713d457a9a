"""`memtool open`: what is open, by project, oldest first; and that something is settled."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from memtool.cli.options import Invocation, JsonOption, OnlyProjectOption, invocation
from memtool.cli.output import Page, number, print_json, print_line
from memtool.cli.reading import STATE_COLOURS, here, read, reader_of, say_no_memory, sign
from memtool.errors import OK, ExitCode, UsageError
from memtool.model.clock import Clock
from memtool.model.records import SETTLED_ITEM, SETTLED_THREAD, Event, Record
from memtool.model.threads import item_id
from memtool.query.by_hand import settlements
from memtool.query.follow import (
    ITEM_DIGITS,
    QUIET_DAYS,
    THREAD,
    OpenThread,
    OpenThreads,
    named_items,
    open_threads,
)
from memtool.query.names import MIN_DIGITS, THREAD_DIGITS
from memtool.store.store import Store

if TYPE_CHECKING:
    from memtool.jobs.by_hand import Settled

VERSION = 2
_DEEP = "    "

AllOption = Annotated[
    bool,
    typer.Option("--all", help=f"Also threads without a word for {QUIET_DAYS} days."),
]
DoneOption = Annotated[
    list[str] | None,
    typer.Option(
        "--done",
        metavar="ID",
        help="Settle this item, or all of thread:ID. Can be repeated.",
    ),
]
UndoOption = Annotated[
    list[str] | None,
    typer.Option("--undo", metavar="ID", help="Open again what --done has settled."),
]


def open_(
    context: typer.Context,
    *,
    project: OnlyProjectOption = "",
    everything: AllOption = False,
    done: DoneOption = None,
    undo: UndoOption = None,
    json: JsonOption = False,
) -> ExitCode:
    """List what is open, by project, oldest first. Or say that something of it is settled.

    An ID is the first digits of the one that stands before an item, or of its grip."""
    call = invocation(context)
    if done and undo:
        raise UsageError("--done and --undo exclude each other", hint="use one after the other")
    if done:
        return _settle(call, done, as_json=json)
    if undo:
        return _open_again(call, undo, as_json=json)
    found = read(call, lambda reader: open_threads(reader, project, here()), as_json=json)
    if json:
        print_json("open", VERSION, found)
    elif found.exists:
        _print(Page(call.environ), found, everything=everything)
    return OK


def _settle(call: Invocation, texts: Sequence[str], *, as_json: bool) -> ExitCode:
    from memtool.cli.running import conclude, outcome_json, run  # a list needs none of this
    from memtool.jobs.by_hand import Settled, keep

    reader = reader_of(call)
    with reader.memory() as store:
        if store is None:
            say_no_memory(call)
            return OK
        found = named_items(store, reader, texts)
        records: list[Record] = [
            _settled(store, Settled(thread.id, item.key, thread.project, time_us), call.now_us)
            for thread, item, times_us in found
            for time_us in times_us
        ]
    outcome = run(call, "settle", partial(keep, records=records), waits=True)
    rows = [
        {
            "id": item_id(thread.id, item.key),
            "text": item.text,
            "thread": thread.id,
            "headline": thread.headline,
        }
        for thread, item, _ in found
    ]
    if as_json:
        print_json("open-done", VERSION, {**outcome_json(outcome), "settled": rows})
    elif outcome.error is None:
        for row in rows:
            print_line(f"Settled: {row['text']} ({row['headline']})")
        ids = " ".join(f"--undo {row['id'][:ITEM_DIGITS]}" for row in rows)
        print_line(f"To open it again: memtool open {ids}")
    return conclude(outcome)


def _settled(store: Store, item: Settled, now_us: int) -> Event:
    """Return the event that settles an item: a new one, also where the same was said and undone before."""
    from memtool.jobs.by_hand import settled_event

    event = settled_event(item, now_us)
    while store.has_event(event.id):
        now_us += 1
        event = settled_event(item, now_us)
    return event


def _open_again(call: Invocation, texts: Sequence[str], *, as_json: bool) -> ExitCode:
    from memtool.cli.running import conclude, outcome_json, run
    from memtool.jobs.by_hand import keep, taken_back

    with reader_of(call).memory() as store:
        if store is None:
            say_no_memory(call)
            return OK
        every = settlements(store)
    found = {event.id: event for text in texts for event in _settled_by(text, every)}
    records: list[Record] = [taken_back(event) for event in found.values()]
    outcome = run(call, "settle", partial(keep, records=records), waits=True)
    ids = sorted({item_id(*_about(event)) for event in found.values()})
    if as_json:
        print_json("open-undo", VERSION, {**outcome_json(outcome), "opened": ids})
    elif outcome.error is None:
        print_line(f"{number(len(ids), 'item')} open again: memtool open")
    return conclude(outcome)


def _about(event: Event) -> tuple[str, str]:
    return event.metadata.get(SETTLED_THREAD, ""), event.metadata.get(SETTLED_ITEM, "")


def _settled_by(text: str, every: Sequence[Event]) -> list[Event]:
    """Return the events that settle what the text names. Raise UsageError if there is none."""
    name = text.strip("[] ").lower()
    digits = name.removeprefix(THREAD)
    found = [
        event
        for event in every
        if (_about(event)[0] if name.startswith(THREAD) else item_id(*_about(event))).startswith(
            digits
        )
    ]
    if len(digits) < MIN_DIGITS or not found:
        raise UsageError(
            f"nothing that was settled by hand is named {text}",
            hint="memtool events --kind settled lists when that was done; --done prints the ID",
        )
    return found


def _print(page: Page, found: OpenThreads, *, everything: bool) -> None:
    active = [thread for thread in found.threads if not thread.quiet]
    quiet = [thread for thread in found.threads if thread.quiet]
    if not found.threads:
        print_line("Nothing is open.")
        return
    _print_threads(page, found, active)
    if everything and quiet:
        if active:
            page.blank()
        page.line((f"Quiet: without a word for {QUIET_DAYS} days", "bold underline"))
        page.blank()
        _print_threads(page, found, quiet)
    shown = active or (quiet if everything else [])
    if shown:
        page.blank()
        page.line((f"To settle one: memtool open --done {shown[0].points[0].short}", "dim"))
        first = f"thread:{shown[0].id[:THREAD_DIGITS]}"
        page.line((f"To follow one: memtool show {first}", "dim"))
    if quiet and not everything:
        items = number(sum(len(thread.points) for thread in quiet), "item")
        threads = number(len(quiet), "thread")
        words = f"{items} of {threads} without a word for {QUIET_DAYS} days: memtool open --all"
        page.line((words, "dim"))


def _print_threads(page: Page, found: OpenThreads, threads: Sequence[OpenThread]) -> None:
    clock = Clock(found.zone)
    for index, (project, held) in enumerate(
        groupby(threads, key=lambda thread: found.short_projects[thread.project])
    ):
        if index:
            page.blank()
        page.line((project, "bold"))
        for thread in held:
            _print_thread(page, clock, thread)


def _print_thread(page: Page, clock: Clock, thread: OpenThread) -> None:
    page.line(
        (thread.headline, "bold"),
        first=f"{sign(page, thread.state)} ",
        lead=STATE_COLOURS[thread.state],
    )
    where = thread.branch or f"thread:{thread.id[:THREAD_DIGITS]}"
    page.line((f"{where} · last {clock.day(thread.last_us)}", "dim"), first=_DEEP)
    for point in thread.points:
        names = "".join(f" [{grip}]" for grip in point.grips)
        lead = f"{_DEEP}{point.short}  "
        page.line(point.text, (f" {names}" if names else "", "dim"), first=lead)
