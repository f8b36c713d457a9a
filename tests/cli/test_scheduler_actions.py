"""`memtool scheduler pause`, `resume`, `run` and `logs`, with a systemd that writes down how it was called."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from memtool.cli.app import run as memtool
from memtool.cli.scheduler.text import moment
from memtool.ledger.file import Left, Run
from memtool.ledger.reading import record_end, record_start
from memtool.locks import Holder, job_lock_path, try_lock
from memtool.systemd.pauses import Pause, directory, pause_of, set_pause
from tests.scheduler.children import REPOSITORY
from tests.scheduler.fakes import FakeSystemd, show_text

NOW_US = 1_795_521_600_000_000  # 2026-11-24 12:00 UTC
HOUR_US = 3_600_000_000
ME = Holder(os.getpid(), "test", 0, "now")
STALE: Left = {"day": {"stale": 2}}

Call = Callable[..., int]


@pytest.fixture
def systemd(tmp_path: Path) -> FakeSystemd:
    fake = FakeSystemd(tmp_path)
    fake.shows(show_text())
    return fake


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def call(root: Path) -> Call:
    """Return a function that runs `memtool scheduler …` on the store and the system's systemd."""
    environ = {"HOME": str(root.parent), "PATH": f"{root.parent}/bin", "SUDO_USER": "alice"}

    def run(*arguments: str, system: bool = True) -> int:
        more = ["--system"] if system else []
        return memtool(["--store", str(root), "scheduler", *arguments, *more], environ, NOW_US)

    return run


def ended(job: str, at_us: int, left: Left | None = None) -> Run:
    return Run(
        f"{job}{at_us}", job, "timer", at_us, 7, "0.1.0", ended_us=at_us + 1, result="done", left=left
    )  # fmt: skip


def unit_runs(
    systemd: FakeSystemd, root: Path, *, body: str = "", trigger: str = "systemd"
) -> None:
    """Let `systemctl start` run the day's rollup as its unit would."""
    program = systemd.here / "unit.py"
    program.write_text(
        "import sys\nfrom pathlib import Path\n"
        "from memtool.jobs.runner import run_job\nfrom memtool.systemd.jobs import job_named\n"
        "from memtool.errors import UnavailableError\n"
        f"def body(context):\n    context.tally.nodes = 3\n    {body or 'pass'}\n"
        f"done = run_job(job_named('day-rollup'), body, root=Path({str(root)!r}), trigger={trigger!r})\n"
        "sys.exit(done.exit_code not in (0, 75))\n"
    )
    flag = directory(root)
    conditions = f"[ -e {flag}/all ] || [ -e {flag}/day-rollup ]"
    start = f"PYTHONPATH={REPOSITORY} {sys.executable} {program}"
    systemd.answer(
        "systemctl",
        "start",
        f"if {conditions}; then exit 0; fi\n{start} || {{ echo 'Job failed. See journalctl.' >&2; exit 1; }}\n",
    )


# --- pause ---------------------------------------------------------------------------------


