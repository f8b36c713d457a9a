"""`memtool ingest`: read new transcripts."""

from __future__ import annotations

import io
import select
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from msgspec.structs import replace

from memtool.agents.outcomes import EXPIRED, OWN
from memtool.cli.options import Invocation, JsonOption, ScheduledOption, files, invocation
from memtool.cli.output import NOTICE, Page, note, number, print_json, print_line
from memtool.cli.running import Show, conclude, outcome_json, run
from memtool.cli.scheduler.text import local
from memtool.errors import OK, ExitCode, SkippedError, UsageError
from memtool.files import storage_error
from memtool.jobs.ingest import STDIN, FileReport, Order, Report
from memtool.jobs.ingest import ingest as ingest_body
from memtool.jobs.runner import Outcome
from memtool.query.found import AgentFiles, agent_files
from memtool.query.reader import reader_for
from memtool.rollup.configured import calendar_for_new_store
from memtool.store.access import Access
from memtool.systemd.jobs import BY_NAME
from memtool.systemd.pauses import described, pause_of
from memtool.text import size

VERSION = 1
LIST_VERSION = 1
_LISTEN_S = 1.0
"""After a hook has called, more often do soon: one run then takes them all."""
PathsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PATH]...",
        autocompletion=files,
        help="Files or directories; - reads lines of the event schema. Default: the sessions of all known agents.",
    ),
]
ListOption = Annotated[
    bool,
    typer.Option(
        "--list",
        help="Read nothing: show what each agent has, what of it is new, what was refused and why.",
    ),
]


def ingest(
    context: typer.Context,
    paths: PathsArgument = None,
    *,
    list_only: ListOption = False,
    scheduled: ScheduledOption = False,  # noqa: ARG001 - its callback has noted it
    json: JsonOption = False,
) -> ExitCode:
    """Read new transcripts into the memory. Running it again is harmless."""
    call = invocation(context)
    names = paths or []
    if STDIN in names and len(names) > 1:
        raise UsageError("- stands alone: it reads standard input")
    if list_only:
        if names:
            raise UsageError("--list takes no path: it shows the agents' own files")
        return _list(call, as_json=json)
    report = Report()
    is_called = call.environ.get("TRIGGER_UNIT", "") == BY_NAME["ingest"].path
    order = replace(
        _order(call),
        listens_s=_LISTEN_S if is_called else 0,
        paths=() if STDIN in names else tuple(_existing(name) for name in names),
        stream=sys.stdin.buffer if STDIN in names else None,
    )
    if order.stream is not None:
        wait_for_input(order.stream)
    # What is named here is not what another ingest reads: it is worth the wait.
    outcome = run(
        call, "ingest", lambda running: ingest_body(running, order, report), waits=bool(names)
    )
    if report.is_first and Access(call.store.root).path.is_dir():
        say_new_memory(call)
    if json:
        print_json("ingest", VERSION, {**outcome_json(outcome), **_report_json(report)})
    else:
        for line in _lines(report, order):
            print_line(line)
        if outcome.run.trigger == "manual":  # else it would be told every quarter of an hour
            for line in _told_before(report):
                print_line(line)
    return conclude(outcome)


def _list(call: Invocation, *, as_json: bool) -> ExitCode:
    """Show what each agent has on disk."""
    with reader_for(call.config, call.store.root, call.now_us).store() as store:
        sources = store.sources() if store is not None else {}
    found = agent_files(call.roots, sources, Path("/"), call.now_us)
    if as_json:
        print_json("ingest-list", LIST_VERSION, {"agents": found})
        return OK
    page = Page(call.environ)
    for one in found:
        if one.is_there:
            page.line((one.title, "bold"), f" · {one.root}")
            for line in _agent_lines(one, call.now_us):
                page.line(line, first="  ", rest="    ")
    if absent := [one.title for one in found if not one.is_there]:
        page.line(f"Not here: {', '.join(absent)}", rest="  ")
    if any(one.new_files for one in found):
        page.line("To read what is new: ", ("memtool ingest", "bold"))
    return OK


