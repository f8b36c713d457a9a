"""How a job's run may end before it is done: killed for its time, stopped, or not even begun. None goes unheard."""

from __future__ import annotations

import pytest

from tests.systemd.machine import wait_until
from tests.systemd.sides import Side

pytestmark = pytest.mark.slow

DAY = "memtool-day-rollup.service"
TERMINATED = 143


def failed_units(side: Side) -> str:
    return side.control("--failed", "--no-legend").stdout


def run_out_of_time(side: Side, limits: str) -> None:
    """Let the job be at work, then give it these limits, which are over at once. Return when it has failed."""
    with side.held("tree"):
        side.begin("day-rollup")
        side.drop_in(DAY, f"[Service]\n{limits}")
        wait_until(lambda: DAY in failed_units(side), "it has failed")


def test_a_job_that_takes_too_long_is_killed_reported_and_finished_by_the_next(side: Side) -> None:
    side.take_in()
    run_out_of_time(side, "TimeoutStartSec=1s\n")
    assert side.property(DAY, "Result") == "timeout"
    assert "timed out" in side.journal("day-rollup")
    assert [run["result"] for run in side.runs("day-rollup")] == ["stopped"]
    side.drop_in(DAY, "")
    assert side.start("day-rollup").returncode == 0
    assert DAY not in failed_units(side)
    last = side.runs("day-rollup")[-1]
    assert (last["result"], last["nodes"] > 0) == ("done", True)


def test_a_job_that_does_not_even_stop_when_told_is_killed_and_recorded_as_died(
    system: Side,
) -> None:
    system.take_in()
    run_out_of_time(system, "TimeoutStartSec=1s\nTimeoutStopSec=1s\nKillSignal=SIGCONT\n")
    status = system.status("day-rollup")
    assert (status["last"]["result"], status["healthy"]) == ("died", False)
    system.drop_in(DAY, "")
    assert system.start("day-rollup").returncode == 0
    assert [run["result"] for run in system.runs("day-rollup")] == ["died", "done"]
    assert system.status("day-rollup")["healthy"]


def test_systemctl_stop_leaves_a_clean_record_and_no_failure(side: Side) -> None:
    side.take_in()
    with side.held("tree"):
        side.begin("day-rollup")
        assert side.control("stop", DAY).returncode == 0
    (run,) = side.runs("day-rollup")
    assert (run["result"], run["exit_code"]) == ("stopped", TERMINATED)
    assert "SIGTERM" in run["reason"]
    assert side.property(DAY, "Result") == "success"
    assert failed_units(side) == ""
    assert side.start("day-rollup").returncode == 0


@pytest.mark.parametrize("damage", ["a module is missing", "the interpreter is missing"])
def test_a_broken_program_is_a_loud_failure_and_no_skip(side: Side, damage: str) -> None:
    python = f"{side.prefix}/lib/memtool/a"
    is_module = damage.startswith("a module")
    broken = f"{python}/lib/python3*/site-packages/memtool" if is_module else f"{python}/bin/python"
    side.machine.run("sh", "-c", f"mv {broken} /root/taken-away")
    side.fire_once("memtool-ingest.timer")
    wait_until(lambda: "memtool-ingest.service" in failed_units(side), "it has failed")
    ended = side.properties("memtool-ingest.service", "Result", "ExecMainStatus")
    assert ended == ["exit-code", "1" if is_module else "203"]
    assert side.start("day-rollup").returncode != 0
    assert side.property(DAY, "ActiveState") == "failed"  # not waiting for another try


def tell_of_failures(side: Side) -> str:
    """Have a command of the person run after each failure; return the file into which it writes."""
    settings = """[scheduler]\non_failure = 'echo "$MEMTOOL_JOB failed" >>~/told'\n"""
    own = f"{side.home}/.config/memtool/config.toml"
    side.write(own if side.mode == "user" else "/etc/memtool/config.toml", settings)
    side.machine.run("sh", "-c", "chmod -R a+rX /etc/memtool")
    apply = ("scheduler", "apply")  # the system's drop-ins are root's to write
    done = side.memtool(*apply) if side.mode == "user" else side.machine.run("memtool", *apply)
    assert done.returncode == 0, done.stdout + done.stderr
    return f"{side.home}/told"


def test_a_command_of_the_person_is_told_of_a_failure(side: Side) -> None:
    told = tell_of_failures(side)
    side.drop_in("memtool-ingest.service", "[Service]\nExecStart=\nExecStart=/bin/false\n")
    assert side.start("ingest").returncode != 0
    wait_until(lambda: side.machine.run("cat", told).stdout == "ingest failed\n", "it is told")


def test_a_transcript_that_cannot_be_read_is_told_once(side: Side) -> None:
    told = tell_of_failures(side)
    side.take_in()
    closed = f"{side.home}/.claude/projects/closed.jsonl"
    side.machine.run("sh", "-c", f"echo '{{}}' >{closed}; chown root {closed}; chmod 600 {closed}")
    assert side.start("ingest").returncode != 0
    wait_until(lambda: side.machine.run("cat", told).stdout == "ingest failed\n", "it is told")
    name = "_SYSTEMD_UNIT" if side.mode == "system" else "_SYSTEMD_USER_UNIT"
    words = ("journalctl", "--output=cat", "-p", "err", f"{name}=memtool-ingest.service")
    assert f"cannot read {closed}: permission denied" in side.machine.run(*words).stdout
    for _ in range(2):
        assert side.start("ingest").returncode == 0
    assert side.machine.run("cat", told).stdout == "ingest failed\n"
    assert [run["result"] for run in side.runs("ingest")][-3:] == ["failed", "done", "done"]
    found = side.json("scheduler", "status")["warnings"]
    (problem,) = [each for each in found if each["kind"] == "unreadable"]
    assert "permission denied" in problem["text"]
    side.machine.run("rm", closed)
    assert side.start("ingest").returncode == 0
    assert side.status("ingest")["healthy"]
