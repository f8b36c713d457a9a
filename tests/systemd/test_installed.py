"""What install.sh leaves on a real system: units that systemd has no complaint about, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from memtool.systemd.jobs import JOBS
from tests.systemd.conftest import Image, install, uninstall
from tests.systemd.machine import Machine, Workshop, wait_until
from tests.systemd.sides import INSTALL, Side, all_jobs

pytestmark = pytest.mark.slow

# As measured on systemd 252, with what the drop-ins of install.sh change.
MOST_EXPOSED = {"system": 0.2, "user": 1.0}
TIMERS = [job.timer for job in JOBS]
KEY = "a key that no unit holds"


def states(side: Side) -> dict[str, str]:
    said = side.control("is-enabled", *TIMERS).stdout.split()
    return dict(zip(TIMERS, said, strict=True))


def analyze(side: Side, *arguments: str) -> str:
    command = ("systemd-analyze", *(() if side.mode == "system" else ("--user",)), *arguments)
    whole = command if side.mode == "system" else side.as_person(*command)
    done = side.machine.run(*whole)
    return done.stdout + done.stderr


def test_systemd_has_nothing_to_say_about_the_units_as_installed(side: Side) -> None:
    for job in JOBS:
        assert analyze(side, "verify", "--man=no", job.unit, job.timer) == ""


def test_services_are_hardly_exposed_as_installed(side: Side) -> None:
    for job in JOBS:
        said = analyze(side, "security", "--no-pager", job.unit)
        found = re.search(r"exposure level for \S+: ([0-9.]+)", said)
        assert found is not None, said
        assert float(found[1]) <= MOST_EXPOSED[side.mode], said


def test_all_timers_are_enabled_armed_and_told_of(side: Side) -> None:
    assert set(states(side).values()) == {"enabled"}
    status = side.json("scheduler", "status")
    assert status["healthy"], status["warnings"]
    assert [row["job"] for row in status["jobs"]] == all_jobs()
    assert all(row["next_us"] for row in status["jobs"])


def test_a_rollup_has_new_transcripts_taken_in_first_and_all_jobs_share_a_slice(side: Side) -> None:
    side.give_transcripts()
    assert side.start("week-rollup").returncode == 0
    ingest, week = side.runs("ingest")[-1], side.runs("week-rollup")[-1]
    assert ingest["ended_us"] <= week["started_us"]
    assert week["nodes"] > 0
    for job in ("ingest", "week-rollup"):
        assert side.property(f"memtool-{job}.service", "Slice") == "memtool.slice"
    assert side.property("memtool.slice", "CPUWeight") == "20"


def test_a_job_sees_the_transcripts_and_no_other_part_of_a_home(system: Side) -> None:
    system.write("/home/mira/secret", "of mira")
    system.machine.run("tee", "/home/noor/secret", stdin="of noor")
    looks = "cat /home/*/secret; ls -A /home /home/mira; touch /home/mira/.claude/new; id -un"
    system.give_transcripts()
    unit = "memtool-ingest.service"
    system.drop_in(unit, f'[Service]\nExecStart=\nExecStart=/bin/sh -c "{looks}"\n')
    assert system.start("ingest").returncode == 0
    said = system.journal("ingest")
    assert "of mira" not in said
    assert "of noor" not in said
    assert "\n.claude\n" in said
    assert "noor\n" not in said
    assert "Read-only file system" in said
    assert "\nmira\n" in said


def test_settings_of_the_person_count_for_the_jobs_of_the_system(system: Side) -> None:
    assert system.memtool("config", "set", "calendar.week_starts_on", "monday").returncode == 0
    system.take_in()
    assert system.start("day-rollup").returncode == 0
    weeks = [week for week in ids(system.toc()) if week.startswith("week:")]
    assert "week:2026-03-09" in weeks  # a Monday


def ids(entries: list[dict[str, object]]) -> list[str]:
    found = []
    for entry in entries:
        children = entry["children"]
        assert isinstance(children, list)
        found += [str(entry["id"]), *ids(children)]
    return found


def test_a_key_is_handed_over_by_systemd_and_a_missing_one_is_no_failure(side: Side) -> None:
    unit = "memtool-day-rollup.service"
    seen = f"{side.root}/seen"  # what a process says that ends at once is not always in a user's journal
    show = f'read key <"$${{CREDENTIALS_DIRECTORY}}/memtool.llm-key"; echo "<$$key>" >{seen}'
    side.drop_in(unit, f"[Service]\nExecStart=\nExecStart=/bin/sh -c '{show}'\n")
    assert side.start("day-rollup").returncode == 0
    assert side.machine.run("cat", seen).stdout == "<>\n"
    own = f"{side.home}/.config/memtool/llm-key"
    side.write("/etc/credstore/memtool.llm-key" if side.mode == "system" else own, f"{KEY}\n")
    assert side.start("day-rollup").returncode == 0
    assert side.machine.run("cat", seen).stdout == f"<{KEY}>\n"


def test_installing_again_changes_nothing_and_asks_systemd_for_nothing(side: Side) -> None:
    stamp = "find -L %s -newer /tmp/before -type f"
    side.machine.run("sh", "-c", "sleep 0.05; touch /tmp/before; sleep 0.05")
    loaded = side.journal_of_manager().count("Reloading")
    install(side)
    assert side.machine.run("sh", "-c", stamp % side.units).stdout == ""
    assert side.machine.run("sh", "-c", stamp % f"{side.prefix}/lib/memtool").stdout == ""
    assert side.journal_of_manager().count("Reloading") == loaded


def test_an_upgrade_keeps_what_was_disabled_the_schedules_and_the_pauses(side: Side) -> None:
    side.control("disable", "--now", "memtool-compaction.timer")
    assert side.memtool("scheduler", "pause", "week-rollup").returncode == 0
    schedule = "[Timer]\nOnCalendar=\nOnCalendar=*-*-* 05:00:00\n"
    side.drop_in("memtool-day-rollup.timer", schedule)
    older = f"{side.units}/memtool-day-rollup.timer"
    side.machine.run("sed", "-i", "s/^RandomizedDelaySec=.*/RandomizedDelaySec=7/", older)
    if side.mode == "system":  # a whole new program; once is enough
        side.machine.run("sh", "-c", f"echo older >{side.prefix}/lib/memtool/a/.memtool-stamp")
    said = install(side)
    assert "not enabled: memtool-compaction.timer" in said
    assert states(side) == {
        timer: "disabled" if timer == "memtool-compaction.timer" else "enabled" for timer in TIMERS
    }
    assert side.property("memtool-compaction.timer", "ActiveState") == "inactive"
    assert "05:00:00" in side.property("memtool-day-rollup.timer", "TimersCalendar")
    assert side.property("memtool-day-rollup.timer", "RandomizedDelayUSec") == "5min"
    assert side.status("week-rollup")["pause"]
    assert side.start("ingest").returncode == 0
    assert side.runs("ingest")[-1]["result"] == "done"


@pytest.mark.parametrize("place", ["unset HOME", "HOME=relative"])
@pytest.mark.parametrize("mode", ["system", "user"])
def test_a_strict_umask_and_a_home_that_is_not_named_do_no_harm(
    workshop: Workshop, binds: Mapping[Path, str], bare: Image, *, mode: str, place: str
) -> None:
    with Machine(workshop, layers=bare, binds=binds) as machine:
        side = Side(machine, mode)
        side.boot()
        options = ("--system", "--run-as", "mira") if mode == "system" else ("--user",)
        strict = ("sh", "-c", f'umask 077; cd /; {place}; exec "$@"', "sh")
        command = (*strict, *INSTALL, *options)
        done = machine.run(*(side.as_person(*command) if mode == "user" else command))
        assert done.returncode == 0, done.stdout + done.stderr
        side.take_in()
        assert side.runs("ingest")[-1]["result"] == "done"
        assert side.memtool("events").returncode == 0


def leftovers(side: Side) -> list[str]:
    """Return everything that still bears memtool's name, wherever it is."""
    places = "/etc /usr/local /home /var/lib /run"
    done = side.machine.run("sh", "-c", f"find {places} -iname '*memtool*' 2>/dev/null | sort")
    return done.stdout.split()


