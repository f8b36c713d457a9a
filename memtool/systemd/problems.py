"""One job as it is, and what is wrong with it or with all of them. The table of checks is at the end. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from memtool.ledger.file import BAD_RESULTS, PAUSED, Left, Run
from memtool.ledger.reading import History
from memtool.systemd.exits import exit_name, exit_words, is_before_start
from memtool.systemd.jobs import JOBS, Job
from memtool.systemd.pauses import Pause
from memtool.systemd.states import UNUSABLE, ServiceState, TimerState
from memtool.systemd.systemctl import Timers


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
    written_by: Run | None = None
    """The newest run of another job that wrote nodes of its levels."""
    problems: tuple[Problem, ...] = ()
    waits_for: tuple[str, ...] = ()
    """The paused jobs without whose work some of its own cannot be done."""

    @property
    def failed_unit(self) -> ServiceState | None:
        """Its service, if that failed and the ledger does not know it."""
        has_failed = any(problem.kind == "unit" for problem in self.problems)
        return self.timer.service if has_failed and self.timer else None

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


def waiting_words(row: JobStatus) -> str:
    """Return in words what waits for the job, and behind which pauses."""
    if not row.waits_for:
        return words(row.left)
    are = "is" if len(row.waits_for) == 1 else "are"
    left = {
        level: {
            f"waiting for {', '.join(row.waits_for)}, which {are} paused"
            if reason == PAUSED
            else reason: count
            for reason, count in reasons.items()
        }
        for level, reasons in row.left.items()
    }
    return words(left)


SILENT = frozenset({None, "skipped"})  # not the end of a run
_SECOND_US = 1_000_000
# A unit's process starts, and its run is recorded, within this; less than that is one and the same run.
_START_US = 30 * _SECOND_US
# How late a run may be before it is overdue: systemd's accuracy, a slow boot, a queue.
_LATE_US = 20 * 60 * _SECOND_US
_MOST_NAMES = 5
FORGET = "forget"
_ERASING = (FORGET, "compaction")
"""What ends an erasing: a compaction too, but it forgets no more."""
_ENDED_BY = {
    "timeout": "was ended by systemd: it took too long",
    "oom-kill": "ran out of memory",
    "start-limit-hit": "failed too often in a short time; systemd has given up",
    "watchdog": "was ended by systemd: it hung",
    "resources": "could not be started: systemd lacked something that its unit names",
}
_CLOCK_SLACK_US = 60 * _SECOND_US


def problems_of(row: JobStatus, look: Look) -> tuple[Problem, ...]:
    """Return what is wrong with this job."""
    found = (check(row, look) for check in _CHECKS)
    return tuple(problem for problem in found if problem is not None)


def common_problems(timers: Timers) -> tuple[Problem, ...]:
    """Return what is wrong with all of them."""
    found = (
        _no_answer(timers),
        _in_both(timers),
        _no_linger(timers),
        _untried_sandbox(timers),
        *_of_others(timers),
        _replaced_units(timers),
        _not_reloaded(timers),
        _differing_units(timers),
        _not_applied(timers),
    )
    return tuple(problem for problem in found if problem is not None)


def _no_answer(timers: Timers) -> Problem | None:
    """Timers are installed, and no systemd says that it runs them."""
    if not timers.is_installed or not timers.problem:
        return None
    what = "the timers that are installed may not run"
    return Problem("manager", "", what, detail=timers.problem, hint=timers.hint)


def _of_others(timers: Timers) -> Iterator[Problem]:
    """Yield what is wrong with the slice, and with what starts a job beside its timer."""
    for name, unit in timers.others.items():
        again = f"{timers.systemctl} restart {name}"
        if unit.state in ("masked", "broken"):
            what = f"{name} is masked" if unit.state == "masked" else f"systemd cannot use {name}"
            steps = [*_mended(unit.state, name, (), timers), *[again] * name.endswith(".path")]
            yield Problem(unit.state, "", what, detail=unit.load_error, hint=" && ".join(steps))
        elif unit.state in ("stopped", "failed"):
            what = f"{name} {'is enabled, but not started' if unit.state == 'stopped' else 'has failed'}"
            yield Problem("not-armed", "", what, hint=again)


def _replaced_units(timers: Timers) -> Problem | None:
    if not timers.replaced:
        return None
    what = "systemd uses other unit files in the place of memtool's"
    hint = f"{timers.sudo}rm {' '.join(timers.replaced)} && {timers.systemctl} daemon-reload"
    return Problem("replaced", "", what, detail=_named(timers.replaced), hint=hint)


def _not_reloaded(timers: Timers) -> Problem | None:
    names = [
        unit
        for job in JOBS
        if (timer := timers.states.get(job.name)) is not None
        for unit, is_stale in (
            (job.timer, timer.needs_reload and timer.state not in UNUSABLE),
            (job.unit, timer.service.needs_reload and timer.service.state not in UNUSABLE),
        )
        if is_stale
    ]
    names += [
        name
        for name, unit in timers.others.items()
        if unit.needs_reload and unit.state not in UNUSABLE
    ]
    if not names:
        return None
    what = "unit files have changed, and systemd has not read them again"
    hint = f"{timers.systemctl} daemon-reload"
    return Problem("reload", "", what, detail=_named(names), hint=hint)


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


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
    if not timers.differing:
        return None
    what = "unit files are not as this version of memtool writes them"
    return Problem("units", "", what, detail=_named(timers.differing), hint=timers.renew)


def _not_applied(timers: Timers) -> Problem | None:
    if not timers.unapplied:
        return None
    what = "settings and drop-ins differ, so the settings do not hold for the timers"
    return Problem("settings", "", what, detail=_named(timers.unapplied), hint=timers.renew)


def clock_behind(history: History, now_us: int) -> Problem | None:
    """Return that the newest runs began in the future: the clock is wrong now, or was then."""
    newest = max(history.runs, key=lambda run: run.started_us, default=None)
    if newest is None or newest.started_us <= now_us + _CLOCK_SLACK_US:
        return None
    what = "the ledger has a run of a later time than the clock shows"
    detail = "the clock is wrong now, or it was then"
    return Problem("future", "", what, newest.started_us, "", detail, "timedatectl set-ntp true")


def unfinished_forgetting(history: History) -> Problem | None:
    """Return that the last `memtool forget` did not come to its end: what it deleted may still be in the files."""
    runs = [run for run in history.runs if run.job in _ERASING and run.result not in SILENT]
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
    hint = run.hint or _logs(row.job)
    return Problem(run.result, row.job.name, run.result, run.started_us, note, run.error, hint)


def _unit_failed(row: JobStatus, _: Look) -> Problem | None:
    """systemd says that the unit failed, and the ledger does not: a broken Python, a timeout, no memory."""
    service = row.timer.service if row.timer else None
    if service is None or service.state not in ("failed", "retrying"):
        return None
    if _is_told(row.last, service.started_us):
        return None
    code = service.exit_code or 0
    is_recorded = _is_same_run(row.last, service) and not is_before_start(code)
    what = (
        "failed after its run was recorded"
        if is_recorded
        else "failed before it could record a run"
    )
    what = _ENDED_BY.get(service.result, what)
    note = exit_name(code) if code else service.result
    detail = exit_words(code) if code and not is_recorded else ""
    hint = _logs(row.job)
    since_us = service.started_us or service.failed_us
    return Problem("unit", row.job.name, what, since_us, note, detail, hint)


def _logs(job: Job) -> str:
    return f"memtool scheduler logs {job.name}"


def _is_same_run(run: Run | None, service: ServiceState) -> bool:
    """Return whether the service's last process was this run."""
    if run is None or service.started_us is None:
        return False
    return 0 <= run.started_us - service.started_us <= _START_US


