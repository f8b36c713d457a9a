"""The state of the jobs, made from the ledger, the pauses and systemd's answers, and what is wrong. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from memtool.ledger.file import BAD_RESULTS, Left, Run, as_json
from memtool.ledger.reading import History
from memtool.systemd.jobs import JOBS, Job
from memtool.systemd.pauses import Pause
from memtool.systemd.systemctl import INSTALL, Scope, Timers, TimerState


class Problem(NamedTuple):
    """Something that is wrong with a job, or (job "") with all. In words: job, what, when (note): detail."""

    kind: str
    job: str
    what: str
    since_us: int | None = None
    note: str = ""
    detail: str = ""
    hint: str = ""


class JobStatus(NamedTuple):
    """One job: its current run, the last that ended, counts since the ledger began, what waits for it."""

    job: Job
    running: Run | None
    last: Run | None
    newest: Run | None
    """The newest record of any kind, also a skip: it shows that the job was started."""
    last_by_timer: Run | None
    """The last that ended and was not started by hand."""
    runs: int
    errors: int
    skips: int
    left: Left
    timer: TimerState | None = None
    pause: Pause | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is wrong. A job that never ran, or is paused, is healthy."""
        return not self.problems

    @property
    def waits(self) -> int:
        """How much waits for it, for any reason."""
        return count(self.left)


class Look(NamedTuple):
    """The time, and what counts beside the ledger: timers, pauses by job, a setting."""

    now_us: int = 0
    timers: Timers = Timers()
    pauses: Mapping[str, Pause] = {}
    skips_on_battery: bool = False
    """Whether the settings have rollups skipped on battery power."""


class Status(NamedTuple):
    """All jobs in the table's order. `looked_by` is the run that found what waits for the rollups."""

    jobs: tuple[JobStatus, ...]
    looked_by: Run | None
    damaged_lines: int
    timers: Timers
    problems: tuple[Problem, ...]
    """Those of the jobs, in their order, then the common ones."""

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def count(left: Left) -> int:
    """Return how much is left, all levels and reasons together."""
    return sum(number for reasons in left.values() for number in reasons.values())


def words(left: Left) -> str:
    """Return in words what is left, such as "2 days stale, 1 week failed"."""
    parts = [
        f"{number} {level if number == 1 else level + 's'} {reason}"
        for level, reasons in left.items()
        for reason, number in reasons.items()
    ]
    return ", ".join(parts)


_SECOND_US = 1_000_000
# A unit's process starts, and its run is recorded, within this; less than that is one and the same run.
_START_US = 30 * _SECOND_US
# How late a run may be before it is overdue: systemd's accuracy, a slow boot, a queue.
_LATE_US = 20 * 60 * _SECOND_US
_MOST_NAMES = 5
FORGET = "forget"
_ERASING = (FORGET, "compaction")
"""What ends an erasing: a compaction too, but it forgets no more."""
_NOT_STARTED = 203  # systemd's own exit code for a program that it cannot start
_ENDED_BY = {
    "timeout": "was ended by systemd: it took too long",
    "oom-kill": "ran out of memory",
    "start-limit-hit": "failed too often in a short time; systemd has given up",
    "watchdog": "was ended by systemd: it hung",
    "resources": "could not be started: systemd lacked resources",
}


def problems_of(row: JobStatus, look: Look) -> tuple[Problem, ...]:
    """Return what is wrong with this job."""
    found = (check(row, look) for check in _CHECKS)
    return tuple(problem for problem in found if problem is not None)


def common_problems(timers: Timers) -> tuple[Problem, ...]:
    """Return what is wrong with all of them."""
    found = (
        _in_both(timers),
        _no_linger(timers),
        _untried_sandbox(timers),
        _differing_units(timers),
    )
    return tuple(problem for problem in found if problem is not None)


def _in_both(timers: Timers) -> Problem | None:
    if not timers.elsewhere:
        return None
    names = ", ".join(job.name for job in JOBS if job.name in timers.elsewhere)
    what = "timers of the system's systemd and of the user's do the same"
    hint = 'disable those of one: systemctl [--user] disable --now "memtool-*.timer"'
    return Problem("both", "", what, detail=names, hint=hint)


def _no_linger(timers: Timers) -> Problem | None:
    user = timers.lacks_linger
    if not user or not any(one.is_live for one in timers.states.values()):
        return None
    what = f"lingering is off: {user}'s timers stop when {user} logs out"
    return Problem("linger", "", what, hint=f"loginctl enable-linger {user}")


def _untried_sandbox(timers: Timers) -> Problem | None:
    if not timers.is_sandbox_untried:
        return None
    what = "the jobs run without their sandbox: it was not tried whether it works here"
    return Problem("sandbox", "", what, hint=timers.renew)


def _differing_units(timers: Timers) -> Problem | None:
    names = timers.differing
    if not names:
        return None
    shown = ", ".join(names[:_MOST_NAMES])
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    what = "unit files are not as this version of memtool writes them"
    return Problem("units", "", what, detail=shown + more, hint=timers.renew)