@pytest.mark.parametrize("is_purged", [False, True], ids=["uninstall", "purge"])
def test_uninstalling_leaves_nothing_but_data_and_purging_not_even_that(
    side: Side, *, is_purged: bool
) -> None:
    assert side.memtool("config", "set", "jobs.deadline_s", "600").returncode == 0
    side.take_in()
    side.write(f"{side.admin}/memtool-day-rollup.timer.d/50-memtool.conf", "[Timer]\n")
    if is_purged:  # what an administrator has added goes only then
        side.drop_in("memtool-ingest.service", "[Service]\nNice=5\n")
    side.control("start", "--no-block", "memtool-day-rollup.service")
    said = uninstall(side, *(("--purge",) if is_purged else ()))
    assert "program itself stays" not in said
    own_settings = f"{side.home}/.config/memtool"  # a person's: the system's purge leaves them
    stays = {own_settings} if side.mode == "system" or not is_purged else set()
    if not is_purged:
        stays.add(side.root)
    assert set(leftovers(side)) == stays
    listed = ("--all", "--no-legend", "memtool*")
    assert side.control("list-units", *listed).stdout == ""
    assert side.control("list-unit-files", *listed).stdout == ""
    assert side.control("list-timers", *listed).stdout.count("memtool") == 0
    wait_until(lambda: not side.processes(), "no job is left")