def test_pause_is_a_file_and_calls_no_systemd(
    root: Path, call: Call, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("pause", "day-rollup", "--for", "2d", "--reason", "moving house") == 0
    end = moment(NOW_US + 48 * HOUR_US, NOW_US)
    assert capsys.readouterr().out == f"Paused day-rollup until {end}: moving house.\n"
    expected = Pause("day-rollup", NOW_US, NOW_US + 48 * HOUR_US, "alice", "moving house")
    assert pause_of(root, "day-rollup", NOW_US) == expected
    assert call("pause", "--all") == 0
    assert capsys.readouterr().out == "Paused all jobs until resumed.\n"
    assert (directory(root) / "all").exists()
    assert not (systemd.here / "calls").exists()


def test_a_run_that_has_begun_is_told_to_go_on(
    root: Path, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    with try_lock(job_lock_path(root, "ingest"), ME) or pytest.fail("held"):
        record_start(root, ended("ingest", NOW_US)._replace(run="now", result=None))
        assert call("pause", "ingest") == 0
    assert capsys.readouterr().err.endswith("ingest runs now (pid 7) and continues.\n")


@pytest.mark.parametrize(
    "arguments",
    [("pause",), ("pause", "ingest", "--all"), ("pause", "week"), ("pause", "ingest", "--for", "2x"),
     ("pause", "ingest", "--until", "soon"), ("pause", "ingest", "--until", "2020-01-01"),
     ("pause", "ingest", "--for", "2d", "--until", "18:30"), ("resume",)],
)  # fmt: skip
def test_what_is_not_understood_changes_nothing(
    root: Path, call: Call, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*arguments) == 2
    assert "hint: " in capsys.readouterr().err
    assert not root.exists()


# --- resume --------------------------------------------------------------------------------


def test_resume_says_what_waits_and_starts_what_was_missed(
    root: Path, call: Call, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    record_end(root, ended("ingest", NOW_US - HOUR_US, STALE))
    set_pause(root, Pause("day-rollup", NOW_US - 24 * HOUR_US))
    assert call("resume", "day-rollup") == 0
    assert capsys.readouterr().out.splitlines() == [
        "Resumed day-rollup.",
        "  waiting for day-rollup: 2 days stale",
        "Started, to make up for what was missed: day-rollup.",
    ]
    assert pause_of(root, "day-rollup", NOW_US) is None
    assert systemd.calls == [
        "systemctl --no-ask-password start --no-block memtool-day-rollup.service"
    ]


def test_resuming_all_starts_those_whose_time_has_passed(
    root: Path, call: Call, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    for job in ("ingest", "day-rollup", "week-rollup", "month-rollup", "year-rollup", "compaction"):
        record_end(root, ended(job, NOW_US - 12 * HOUR_US))
    set_pause(root, Pause("all", NOW_US - 12 * HOUR_US))
    assert call("resume", "--all") == 0
    assert capsys.readouterr().out.splitlines() == [
        "Resumed all jobs.",
        "Started, to make up for what was missed: ingest, day-rollup.",
    ]
    assert len(systemd.calls) == 1


def test_what_the_admin_disabled_is_not_started_but_named(
    root: Path, call: Call, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    record_end(root, ended("ingest", NOW_US - HOUR_US, STALE))
    set_pause(root, Pause("day-rollup", NOW_US - 24 * HOUR_US))
    off = {"ActiveState": "inactive", "UnitFileState": "disabled", "NextElapseUSecRealtime": ""}
    systemd.shows(show_text({"day-rollup": off}))
    assert call("resume", "day-rollup") == 0
    told = capsys.readouterr().out
    assert "To make up for what was missed: memtool rollup day" in told
    assert systemd.calls == []


def test_where_systemd_refuses_the_command_is_named(
    root: Path, call: Call, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    set_pause(root, Pause("day-rollup", NOW_US - 24 * HOUR_US))
    systemd.fails("Failed to start memtool-day-rollup.service: Access denied", 4, verb="start")
    assert call("resume", "day-rollup") == 0
    told = capsys.readouterr()
    assert "To make up for what was missed: memtool rollup day" in told.out
    assert told.err == "not started: systemd does not allow this (run it as root, or with sudo)\n"


def test_a_job_that_is_paused_with_all_is_resumed_with_all(
    root: Path, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    set_pause(root, Pause("all", NOW_US))
    assert call("resume", "ingest") == 1
    told = capsys.readouterr().err
    assert "ingest is still paused since" in told
    assert "hint: memtool scheduler resume --all" in told


def test_resuming_what_is_not_paused_says_so(
    root: Path, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("resume", "ingest") == 0
    assert capsys.readouterr().out == "ingest is not paused.\n"
    assert not root.exists()


def test_pause_and_resume_work_where_there_is_no_systemd(
    root: Path, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("pause", "--all", system=False) == 0
    assert call("resume", "--all", system=False) == 0
    assert "Resumed all jobs." in capsys.readouterr().out
    assert pause_of(root, "ingest", NOW_US) is None


# --- run -----------------------------------------------------------------------------------


def test_run_starts_the_unit_and_tells_how_it_went(
    root: Path, call: Call, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    unit_runs(systemd, root)
    assert call("run", "day-rollup") == 0
    assert capsys.readouterr().out.startswith("day-rollup done after 0.")
    assert systemd.calls == [
        "systemctl --no-ask-password reset-failed memtool-day-rollup.service",
        "systemctl --no-ask-password start memtool-day-rollup.service",
    ]


def test_run_exits_as_the_run_does_and_shows_its_error(
    root: Path, call: Call, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    unit_runs(systemd, root, body="raise UnavailableError('the endpoint is down')")
    assert call("run", "day-rollup") == 69
    told = capsys.readouterr().out
    assert "day-rollup failed after" in told
    assert "    the endpoint is down" in told


@pytest.mark.parametrize("length_us", [None, HOUR_US], ids=["open-ended", "timed"])
def test_run_refuses_a_paused_job_names_the_pause_and_offers_to_ignore_it(
    root: Path, call: Call, systemd: FakeSystemd, length_us: int | None, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    unit_runs(systemd, root)
    until_us = None if length_us is None else NOW_US * 2  # the unit has a clock of its own
    set_pause(root, Pause("day-rollup", NOW_US - HOUR_US, until_us, "bob", "holidays"))
    before = sorted(path.name for path in directory(root).iterdir())
    assert call("run", "day-rollup") == 75
    told = capsys.readouterr().err
    assert "day-rollup is paused since" in told
    assert "by bob" in told
    assert "holidays" in told
    assert "memtool scheduler run day-rollup --ignore-pause" in told
    assert systemd.calls == []
    assert call("run", "day-rollup", "--ignore-pause") == 0
    assert capsys.readouterr().out.startswith("day-rollup done")
    assert sorted(path.name for path in directory(root).iterdir()) == before


def test_a_unit_that_recorded_nothing_is_a_failure(
    call: Call, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("run", "day-rollup") == 1
    assert "recorded no run in this store" in capsys.readouterr().err
    systemd.fails("Failed to start x: Unit memtool-day-rollup.service not found.", 5, verb="start")
    assert call("run", "day-rollup") == 1
    assert capsys.readouterr().err == (
        "memtool: memtool-day-rollup.service did not run: the unit is not installed\n"
        "hint: memtool setup\n"
    )


def test_without_timers_run_names_the_command_to_use(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("run", "week-rollup", system=False) == 1
    assert "hint: run it without systemd: memtool rollup week" in capsys.readouterr().err


# --- logs ----------------------------------------------------------------------------------


def test_logs_are_the_journals_lines_of_the_unit_made_safe(
    call: Call, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    systemd.answer(
        "journalctl", "memtool-ingest.service", r"printf 'Nov 24 \033[2Jdone\nand more\n'"
    )
    assert call("logs", "ingest", "--lines", "7") == 0
    assert capsys.readouterr().out == "Nov 24 done\nand more\n"
    assert systemd.calls == [
        "journalctl -u memtool-ingest.service -n 7 --no-pager --no-hostname"
    ]  # fmt: skip


NO_FILES = "No journal files were opened due to insufficient permissions."
NOT_SEEING = "Hint: You are currently not seeing messages from other users and the system."


@pytest.mark.parametrize(
    ("script", "code", "text"),
    [
        (f"echo '{NO_FILES}' >&2; exit 1", 74, "you may not read"),
        (f"echo '{NOT_SEEING}' >&2; echo '-- No entries --'", 74, "you may not read"),
        (
            "echo 'No journal files were found.' >&2; exit 1",
            74 if os.getuid() else 1,
            "you may not read" if os.getuid() else "there is no journal to read",
        ),
        ("echo '-- No entries --'", 0, "The journal has nothing of memtool-ingest.service"),
        ("echo 'Bad thing' >&2; exit 1", 1, "the journal was not read: Bad thing"),
    ],
)
def test_why_there_are_no_logs_is_told(
    call: Call,
    systemd: FakeSystemd,
    capsys: pytest.CaptureFixture[str],
    *,
    script: str,
    code: int,
    text: str,
) -> None:
    systemd.answer("journalctl", "memtool-ingest.service", script)
    assert call("logs", "ingest") == code
    told = capsys.readouterr()
    assert told.out == ""
    assert text in told.err
    assert "memtool scheduler history ingest" in told.err


def test_a_machine_without_a_journal_is_told(
    call: Call, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    (systemd.bin / "journalctl").unlink()
    assert call("logs", "ingest") == 1
    assert "there is no journal to read" in capsys.readouterr().err
