"""What an operator does to units is told by `memtool scheduler status`, and each hint corrects it as it stands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.systemd.machine import Done, MachineError, wait_until
from tests.systemd.sides import PEOPLE, Side

pytestmark = pytest.mark.slow

# By the kind of problem that it is: what the operator types. $U is the directory of units, $S is systemctl.
DAMAGE = {
    "masked": [
        "rm -f $U/UNIT.service; $S mask UNIT.service; $S daemon-reload",
        "$S stop UNIT.timer; rm -f $U/UNIT.timer; $S mask UNIT.timer; $S daemon-reload",
        "rm -f $U/memtool.slice; $S mask memtool.slice; $S daemon-reload",
        "$S stop memtool-spool.path; rm -f $U/memtool-spool.path; $S mask memtool-spool.path; $S daemon-reload",
    ],
    "missing": [
        "rm $U/UNIT.service; $S daemon-reload",
        "$S disable --now UNIT.timer; rm $U/UNIT.timer; $S daemon-reload",
        "rm $U/UNIT.timer; $S daemon-reload",
        "mv $U/UNIT.service $U/UNIT.service.bak; $S daemon-reload; $S start UNIT.service",
    ],
    "broken": [
        "sed -i '/^ExecStart=/d' $U/UNIT.service; $S daemon-reload",
        "echo '[[[' >$U/UNIT.service; $S daemon-reload",
        "sed -i '/^OnCalendar=/d' $U/UNIT.timer; $S daemon-reload",
    ],
    "reload": [
        "mkdir -p $U/UNIT.service.d; sleep 1.1; printf '[Service]\\nNice=1\\n' >$U/UNIT.service.d/override.conf",
        "mkdir -p $U/UNIT.timer.d; sleep 1.1; printf '[Timer]\\nAccuracySec=9\\n' >$U/UNIT.timer.d/override.conf",
    ],
    "units": [
        "sed -i 's/^TimeoutStartSec=.*/TimeoutStartSec=9/' $U/UNIT.service; $S daemon-reload"
    ],
    "not-armed": ["$S stop UNIT.timer", "$S stop memtool-spool.path"],
    "not-enabled": ["$S disable UNIT.timer"],
}
UNITS = ("memtool-ingest", "memtool-day-rollup", "memtool-compaction")


def as_operator(side: Side, script: str) -> Done:
    """Run a script as who administers the units, with memtool on PATH."""
    user = "" if side.mode == "system" else " --user"
    head = f'export PATH="$PATH:{side.prefix}/bin" U={side.units} S="systemctl{user}"\n'
    command = ("sh", "-c", head + script)
    return side.machine.run(*(side.as_person(*command) if side.mode == "user" else command))


def status(side: Side) -> tuple[int, list[dict[str, Any]]]:
    done = as_operator(side, "memtool scheduler status --json")
    try:
        return done.returncode, json.loads(done.stdout)["warnings"]
    except ValueError:
        raise MachineError(done.stdout + done.stderr) from None


def damages() -> list[tuple[str, str]]:
    """Return each kind of damage, each to another unit than the one before."""
    flat = [(kind, script) for kind, scripts in DAMAGE.items() for script in scripts]
    return [
        (kind, script.replace("UNIT", UNITS[number % len(UNITS)]))
        for number, (kind, script) in enumerate(flat)
    ]


def test_each_damage_is_told_and_its_hints_correct_it(side: Side) -> None:
    assert status(side) == (0, [])
    for kind, script in damages():
        as_operator(side, script)
        code, found = status(side)
        assert code == 1, script
        assert kind in [problem["kind"] for problem in found], (script, found)
        doctor = as_operator(side, "memtool doctor --json")
        assert doctor.returncode == 1, script
        for _ in range(3):  # a hint corrects one thing at a time
            if not found:
                break
            done = as_operator(side, found[0]["hint"])
            assert done.returncode == 0, (script, found[0], done.stdout + done.stderr)
            code, found = status(side)
        assert (code, found) == (0, []), script


def test_a_drop_in_that_breaks_a_unit_is_named(side: Side) -> None:
    place = f"{side.admin}/memtool-ingest.service.d/override.conf"
    side.write(place, "[Service]\nExecStart=\n")
    side.control("daemon-reload")
    found = status(side)[1]
    assert [(problem["kind"], problem["job"]) for problem in found] == [("broken", "ingest")]
    problem = found[0]
    assert place in problem["hint"]
    assert "systemd-analyze" in problem["hint"]


def test_a_users_systemd_that_does_not_run_is_a_problem_with_the_advice_that_is_missing(
    user: Side,
) -> None:
    user.machine.run("loginctl", "disable-linger", user.person)
    runtime = f"/run/user/{PEOPLE[user.person]}"
    wait_until(lambda: user.machine.run("test", "-d", runtime).returncode != 0, "it has ended")
    code, (problem,) = status(user)
    assert (code, problem["kind"]) == (1, "manager")
    assert problem["hint"] == f"loginctl enable-linger {user.person}"
    assert user.machine.run("sh", "-c", problem["hint"]).returncode == 0
    wait_until(lambda: status(user) == (0, []), "it is well")
    user.machine.run("systemctl", "stop", f"user@{PEOPLE[user.person]}.service")
    code, (problem,) = status(user)
    assert (code, problem["kind"]) == (1, "manager")
    assert problem["hint"] == f"sudo systemctl start user@{PEOPLE[user.person]}.service"
    user.machine.run("sh", "-c", problem["hint"].removeprefix("sudo "))
    wait_until(lambda: status(user) == (0, []), "it is well")


def test_a_unit_file_that_replaces_one_of_memtool_is_named(system: Side) -> None:
    script = (
        "cp $U/memtool-ingest.service /etc/systemd/system/\n"
        "sed -i 's|^ExecStart=.*|ExecStart=/bin/true|' /etc/systemd/system/memtool-ingest.service\n"
        "$S daemon-reload"
    )
    as_operator(system, script)
    code, (problem,) = status(system)
    assert (code, problem["kind"]) == (1, "replaced")
    assert "/etc/systemd/system/memtool-ingest.service" in problem["text"]
    done = as_operator(system, "memtool scheduler run ingest")
    assert done.returncode == 1
    assert "recorded no run" in done.stderr
    assert "different programs" in as_operator(system, "memtool doctor").stdout
    as_operator(system, problem["hint"])
    assert status(system) == (0, [])


def test_a_condition_that_is_not_met_is_no_run(side: Side) -> None:
    side.drop_in("memtool-compaction.service", "[Unit]\nConditionPathExists=/nonexistent\n")
    done = as_operator(side, "memtool scheduler run compaction")
    assert done.returncode == 1
    assert "did not run: a condition in its unit file is not met" in done.stderr


@pytest.mark.parametrize("runtime", ["", "/run/user/2001", "/run/user/0", "/nonexistent"])
def test_a_runtime_directory_of_another_user_hides_nothing(user: Side, runtime: str) -> None:
    program = f"{user.prefix}/bin/memtool"
    environ = (f"HOME={user.home}", f"XDG_RUNTIME_DIR={runtime}")
    command = ("env", *environ, "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/0/bus", program)
    done = user.machine.run("runuser", "-u", user.person, "--", *command, "scheduler", "status")
    assert (done.returncode, done.stderr) == (0, "")
    assert "NEXT RUN" in done.stdout


def test_a_job_that_waits_for_its_next_try_runs_now(side: Side) -> None:
    side.take_in()
    side.drop_in(
        "memtool-day-rollup.service", "[Service]\nExecStart=\nExecStart=/bin/sh -c 'exit 69'\n"
    )
    side.start("day-rollup")
    assert side.property("memtool-day-rollup.service", "SubState") == "auto-restart"
    told = side.memtool("scheduler", "status").stdout
    assert "day-rollup failed (exit 69) and will be tried again in 4min" in told
    side.drop_in("memtool-day-rollup.service", "")
    done = as_operator(side, "memtool scheduler run day-rollup")
    assert done.returncode == 0, done.stderr
    assert "day-rollup failed (exit 69) and will be tried again in 4min" in done.stderr
    assert "It runs now instead." in done.stderr
    assert [run["result"] for run in side.runs("day-rollup")] == ["done"]


def test_a_run_says_which_job_it_waits_for(side: Side) -> None:
    side.take_in()
    side.drop_in("memtool-ingest.service", "[Service]\nExecStartPre=/bin/sleep 5\n")
    side.control("start", "--no-block", "memtool-ingest.service")
    wait_until(lambda: side.property("memtool-ingest.service", "ActiveState") == "activating", "it")
    done = as_operator(side, "memtool scheduler run day-rollup")
    assert done.returncode == 0, done.stderr
    assert "day-rollup waits until ingest has run." in done.stderr


def test_without_the_user_of_the_jobs_nothing_is_applied(system: Side) -> None:
    system.machine.run("sed", "-i", "s/^mira:/mirx:/", "/etc/passwd")
    assert system.start("ingest").returncode != 0
    for words in ("status", "apply"):
        done = as_operator(system, f"memtool scheduler {words}")
        assert done.returncode == 78, words
        assert "the system's jobs run as mira, who is not a user of this machine" in done.stderr


def test_a_job_that_is_killed_before_it_is_recorded_says_so_while_it_waits(side: Side) -> None:
    assert side.start("day-rollup").returncode == 0
    side.drop_in("memtool-day-rollup.service", "[Service]\nExecStartPre=/bin/sleep 60\n")
    side.control("start", "--no-block", "memtool-day-rollup.service")
    state = ("memtool-day-rollup.service", "SubState")
    wait_until(lambda: side.property(*state) == "start-pre", "it is at work")
    side.control("kill", "--signal=KILL", "memtool-day-rollup.service")
    wait_until(lambda: side.property(*state) in ("auto-restart", "failed"), "it has failed")
    code, (problem,) = status(side)
    assert (code, problem["kind"], problem["job"]) == (1, "unit", "day-rollup")
    assert "failed before it could record a run" in problem["text"]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("ExecStart=\nExecStart=/nonexistent/memtool ingest\n", "its program cannot be started"),
        ("WorkingDirectory=/nonexistent\n", "its working directory cannot be entered"),
        ("BindReadOnlyPaths=/nonexistent\nPrivateMounts=yes\n", "its sandbox cannot be set up"),
        ("LoadCredential=x:/nonexistent\n", "its credentials cannot be read"),
    ],
)
def test_a_unit_that_never_gets_to_memtool_says_so_in_its_row(
    system: Side, lines: str, words: str
) -> None:
    assert system.start("ingest").returncode == 0
    system.drop_in("memtool-ingest.service", f"[Service]\n{lines}")
    assert system.start("ingest").returncode != 0
    code, (problem,) = status(system)
    assert (code, problem["kind"], problem["job"]) == (1, "unit", "ingest")
    assert words in problem["text"]
    row = next(
        line
        for line in as_operator(system, "memtool scheduler status").stdout.splitlines()
        if line.startswith("ingest ")
    )
    assert " failed " in row
