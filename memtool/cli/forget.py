"""`memtool forget`: permanently delete events. Shows what it found, and asks."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from msgspec import Struct

from memtool.cli.events import SinceOption, UntilOption
from memtool.cli.options import Invocation, JsonOption, agents, invocation
from memtool.cli.output import Page, ask, note, number, print_json, print_line, to_json
from memtool.cli.reading import here, reader_of, say_no_memory, span_of
from memtool.cli.running import conclude, outcome_json, run
from memtool.errors import OK, ExitCode, UsageError
from memtool.jobs.forget import Found, Report, Selector, look
from memtool.jobs.forget import forget as forget_body
from memtool.jobs.runner import Outcome
from memtool.model.clock import Clock
from memtool.model.levels import Level, Period
from memtool.query.events import shown_event
from memtool.query.verify import Since

VERSION = 1
_MARGIN = "  "
_MOST_LINES = 10
_FIRST_LINE = 100
_ID_DIGITS = 12


class _Last(Struct, frozen=True):
    """When something was done last."""

    time_us: int


SessionOption = Annotated[
    str,
    typer.Option(metavar="SESSION", help="Session ID or unique prefix."),
]
ProjectOption = Annotated[
    str,
    typer.Option(
        metavar="PROJECT", help="Path of a project, its last parts, or . for this repository."
    ),
]
AgentOption = Annotated[
    str, typer.Option(metavar="AGENT", autocompletion=agents, help="Name of an agent.")
]
MatchOption = Annotated[
    str,
    typer.Option(
        metavar="REGEX",
        help="Found anywhere in text or metadata; begin with (?i) to ignore case.",
    ),
]
EventOption = Annotated[
    list[str] | None,
    typer.Option(metavar="EVENT", help="Event ID or unique prefix. Can be repeated."),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what would be deleted.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def forget(
    context: typer.Context,
    *,
    session: SessionOption = "",
    project: ProjectOption = "",
    agent: AgentOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    match: MatchOption = "",
    event: EventOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> ExitCode:
    """Permanently delete the events that match all options, with every summary that may quote them.

    This cannot be undone. `memtool backup DIRECTORY` makes a copy first."""
    call = invocation(context)
    reader = reader_of(call)
    selector = Selector(session, project, agent, since, until, match, tuple(event or ()), here())
    found = look(reader, selector)
    if not json:
        _print_found(call, found)
    is_idle = not found.exists or (found.is_empty and found.erasing is None)
    if dry_run or is_idle:
        if json:
            print_json(
                "forget", VERSION, {"dry_run": dry_run, **_found_json(found), **_done_json()}
            )
        return OK
    if not yes and not _is_agreed(call.environ, found):
        note("Nothing was forgotten.")
        return OK
    report = Report()
    outcome = run(
        call, "forget", lambda running: forget_body(running, reader, selector, report), waits=True
    )
    if json:
        shown = report.found or found
        done = {**outcome_json(outcome), **_done_json(report)}
        print_json("forget", VERSION, {"dry_run": False, **_found_json(shown), **done})
    else:
        _print_done(report, outcome)
    return conclude(outcome)


def _is_agreed(environ: Mapping[str, str], found: Found) -> bool:
    """Return whether the user agrees. Raise UsageError if there is no terminal to ask on."""
    if not found.ids:
        return True  # what an earlier run began, and was agreed to then
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        raise UsageError(
            "forgetting cannot be undone, and there is no terminal to ask on",
            hint="--yes does it, --dry-run only shows it; memtool backup DIR first keeps a copy",
        )
    note("This cannot be undone (memtool backup DIR first keeps a copy).")
    return ask(environ, f"Forget {number(len(found.ids), 'event')} permanently?", default=False)


def _print_found(call: Invocation, found: Found) -> None:
    if not found.exists:
        say_no_memory(call)
        return
    page, clock = Page(call.environ), Clock(found.zone)
    if not found.ids:
        page.line("No event matches.")
        if found.echoes:
            texts = number(found.echoes, "other text")
            page.line(f"{texts} of summaries, of the ledger or of rejected input would be deleted.")
    else:
        page.line(
            (f"{number(len(found.ids), 'event')} of {number(len(found.days), 'day')}", "bold"),
            f", {span_of(found.days)}",
        )
        for event in found.samples:
            head = f"{clock.moment(event.time_us)} {event.kind}: "
            page.line((head, "dim"), _first_line(event.text), first=_MARGIN, rest=_MARGIN * 2)
        if len(found.ids) > len(found.samples):
            page.line((f"… and {len(found.ids) - len(found.samples):,} more", "dim"), first=_MARGIN)
        _print_names(
            page, "sessions", {found.short_sessions[one]: n for one, n in found.sessions.items()}
        )
        _print_names(page, "projects", found.projects)
        _print_nodes(page, found)
    _print_left(page, clock, found)


def _first_line(text: str) -> str:
    return text.strip()[:_FIRST_LINE].partition("\n")[0]


def _print_names(page: Page, what: str, counts: Mapping[str, int]) -> None:
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    named = ", ".join(f"{name} ({count:,})" for name, count in rows[:_MOST_LINES])
    more = f" and {len(rows) - _MOST_LINES:,} more" if len(rows) > _MOST_LINES else ""
    if rows:
        page.line(f"{what}: {named}{more}", rest=_MARGIN)


def _print_nodes(page: Page, found: Found) -> None:
    if found.nodes:
        nodes = ", ".join(number(count, level.word) for level, count in found.nodes.items())
        page.line(
            f"summaries that go with them, since they may quote them: {nodes}; the next rollup rewrites the rest",
            rest=_MARGIN,
        )


def _print_left(page: Page, clock: Clock, found: Found) -> None:
    """Print what stays, and what is unfinished."""
    if found.quoting:
        events = number(found.quoting_count, "event")
        page.line(
            (
                f"{events} of other sessions name it and stay; forget --event or --match takes them:",
                "yellow",
            )
        )
        for event in found.quoting:
            head = f"{event.id[:_ID_DIGITS]} {clock.moment(event.time_us)} {event.kind}: "
            page.line((head, "dim"), _first_line(event.text), first=_MARGIN, rest=_MARGIN * 2)
    if found.named:
        page.line(("Matching names stay; forget --session or --project takes them:", "yellow"))
        _print_some(page, found.named)
    if found.sources_kept:
        files = number(len(found.sources_kept), "file")
        page.line(
            (f"memtool does not change {files} of the agents, which keep what they hold:", "yellow")
        )
        _print_some(page, found.sources_kept)
    if found.ids:
        last = f", such as that of {clock.day(found.backup_us)}" if found.backup_us else ""
        page.line((f"Backups{last}, exports and other machines keep what they have.", "yellow"))
    for path in found.copies:
        page.line(
            (f"{path} is another copy, which keeps what it holds; rm -r removes it", "yellow")
        )
    if found.erasing is not None:
        since = clock.moment(found.erasing.since_us)
        page.line((f"What was forgotten since {since} may still be in the files.", "yellow"))


def _print_some(page: Page, lines: Sequence[str]) -> None:
    for line in lines[:_MOST_LINES]:
        page.line(line, first=_MARGIN)
    if len(lines) > _MOST_LINES:
        page.line((f"… and {len(lines) - _MOST_LINES:,} more", "dim"), first=_MARGIN)


def _print_done(report: Report, outcome: Outcome) -> None:
    if report.compaction.erased:
        what = f"{number(report.forgotten, 'event')} forgotten. " if report.forgotten else ""
        print_line(f"{what}No file of the store holds anything that was forgotten.")
    elif report.found is not None and not report.found.ids:
        print_line("The other texts were deleted.")
    elif report.found is not None:
        print_line(
            f"{number(report.forgotten, 'event')} forgotten; their bytes may still be in the files: "
            "the same command, or memtool compact, finishes it"
        )
    if report.found is not None and report.found.nodes and outcome.error is None:
        print_line("Summaries of what is left: memtool rollup all")


def _found_json(found: Found) -> dict[str, object]:
    since = None if found.erasing is None else Since(found.erasing.since_us)
    return {
        "exists": found.exists,
        "zone": found.zone,
        "events": len(found.ids),
        "sessions": [
            {"session": name, "events": count} for name, count in sorted(found.sessions.items())
        ],
        "projects": [
            {"project": name, "events": count} for name, count in sorted(found.projects.items())
        ],
        "days": [Period(Level.DAY, day).id for day in sorted(found.days)],
        "nodes": {level.word: found.nodes.get(level, 0) for level in Level},
        "samples": [to_json(shown_event(event), found.zone) for event in found.samples],
        "echoes": found.echoes,
        "quoting": [to_json(shown_event(event), found.zone) for event in found.quoting],
        "quoting_count": found.quoting_count,
        "named": found.named,
        "sources_kept": found.sources_kept,
        "last_backup": to_json(_Last(found.backup_us), found.zone) if found.backup_us else None,
        "copies": found.copies,
        "erasing": to_json(since, found.zone),
    }


def _done_json(report: Report | None = None) -> dict[str, object]:
    if report is None:
        return {"forgotten": 0, "erased": False}
    return {"forgotten": report.forgotten, "erased": report.compaction.erased}
