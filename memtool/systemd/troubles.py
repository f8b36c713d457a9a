"""What is wrong with a job: one function a kind of trouble, in the order in which they are told. Pure.

Only what a person should act on counts: a paused, disabled or masked job, or one that never ran, is nobody's trouble.
"""

from __future__ import annotations

from collections.abc import Callable

from memtool.ledger.reading import History
from memtool.ledger.run import BAD_RESULTS, Run
from memtool.systemd.jobs import JOBS
from memtool.systemd.state import JobStatus, Look, Trouble, count, words
from memtool.systemd.systemctl import INSTALL, Scope, Timers
from memtool.systemd.units import TimerState

_SECOND_US = 1_000_000
# A unit's process starts, and its run is recorded, within this; less than that is one and the same run.
_START_US = 30 * _SECOND_US
# How late a run may be before it is overdue, beside its own jitter: systemd's accuracy, a slow boot, a queue.
_LATE_S = 20 * 60
_MOST_NAMES = 5
FORGET = "forget"
_ERASING = (FORGET, "compaction")
"""What ends an erasing: a compaction too, but it forgets no more."""
_SILENT = (None, "skipped")
_NOT_STARTED = 203  # systemd's own exit code for a program that it cannot start
_ENDED_BY = {
    "timeout": "was ended by systemd: it took too long",
    "oom-kill": "ran out of memory",
    "start-limit-hit": "failed too often in a short time; systemd has given up",
    "watchdog": "was ended by systemd: it hung",
    "resources": "could not be started: systemd lacked resources",
}


def troubles_of(row: JobStatus, look: Look) -> tuple[Trouble, ...]:
    """Return what is wrong with this job."""
    found = (check(row, look) for check in _CHECKS)
    return tuple(trouble for trouble in found if trouble is not None)


def common_troubles(timers: Timers) -> tuple[Trouble, ...]:
    """Return what is wrong with all of them."""
    found = (_in_both(timers), _no_linger(timers), _differing_units(timers))
    return tuple(trouble for trouble in found if trouble is not None)


def _in_both(timers: Timers) -> Trouble | None:
    if not timers.elsewhere:
        return None
    names = ", ".join(job.name for job in JOBS if job.name in timers.elsewhere)
    what = "timers of the system's systemd and of the user's do the same"
    hint = 'disable those of one: systemctl [--user] disable --now "memtool-*.timer"'
    return Trouble("both", "", what, detail=names, hint=hint)


def _no_linger(timers: Timers) -> Trouble | None:
    user = timers.lacks_linger
    if not user or not any(one.is_live for one in timers.states.values()):
        return None
    what = f"lingering is off: {user}'s timers stop when {user} logs out"
    return Trouble("linger", "", what, hint=f"loginctl enable-linger {user}")


def _differing_units(timers: Timers) -> Trouble | None:
    names = timers.differing
    if not names:
        return None
    shown = ", ".join(names[:_MOST_NAMES])
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    what = "unit files are not as this version of memtool writes them"
    return Trouble("units", "", what, detail=shown + more, hint=timers.renew)


def unfinished_forgetting(history: History) -> Trouble | None:
    """Return that the last `memtool forget` did not come to its end: what it took away may still be in the files."""
    runs = [run for run in history.runs if run.job in _ERASING and run.result not in _SILENT]
    last = next((run for run in reversed(runs) if run.job == FORGET or run.result == "done"), None)
    if last is None or last.job != FORGET or last.result == "done":
        return None
    hint = "run the same command again"
    return Trouble("forget", "", "forgetting was not finished", last.started_us, hint=hint)


def sentence(trouble: Trouble, when: str = "") -> str:
    """Return the trouble as a sentence, with `when` it happened in words."""
    note = f"({trouble.note})" if trouble.note else ""
    head = " ".join(filter(None, (trouble.job, trouble.what, when, note)))
    return f"{head}: {trouble.detail}" if trouble.detail else head


def _bad_run(row: JobStatus, _: Look) -> Trouble | None:
    run = row.last
    if run is None or run.result not in BAD_RESULTS:
        return None
    note = "" if run.exit_code is None else f"exit {run.exit_code}"
    return Trouble(run.result, row.job.name, run.result, run.started_us, note, run.error)


def _unit_failed(row: JobStatus, _: Look) -> Trouble | None:
    """systemd says that the unit failed, and the ledger does not: a broken Python, a timeout, no memory."""
    service = row.timer.service if row.timer else None
    if service is None or service.state != "failed" or _is_told(row.last, service.started_us):
        return None
    code = service.exit_code
    what = _ENDED_BY.get(service.result, "failed before it could record a run")
    detail = "its program cannot be started" if code == _NOT_STARTED else ""
    note = f"exit {code}" if code and code > 0 else f"signal {-code}" if code else service.result
    hint = f"memtool scheduler logs {row.job.name}"
    return Trouble("unit", row.job.name, what, service.started_us, note, detail, hint)