def _agent_lines(one: AgentFiles, now_us: int) -> Iterator[str]:
    if not one.files:
        yield "no transcript"
    else:
        last = f", written last on {local(one.last_us, '%Y-%m-%d')}" if one.last_us else ""
        yield f"{number(one.files, 'transcript')} ({size(one.size_bytes)}){last}"
        news = f"{one.new_files:,} to read ({size(one.new_bytes)})"
        yield f"new: {news}" if one.new_files else "new: nothing"
    if one.kept is not None:
        kept = one.kept
        line = f"{one.title} deletes what was not written for {number(kept.days, 'day')}"
        line += f" ({kept.setting}: {kept.origin})"
        if kept.next_us is not None:
            when = (
                "at any time" if kept.next_us <= now_us else f"on {local(kept.next_us, '%Y-%m-%d')}"
            )
            line += f"; the next one {when}"
        yield line
        if kept.unread:
            yield f"warning: {kept.unread:,} of those to read will be gone within a week"
    elif one.files:
        yield f"{one.title} deletes none"
    for row in one.refused:
        yield f"refused: {row.path}: {row.reason}"
    for row in one.passed_over:
        more = "" if row.count == 1 else f"{row.count:,} files, such as "
        yield f"passed over: {more}{row.path} ({row.reason})"


def wait_for_input(stream: BinaryIO) -> None:
    """Wait until there is something to read, before the run begins: it then holds no lock, and a signal ends it."""
    with suppress(io.UnsupportedOperation):  # it is in memory
        select.select([stream.fileno()], [], [])


def ingest_all(call: Invocation, report: Report, *, show: Show) -> Outcome:
    """Run the ingest of everything there is, after another one that is at work; `report` is filled as it goes."""
    order = _order(call)
    return run(
        call, "ingest", lambda running: ingest_body(running, order, report), waits=True, show=show
    )


def ingest_quietly(call: Invocation) -> None:
    """Run the ingest of everything there is, and show nothing of it. Raise its error, SkippedError if it is paused."""
    if (pause := pause_of(call.store.root, "ingest", call.now_us)) is not None:
        raise SkippedError(f"ingest is {described(pause)}")
    report, order = Report(), _order(call)
    outcome = run(
        call, "ingest", lambda running: ingest_body(running, order, report), show=Show.NEVER
    )
    if outcome.error is not None:
        raise outcome.error


def _order(call: Invocation) -> Order:
    return Order(
        paths=(),
        roots=call.roots,
        calendar=lambda: calendar_for_new_store(call.config, call.environ, call.now_us),
    )


def say_new_memory(call: Invocation) -> None:
    """Say where a memory was made, and which calendar it has from now on."""
    note(f"A new memory was made in {call.store.root}. {calendar_words(call)}", NOTICE)
    note(
        "To change that: memtool config set calendar.timezone ZONE (or day_starts_at, week_starts_on), "
        "then memtool rebuild --calendar.",
        NOTICE,
    )


def calendar_words(call: Invocation) -> str:
    """Return the calendar that a new store gets. Raise ConfigError if the machine's zone has no name."""
    calendar = calendar_for_new_store(call.config, call.environ, call.now_us).describe()
    return (
        f"Its time zone is {calendar['zone']}, a day starts at {calendar['day_starts_at']}, and a week on "
        f"{calendar['week_starts_on'].capitalize()}."
    )


def _existing(name: str) -> Path:
    """Return the path. A slip of the pen is told at once, and is no failed run in the ledger."""
    path = Path(name)
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f"{name}: no such file or directory", hint="name a file or a directory"
        ) from None
    except OSError as error:
        raise storage_error(error, path) from error
    return path