def _is_told(last: Run | None, started_us: int | None) -> bool:
    """Return whether the ledger has the run that failed, as failed; or a good one, begun after it."""
    if last is None or started_us is None:
        return False
    if last.result in BAD_RESULTS:
        return last.started_us >= started_us - _SECOND_US
    return last.started_us > started_us + _START_US


def _no_next_run(row: JobStatus, look: Look) -> Problem | None:
    timer = row.timer
    if timer is None or timer.state not in ("dead", "failed"):
        return None
    what = "never runs again: its timer has no next time"
    if timer.state == "failed":
        what = "does not run: its timer has failed"
    places = ", ".join(timer.drop_ins)
    detail = f"look at {places}" if places else ""
    hint = f"{look.timers.systemctl} restart {row.job.timer}"
    return Problem("no-next", row.job.name, what, detail=detail, hint=hint)


def _not_armed(row: JobStatus, look: Look) -> Problem | None:
    if row.timer is None or row.timer.state != "stopped":
        return None
    what = "does not run: its timer is enabled, but not started"
    hint = f"{look.timers.systemctl} start {row.job.timer}"
    return Problem("not-armed", row.job.name, what, hint=hint)


def _not_enabled(row: JobStatus, look: Look) -> Problem | None:
    if row.timer is None or not row.timer.is_live or row.timer.enabled != "disabled":
        return None
    what = "runs until the next start of the machine only: its timer is started, but not enabled"
    hint = f"{look.timers.systemctl} enable {row.job.timer}"
    return Problem("not-enabled", row.job.name, what, hint=hint)