def unfinished_forgetting(history: History) -> Problem | None:
    """Return that the last `memtool forget` did not come to its end: what it deleted may still be in the files."""
    runs = [run for run in history.runs if run.job in _ERASING and run.result not in _SILENT]
    last = next((run for run in reversed(runs) if run.job == FORGET or run.result == "done"), None)
    if last is None or last.job != FORGET or last.result == "done":
        return None
    hint = "run the same command again"
    return Problem("forget", "", "forgetting was not finished", last.started_us, hint=hint)


def sentence(problem: Problem, when: str = "") -> str:
    """Return the problem as a sentence, with `when` it happened in words."""
    note = f"({problem.note})" if problem.note else ""
    head = " ".join(filter(None, (problem.job, problem.what, when, note)))
    return f"{head}: {problem.detail}" if problem.detail else head


def _bad_run(row: JobStatus, _: Look) -> Problem | None:
    run = row.last
    if run is None or run.result not in BAD_RESULTS:
        return None
    note = "" if run.exit_code is None else f"exit {run.exit_code}"
    return Problem(run.result, row.job.name, run.result, run.started_us, note, run.error)


def _unit_failed(row: JobStatus, _: Look) -> Problem | None:
    """systemd says that the unit failed, and the ledger does not: a broken Python, a timeout, no memory."""
    service = row.timer.service if row.timer else None
    if service is None or service.state != "failed" or _is_told(row.last, service.started_us):
        return None
    code = service.exit_code
    what = _ENDED_BY.get(service.result, "failed before it could record a run")
    detail = "its program cannot be started" if code == _NOT_STARTED else ""
    note = f"exit {code}" if code and code > 0 else f"signal {-code}" if code else service.result
    hint = f"memtool scheduler logs {row.job.name}"
    return Problem("unit", row.job.name, what, service.started_us, note, detail, hint)


def _is_told(last: Run | None, started_us: int | None) -> bool:
    """Return whether the ledger has the run that failed, as failed; or a good one, begun after it."""
    if last is None or started_us is None:
        return False
    if last.result in BAD_RESULTS:
        return last.started_us >= started_us - _SECOND_US
    return last.started_us > started_us + _START_US


def _no_next_run(row: JobStatus, look: Look) -> Problem | None:
    timer = row.timer
    if timer is None or timer.state not in ("dead", "broken", "failed"):
        return None
    what = "never runs again: its timer has no next time"
    if timer.state != "dead":
        what = "does not run: its timer is broken"
    places = ", ".join(timer.drop_ins)
    detail = f"look at {places}" if places else ""
    hint = f"correct it, then: {_systemctl(look.timers.scope)} restart {row.job.timer}"
    return Problem("no-next", row.job.name, what, detail=detail, hint=hint)


def _not_armed(row: JobStatus, look: Look) -> Problem | None:
    if row.timer is None or row.timer.state != "stopped":
        return None
    what = "does not run: its timer is enabled, but not started"
    hint = f"{_systemctl(look.timers.scope)} start {row.job.timer}"
    return Problem("not-armed", row.job.name, what, hint=hint)


def _not_installed(row: JobStatus, look: Look) -> Problem | None:
    states = look.timers.states.values()
    is_missing = row.timer is not None and row.timer.state == "missing"
    if not is_missing or all(timer.state == "missing" for timer in states):
        return None
    return Problem("missing", row.job.name, "has no timer", hint=INSTALL)


def _overdue(row: JobStatus, look: Look) -> Problem | None:
    """The next time that systemd gave has passed, or the timer fired and the ledger has no run."""
    timer = row.timer
    if timer is None or not timer.is_live or row.pause or row.running:
        return None
    if timer.service.state in ("running", "queued", "retrying") or _unit_failed(row, look):
        return None
    late_us = look.now_us - _LATE_US
    due_us, detail = timer.next_us, "its timer did not fire"
    if due_us is None or due_us > late_us:
        due_us, detail = _fired_us(timer), "its timer fired, but no run is recorded"
        if look.skips_on_battery and row.job.levels:
            return None
    if due_us is None or due_us > late_us:
        return None
    if row.newest is not None and row.newest.started_us >= due_us - _SECOND_US:
        return None
    hint = f"memtool scheduler logs {row.job.name}; memtool scheduler run {row.job.name}"
    return Problem("overdue", row.job.name, "is overdue: it was due", due_us, "", detail, hint)


def _fired_us(timer: TimerState) -> int | None:
    """Return when it fired last; None if only since before it was started, or when it was: then it may never have."""
    since_us, last_us = timer.active_since_us, timer.last_trigger_us
    if since_us is None or last_us is None or last_us <= since_us + _START_US:
        return None
    return last_us


def _backlog(row: JobStatus, _: Look) -> Problem | None:
    """Its last run by a timer went well, and yet left work of its own, which still waits."""
    run = row.last_by_timer
    if run is None or run.left is None or run.result in BAD_RESULTS or not row.waits:
        return None
    own = {level: reasons for level, reasons in run.left.items() if level in row.job.levels}
    if not count(own):
        return None
    hint = f"memtool scheduler run {row.job.name}"
    what = f"left work behind: {words(own)}"
    return Problem("backlog", row.job.name, what, run.started_us, "", run.reason, hint)


