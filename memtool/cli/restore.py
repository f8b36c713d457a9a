"""`memtool restore`: replace the store with a backup, completely or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memtool.cli.options import JsonOption, directories, invocation
from memtool.cli.output import print_json, print_line
from memtool.cli.running import conclude, outcome_json, run
from memtool.context import RunContext
from memtool.errors import ExitCode
from memtool.jobs.restore import Report, check
from memtool.jobs.restore import restore as restore_body
from memtool.paths import expand

VERSION = 1
BackupArgument = Annotated[
    str,
    typer.Argument(
        metavar="BACKUP",
        autocompletion=directories,
        help="Directory that `memtool backup` has made.",
    ),
]
ToOption = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="DIRECTORY",
        autocompletion=directories,
        help="Restore to this directory. Default: the store.",
    ),
]
ReplaceOption = Annotated[
    bool, typer.Option("--replace", help="Replace the current store, which is kept beside it.")
]
NoVerifyOption = Annotated[
    bool, typer.Option("--no-verify", help="Also restore a backup that was not verified.")
]


def restore(
    context: typer.Context,
    backup: BackupArgument,
    *,
    to: ToOption = "",
    replace_store: ReplaceOption = False,
    no_verify: NoVerifyOption = False,
    json: JsonOption = False,
) -> ExitCode:
    """Check a backup and replace the store with it. The next ingest reads later sessions again."""
    call = invocation(context)
    if to:
        call = call.fresh(store_option=expand(Path(to), call.environ))
    place = expand(Path(backup), call.environ)
    check(
        call.store.root, place, replaces=replace_store
    )  # a typing error is not a failed run in the ledger
    report = Report()

    def body(running: RunContext) -> None:
        restore_body(running, place, report, replaces=replace_store, verifies=not no_verify)

    outcome = run(call, "restore", body)
    if json:
        print_json("restore", VERSION, {**outcome_json(outcome), **_json(call.store.root, report)})
    elif report.manifest is not None:
        manifest = report.manifest
        print_line(f"{call.store.root}: {manifest.events} events, {manifest.nodes} nodes")
        print_line(f"as of {manifest.time}; {_verdict(report)}")
        if report.aside is not None:
            print_line(f"The store that was there is kept: {report.aside}")
    return conclude(outcome)


def _verdict(report: Report) -> str:
    if report.verified is None:
        return "not verified"
    return "verified" if report.verified else "NOT HEALTHY"


def _json(root: Path, report: Report) -> dict[str, object]:
    manifest = report.manifest
    return {
        "path": str(root),
        "restored": manifest is not None,
        "time_us": manifest.time_us if manifest else None,
        "time": manifest.time if manifest else None,
        "events": manifest.events if manifest else 0,
        "nodes": manifest.nodes if manifest else 0,
        "verified": report.verified,
        "aside": None if report.aside is None else str(report.aside),
    }