def _is_told(last: Run | None, started_us: int | None) -> bool:
    """Return whether the ledger has the run that failed, as failed; or a good one, begun after it."""
    if last is None or started_us is None:
        return False
    if last.result in BAD_RESULTS:
        return last.started_us >= started_us - _SECOND_US
    return last.started_us > started_us + _START_US


def _no_next_run(row: JobStatus, look: Look) -> Trouble | None:
    timer = row.timer
    if timer is None or timer.state not in ("dead", "broken", "failed"):
        return None
    what = "never runs again: its timer has no next time"
    if timer.state != "dead":
        what = "does not run: its timer is broken"
    places = ", ".join(timer.drop_ins)
    detail = f"look at {places}" if places else ""
    hint = f"mend it, then: {_systemctl(look.timers.scope)} restart {row.job.timer}"
    return Trouble("no-next", row.job.name, what, detail=detail, hint=hint)


def _not_armed(row: JobStatus, look: Look) -> Trouble | None:
    if row.timer is None or row.timer.state != "stopped":
        return None
    what = "does not run: its timer is enabled, but not started"
    hint = f"{_systemctl(look.timers.scope)} start {row.job.timer}"
    return Trouble("not-armed", row.job.name, what, hint=hint)


def _not_installed(row: JobStatus, look: Look) -> Trouble | None:
    states = look.timers.states.values()
    is_missing = row.timer is not None and row.timer.state == "missing"
    if not is_missing or all(timer.state == "missing" for timer in states):
        return None
    return Trouble("missing", row.job.name, "has no timer", hint=INSTALL)


def _overdue(row: JobStatus, look: Look) -> Trouble | None:
    """By our own ledger: systemd tells when it fired last, which may not be when a run began, or when it should."""
    timer = row.timer
    if timer is None or not timer.is_live or row.pause or row.running or _is_under_way(timer):
        return None
    if _unit_failed(row, look):  # which tells more
        return None
    due_us = _due_us(timer, look)
    if due_us is None or (row.newest is not None and row.newest.started_us >= due_us - _SECOND_US):
        return None
    since_us = timer.active_since_us
    if since_us is None or (due_us < since_us and not _should_have_caught_up(row, since_us, look)):
        return None
    has_fired = timer.last_trigger_us is not None and timer.last_trigger_us >= due_us
    if has_fired and look.skips_on_battery and row.job.levels:
        return None
    detail = "its timer fired, but no run is recorded" if has_fired else "its timer did not fire"
    hint = f"memtool scheduler logs {row.job.name}; memtool scheduler run {row.job.name}"
    return Trouble("overdue", row.job.name, "is overdue: it was due", due_us, "", detail, hint)


def _is_under_way(timer: TimerState) -> bool:
    return timer.service.state in ("running", "queued", "retrying")


def _due_us(timer: TimerState, look: Look) -> int | None:
    """Return when it should have run last, with time given to have begun."""
    from memtool.systemd.due import last_due_us
    from memtool.systemd.schedule import parse_schedules

    late_us = round((timer.randomized_delay_s + _LATE_S) * _SECOND_US)
    return last_due_us(parse_schedules(timer.schedule), look.now_us - late_us, look.machine_zone)


def _should_have_caught_up(row: JobStatus, since_us: int, look: Look) -> bool:
    """Return whether a time that passed before the timer was started (a boot) should have been made up for by now.

    A job that never ran may have been installed after it.
    """
    timer = row.timer
    assert timer is not None
    late_us = round((timer.randomized_delay_s + _LATE_S) * _SECOND_US)
    return row.newest is not None and since_us + late_us < look.now_us


def _lost_to_clock(row: JobStatus, look: Look) -> Trouble | None:
    timer = row.timer
    if timer is None or not timer.is_live:
        return None
    from memtool.systemd.due import lost_to_clock
    from memtool.systemd.schedule import parse_schedules

    gap = lost_to_clock(parse_schedules(timer.schedule), look.now_us, look.machine_zone)
    if gap is None:
        return None
    what = f"is skipped on {gap.day}: the clock jumps over its time that night"
    hint = f'add a second time after it: memtool config set {row.job.section}.schedule "…; …"'
    return Trouble("clock", row.job.name, what, hint=hint)


def _backlog(row: JobStatus, _: Look) -> Trouble | None:
    """Its last run by a timer went well, and yet left work of its own, which still waits."""
    run = row.last_by_timer
    if run is None or run.left is None or run.result in BAD_RESULTS or not row.waits:
        return None
    own = {level: reasons for level, reasons in run.left.items() if level in row.job.levels}
    if not count(own):
        return None
    hint = f"memtool scheduler run {row.job.name}"
    what = f"left work behind: {words(own)}"
    return Trouble("backlog", row.job.name, what, run.started_us, "", run.reason, hint)


def _systemctl(scope: Scope | None) -> str:
    return "systemctl --user" if scope == "user" else "systemctl"


_CHECKS: tuple[Callable[[JobStatus, Look], Trouble | None], ...] = (
    _bad_run,
    _unit_failed,
    _no_next_run,
    _not_armed,
    _not_installed,
    _overdue,
    _lost_to_clock,
    _backlog,
)