def _lines(report: Report, order: Order) -> Iterator[str]:
    captured, counts = report.captured, report.counts
    if not report.looked:
        return
    unreadable = sum(bool(file.error) for file in report.files) + len(report.known_unreadable)
    if not report.files and not report.unchanged and not unreadable:
        places = ", ".join(root.places for root in order.roots)
        yield f"No transcripts found under {places}."
    else:
        read = sum(not file.error for file in report.files)
        files = "standard input" if order.stream else f"{_number(read, 'file')} read"
        more = f", {report.unchanged} unchanged" if report.unchanged else ""
        more += f", {unreadable} not readable" if unreadable else ""
        yield f"{files}{more}: {_number(captured.new, 'new event')}" + "".join(
            f", {number} {what}"
            for number, what in (
                (captured.changed, "changed"),
                (captured.known, "known already"),
                (captured.forgotten, "forgotten before and kept out"),
            )
            if number
        )
    if captured.days:
        yield f"{_number(len(captured.days), 'day')} to roll up: memtool rollup all"
    if counts.redactions:
        yield f"{_number(counts.redactions, 'secret')} redacted"
    # Records that hold no conversation are many in each file, and counted in --json.
    skipped = {name: count for name, count in counts.ignored.items() if name in (OWN, EXPIRED)}
    for title, names in (("unknown record types", counts.unknown), ("passed over", skipped)):
        if names:
            yield f"{title}: " + ", ".join(
                f"{name} {count}" for name, count in sorted(names.items())
            )
    yield from _trouble(report)


def _trouble(report: Report) -> Iterator[str]:
    unfinished = sum(file.waiting_bytes > 0 for file in report.files)
    if unfinished:
        yield f"{_number(unfinished, 'file')} without a last line end: that line is looked at again"
    for file in report.files:
        if file.error:
            yield f"cannot read {file.error}"
        if file.problem:
            yield f"{file.path}: {file.problem}"
        for offset, reason in file.damage:
            yield f"{file.path}: damaged at byte {offset}: {reason}"
        if file.counts.damaged > len(file.damage):
            yield f"{file.path}: {file.counts.damaged - len(file.damage)} more damaged records"
    for name, why in report.rejected:
        yield f"payload of a hook rejected: {name}: {why}"
    for place in report.stuck:
        yield f"payload of a hook cannot be removed: {place}"


def _told_before(report: Report) -> Iterator[str]:
    """Yield what is wrong and was reported by an earlier run, and what is not meant to be read."""
    for name, source in report.known_damage:
        what = source.problem or _number(source.damaged, "damaged record")
        yield f"{name}: as reported before: {what}"
    for error in report.known_unreadable:
        yield f"cannot read, as reported before: {error}"
    paths: dict[str, list[Path]] = {}
    for path, why in report.unread:
        paths.setdefault(why, []).append(path)
    for why, found in paths.items():
        more = "" if len(found) == 1 else f"{len(found)} files, such as "
        yield f"not read: {more}{found[0]} ({why})"


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _report_json(report: Report) -> dict[str, object]:
    captured, counts = report.captured, report.counts
    return {
        "events": {
            "new": captured.new,
            "changed": captured.changed,
            "known": captured.known,
            "forgotten": captured.forgotten,
            "by_kind": counts.events,
        },
        "days": len(captured.days),
        "records": {
            "taken": counts.taken,
            "damaged": counts.damaged,
            "ignored": counts.ignored,
            "metadata": counts.metadata,
            "unknown": counts.unknown,
        },
        "redactions": counts.redactions,
        "payloads": {
            "taken": report.payloads - len(report.rejected),
            "rejected": [{"name": name, "reason": why} for name, why in report.rejected],
            "stuck": report.stuck,
        },
        "files_unchanged": report.unchanged,
        "files": [_file_json(file) for file in report.files],
        "known_damage": [
            {"path": path, "damaged": source.damaged, "problem": source.problem}
            for path, source in report.known_damage
        ],
        "known_unreadable": report.known_unreadable,
        "unread": [{"path": str(path), "reason": why} for path, why in report.unread],
    }


def _file_json(file: FileReport) -> dict[str, object]:
    return {
        "path": file.path,
        "new": file.captured.new,
        "changed": file.captured.changed,
        "known": file.captured.known,
        "damaged": file.counts.damaged,
        "damage": [{"offset": offset, "reason": reason} for offset, reason in file.damage],
        "waiting_bytes": file.waiting_bytes,
        "problem": file.problem,
        "error": file.error,
    }