def _unusable_timer(row: JobStatus, look: Look) -> Problem | None:
    if row.timer is None or row.timer.state not in UNUSABLE or _has_none(look.timers):
        return None
    state, unit, timers = row.timer.state, row.job.timer, look.timers
    what = {
        "masked": "never runs: its timer is masked",
        "missing": "never runs: its timer is missing",
        "broken": "does not run: systemd cannot use the file of its timer",
    }[state]
    again = f"{timers.systemctl} {'restart' if state == 'broken' else 'enable --now'} {unit}"
    steps = _mended(state, unit, row.timer.drop_ins, timers)
    hint = " && ".join((*steps, again))
    return Problem(state, row.job.name, what, detail=row.timer.load_error, hint=hint)


def _has_none(timers: Timers) -> bool:
    """Return whether nothing is installed, which is no problem of a job."""
    states = timers.states.values()
    return all(timer.state == timer.service.state == "missing" for timer in states)


def _unusable_service(row: JobStatus, look: Look) -> Problem | None:
    if row.timer is None or row.timer.service.state not in UNUSABLE or _has_none(look.timers):
        return None
    service, timers = row.timer.service, look.timers
    what = {
        "masked": "never runs: its service is masked",
        "missing": "never runs: its service is missing",
        "broken": "never runs: systemd cannot use the file of its service",
    }[service.state]
    hint = " && ".join(_mended(service.state, row.job.unit, service.drop_ins, timers))
    return Problem(service.state, row.job.name, what, detail=service.load_error, hint=hint)


def _mended(state: str, unit: str, drop_ins: Sequence[str], timers: Timers) -> tuple[str, ...]:
    """Return the commands after which systemd can use the unit; what has to be corrected by hand comes first."""
    if state == "masked":
        return (f"{timers.systemctl} unmask {unit}", timers.renew)
    if state == "missing" or timers.differing:
        return (timers.renew,)
    manager = " --user" if timers.scope == "user" else ""
    others = [path for path in drop_ins if "memtool" not in path.rpartition("/")[2]]
    places = f"{', '.join(others)}; " if others else ""
    return (f"correct it: {places}systemd-analyze{manager} verify {unit}",)


def _overdue(row: JobStatus, look: Look) -> Problem | None:
    """The next time that systemd gave has passed, or the timer fired and the ledger has no run."""
    timer = row.timer
    if timer is None or not timer.is_live or row.pause or row.running:
        return None
    state = timer.service.state
    if state in ("running", "queued", "retrying", *UNUSABLE) or _unit_failed(row, look):
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
    own = {
        level: {reason: number for reason, number in reasons.items() if reason != PAUSED}
        for level, reasons in run.left.items()
        if level in row.job.levels
    }
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


_CHECKS: tuple[Callable[[JobStatus, Look], Problem | None], ...] = (
    _bad_run,
    _unit_failed,
    _no_next_run,
    _not_armed,
    _not_enabled,
    _unusable_timer,
    _unusable_service,
    _overdue,
    _backlog,
    _unreadable,
)
