"""The commands of `memtool scheduler`: each declares its arguments, and imports what it needs when it is called."""

from __future__ import annotations

from typing import Annotated

import typer

from memtool.base.errors import FAILED, OK, ExitCode
from memtool.base.paths import StoreChoice
from memtool.cli.options import JsonOption, command_group, invocation
from memtool.cli.output import print_json, print_line
from memtool.cli.scheduler.place import ScopeOption, place_of
from memtool.scheduler.jobs import job_named

HISTORY_VERSION = 1

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="Such as day-rollup.")]

scheduler = command_group()


@scheduler.command()
def status(
    context: typer.Context, *, is_system: ScopeOption = None, json: JsonOption = False
) -> ExitCode:
    """Show each job: its last run, how it went, its next run, what waits. Exits 1 where something is wrong."""
    from memtool.cli.scheduler.looking import state_of
    from memtool.scheduler.status import VERSION, status_json

    call = invocation(context)
    place = place_of(call, is_system)
    state = state_of(place)
    if json:
        print_json(
            "scheduler-status", VERSION, {"store": _store(place.store), **status_json(state)}
        )
    else:
        from memtool.cli.scheduler.status import print_status

        print_status(state, place, call.now_us)
    return OK if state.is_healthy else FAILED


@scheduler.command()
def history(
    context: typer.Context,
    job: Annotated[str | None, typer.Argument(metavar="[JOB]", help="Only this job.")] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many runs at most.")] = 20,
    is_system: ScopeOption = None,
    json: JsonOption = False,
) -> None:
    """List the runs, the newest first."""
    from memtool.cli.scheduler.history import history_lines
    from memtool.scheduler.ledger import look
    from memtool.scheduler.run import as_json

    name = job_named(job).name if job else None
    place = place_of(invocation(context), is_system)
    past = look(place.root)
    runs = [run for run in reversed(past.runs) if name in (None, run.job)][:limit]
    if json:
        shown = [{**as_json(run), "duration_us": run.duration_us} for run in runs]
        extra = {"damaged_lines": past.damaged_lines, "runs": shown}
        print_json("scheduler-history", HISTORY_VERSION, {"store": _store(place.store), **extra})
        return
    for line in history_lines(runs):
        print_line(line)


def _store(store: StoreChoice) -> dict[str, str]:
    return {"path": str(store.root), "why": store.why}
