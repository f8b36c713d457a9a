"""Pauses hold where they have to: over a reboot, for all who start a job by systemd, and no longer than they are to."""

from __future__ import annotations

import time

import pytest

from tests.systemd.machine import wait_until
from tests.systemd.sides import AT_ONCE, SOON, Side

pytestmark = pytest.mark.slow

INGEST, DAY = "memtool-ingest.service", "memtool-day-rollup.service"


def pause(side: Side, *arguments: str) -> None:
    done = side.memtool("scheduler", "pause", *arguments)
    assert done.returncode == 0, done.stderr


def resume(side: Side, *arguments: str) -> None:
    done = side.memtool("scheduler", "resume", *arguments)
    assert done.returncode == 0, done.stderr


def test_a_pause_holds_over_a_reboot_and_shows_in_systemctl_status(side: Side) -> None:
    pause(side, "ingest", "--reason", "a trial")
    side.drop_in("memtool-ingest.timer", SOON)
    side.reboot()
    wait_until(lambda: side.property(INGEST, "ConditionTimestamp"), "the timer has fired")
    shown = side.control("status", INGEST).stdout
    assert "condition" in shown.lower()
    assert f"{side.root}/pause/ingest" in shown
    assert side.begun("ingest") == []
    assert side.control("--failed", "--no-legend").stdout == ""
    assert side.status("ingest")["pause"]["reason"] == "a trial"


def test_a_pause_holds_with_a_broken_program(system: Side) -> None:
    pause(system, "--all")
    system.machine.run("rm", "-r", "/usr/local/lib/memtool")
    assert system.start("ingest", "day-rollup").returncode == 0
    assert system.control("--failed", "--no-legend").stdout == ""


def test_a_pause_with_an_end_ends_by_itself(system: Side) -> None:
    pause(system, "ingest", "--for", "1h")
    assert system.start("ingest").returncode == 0
    (skipped,) = system.runs("ingest")
    assert (skipped["result"], skipped["exit_code"]) == ("skipped", 75)
    flag = f"{system.root}/pause/ingest.until"
    until_us = int(time.time() * 1_000_000) - 1  # the end is moved to now
    text = system.machine.run("cat", flag).stdout
    lines = [line for line in text.splitlines() if not line.startswith("until_us")]
    system.machine.run("tee", flag, stdin="\n".join([*lines, f"until_us {until_us}", ""]))
    assert system.start("ingest").returncode == 0
    assert system.runs("ingest")[-1]["result"] == "done"
    assert system.status("ingest")["pause"] is None


def test_resuming_makes_up_for_what_was_missed(side: Side) -> None:
    side.give_transcripts()
    pause(side, "--all")
    side.drop_in("memtool-.timer", AT_ONCE)
    side.drop_in("memtool-ingest.timer", SOON)
    wait_until(lambda: side.property(INGEST, "ConditionTimestamp"), "the timer has fired")
    assert side.control("start", DAY).returncode == 0
    assert side.runs("ingest") == side.runs("day-rollup") == []
    resume(side, "--all")
    assert side.wait_for_runs("ingest", 1)[0]["events"] > 0
    assert side.start("day-rollup").returncode == 0
    assert side.runs("day-rollup")[0]["nodes"] > 0


def test_a_paused_level_is_not_written_by_the_jobs_of_others(side: Side) -> None:
    side.take_in()
    pause(side, "day-rollup", "--for", "2h")
    done = side.start("week-rollup", "month-rollup", "year-rollup")
    assert done.returncode == 0
    assert {run["nodes"] for name in ("week", "month") for run in side.runs(f"{name}-rollup")} == {
        0
    }
    row = side.status("week-rollup")
    assert row["waits_for"] == ["day-rollup"]
    assert set(row["left"]["week"]) == {"paused"}
    assert row["healthy"]
    said = " ".join(side.memtool("scheduler", "status").stdout.split())
    assert "waiting for day-rollup, which is paused" in said
    assert side.memtool("rollup", "all").returncode == 0  # by hand
    assert set(side.json("stats")["stale"].values()) == {0}
