"""The unit files are the job table, and each other: no job is left out, and none is treated otherwise by mistake."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from memtool.errors import EXIT_CODES, OK, SKIPPED, TERMINATED, UNAVAILABLE
from memtool.systemd import units
from memtool.systemd.jobs import JOBS, STARTERS, Job, job_named
from tests.units.files import (
    COMMON,
    PACKAGE,
    PROGRAMS,
    ROOTS,
    SANDBOX,
    SERVICES,
    SLICE,
    SYSTEM,
    TIMERS,
    USER,
    job_of,
    name_of,
    one,
    settings,
    systemd_analyze,
    whole,
)

RETRY = {("Service", "Restart"), ("Service", "RestartSec")}
LIMIT = {("Unit", "StartLimitIntervalSec"), ("Unit", "StartLimitBurst")}
KEYS = {("Service", "LoadCredential"), ("Service", "SetCredential")}
SECONDS = {"": 1, "s": 1, "min": 60, "h": 3600}
FOLDERS = (SYSTEM, USER)
SANDBOX_NAME, COMMON_NAME = units.SANDBOX, units.COMMON

each_service = pytest.mark.parametrize("path", SERVICES, ids=name_of)
each_timer = pytest.mark.parametrize("path", TIMERS, ids=lambda path: str(path.name))


each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.name))
PACKAGED = [
    PACKAGE / "sysusers.d/memtool.conf",
    PACKAGE / "tmpfiles.d/memtool.conf",
    PACKAGE / "system-preset/80-memtool.preset",
]

retried = pytest.mark.parametrize(
    "path",
    [path for path in SERVICES if job_of(path).is_retried],
    ids=name_of,
)


def seconds(value: str) -> int:
    number = value.rstrip("hmins")
    return int(number) * SECONDS[value.removeprefix(number)]


def test_every_job_has_its_units_and_nothing_else_is_there() -> None:
    for folder in FOLDERS:
        found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        wanted = {*STARTERS, *(job.unit for job in JOBS)}
        assert found - {SANDBOX_NAME} == wanted | {SLICE.name, COMMON_NAME}


def test_both_managers_have_the_same_timers_and_slice() -> None:
    for path in (*TIMERS, SLICE):
        assert (USER / path.name).read_text() == path.read_text()


@each_service
def test_a_service_runs_the_command_of_its_job(path: Path) -> None:
    job = job_of(path)
    assert one(path, "Service", "ExecStart") == " ".join((PROGRAMS[path.parent], *job.command))
    assert one(path, "Service", "Type") == "oneshot"
    assert one(path, "Unit", "Description") == f"memtool: {job.description}"
    assert seconds(one(path, "Service", "TimeoutStartSec")) == job.settings.timeout_s


@each_service
def test_services_queue_up_in_the_order_of_the_levels(path: Path) -> None:
    job = job_of(path)
    after = " ".join(settings(path).get(("Unit", "After"), [])).split()
    assert after == [job_named(name).unit for name in job.after]
    rollups = [row.unit for row in JOBS if row.levels]
    assert not job.levels or set(after) >= {
        "memtool-ingest.service",
        *rollups[: rollups.index(job.unit)],
    }


@each_service
def test_a_pause_of_the_job_or_of_all_keeps_it_from_starting(path: Path) -> None:
    root = f"!{ROOTS[path.parent]}/pause"
    wanted = [f"{root}/all", f"{root}/{job_of(path).name}"]
    assert settings(path)["Unit", "ConditionPathExists"] == wanted


@each_service
def test_every_rollup_has_new_transcripts_taken_in_first(path: Path) -> None:
    job, wants = job_of(path), settings(path).get(("Unit", "Wants"), [])
    assert wants == [job_named(name).unit for name in job.wants]
    assert not job.levels or wants == ["memtool-ingest.service"]


@each_folder
def test_a_skip_and_a_stop_are_no_failures(folder: Path) -> None:
    codes = one(COMMON[folder], "Service", "SuccessExitStatus").split()
    assert codes == [str(SKIPPED.code), str(TERMINATED.code)]


@each_folder
def test_only_what_may_pass_by_itself_is_tried_again(folder: Path) -> None:
    values = settings(COMMON[folder])["Service", "RestartPreventExitStatus"]
    final = [str(row.code) for row in EXIT_CODES if row not in (OK, UNAVAILABLE)]
    assert " ".join(values).split() == [*final, "SIGTERM", "SIGKILL", *systemds_own_codes()]


def systemds_own_codes() -> list[str]:
    """Return the codes with which systemd says that it could not start a service, as it lists them."""
    done = systemd_analyze(["exit-status", "--no-pager"])
    rows = [line.split() for line in done.stdout.splitlines()]
    found = [int(row[1]) for row in rows if row[-1] == "systemd"]
    return [str(code) for code in sorted(found) if 200 <= code <= 243]


@retried
def test_a_failure_is_tried_again(path: Path) -> None:
    assert one(path, "Service", "Restart") == "on-failure"


@retried
def test_retries_come_to_an_end_within_the_start_limit(path: Path) -> None:
    burst = int(one(path, "Unit", "StartLimitBurst"))
    pause_s = seconds(one(path, "Service", "RestartSec"))
    a_lock_s = 300  # the bound after which a lock that is not free makes a run end with 69
    interval_s = seconds(one(path, "Unit", "StartLimitIntervalSec"))
    assert burst * (pause_s + a_lock_s) < interval_s


@each_folder
def test_the_next_ingest_is_the_retry_of_one_and_it_may_start_at_any_time(folder: Path) -> None:
    found = settings(folder / "memtool-ingest.service")
    assert not RETRY & set(found)
    assert {name: found[name] for name in LIMIT & set(found)} == {
        ("Unit", "StartLimitIntervalSec"): ["0"]
    }


@each_service
def test_only_what_asks_a_model_is_given_its_key(path: Path) -> None:
    keys = {
        name: values[0].partition(":")[0] for name, values in settings(path).items() if name in KEYS
    }
    wanted = {("Service", "LoadCredential")} if path.parent == SYSTEM else KEYS
    needs = job_of(path).network == "summarizer"
    assert keys == (dict.fromkeys(wanted, "memtool.llm-key") if needs else {})


OF_ONE = {
    *(("Unit", name) for name in ("Description", "Wants", "After", "ConditionPathExists")),
    *(("Service", name) for name in ("Type", "ExecStart", "User", "TimeoutStartSec")),
    *(("Service", name) for name in ("PrivateNetwork", "IPAddressDeny", "RestrictAddressFamilies")),
    *(RETRY | LIMIT | KEYS),
}


@each_service
def test_a_service_says_only_what_is_its_own(path: Path) -> None:
    assert set(settings(path)) <= OF_ONE
    assert not OF_ONE & set(settings(COMMON[path.parent]))


@pytest.mark.parametrize("job", JOBS, ids=lambda job: str(job.name))
def test_without_the_shared_file_no_job_of_the_system_runs_as_root(job: Job) -> None:
    assert one(SYSTEM / job.unit, "Service", "User") == "memtool"


def test_a_user_s_services_have_what_the_system_s_have_but_what_their_manager_cannot_do() -> None:
    system, user = (settings(COMMON[folder]) for folder in FOLDERS)
    assert user == {name: system[name] for name in user}


def test_the_sandbox_of_a_user_s_services_is_the_system_s_but_for_the_homes() -> None:
    system, user = whole(SYSTEM / "memtool-ingest.service"), settings(SANDBOX)
    homes = {("Service", name) for name in ("ProtectHome", "ReadWritePaths", "ExecStartPre")}
    assert {name: value for name, value in user.items() if name not in homes} == {
        name: system[name] for name in user if name not in homes
    }
    assert user["Service", "ReadWritePaths"] == [f"-{ROOTS[USER]}"]
    assert user["Service", "ExecStartPre"] == [f"-+mkdir -p {ROOTS[USER]}"]


def test_all_jobs_together_have_one_weight() -> None:
    assert {one(COMMON[folder], "Service", "Slice") for folder in FOLDERS} == {SLICE.name}
    assert set(settings(SLICE)) >= {("Slice", "CPUWeight"), ("Slice", "IOWeight")}


@pytest.mark.parametrize("path", [*TIMERS, SLICE, *COMMON.values()], ids=name_of)
def test_every_unit_names_its_documentation(path: Path) -> None:
    assert one(path, "Unit", "Documentation") == "man:memtool(1)"


@each_timer
def test_a_timer_fires_as_the_table_says(path: Path) -> None:
    job = job_of(path)
    assert tuple(settings(path)["Timer", "OnCalendar"]) == job.schedule
    assert one(path, "Timer", "RandomizedDelaySec") == str(job.settings.jitter_s)
    assert one(path, "Unit", "Description") == f"memtool: when to {job.description}"


@each_timer
def test_a_timer_makes_up_for_what_was_missed_and_keeps_to_its_delay(path: Path) -> None:
    assert one(path, "Timer", "Persistent") == "yes"
    assert one(path, "Timer", "FixedRandomDelay") == "yes"
    assert one(path, "Install", "WantedBy") == "timers.target"


@pytest.mark.parametrize(
    "path",
    [*SERVICES, *TIMERS, SLICE, SANDBOX, *COMMON.values(), *PACKAGED],
    ids=name_of,
)
def test_no_secret_and_no_person_is_named_in_a_unit(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "Environment=" not in text.replace("Environment=PYTHONUNBUFFERED=1", "")
    assert "/home/" not in text
    assert "{" not in text  # of a template
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("folder", FOLDERS, ids=["system", "user"])
def test_a_path_unit_watches_the_file_that_hooks_write_and_outlives_a_pause(folder: Path) -> None:
    for job in (job for job in JOBS if job.path):
        path = folder / job.path
        root = "/var/lib/memtool" if folder == SYSTEM else "%h/.local/state/memtool"
        assert one(path, "Path", "PathChanged") == f"{root}/{job.watches}"
        assert "DirectoryNotEmpty=" not in re.sub(
            r"^#.*$", "", path.read_text("utf-8"), flags=re.MULTILINE
        )
        assert one(path, "Path", "Unit") == job.unit
        assert one(path, "Install", "WantedBy") == "paths.target"
        assert one(folder / job.unit, "Unit", "StartLimitIntervalSec") == "0"
