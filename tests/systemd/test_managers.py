"""Installing for a user whose systemd does not run, or may not make user namespaces: it works, and is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from memtool.systemd.jobs import JOBS
from memtool.systemd.units import COMMON, SANDBOX, Installation, unit_files
from tests.systemd.conftest import install, uninstall
from tests.systemd.sides import Side

pytestmark = pytest.mark.slow

NO_NAMESPACES = "[Service]\nRestrictNamespaces=~user\n"
TIMERS = [job.timer for job in JOBS]


def leave(user: Side) -> None:
    """Log the user out for good."""
    user.machine.run("loginctl", "disable-linger", user.person)
    user.machine.run("systemctl", "stop", "user@2002.service")


def test_without_a_manager_uninstalling_works_all_the_same(user: Side) -> None:
    leave(user)
    uninstall(user)
    left = user.machine.run("find", f"{user.home}/.config", f"{user.home}/.local", "-type", "f")
    assert left.stdout == ""


def test_where_user_namespaces_are_forbidden_jobs_run_without_what_needs_them(user: Side) -> None:
    sandbox = f"{user.units}/{SANDBOX}"
    assert user.machine.run("grep", "-q", "^PrivateUsers=yes", sandbox).returncode == 0
    user.write("/etc/systemd/system/user@.service.d/60-test.conf", NO_NAMESPACES)
    user.reboot()
    assert user.start("ingest").returncode != 0  # not skipped in silence
    assert "User namespaces do not work here" in install(user)
    assert user.machine.run("grep", "-q", "^PrivateUsers=yes", sandbox).returncode != 0
    user.take_in()
    assert user.runs("ingest")[-1]["result"] == "done"
    assert user.machine.run("rm", "-r", "/etc/systemd/system/user@.service.d").returncode == 0
    user.reboot()
    install(user)  # and where they work again, they are used again
    assert user.machine.run("grep", "-q", "^PrivateUsers=yes", sandbox).returncode == 0


def test_a_store_that_was_removed_is_made_again_before_the_sandbox_needs_it(user: Side) -> None:
    assert user.machine.run("test", "-e", f"{user.units}/{SANDBOX}").returncode == 0
    user.machine.run("rm", "-r", f"{user.home}/.local/state")
    user.take_in()
    assert user.start("day-rollup").returncode == 0
    assert user.runs("day-rollup")[-1]["nodes"] > 0
    assert user.machine.run("stat", "-c", "%a %U", user.root).stdout == "700 noor\n"


def test_a_store_that_cannot_be_made_fails_once_and_says_why(user: Side) -> None:
    user.machine.run("sh", "-c", 'rm -r "$0"; touch "$0"', f"{user.home}/.local/state")
    unit = "memtool-compaction.service"
    assert user.start("compaction").returncode != 0
    assert user.property(unit, "ActiveState") == "failed"  # not waiting for another try
    assert user.property(unit, "NRestarts") == "0"
    assert f"{user.home}/.local/state/memtool" in user.journal("compaction"), user.journal(
        "compaction"
    )


@pytest.mark.parametrize("folder", ["100% sure", 'it\'s "x" \\ $HOME %h', "$HOME ${X}", "#;a"])
def test_a_program_is_started_whatever_the_name_of_its_directory(system: Side, folder: str) -> None:
    program = Path("/opt") / folder / "memtool"
    system.write(str(program), '#!/bin/sh\necho "ran <$0> <$*>"\n')
    system.machine.run("chmod", "-R", "755", str(program.parent))
    files = unit_files(Installation("system", program, "mira", Path("/home/mira")))
    system.write(
        f"{system.units}/memtool-week-rollup.service", files["memtool-week-rollup.service"]
    )
    system.control("daemon-reload")
    assert system.start("week-rollup").returncode == 0
    assert f"ran <{program}> <rollup week>\n" in system.journal("week-rollup")


def test_unit_files_that_were_changed_are_named_and_apply_renews_them(side: Side) -> None:
    older = f"{side.units}/memtool-week-rollup.service"
    side.machine.run("sed", "-i", "s/^TimeoutStartSec=.*/TimeoutStartSec=7/", older)
    side.machine.run("sed", "-i", "s/^Nice=.*/Nice=3/", f"{side.units}/{COMMON}")
    side.write(f"{side.units}/memtool-day-rollup.service.d/10-sandbox.conf", "[Service]\nNice=9\n")
    before = {timer: side.property(timer, "NextElapseUSecRealtime") for timer in TIMERS[1:]}
    said = side.memtool("scheduler", "status").stdout
    assert "unit files are not as this version of memtool writes them" in said
    for name in ("memtool-week-rollup.service", COMMON, "10-sandbox.conf"):
        assert name in said
    apply = ("scheduler", "apply")
    is_own = side.mode == "user"
    done = side.memtool(*apply) if is_own else side.machine.run("memtool", *apply)
    assert done.returncode == 0, done.stdout + done.stderr
    assert side.json("scheduler", "status")["healthy"]
    assert side.property("memtool-week-rollup.service", "TimeoutStartUSec") == "2h"
    assert side.property("memtool-week-rollup.service", "Nice") == "10"
    assert {timer: side.property(timer, "NextElapseUSecRealtime") for timer in TIMERS[1:]} == before


def test_schedules_of_the_settings_are_applied_and_outlive_an_upgrade(system: Side) -> None:
    system.write("/etc/memtool/config.toml", '[day_rollup]\nschedule = "*-*-* 05:10:00"\n')
    system.machine.run("chmod", "-R", "a+rX", "/etc/memtool")
    done = system.machine.run("memtool", "scheduler", "apply")
    assert done.returncode == 0, done.stdout + done.stderr
    install(system)
    assert "05:10:00" in system.property("memtool-day-rollup.timer", "TimersCalendar")
    assert "01:00:00" not in system.property("memtool-day-rollup.timer", "TimersCalendar")
    assert system.property("memtool-day-rollup.timer", "NextElapseUSecRealtime")
    uninstall(system)
    assert system.machine.run("find", system.admin, "-name", "*memtool*").stdout == ""


def test_the_scheduler_starts_a_job_and_waits_for_it(side: Side) -> None:
    side.give_transcripts()
    arguments = ("scheduler", "run", "ingest")
    is_own = side.mode == "user"  # the system's units are root's to start
    done = side.memtool(*arguments) if is_own else side.machine.run("memtool", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = side.runs("ingest")
    assert (run["trigger"], run["result"]) == ("systemd", "done")
