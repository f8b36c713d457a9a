"""`memtool backup`: a verified copy of the store, made while jobs run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from memtool.cli.options import JsonOption, directories, invocation
from memtool.cli.output import print_json, print_line
from memtool.cli.running import conclude, outcome_json, run
from memtool.context import RunContext
from memtool.errors import ExitCode
from memtool.jobs.backup import Report, check
from memtool.jobs.backup import backup as backup_body
from memtool.paths import expand
from memtool.text import size

VERSION = 1
DirectoryArgument = Annotated[
    str,
    typer.Argument(
        metavar="DIRECTORY",
        autocompletion=directories,
        help="Where backups are kept, each in its own directory.",
    ),
]
NoVerifyOption = Annotated[bool, typer.Option("--no-verify", help="Do not verify the copy.")]


def backup(
    context: typer.Context,
    directory: DirectoryArgument,
    *,
    no_verify: NoVerifyOption = False,
    json: JsonOption = False,
) -> ExitCode:
    """Copy the store to DIRECTORY/memtool-<store>-<time> and verify the copy. Nothing is overwritten."""
    call = invocation(context)
    place = expand(Path(directory), call.environ)
    check(call.store.root, place)  # a typing error is not a failed run in the ledger
    report = Report()

    def body(running: RunContext) -> None:
        backup_body(running, place, report, verifies=not no_verify)

    outcome = run(call, "backup", body, is_recorded=os.access(call.store.root, os.W_OK))
    if json:
        print_json("backup", VERSION, {**outcome_json(outcome), **_json(report)})
    elif report.manifest is not None:
        events, nodes = report.manifest.events, report.manifest.nodes
        print_line(str(report.place))
        print_line(
            f"{len(report.manifest.files)} files, {size(report.size_bytes)}: "
            f"{events} events, {nodes} nodes; {_verdict(report)}"
        )
    return conclude(outcome)


def _verdict(report: Report) -> str:
    if report.found is None:
        return "not verified"
    return "verified" if report.found.healthy else "NOT HEALTHY"


def _json(report: Report) -> dict[str, object]:
    manifest = report.manifest
    return {
        "path": None if report.place is None else str(report.place),
        "files": len(manifest.files) if manifest else 0,
        "size_bytes": report.size_bytes,
        "events": manifest.events if manifest else 0,
        "nodes": manifest.nodes if manifest else 0,
        "verified": manifest.verified if manifest else None,
        "writer_held_us": report.held_us,
    }
