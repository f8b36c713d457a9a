"""The one look at everything that status is made of: ledger, pauses, timers."""

from __future__ import annotations

from memtool.base.errors import DamagedError
from memtool.cli.scheduler.place import Place, timers_of
from memtool.scheduler.jobs import JOBS
from memtool.scheduler.ledger import History, look_newest
from memtool.scheduler.pauses import paused
from memtool.scheduler.state import Look, Status
from memtool.scheduler.status import status_of
from memtool.scheduler.systemctl import machine_zone


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
