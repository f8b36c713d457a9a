"""The one look at everything that status is made of: ledger, pauses, timers."""

from __future__ import annotations

from memtool.cli.scheduler.place import Place, timers_of
from memtool.errors import DamagedError
from memtool.ledger.reading import History, look_newest
from memtool.systemd.jobs import JOBS
from memtool.systemd.pauses import paused
from memtool.systemd.state import Look, Status
from memtool.systemd.status import status_of
from memtool.systemd.systemctl import machine_zone


def state_of(place: Place) -> Status:
    """Return how the jobs are. The ledger is read last: what began while systemd was asked is in it."""
    now_us = place.call.now_us
    timers = timers_of(place)
    pauses = paused(place.root, (job.name for job in JOBS), now_us)
    skips_on_battery = place.call.config.scheduler.rollups_on_battery == "skip"
    seen = Look(now_us, timers, pauses, machine_zone(), skips_on_battery)
    try:
        history = look_newest(place.root)
    except DamagedError as error:
        history = History(problem=error.message, hint=error.hint)
    return status_of(history, seen)
