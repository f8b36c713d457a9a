"""Looks at what memtool stands on and says what to do. Takes no lock, writes nothing, waits for no job."""

from __future__ import annotations

from collections.abc import Callable

from memtool.errors import MemtoolError
from memtool.query.doctor import agents, asking, machine, memory, places, timers, zones
from memtool.query.doctor.finding import Advice, CannotCheckError, Finding, problem, skipped
from memtool.query.doctor.scene import Scene

Check = Callable[[Scene], Advice]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("python", machine.check_python),
    ("locale", machine.check_locale),
    ("version", machine.check_version),
    ("clock", machine.check_clock),
    ("configuration", memory.check_configuration),
    ("config files", places.check_config_files),
    ("store", memory.check_store),
    ("ledger", memory.check_ledger),
    ("unfinished work", memory.check_unfinished),
    ("damage", memory.check_damage),
    ("permissions", places.check_permissions),
    ("key file", places.check_key),
    ("file system", places.check_file_system),
    ("disk space", places.check_space),
    ("calendar", zones.check_calendar),
    ("zone data", zones.check_zone_data),
    ("transcripts", agents.check_transcripts),
    ("retention", agents.check_retention),
    ("last ingest", agents.check_ingest),
    ("timers", timers.check_timers),
    ("jobs", timers.check_jobs),
    ("linger", timers.check_linger),
    ("managers", timers.check_managers),
    ("units", timers.check_units),
    ("summarizer", asking.check_summarizer),
    ("budget", asking.check_budget),
)
assert len({name for name, _ in CHECKS}) == len(CHECKS)


def examine(scene: Scene, checks: tuple[tuple[str, Check], ...] = CHECKS) -> tuple[Finding, ...]:
    """Return what every check found, in the table's order. One that fails says so, and hides no other."""
    return tuple(Finding(name, _advice(check, scene)) for name, check in checks)


def _advice(check: Check, scene: Scene) -> Advice:
    try:
        return check(scene)
    except CannotCheckError as reason:
        return skipped(str(reason))
    except MemtoolError as error:
        return problem(f"this check failed: {error.message}", error.hint)
    except Exception as error:  # noqa: BLE001 - a fault in one check, of ours too, must not hide what the others find
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return problem(
            f"this check failed: {what}", "if the message does not help, please report it"
        )