def _unreadable(row: JobStatus, _: Look) -> Problem | None:
    """Its last run went well, and yet there is something that it could not read."""
    run = row.last
    number = run.details.get("files_unreadable", 0) if run and run.result == "done" else 0
    if run is None or not number:
        return None
    what = (
        f"could not read {number} {'file or directory' if number == 1 else 'files or directories'}"
    )
    hint = "memtool ingest lists what it could not read"
    return Problem("unreadable", row.job.name, what, run.started_us, "", run.reason, hint)


def _systemctl(scope: Scope | None) -> str:
    return "systemctl --user" if scope == "user" else "systemctl"


_CHECKS: tuple[Callable[[JobStatus, Look], Problem | None], ...] = (
    _bad_run,
    _unit_failed,
    _no_next_run,
    _not_armed,
    _not_installed,
    _overdue,
    _backlog,
    _unreadable,
)


VERSION = 2
_SILENT = frozenset({None, "skipped"})  # not the end of a run
_ROLLED_UP = frozenset(level for job in JOBS for level in job.levels)


def status_of(history: History, look: Look | None = None) -> Status:
    """Return how the jobs are; without a look, by the ledger alone."""
    look = look or Look()
    looked_by = _last_look(history.runs)
    jobs = tuple(_judged(_job_status(job, history, looked_by), look) for job in JOBS)
    found = [problem for row in jobs for problem in row.problems]
    found += common_problems(look.timers)
    if (forgetting := unfinished_forgetting(history)) is not None:
        found.append(forgetting)
    if history.problem:
        found.append(Problem("ledger", "", history.problem, hint=history.hint))
    return Status(jobs, looked_by, history.damaged_lines, look.timers, tuple(found))


def status_json(status: Status) -> dict[str, object]:
    """Return the status as the versioned contract of docs/ledger.md has it, without kind, version and store."""
    return {
        "healthy": status.is_healthy,
        "timers": "systemd" if status.timers.is_known else None,
        "manager": {
            "scope": status.timers.scope,
            "problem": status.timers.problem,
            "hint": status.timers.hint,
        },
        "damaged_lines": status.damaged_lines,
        "warnings": [_problem_json(problem) for problem in status.problems],
        "jobs": [_job_json(row) for row in status.jobs],
    }


def _judged(row: JobStatus, look: Look) -> JobStatus:
    """Return the row with its timer, its pause, and what is wrong."""
    name = row.job.name
    row = row._replace(timer=look.timers.states.get(name), pause=look.pauses.get(name))
    return row._replace(problems=problems_of(row, look))


def _job_status(job: Job, history: History, looked_by: Run | None) -> JobStatus:
    own, counts = history.of_job(job.name), history.counts.get(job.name, {})
    ended = [run for run in own if run.result not in _SILENT]
    return JobStatus(
        job=job,
        running=_last(run for run in own if run.result is None),
        last=_last(ended),
        newest=_last(own),
        last_by_timer=_last(run for run in ended if run.trigger != "manual"),
        runs=sum(number for result, number in counts.items() if result not in _SILENT),
        errors=sum(number for result, number in counts.items() if result in BAD_RESULTS),
        skips=counts.get("skipped", 0),
        left=_waiting_for(job, own, looked_by),
    )


def _last(runs: Iterable[Run]) -> Run | None:
    """Return the run that began last: the file's order, which no change of the clock disturbs."""
    return next(reversed(list(runs)), None)


def _last_look(runs: Iterable[Run]) -> Run | None:
    """Return the run that was the last to look at what waits: it looked when it ended."""
    looked = (run for run in runs if run.left is not None)
    return max(looked, key=lambda run: run.ended_us or 0, default=None)


def _waiting_for(job: Job, own: Iterable[Run], looked_by: Run | None) -> Left:
    """Return what waits for this job: for a rollup what the last look at its levels found, whichever job looked."""
    if job.levels:
        return {level: row for level, row in _left(looked_by).items() if level in job.levels}
    left = _left(_last_look(own))
    return {level: row for level, row in left.items() if level not in _ROLLED_UP}


def _left(run: Run | None) -> Left:
    return {} if run is None or run.left is None else run.left


def _problem_json(problem: Problem) -> dict[str, object]:
    return {
        "kind": problem.kind,
        "job": problem.job or None,
        "text": sentence(problem),
        "since_us": problem.since_us,
        "hint": problem.hint,
    }


def _job_json(row: JobStatus) -> dict[str, object]:
    timer = row.timer
    return {
        "job": row.job.name,
        "description": row.job.description,
        "healthy": row.is_healthy,
        "timer": timer and {**timer._asdict(), "service": timer.service._asdict()},
        "next_us": timer.next_us if timer else None,
        "pause": row.pause._asdict() if row.pause else None,
        "running": as_json(row.running) if row.running else None,
        "last": {**as_json(row.last), "duration_us": row.last.duration_us} if row.last else None,
        "runs": row.runs,
        "errors": row.errors,
        "skips": row.skips,
        "left": row.left,
    }
