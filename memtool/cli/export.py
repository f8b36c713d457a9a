"""`memtool export`: events as lines of JSON (docs/event-schema.md), for another memtool."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from memtool.agents.jsonl import encode
from memtool.cli.events import AgentOption, ProjectOption, SessionOption, SinceOption, UntilOption
from memtool.cli.options import Invocation, JsonOption, files, invocation
from memtool.cli.output import json_line, note, print_json, progress
from memtool.cli.reading import here, read
from memtool.errors import UsageError
from memtool.files import atomic_stream
from memtool.paths import expand
from memtool.query.events import Query
from memtool.query.export import Report
from memtool.query.export import export as exported
from memtool.query.reader import Reader

VERSION = 1
_SHOWN_EVERY = 500
OutputOption = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        autocompletion=files,
        help="Write to this file, replacing it.",
    ),
]


def export(
    context: typer.Context,
    *,
    since: SinceOption = "",
    until: UntilOption = "",
    session: SessionOption = "",
    project: ProjectOption = "",
    agent: AgentOption = "",
    output: OutputOption = "",
    json: JsonOption = False,
) -> None:
    """Export events, with their history, as lines that `memtool ingest` reads, to move or merge memories."""
    if json and not output:
        raise UsageError("--json needs -o FILE: the lines themselves are on stdout")
    call = invocation(context)
    query = Query(session, project, agent, (), since, until, here=here())
    report = read(call, lambda reader: _export(call, reader, query, output), as_json=json)
    if json:
        print_json("export", VERSION, report)
    else:
        counts = ("events", "revisions", "rewinds", "tombstones")
        note(", ".join(f"{getattr(report, what)} {what}" for what in counts))


def _export(call: Invocation, reader: Reader, query: Query, output: str) -> Report:
    """Write the lines to the file, which an error leaves as it was, or to stdout."""
    with reader.memory() as store:
        if store is None:
            return Report()
    report = Report(exists=True, path=output or None)
    with progress(call.environ, "exporting") as show:
        if output:
            with atomic_stream(expand(Path(output), call.environ)) as file:
                _write(reader, query, report, file, show)
        else:
            sys.stdout.flush()
            _write(reader, query, report, sys.stdout.buffer, show)
    return report


def _write(
    reader: Reader,
    query: Query,
    report: Report,
    stream: BinaryIO,
    show: Callable[[str], None],
) -> None:
    for number, record in enumerate(exported(reader, query, report), start=1):
        stream.write(json_line(encode(record)).encode() + b"\n")
        if number % _SHOWN_EVERY == 0:
            show(f"{number:,} records")
    stream.flush()
