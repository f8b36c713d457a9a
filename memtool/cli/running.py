"""How a command runs a job: its limits from the config, its progress on the terminal, its end as an exit code."""

from __future__ import annotations

import os
from collections.abc import Mapping

from memtool.cli.options import Invocation
from memtool.cli.output import note
from memtool.cli.progress import Show, shown
from memtool.context import Limits
from memtool.errors import EXIT_CODES, ExitCode
from memtool.jobs.runner import Body, Outcome, run_job, trigger_of
from memtool.settings import Config
from memtool.systemd.jobs import runnable_named


def run(
    call: Invocation, job: str, body: Body, *, waits: bool = False, show: Show = Show.TERMINAL
) -> Outcome:
    """Run the body of the job, or task, of this name for this command and return how it ended.

    With `waits` it stands in line for another run of the same job, which does not do this one's work.
    """
    with shown(call.environ, job, show) as reports:
        return run_job(
            runnable_named(job),
            body,
            root=call.store.root,
            trigger=trigger_of(call.environ, os.getpid()),
            limits=_limits(call.config, waits=waits),
            reports=reports,
        )


def _limits(config: Config, *, waits: bool) -> Limits:
    wait_s = config.locks.wait_s
    return Limits(wait_s, config.jobs.deadline_s, job_wait_s=wait_s if waits else 0)


def conclude(outcome: Outcome) -> ExitCode:
    """Return the exit code of the run; raise its error, so that it is said in the one place for errors."""
    if outcome.error is not None:
        raise outcome.error
    if outcome.run.reason:
        note(f"memtool: {outcome.run.job} {outcome.run.result}: {outcome.run.reason}")
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
