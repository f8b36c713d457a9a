"""`memtool scheduler status` and `history`: a quiet table in 80 columns, a JSON contract, an exit code, no store.

systemd is a program of this name on PATH that answers what was recorded or built.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from memtool.cli.app import run as memtool
from memtool.ledger.file import CallRecord, Left, Run, ledger_path
from memtool.ledger.reading import record_call, record_end, record_start
from memtool.locks import Holder, job_lock_path, try_lock
from memtool.systemd.jobs import JOBS
from memtool.systemd.pauses import Pause, set_pause
from memtool.systemd.units import COMMON, Installation
from tests.cli.terminal import Terminal
from tests.scheduler.fakes import FakeSystemd, install_units, show_text
from tests.scheduler.ledgers import change
from tests.scheduler.test_units import RECORDS
from tests.waiting import HUNG_S

NOW_US = 1_795_521_600_000_000  # 2026-11-24 12:00 UTC
HOUR_S = 3600
ME = Holder(os.getpid(), "ingest", 0, "now")


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have this machine live in UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def call(root: Path, *arguments: str) -> int:
    """Run the program on this store and return its exit code."""
    environ = {"HOME": str(root.parent), "PATH": f"{root}/bin:{root.parent}/bin"}
    return memtool(["--store", str(root), "scheduler", *arguments], environ, NOW_US)


def run(job: str, ago_s: float, took_s: float = 1.5) -> Run:
    """Return a run that went well."""
    started_us = NOW_US - int(ago_s * 1_000_000)
    return Run(
        f"{job}-{ago_s}", job, "timer", started_us, 7, "0.1.0",
        ended_us=started_us + int(took_s * 1_000_000), result="done", exit_code=0,
    )  # fmt: skip


def fill(root: Path) -> None:
    """Record a few runs that went well, badly, and not at all."""
    left: Left = {"day": {"stale": 2}, "week": {"stale": 1}, "file": {"not read": 3}}
    for row in (
        run("year-rollup", 327 * 24 * HOUR_S, 95)._replace(nodes=1, calls=1),
        run("week-rollup", 34 * HOUR_S)._replace(result="failed", exit_code=69, error="no answer from \x1b[31mhost",
            hint="start the endpoint"),
        run("ingest", 900)._replace(result="skipped", exit_code=75, reason="ingest is already running (pid 9)"),
        run("ingest", 600, 0.25)._replace(events=12, left=left),
    ):  # fmt: skip
        record_end(root, row)
    record_start(root, run("compaction", 7200)._replace(ended_us=None))


def test_without_a_systemd_status_shows_the_ledger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "store")
    assert call(tmp_path / "store", "status", "--system") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"Store: {tmp_path / 'store'} (")
    assert lines[2:] == [
        "JOB           LAST RUN                RESULT  TOOK  RUNS  ERRORS  SKIPS  WAITS",
        "ingest        11-24 11:50  10min ago  done    0.2s     1       -      1      3",
        "day-rollup    never                   -          -     0       -      -      2",
        "week-rollup   11-23 02:00  1d ago     failed  1.5s     1       1      -      1",
        "month-rollup  never                   -          -     0       -      -      -",
        "year-rollup   2026-01-01  327d ago    done    1min     1       -      -      -",
        "compaction    11-24 10:00  2h ago     died       -     1       1      -      -",
        "",
        "Waiting, as of ingest 9min ago:",
        "  ingest: 3 files not read",
        "  day-rollup: 2 days stale",
        "  week-rollup: 1 week stale",
        "Timers: unknown, systemd is not on this machine. The ledger is memtool's own.",
        '  hint: run the jobs by hand ("memtool ingest", "memtool rollup all") or by cron',
        '    ("memtool scheduler crontab")',
        "warning: week-rollup failed 1d ago (exit 69): no answer from host",
        "  hint: start the endpoint",
        "warning: compaction died 2h ago: killed, out of memory, or power lost",
        "  hint: memtool scheduler logs compaction",
    ]
    assert all(len(line) <= 80 for line in lines[2:])


@pytest.fixture
def systemd(tmp_path: Path) -> FakeSystemd:
    """Return a systemd whose timers are well."""
    fake = FakeSystemd(tmp_path)
    fake.shows(show_text())
    return fake


def ran(root: Path) -> None:
    """Record a run of each job when its timer fired last."""
    for job, ago_s in RAN_AGO_S.items():
        record_end(root, run(job, ago_s, 3 * 60 if job == "year-rollup" else 1.5))


RAN_AGO_S = {
    "year-rollup": 327 * 24 * HOUR_S + 8.4 * HOUR_S,
    "month-rollup": 23 * 24 * HOUR_S + 8.9 * HOUR_S,
    "week-rollup": 2 * 24 * HOUR_S + 9.9 * HOUR_S,
    "compaction": 2 * 24 * HOUR_S + 7.9 * HOUR_S,
    "day-rollup": 10.9 * HOUR_S,
    "ingest": 870,
}


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what status printed below the line of the store."""
    return capsys.readouterr().out.splitlines()[2:]


