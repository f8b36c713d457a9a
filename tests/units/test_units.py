"""The unit files are the job table, and each other: no job is left out, and none is treated otherwise by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from memtool.base.errors import EXIT_CODES, OK, SKIPPED, TERMINATED, UNAVAILABLE
from memtool.scheduler.jobs import JOBS
from tests.units.files import (
    PROGRAMS,
    ROOTS,
    SANDBOX,
    SERVICES,
    SYSTEM,
    TIMERS,
    UNITS,
    USER,
    Setting,
    job_of,
    one,
    settings,
)

# What a job may set otherwise than another, or alone.
OF_A_JOB = {
    ("Unit", "Description"),
    ("Unit", "After"),
    ("Unit", "ConditionPathExists"),
    ("Service", "ExecStart"),
    ("Service", "TimeoutStartSec"),
}
RETRY = {
    ("Unit", "StartLimitIntervalSec"),
    ("Unit", "StartLimitBurst"),
    ("Service", "Restart"),
    ("Service", "RestartSec"),
    ("Service", "RestartPreventExitStatus"),
}
KEYS = {("Service", "LoadCredential"), ("Service", "SetCredential")}
SECONDS = {"s": 1, "min": 60, "h": 3600}

each_service = pytest.mark.parametrize("path", SERVICES, ids=lambda path: "/".join(path.parts[-2:]))
each_timer = pytest.mark.parametrize("path", TIMERS, ids=lambda path: str(path.name))


retried = pytest.mark.parametrize(
    "path",
    [path for path in SERVICES if job_of(path).name != "ingest"],
    ids=lambda path: "/".join(path.parts[-2:]),
)


def seconds(value: str) -> int:
    number = value.rstrip("hmins")
    return int(number) * SECONDS[value.removeprefix(number)]


def common(path: Path) -> dict[Setting, list[str]]:
    own = OF_A_JOB | RETRY | KEYS
    return {name: value for name, value in settings(path).items() if name not in own}


def test_every_job_has_its_units_and_nothing_else_is_there() -> None:
    found = {str(path.relative_to(UNITS)) for path in UNITS.rglob("*") if path.is_file()}
    wanted = {*SERVICES, *TIMERS, SANDBOX}
    assert found == {str(path.relative_to(UNITS)) for path in wanted}


@each_service
def test_a_service_runs_the_command_of_its_job(path: Path) -> None:
    job = job_of(path)
    assert one(path, "Service", "ExecStart") == " ".join((PROGRAMS[path.parent], *job.command))
    assert one(path, "Service", "Type") == "oneshot"
    assert one(path, "Unit", "Description") == f"memtool: {job.description}"
    assert seconds(one(path, "Service", "TimeoutStartSec")) == job.timeout_s


@each_service
def test_services_queue_up_in_the_order_of_the_levels(path: Path) -> None:
    jobs = [job.unit for job in JOBS]
    below = jobs[: jobs.index(path.name)]
    assert " ".join(settings(path).get(("Unit", "After"), [])).split() == below


@each_service
def test_a_pause_of_the_job_or_of_all_keeps_it_from_starting(path: Path) -> None:
    root = f"!{ROOTS[path.parent]}/pause"
    wanted = [f"{root}/all", f"{root}/{job_of(path).name}"]
    assert settings(path)["Unit", "ConditionPathExists"] == wanted


@each_service
def test_a_skip_and_a_stop_are_no_failures(path: Path) -> None:
    codes = one(path, "Service", "SuccessExitStatus").split()
    assert codes == [str(SKIPPED.code), str(TERMINATED.code)]


@retried
def test_only_what_may_pass_by_itself_is_tried_again(path: Path) -> None:
    prevented = one(path, "Service", "RestartPreventExitStatus").split()
    final = [str(row.code) for row in EXIT_CODES if row not in (OK, UNAVAILABLE)]
    assert prevented == [*final, "203", "SIGTERM", "SIGKILL"]
    assert one(path, "Service", "Restart") == "on-failure"


@retried
def test_retries_come_to_an_end_within_the_start_limit(path: Path) -> None:
    burst = int(one(path, "Unit", "StartLimitBurst"))
    pause_s = seconds(one(path, "Service", "RestartSec"))
    a_lock_s = 300  # the bound after which a lock that is not free makes a run end with 69
    interval_s = seconds(one(path, "Unit", "StartLimitIntervalSec"))
    assert burst * (pause_s + a_lock_s) < interval_s


def test_the_next_ingest_is_the_retry_of_one() -> None:
    for folder in (SYSTEM, USER):
        assert not RETRY & set(settings(folder / "memtool-ingest.service"))


@each_service
def test_only_what_asks_a_model_is_given_its_key(path: Path) -> None:
    keys = {
        name: values[0].partition(":")[0] for name, values in settings(path).items() if name in KEYS
    }
    wanted = {("Service", "LoadCredential")} if path.parent == SYSTEM else KEYS
    needs = job_of(path).network == "summarizer"
    assert keys == (dict.fromkeys(wanted, "memtool.llm-key") if needs else {})


@pytest.mark.parametrize("folder", [SYSTEM, USER], ids=["system", "user"])
def test_services_differ_in_nothing_else(folder: Path) -> None:
    first, *others = [folder / job.unit for job in JOBS]
    for other in others:
        assert common(other) == common(first), other.name


def test_a_user_s_service_is_the_system_s_less_what_its_manager_cannot_do() -> None:
    system, user = (settings(folder / "memtool-day-rollup.service") for folder in (SYSTEM, USER))
    of_the_place = {("Unit", "ConditionPathExists"), ("Service", "ExecStart"), *KEYS}
    assert {name: value for name, value in user.items() if name not in of_the_place} == {
        name: system[name] for name in user if name not in of_the_place
    }


def test_the_sandbox_of_a_user_s_services_is_the_system_s_but_for_the_homes() -> None:
    system, user = settings(SYSTEM / "memtool-ingest.service"), settings(SANDBOX)
    homes = {("Service", "ProtectHome"), ("Service", "ReadWritePaths")}
    assert {name: value for name, value in user.items() if name not in homes} == {
        name: system[name] for name in user if name not in homes
    }
    assert user["Service", "ReadWritePaths"] == [ROOTS[USER]]


@each_timer
def test_a_timer_fires_as_the_table_says(path: Path) -> None:
    job = job_of(path)
    assert tuple(settings(path)["Timer", "OnCalendar"]) == job.schedule
    assert one(path, "Timer", "RandomizedDelaySec") == str(job.randomized_delay_s)
    assert one(path, "Unit", "Description") == f"memtool: when to {job.description}"


@each_timer
def test_a_timer_makes_up_for_what_was_missed_and_keeps_to_its_delay(path: Path) -> None:
    assert one(path, "Timer", "Persistent") == "yes"
    assert one(path, "Timer", "FixedRandomDelay") == "yes"
    assert one(path, "Install", "WantedBy") == "timers.target"


@pytest.mark.parametrize(
    "path", [*SERVICES, *TIMERS, SANDBOX], ids=lambda path: "/".join(path.parts[-2:])
)
def test_no_secret_and_no_person_is_named_in_a_unit(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "Environment=" not in text.replace("Environment=PYTHONUNBUFFERED=1", "")
    assert "/home/" not in text
    assert max(map(len, text.splitlines())) <= 120
