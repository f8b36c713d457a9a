"""A laptop on battery: rollups do not start if the settings say so, and the next night's run does what was skipped."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from memtool.systemd.jobs import JOBS
from tests.systemd.machine import wait_until
from tests.systemd.sides import SOON, Side

pytestmark = pytest.mark.slow

POWER = "/sys/class/power_supply"
# The kernel of a container has no battery, and systemd looks for one in a real sysfs only, unless it is asked not to.
ANY_SYSFS = "[Service]\nEnvironment=SYSTEMD_DEVICE_VERIFY_SYSFS=0\n"
SUPPLIES = {
    "BAT0": {"type": "Battery", "scope": "System", "present": "1", "status": "Discharging"},
    "AC": {"type": "Mains", "online": "0"},
}
LAST_YEAR = datetime.now(UTC).year - 1
ROLLUPS = [job.name for job in JOBS if job.levels]


def give_battery(user: Side) -> None:
    """Put a battery that discharges and a mains plug that is pulled where the kernel shows them."""
    user.write("/etc/systemd/system/user@.service.d/60-test.conf", ANY_SYSFS)
    user.reboot()
    user.machine.run("mount", "-t", "tmpfs", "power", POWER)
    for name, values in SUPPLIES.items():
        for attribute, value in {**values, "uevent": ""}.items():
            user.write(f"{POWER}/{name}/{attribute}", f"{value}\n")
        user.machine.run("ln", "-s", "../../power_supply", f"{POWER}/{name}/subsystem")


def plug_in(user: Side) -> None:
    user.write(f"{POWER}/AC/online", "1\n")


def test_what_was_skipped_on_battery_is_done_by_the_next_night_s_run(user: Side) -> None:
    give_battery(user)
    user.give_transcripts(year=LAST_YEAR)
    store = ("--store", f"{user.home}/by-hand")
    user.memtool(*store, "ingest")
    user.memtool(*store, "rollup", "all")
    assert user.memtool("config", "set", "scheduler.rollups_on_battery", "skip").returncode == 0
    done = user.memtool("scheduler", "apply")
    assert done.returncode == 0, done.stdout + done.stderr

    assert user.start(*(job.name for job in JOBS)).returncode == 0
    user.drop_in("memtool-week-rollup.timer", SOON)
    wait_until(lambda: user.property("memtool-week-rollup.timer", "LastTriggerUSec"), "it fires")
    user.drop_in("memtool-week-rollup.timer", "")
    assert user.runs("ingest")[0]["result"] == "done"
    assert user.runs("compaction")[0]["result"] == "done"
    for job in ROLLUPS:
        assert user.property(f"memtool-{job}.service", "ConditionResult") == "no"
        assert user.begun(job) == []
    assert user.control("--failed", "--no-legend").stdout == ""

    plug_in(user)
    user.drop_in("memtool-day-rollup.timer", SOON)
    assert user.wait_for_runs("day-rollup", 1)[0]["result"] == "done"
    assert user.toc() == user.toc(*store)
    assert "overdue" not in user.memtool("scheduler", "status").stdout