def test_a_healthy_system_is_one_quiet_table(
    tmp_path: Path, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    ran(tmp_path)
    assert call(tmp_path, "status", "--system") == 0
    lines = shown(capsys)
    assert all(len(line) <= 80 for line in lines)
    assert lines == [
        "JOB          LAST RUN  RESULT TOOK NEXT RUN           RUNS ERRORS SKIPS WAITS",
        "ingest       14min ago done   1.5s in 22s 12:00          1      -     -     -",
        "day-rollup   10h ago   done   1.5s in 13h 01:02          1      -     -     -",
        "week-rollup  2d ago    done   1.5s in 4d 11-29 02:00     1      -     -     -",
        "month-rollup 23d ago   done   1.5s in 6d 12-01 03:02     1      -     -     -",
        "year-rollup  327d ago  done   3min in 37d 01-01 03:33    1      -     -     -",
        "compaction   2d ago    done   1.5s in 4d 11-29 04:02     1      -     -     -",
    ]
    assert systemd.calls == []


def test_one_call_of_systemctl_is_all_that_status_takes(
    tmp_path: Path, systemd: FakeSystemd
) -> None:
    call(tmp_path / "s", "status", "--system")
    assert len((systemd.here / "calls").read_text().splitlines()) == 1


def test_what_is_wrong_stands_below_the_table(
    tmp_path: Path, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    ran(tmp_path)
    stopped = {"ActiveState": "inactive", "SubState": "dead", "NextElapseUSecRealtime": ""}
    timers = {
        "week-rollup": {"SubState": "elapsed", "NextElapseUSecRealtime": "", "DropInPaths": "/etc/x.conf"},
        "month-rollup": stopped,
        "year-rollup": stopped | {"UnitFileState": "disabled"},
        "compaction": stopped | {"UnitFileState": "masked", "LoadState": "masked"},
    }  # fmt: skip
    failed = {
        "ActiveState": "failed", "Result": "exit-code", "ExecMainCode": "1", "ExecMainStatus": "203",
        "ExecMainStartTimestamp": "Tue 2026-11-24 11:55:00 UTC",
    }  # fmt: skip
    systemd.shows(show_text(timers, {"day-rollup": failed}))
    assert call(tmp_path, "status", "--system") == 1
    lines = shown(capsys)
    assert lines == [
        "JOB           LAST RUN   RESULT  TOOK  NEXT RUN      RUNS  ERRORS  SKIPS  WAITS",
        "ingest        14min ago  done    1.5s  in 22s 12:00     1       -      -      -",
        "day-rollup    5min ago   failed     -  in 13h 01:02     1       -      -      -",
        "week-rollup   2d ago     done    1.5s  never again      1       -      -      -",
        "month-rollup  23d ago    done    1.5s  not started      1       -      -      -",
        "year-rollup   327d ago   done    3min  disabled         1       -      -      -",
        "compaction    2d ago     done    1.5s  masked           1       -      -      -",
        "",
        "warning: day-rollup failed before it could record a run 5min ago (exit 203): its",
        "    program cannot be started: it or its interpreter is missing or may not be",
        "    run",
        "  hint: memtool scheduler logs day-rollup",
        "warning: week-rollup never runs again: its timer has no next time: look at",
        "    /etc/x.conf",
        "  hint: systemctl restart memtool-week-rollup.timer",
        "warning: month-rollup does not run: its timer is enabled, but not started",
        "  hint: systemctl start memtool-month-rollup.timer",
        "warning: compaction never runs: its timer is masked",
        "  hint: systemctl unmask memtool-compaction.timer && memtool scheduler apply &&",
        "    systemctl enable --now memtool-compaction.timer",
    ]
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.usefixtures("systemd")
def test_pauses_are_shown_with_since_until_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran(tmp_path)
    hour_us = HOUR_S * 1_000_000
    set_pause(
        tmp_path, Pause("day-rollup", NOW_US - hour_us, NOW_US + 48 * hour_us, "alice", "away")
    )
    set_pause(tmp_path, Pause("ingest", NOW_US - 30 * hour_us))
    assert call(tmp_path, "status", "--system") == 0
    lines = shown(capsys)
    assert lines[1].startswith("ingest       14min ago done   1.5s paused ")
    assert lines[7:] == [
        "",
        "Paused: ingest since 11-23 06:00 (1d ago)",
        "Paused: day-rollup since 11-24 11:00 (1h ago) by alice until 11-26 12:00: away",
    ]
    set_pause(tmp_path, Pause("all", NOW_US - hour_us, None, "root", "updates"))
    assert call(tmp_path, "status", "--system") == 0
    assert shown(capsys)[9:] == ["Paused: all jobs since 11-24 11:00 (1h ago) by root: updates"]


def test_a_running_job_and_one_in_the_queue_are_told(
    tmp_path: Path, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    ran(tmp_path)
    between = {
        "ActiveState": "activating", "SubState": "auto-restart", "RestartUSec": "5min",
        "StateChangeTimestamp": "Tue 2026-11-24 11:58:00 UTC", "ExecMainCode": "1", "ExecMainStatus": "69",
    }  # fmt: skip
    queued, at_work = {"Job": "12"}, {"ActiveState": "activating", "SubState": "start"}
    services = {"day-rollup": between, "week-rollup": queued, "ingest": at_work}
    systemd.shows(show_text(services=services))
    assert call(tmp_path, "status", "--system") == 1
    assert shown(capsys)[8:] == [
        "day-rollup failed (exit 69) and will be tried again in 3min 12:03.",
        "week-rollup waits until ingest has run.",
        "warning: day-rollup failed before it could record a run 2min ago (exit 69): an",
        "    endpoint is down or a lock was not free in time; try again later",
        "  hint: memtool scheduler logs day-rollup",
    ]


def test_where_the_units_are_found_is_the_systemd_that_is_asked(
    tmp_path: Path, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    own_units(tmp_path)
    ran(tmp_path / "s")
    call(tmp_path / "s", "status", "--json")
    assert json.loads(capsys.readouterr().out)["manager"]["scope"] == "user"
    assert " --user " in (systemd.here / "calls").read_text()


def own_units(home: Path) -> Path:
    """Install the units for the user, and return where."""
    units = home / ".config/systemd/user"
    install_units(units, Installation("user", home / ".local/bin/memtool", home=home))
    return units


def test_unit_files_that_differ_are_told_with_what_to_do(
    tmp_path: Path, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    units = own_units(tmp_path)
    drop_in = units / "memtool-ingest.service.d/override.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nNice=0\n")
    ran(tmp_path / "s")
    call(tmp_path / "s", "status", "--user")
    assert shown(capsys)[-3:] == [
        "warning: unit files have changed, and systemd has not read them again:",
        "    memtool-ingest.service",
        "  hint: systemctl --user daemon-reload",
    ]
    systemd.shows(show_text(services={"ingest": {"DropInPaths": str(drop_in)}}))
    call(tmp_path / "s", "status", "--user")
    assert "unit files" not in " ".join(
        shown(capsys)
    )  # what an administrator adds is no difference
    (units / "memtool-week-rollup.service").unlink()
    (units / COMMON).write_text("[Service]\nNice=0\n")
    assert call(tmp_path / "s", "status", "--user") == 1
    assert shown(capsys)[-3:] == [
        "warning: unit files are not as this version of memtool writes them:",
        "    memtool-.service.d/10-memtool.conf, memtool-week-rollup.service",
        "  hint: memtool scheduler apply",
    ]
    for job in JOBS:
        (units / job.unit).unlink(missing_ok=True)
    call(tmp_path / "s", "status", "--user", "--json")
    found = json.loads(capsys.readouterr().out)["warnings"][-1]
    assert found["kind"] == "units"
    assert "memtool-ingest.service" in found["text"]


def test_a_users_systemd_that_is_not_there_is_put_in_plain_words(
    tmp_path: Path, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    systemd.fails("Failed to connect to bus: Permission denied")
    assert call(tmp_path / "s", "status", "--user") == 0
    assert shown(capsys)[9:] == [
        "Timers: unknown, systemd does not let this user ask it. The ledger is memtool's",
        "    own.",
        "  hint: log in as the user of the jobs, or name --system",
    ]
    own_units(tmp_path)
    assert call(tmp_path / "s", "status", "--user") == 1
    assert shown(capsys)[9:] == [
        "Timers: unknown, systemd does not let this user ask it. The ledger is memtool's",
        "    own.",
        "warning: the timers that are installed may not run: systemd does not let this",
        "    user ask it",
        "  hint: log in as the user of the jobs, or name --system",
    ]


def test_units_that_are_not_installed_are_told(
    tmp_path: Path, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    systemd.shows((RECORDS / "252-missing.txt").read_text())
    assert call(tmp_path, "status", "--system") == 0
    assert "Timers: unknown, no timers of memtool are installed." in capsys.readouterr().out


def test_a_store_that_no_job_has_touched_is_healthy_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(tmp_path / "store", "status") == 0
    assert "No job has run on this store yet." in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_run_on_its_way_is_shown_as_running(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with try_lock(job_lock_path(tmp_path, "ingest"), ME) or pytest.fail("held"):
        record_start(tmp_path, run("ingest", 75)._replace(run="now"))
        assert call(tmp_path, "status") == 0
    shown = capsys.readouterr().out
    assert re.search(r"ingest  +11-24 11:58  1min ago  running  1min +0", shown)
    assert "ingest runs now (pid 7)." in shown


def test_damage_in_the_ledger_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record_end(tmp_path, run("ingest", 60))
    change(tmp_path, "UPDATE runs SET details = 'no json'")
    assert call(tmp_path, "status") == 0
    assert "note: 1 damaged record of the ledger was passed over" in capsys.readouterr().out
    ledger_path(tmp_path).write_bytes(b"no database")
    assert call(tmp_path, "status") == 1
    out = capsys.readouterr().out
    assert "warning: the ledger" in out
    assert "is damaged" in out
    assert "hint: the next job sets it aside" in out
    assert call(tmp_path, "history") == 74
    assert "is damaged" in capsys.readouterr().err


def test_status_json_is_a_versioned_contract(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path)
    assert call(tmp_path, "status", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert list(told)[:3] == ["kind", "version", "store"]
    assert (told["kind"], told["version"], told["healthy"]) == ("scheduler-status", 2, False)
    assert told["store"]["path"] == str(tmp_path)
    ingest = told["jobs"][0]
    assert (ingest["last"]["events"], ingest["left"]) == (12, {"file": {"not read": 3}})


def test_history_lists_the_newest_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path)
    assert call(tmp_path, "history", "--limit", "4") == 0
    assert capsys.readouterr().out.splitlines() == [
        "STARTED              JOB           RESULT    TOOK  BY       DID",
        "2026-11-24 10:00:00  compaction    died         -  timer",
        "    killed, out of memory, or power lost",
        "2026-11-24 11:50:00  ingest        done      0.2s  timer    12 events",
        "2026-11-24 11:45:00  ingest        skipped   1.5s  timer",
        "    ingest is already running (pid 9)",
        "2026-11-23 02:00:00  week-rollup   failed    1.5s  timer",
        "    no answer from host",
        "    hint: start the endpoint",
    ]


def test_history_of_one_job_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path)
    assert call(tmp_path, "history", "year-rollup", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["version"], told["damaged_lines"]) == ("scheduler-history", 1, 0)
    assert [(row["job"], row["nodes"], row["duration_us"]) for row in told["runs"]] == [
        ("year-rollup", 1, 95_000_000)
    ]


def test_no_history_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(tmp_path, "history", "ingest") == 0
    assert capsys.readouterr().out == "No run is recorded.\n"


@pytest.mark.parametrize("arguments", [["history", "week"], ["history", "--limit", "0"], []])
def test_what_is_not_understood_exits_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert call(tmp_path, *arguments) == 2
    assert capsys.readouterr().err.startswith("memtool: ")


def test_a_ledger_that_cannot_be_read_exits_74(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger_path(tmp_path).mkdir(parents=True)
    assert call(tmp_path, "status") == 74
    assert "ledger.sqlite3" in capsys.readouterr().err


def test_status_imports_nothing_that_could_open_a_store(tmp_path: Path) -> None:
    program = (
        "import os, sys; from memtool.cli.app import run;"
        f"run(['--store', {str(tmp_path)!r}, 'scheduler', 'status', '--json'], {{'HOME': '/'}}, 0);"
        "print([name for name in ('rocksdict', 'msgspec', 'rich', 'memtool.store')"
        " if name in sys.modules], file=sys.stderr)"
    )
    child = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=HUNG_S
    )
    assert child.stderr == "[]\n"


GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("name", ["status", "history"])
def test_the_json_of_an_old_ledger_is_as_it_was_before_and_after_it_is_taken_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """The golden files were written by the memtool that kept lines of JSON."""
    (tmp_path / "ledger").mkdir()
    shutil.copy(GOLDEN / "old-runs.jsonl", tmp_path / "ledger" / "runs.jsonl")
    expected = (GOLDEN / f"scheduler-{name}.json").read_text().replace("ROOT", str(tmp_path))
    for _ in range(2):
        call(tmp_path, name, "--json")
        assert _without_manager(capsys.readouterr().out) == _without_manager(expected)
        record_call(tmp_path, CallRecord(1, "r", "n", "s", "m", 1, 1, 1, "ok"))
    assert [file.name for file in (tmp_path / "ledger").iterdir()] == ["ledger.sqlite3"]


def _without_manager(text: str) -> str:
    """Return the JSON, less what depends on whether systemd runs on this machine."""
    found = json.loads(text)
    found.pop("manager", None)
    return json.dumps(found, indent=2)


@pytest.mark.parametrize("columns", [40, 60])
def test_status_and_history_fit_a_narrow_terminal(
    tmp_path: Path,
    systemd: FakeSystemd,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    root = Path("s")  # a long path is one word
    fill(root)
    failed = {
        "ActiveState": "failed", "Result": "exit-code", "ExecMainCode": "1", "ExecMainStatus": "203",
        "ExecMainStartTimestamp": "Tue 2026-11-24 11:55:00 UTC",
    }  # fmt: skip
    systemd.shows(
        show_text(services={"day-rollup": failed, "month-rollup": {"LoadState": "masked"}})
    )
    set_pause(root, Pause("ingest", NOW_US, None, "alice", "away for a long time " * 3))
    environ = {"HOME": str(tmp_path.parent), "PATH": f"{tmp_path}/bin", "COLUMNS": str(columns)}
    for arguments in (["status", "--system"], ["history"]):
        memtool(["--store", str(root), "scheduler", *arguments], environ, NOW_US)
        out = capsys.readouterr().out
        lines = [line for line in out.splitlines() if max(map(len, line.split()), default=0) < 30]
        assert max(map(len, lines)) <= columns, out
        assert "week-rollup" in out


@pytest.mark.parametrize(
    "arguments",
    [["scheduler", "status"], ["scheduler", "history"], ["doctor"], ["config", "show"]],
    ids=" ".join,
)
def test_a_terminal_of_40_columns_is_enough(tmp_path: Path, arguments: list[str]) -> None:
    fill(tmp_path / "s")
    environ = {**os.environ, "HOME": "/nowhere", "XDG_CONFIG_HOME": str(tmp_path)}
    with Terminal("--store", "s", *arguments, environ=environ, cwd=tmp_path, columns=40) as screen:
        screen.end()
        lines = screen.text.splitlines()
    words = [max(map(len, line.split()), default=0) for line in lines]
    assert max(len(line) for line, word in zip(lines, words, strict=True) if word < 30) <= 40
    assert len(lines) > 5


@pytest.mark.parametrize(
    ("ahead_s", "told", "code"), [(1, "0s ago", 0), (30, "0s ago", 0), (7200, "in the future", 1)]
)
def test_no_run_began_in_a_second(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ahead_s: int, told: str, code: int
) -> None:
    """It began while status asked; or the clock was set back, and that is said."""
    record_end(tmp_path, run("ingest", -ahead_s))
    assert call(tmp_path, "status", "--system") == code
    out = capsys.readouterr().out
    assert re.search(rf"^ingest .* {told} ", out, re.MULTILINE)
    assert " in 1" not in out
    assert ("later time than the clock shows" in " ".join(out.split())) == bool(code)
