"""Drop-ins: what differs from the shipped units and nothing else; a file that is not wanted any more goes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from memtool.model.calendar import Calendar
from memtool.process import run
from memtool.settings import TimerSettings
from memtool.systemd.changes import Change, write
from memtool.systemd.dropins import (
    COMMAND_DROP_IN,
    DROP_IN,
    NETWORK_DROP_IN,
    ON_FAILURE,
    Command,
    Wanted,
    command_drop_in,
    files_of,
    network_drop_in,
    possible_paths,
)
from memtool.systemd.jobs import JOBS

TIMER = f"memtool-week-rollup.timer.d/{DROP_IN}"
SERVICE = f"memtool-week-rollup.service.d/{DROP_IN}"


def files(wanted: Wanted, **changed: TimerSettings) -> dict[str, str]:
    settings = {job.section: changed.get(job.section, job.settings) for job in JOBS}
    return files_of(settings, wanted)


def lines(text: str) -> list[str]:
    assert text.startswith('# Written by "memtool scheduler apply"')
    return text.splitlines()[1:]


def test_defaults_need_no_file() -> None:
    assert files(Wanted("system")) == {}
    assert files(Wanted("user", version=257)) == {}


def test_a_schedule_takes_the_place_of_the_shipped_one() -> None:
    week = TimerSettings("Sat 2:00; Sat 5:00 UTC", 60, 600)
    made = files(Wanted("user"), week_rollup=week)
    assert set(made) == {TIMER, SERVICE}
    assert lines(made[TIMER]) == [
        "[Timer]",
        "OnCalendar=",
        "OnCalendar=Sat 2:00",
        "OnCalendar=Sat 5:00 UTC",
        "RandomizedDelaySec=60",
    ]
    assert lines(made[SERVICE]) == ["[Service]", "TimeoutStartSec=600"]


def test_the_stores_zone_is_named_in_every_timer_but_the_one_without_a_time_of_day() -> None:
    made = files(Wanted("system", Calendar("Asia/Kathmandu")))
    assert set(made) == {f"{job.timer}.d/{DROP_IN}" for job in JOBS if job.name != "ingest"}
    assert "OnCalendar=Sun *-*-* 02:00:00 Asia/Kathmandu" in made[TIMER]


def test_only_jobs_that_call_the_summarizer_get_a_network_and_only_if_it_needs_one() -> None:
    made = files(Wanted("system", needs_network=True))
    assert set(made) == {
        f"memtool-{level}-rollup.service.d/{NETWORK_DROP_IN}"
        for level in ("day", "week", "month", "year")
    }


def test_the_network_is_lifted_no_further_than_needed() -> None:
    assert lines(network_drop_in("system")) == [
        "[Unit]",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        "PrivateNetwork=no",
        "RestrictAddressFamilies=AF_INET AF_INET6",
        "IPAddressDeny=",
    ]
    assert "network-online" not in network_drop_in("user")


CLAUDE = Command(
    folders=(Path("/home/mira/.local/bin"),),
    parts=tuple(
        map(Path, ("/home/mira/.local/bin", "/home/mira/.local/share/claude", "/usr/bin", "/opt/x"))
    ),
    writes=(Path("/home/mira/.claude"), Path("/srv/100% scratch")),
    at_once=2,
)
ODD_HOME = Path("/home/m 1/a:b")
ODD = Command((ODD_HOME / 'say "x"',), (ODD_HOME / "50% \\",), (ODD_HOME / "it's",))
LIFTED = ["[Service]", "MemoryDenyWriteExecute=no", "MemoryMax=3G", "TasksMax=256"]
SEARCHED = 'Environment="PATH=/home/mira/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"'


def test_a_program_of_the_systems_jobs_is_let_in_with_what_it_writes_to() -> None:
    assert lines(command_drop_in("system", CLAUDE)) == [
        *LIFTED,
        SEARCHED,
        "BindReadOnlyPaths=-/home/mira/.local/bin",
        "BindReadOnlyPaths=-/home/mira/.local/share/claude",
        "BindPaths=-/home/mira/.claude",
        'ReadWritePaths="-/srv/100%% scratch"',
    ]


def test_a_users_own_jobs_see_it_anyway() -> None:
    assert lines(command_drop_in("user", CLAUDE)) == [
        *LIFTED,
        SEARCHED,
        'ReadWritePaths="-/home/mira/.claude"',
        'ReadWritePaths="-/srv/100%% scratch"',
    ]


def test_a_program_of_the_system_changes_no_path() -> None:
    plain = Command(parts=(Path("/usr/bin"),))
    assert lines(command_drop_in("system", plain)) == [
        *LIFTED[:2],
        "MemoryMax=2G",
        "TasksMax=192",
    ]


def test_a_part_that_may_be_written_is_not_bound_twice() -> None:
    within = Command(parts=(Path("/home/m/.claude/local"),), writes=(Path("/home/m/.claude"),))
    assert "BindReadOnly" not in command_drop_in("system", within)


def test_only_jobs_that_call_the_summarizer_may_run_its_program() -> None:
    made = files(Wanted("system", command=CLAUDE))
    assert set(made) == {
        f"memtool-{level}-rollup.service.d/{COMMAND_DROP_IN}"
        for level in ("day", "week", "month", "year")
    }


COMMAND = 'curl -d "$MEMTOOL_JOB failed: 100% \\ $MONITOR_EXIT_STATUS" ntfy.sh/x'


def test_a_failure_runs_the_command_as_the_services_user() -> None:
    made = files(Wanted("system", on_failure=COMMAND, user="memtool", version=252))
    assert lines(made[SERVICE]) == ["[Unit]", "OnFailure=on-memtool-failure@week-rollup.service"]
    assert lines(made[ON_FAILURE]) == [
        "[Unit]",
        "Description=memtool: report that %i failed",
        "",
        "[Service]",
        "Type=oneshot",
        "User=memtool",
        "Environment=MEMTOOL_JOB=%i",
        'ExecStart=/bin/sh -c "curl -d \\"$$MEMTOOL_JOB failed: 100%% \\\\ $$MONITOR_EXIT_STATUS\\" ntfy.sh/x"',
        "TimeoutStartSec=5min",
    ]
    assert len(made) == len(JOBS) + 1


def test_newer_systemds_are_told_to_report_a_failure_once() -> None:
    assert "RestartMode" not in files(Wanted("user", on_failure="x", version=253))[SERVICE]
    assert "RestartMode=direct" in files(Wanted("user", on_failure="x", version=254))[SERVICE]
    assert "User=" not in files(Wanted("user", on_failure="x", user="u"))[ON_FAILURE]


def test_a_store_elsewhere_is_looked_for_pauses_and_may_be_written() -> None:
    made = files(Wanted("user", store=Path("/srv/my 100% memory")))
    assert lines(made[SERVICE]) == [
        "[Unit]",
        "ConditionPathExists=!/srv/my 100%% memory/pause/all",
        "ConditionPathExists=!/srv/my 100%% memory/pause/week-rollup",
        "",
        "[Service]",
        'ReadWritePaths="-/srv/my 100%% memory"',
        "ExecStartPre=",
    ]


def test_on_battery_only_rollups_are_skipped_and_only_if_asked() -> None:
    made = files(Wanted("user", skips_on_battery=True))
    assert set(made) == {
        f"memtool-{level}-rollup.service.d/{DROP_IN}" for level in ("day", "week", "month", "year")
    }
    assert lines(made[SERVICE]) == ["[Unit]", "ConditionACPower=true"]


def test_everything_that_may_be_written_is_known_for_its_removal() -> None:
    full = Wanted(
        "system", Calendar("UTC"), needs_network=True, command=CLAUDE, on_failure="x",
        skips_on_battery=True, store=Path("/s"),
    )  # fmt: skip
    assert set(files(full, ingest=TimerSettings("daily", 1, 60))) <= set(possible_paths())


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
def test_systemd_finds_nothing_wrong_with_them(tmp_path: Path) -> None:
    full = Wanted(
        "system",
        Calendar("Europe/Berlin", 240, 0),
        needs_network=True,
        command=ODD._replace(writes=(*ODD.writes, Path("/srv/100% 'a b'"))),
        on_failure=COMMAND,
        skips_on_battery=True,
        store=Path("/srv/my 100%"),
    )
    for name, text in files(full).items():
        write(Change(tmp_path / name, None, text))
    for job in JOBS:
        (tmp_path / job.unit).write_text("[Service]\nType=oneshot\nExecStart=/bin/true\n")
        (tmp_path / job.timer).write_text(f"[Timer]\nOnCalendar={job.schedule[0]}\n")
    (tmp_path / "on-memtool-failure@ingest.service").symlink_to(tmp_path / ON_FAILURE)
    units = [tmp_path / name for job in JOBS for name in (job.unit, job.timer)]
    argv = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *map(str, units)]
    done = run(argv, {"PATH": os.environ["PATH"], "SYSTEMD_UNIT_PATH": f"{tmp_path}:"})
    assert (done.stdout, done.stderr) == ("", "")
