"""The commands of `memtool scheduler`: each declares its arguments, and imports what it needs when it is called."""

from __future__ import annotations

from typing import Annotated

import typer

from memtool.cli.options import JsonOption, command_group, invocation, jobs
from memtool.cli.output import print_json, print_line
from memtool.cli.scheduler.place import ScopeOption, place_of
from memtool.errors import FAILED, OK, ExitCode, UsageError
from memtool.paths import StoreChoice
from memtool.systemd.jobs import JOBS, job_named, runnable_named
from memtool.systemd.pauses import ALL

HISTORY_VERSION = 1

JobArgument = Annotated[
    str, typer.Argument(metavar="JOB", autocompletion=jobs, help="Such as day-rollup.")
]
SomeJobArgument = Annotated[
    str | None,
    typer.Argument(metavar="[JOB]", autocompletion=jobs, help="Such as day-rollup; or --all."),
]
AllOption = Annotated[bool, typer.Option("--all", help="Every job.")]

scheduler = command_group()


@scheduler.command()
def status(
    context: typer.Context, *, is_system: ScopeOption = None, json: JsonOption = False
) -> ExitCode:
    """Show each job: its last run, how it went, its next run, what waits. Exits 1 where something is wrong."""
    from memtool.cli.scheduler.place import state_of
    from memtool.systemd.status import VERSION, status_json

    call = invocation(context)
    place = place_of(call, is_system)
    state = state_of(place)
    if json:
        print_json(
            "scheduler-status", VERSION, {"store": _store(place.store), **status_json(state)}
        )
    else:
        from memtool.cli.scheduler.text import print_status

        print_status(state, place, call.now_us)
    return OK if state.is_healthy else FAILED


@scheduler.command()
def history(
    context: typer.Context,
    job: Annotated[
        str | None, typer.Argument(metavar="[JOB]", autocompletion=jobs, help="Only this job.")
    ] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many runs at most.")] = 20,
    is_system: ScopeOption = None,
    json: JsonOption = False,
) -> None:
    """List the runs, the newest first."""
    from memtool.cli.scheduler.text import history_lines
    from memtool.ledger.file import as_json
    from memtool.ledger.reading import look

    name = runnable_named(job).name if job else ""
    place = place_of(invocation(context), is_system)
    past = look(place.root, job=name, limit=limit)
    runs = past.runs[::-1]
    if json:
        shown = [{**as_json(run), "duration_us": run.duration_us} for run in runs]
        extra = {"damaged_lines": past.damaged_lines, "runs": shown}
        print_json("scheduler-history", HISTORY_VERSION, {"store": _store(place.store), **extra})
        return
    for line in history_lines(runs):
        print_line(line)


@scheduler.command()
def pause(
    context: typer.Context,
    job: SomeJobArgument = None,
    *,
    is_all: AllOption = False,
    length: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="DURATION",
            help="Such as 90min, 2h, 2d or 1w; else until it is resumed.",
        ),
    ] = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Shown by status.")] = "",
    is_system: ScopeOption = None,
) -> None:
    """Keep a job from running by its timer. A run that has begun goes on, and a run by hand is not kept."""
    from memtool.cli.scheduler.actions import pause as act

    act(
        place_of(invocation(context), is_system),
        _who(job, is_all=is_all),
        length=length,
        reason=reason,
    )


@scheduler.command()
def resume(
    context: typer.Context,
    job: SomeJobArgument = None,
    *,
    is_all: AllOption = False,
    is_system: ScopeOption = None,
) -> None:
    """End a job's pause, or every pause; say what waits, and start what was missed."""
    from memtool.cli.scheduler.actions import resume as act

    act(place_of(invocation(context), is_system), _who(job, is_all=is_all))


@scheduler.command()
def run(
    context: typer.Context,
    job: JobArgument,
    *,
    ignores_pause: Annotated[
        bool, typer.Option("--ignore-pause", help="Run it though it is paused; the pause stays.")
    ] = False,
    is_system: ScopeOption = None,
    json: JsonOption = False,
) -> ExitCode:
    """Start a job's unit, wait for it, and show how it went. Exits as the run does."""
    from memtool.cli.scheduler.actions import run_unit

    row = job_named(job)
    return run_unit(
        place_of(invocation(context), is_system), row, ignores_pause=ignores_pause, json=json
    )


@scheduler.command()
def logs(
    context: typer.Context,
    job: JobArgument,
    *,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, metavar="N", help="How many.")] = 50,
    follows: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on showing new ones.")
    ] = False,
    is_system: ScopeOption = None,
) -> None:
    """Show what the journal has of a job's unit."""
    from memtool.cli.scheduler.actions import print_logs

    row = job_named(job)
    print_logs(place_of(invocation(context), is_system), row, lines=lines, follows=follows)


@scheduler.command()
def apply(
    context: typer.Context,
    *,
    is_dry: Annotated[bool, typer.Option("--dry-run", help="Show what would change.")] = False,
    is_system: ScopeOption = None,
) -> None:
    """Bring unit files and drop-ins up to date with this version of memtool and with the settings."""
    from memtool.cli.scheduler.apply import apply as act

    act(place_of(invocation(context), is_system), is_dry=is_dry)


def _who(job: str | None, *, is_all: bool) -> str:
    """Return the job's name, or `all`. Raise UsageError unless just one of the two was named."""
    if is_all == (job is not None):
        raise UsageError(
            "name one job, or --all", hint=f"the jobs are: {', '.join(one.name for one in JOBS)}"
        )
    return job_named(job).name if job is not None else ALL


def _store(store: StoreChoice) -> dict[str, str]:
    return {"path": str(store.root), "why": store.why}
