"""No job runs twice at a time, whoever starts it: a second start is skipped, counted, and disturbs nothing."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.systemd.machine import wait_until
from tests.systemd.sides import SOON, Run, Side

pytestmark = pytest.mark.slow

SKIPPED, UNAVAILABLE = 75, 69
DAY = "memtool-day-rollup.service"


def test_a_second_start_is_skipped_and_counted_and_the_running_one_is_undisturbed(
    side: Side,
) -> None:
    side.take_in()
    with side.held("tree"):
        side.begin("day-rollup")
        pid = side.property(DAY, "MainPID")
        second = side.memtool("rollup", "day")
        assert second.returncode == SKIPPED
        assert "already running" in second.stderr
        side.control("start", "--no-block", DAY)  # systemd starts no second one by itself
        assert side.property(DAY, "MainPID") == pid
        assert side.status("day-rollup")["running"]["pid"] > 0
    done, skipped = side.wait_for_runs("day-rollup", 2)  # in the order of their starts
    assert (skipped["result"], skipped["exit_code"]) == ("skipped", SKIPPED)
    assert (done["result"], done["trigger"]) == ("done", "systemd")
    assert done["nodes"] > 0
    assert len(side.begun("day-rollup")) == 1
    status = side.status("day-rollup")
    assert (status["runs"], status["skips"], status["errors"]) == (1, 1, 0)


def test_a_timer_that_fires_beside_a_run_by_hand_is_skipped_and_no_failure(system: Side) -> None:
    system.take_in()
    with system.held("tree"):
        by_hand = system.person_begins("rollup", "day", job="day-rollup")
        system.fire_once("memtool-day-rollup.timer")
        skipped = system.wait_for_runs("day-rollup", 1)[0]
        assert (skipped["result"], skipped["trigger"]) == ("skipped", "timer")
        wait_until(lambda: system.property(DAY, "ActiveState") == "inactive", "the unit is done")
        assert system.properties(DAY, "Result", "ExecMainStatus") == ["success", str(SKIPPED)]
    assert by_hand.wait() == 0
    runs = [run for run in system.runs("day-rollup") if run["result"] != "skipped"]
    assert [run["trigger"] for run in runs] == ["manual"]


def test_runs_by_hand_and_by_timer_never_overlap(system: Side) -> None:
    system.give_transcripts()
    system.drop_in("memtool-ingest.timer", SOON)
    for _ in range(4):
        system.memtool("ingest")

    def ran() -> list[Run]:
        return [run for run in system.runs("ingest") if run["result"] != "skipped"]

    wait_until(lambda: {run["trigger"] for run in ran()} == {"timer", "manual"}, "both have run")
    runs = ran()
    assert {run["result"] for run in runs} == {"done"}
    ordered = sorted(runs, key=lambda run: int(run["started_us"]))
    for earlier, later in pairwise(ordered):
        assert earlier["ended_us"] <= later["started_us"]


def be_impatient(system: Side, most_starts: int = 1000) -> None:
    """Let a job that finds a lock taken fail at once, and systemd try again soon."""
    system.write("/etc/memtool/config.toml", "[locks]\nwait_s = 0\n")
    system.machine.run("chmod", "-R", "a+rX", "/etc/memtool")
    system.take_in()
    system.drop_in(DAY, f"[Unit]\nStartLimitBurst={most_starts}\n[Service]\nRestartSec=1s\n")


def test_a_lock_that_is_not_free_in_time_is_tried_again_by_systemd(system: Side) -> None:
    be_impatient(system)
    with system.held("tree"):
        system.control("start", "--no-block", DAY)
        first = system.wait_for_runs("day-rollup", 2)[0]
        assert (first["result"], first["exit_code"]) == ("failed", UNAVAILABLE)
    wait_until(lambda: system.runs("day-rollup")[-1]["result"] == "done", "a retry went well")


def test_tries_come_to_an_end_that_is_heard_and_the_timer_goes_on(system: Side) -> None:
    be_impatient(system, most_starts=3)
    with system.held("tree"):
        system.control("start", "--no-block", DAY)
        wait_until(lambda: DAY in system.control("--failed", "--no-legend").stdout, "it has failed")
    assert [run["exit_code"] for run in system.runs("day-rollup")] == [UNAVAILABLE] * 3
    assert system.property("memtool-day-rollup.timer", "NextElapseUSecRealtime")
    assert system.start("day-rollup").returncode != 0  # systemd has had enough of it
    by_hand = system.machine.run("memtool", "scheduler", "run", "day-rollup")
    assert by_hand.returncode == 0, by_hand.stderr
    assert system.runs("day-rollup")[-1]["result"] == "done"
