"""The jobs under cron: the printed lines, run as cron runs them, by a real shell and the real program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from memtool.systemd.jobs import JOBS

HUNG_S = 300
SAID = {"type": "user", "uuid": "u1", "sessionId": "s1", "timestamp": "2026-01-05T10:00:00Z"}

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the home of somebody with one session, in a directory whose name cron and a shell would take apart."""
    made = tmp_path / "a 100% 'new' home"
    session = made / ".claude/projects/-work/s1.jsonl"
    session.parent.mkdir(parents=True)
    line = {**SAID, "cwd": "/work", "message": {"role": "user", "content": "hello"}}
    session.write_text(json.dumps(line) + "\n")
    return made


@pytest.fixture
def memtool(home: Path) -> Call:
    """Return a function that runs the program in a shell of this user."""

    def call(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "memtool", *arguments],
            env={"HOME": str(home), "PATH": os.environ["PATH"], "TZ": "UTC", **environ},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
            timeout=HUNG_S,
        )

    return call


@pytest.fixture
def program(home: Path) -> Path:
    """Return a program in this home, as a virtual environment has one."""
    path = home / "bin/memtool"
    path.parent.mkdir()
    path.write_text(
        f'#!/bin/sh\ncd {Path(__file__).parents[2]} && exec {sys.executable} -m memtool "$@"\n'
    )
    path.chmod(0o755)
    return path


def lines_of(text: str) -> dict[str, str]:
    """Return the line of each job by its name."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return dict(zip([job.name for job in JOBS], lines, strict=True))


def crontab(memtool: Call, *options: str, **environ: str) -> str:
    done = memtool(*options, "scheduler", "crontab", **environ)
    assert done.returncode == 0, done.stderr
    return done.stdout


def under_cron(line: str, program: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a line as cron does: its own few variables, and no terminal."""
    command = line.split(" ", 5)[5].replace(r"\%", "%")
    command = f"'{str(program).replace(chr(39), chr(39) + chr(92) + chr(39) * 2)}' {command.split(' ', 1)[1]}"
    return subprocess.run(
        ["/bin/sh", "-c", command],
        env={"HOME": str(home), "LOGNAME": "me", "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=HUNG_S,
    )  # fmt: skip


def test_the_lines_are_the_job_table(memtool: Call) -> None:
    lines = lines_of(crontab(memtool))
    assert [" ".join(line.split()[:5]) for line in lines.values()] == [
        "*/15 * * * *",
        "0 1 * * *",
        "0 2 * * Sun",
        "0 3 1 * *",
        "30 3 1 1 *",
        "0 4 * * Sun",
    ]
    for job in JOBS:
        assert lines[job.name].endswith(f" {' '.join(job.command)} --scheduled")


def test_a_line_names_what_cron_would_not_know(memtool: Call, home: Path, tmp_path: Path) -> None:
    (tmp_path / "c.toml").touch()
    for options, environ, words in (
        (("--store", "/srv/a 100%"), {}, r"--store '/srv/a 100\%'"),
        (("--config", f"{tmp_path}/c.toml"), {}, f"--config {tmp_path}/c.toml"),
        ((), {"MEMTOOL_CONFIG": f"{tmp_path}/c.toml"}, f"--config {tmp_path}/c.toml"),
        ((), {"MEMTOOL_STORE__PATH": "/srv/x"}, "--store /srv/x"),
        ((), {"XDG_STATE_HOME": "/srv"}, "--store /srv/memtool"),
    ):
        line = lines_of(crontab(memtool, *options, **environ))["ingest"]
        assert f"memtool {words} ingest --scheduled" in line
    assert "--store" not in lines_of(crontab(memtool))["ingest"]
    memtool("config", "set", "store.path", str(home / "elsewhere"))
    assert "--store" not in lines_of(crontab(memtool))["ingest"]


def test_a_schedule_of_the_settings_is_not_translated_and_the_output_says_so(memtool: Call) -> None:
    memtool("config", "set", "week_rollup.schedule", "Mon *-*-* 06:00:00")
    said = crontab(memtool)
    (comment,) = [line for line in said.splitlines() if "week_rollup.schedule" in line]
    assert comment.startswith("#")
    assert "not translated" in comment
    following = said.splitlines()[said.splitlines().index(comment) + 1]
    assert following == lines_of(said)["week-rollup"]
    assert following.startswith("0 2 * * Sun ")


def test_the_times_follow_the_calendar(memtool: Call) -> None:
    for key, value in (
        ("calendar.timezone", "Asia/Tokyo"),
        ("calendar.day_starts_at", "04:00"),
        ("calendar.week_starts_on", "monday"),
    ):
        memtool("config", "set", key, value)
    said = crontab(memtool)
    assert "days of the memory are of Asia/Tokyo" in said
    lines = lines_of(said)
    assert lines["day-rollup"].startswith("0 5 * * * ")
    assert lines["week-rollup"].startswith("0 6 * * Mon ")
    assert lines["month-rollup"].startswith("0 7 1 * * ")
    assert lines["ingest"].startswith("*/15 * * * * ")


def test_every_line_works_and_says_nothing(memtool: Call, program: Path, home: Path) -> None:
    for job, line in lines_of(crontab(memtool)).items():
        done = under_cron(line, program, home)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), job
    runs = json.loads(memtool("scheduler", "history", "--json").stdout)["runs"]
    assert [run["job"] for run in runs[::-1]] == [job.name for job in JOBS]
    assert {run["trigger"] for run in runs} == {"cron"}
    assert runs[-1]["events"] == 1


@pytest.mark.parametrize("length", [(), ("--for", "2h"), ("--until", "23:59")])
def test_a_paused_job_is_skipped_without_a_word(
    memtool: Call, program: Path, home: Path, length: tuple[str, ...]
) -> None:
    lines = lines_of(crontab(memtool))
    assert under_cron(lines["ingest"], program, home).returncode == 0
    assert memtool("scheduler", "pause", "day-rollup", *length).returncode == 0
    done = under_cron(lines["day-rollup"], program, home)
    assert (done.returncode, done.stdout, done.stderr) == (75, "", "")
    done = under_cron(lines["week-rollup"], program, home)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert memtool("rollup", "week").returncode == 0  # by hand everything is written
    status = json.loads(memtool("scheduler", "status", "--json").stdout)
    assert {row["job"]: row["left"] for row in status["jobs"]}["day-rollup"] == {}


def test_status_says_what_waits_behind_a_pause(memtool: Call, program: Path, home: Path) -> None:
    lines = lines_of(crontab(memtool))
    under_cron(lines["ingest"], program, home)
    memtool("scheduler", "pause", "day-rollup")
    under_cron(lines["week-rollup"], program, home)
    said = " ".join(memtool("scheduler", "status").stdout.split())
    assert "day-rollup: 1 day paused" in said
    assert "week-rollup: 1 week waiting for day-rollup, which is paused" in said
    assert "left work behind" not in said
    rows = {
        row["job"]: row
        for row in json.loads(memtool("scheduler", "status", "--json").stdout)["jobs"]
    }
    assert rows["week-rollup"]["left"] == {"week": {"paused": 1}}
    assert rows["week-rollup"]["waits_for"] == ["day-rollup"]
    assert rows["day-rollup"]["waits_for"] == []
    said = memtool("scheduler", "history", "week-rollup").stdout
    assert "1 week waits for day-rollup, which is paused" in said
    memtool("scheduler", "resume", "day-rollup")
    said = " ".join(memtool("scheduler", "status").stdout.split())
    assert "week-rollup: 1 week stale" in said  # until a run looks again
    assert "paused" not in said
    for job in ("day-rollup", "week-rollup"):
        under_cron(lines[job], program, home)
    assert "Waiting" not in memtool("scheduler", "status").stdout


def test_a_failure_is_told_in_full(memtool: Call, program: Path, home: Path) -> None:
    lines = lines_of(crontab(memtool))
    (home / ".config/memtool").mkdir(parents=True)
    (home / ".config/memtool/config.toml").write_text("[summarizer]\nname = 'nobody'\n")
    done = under_cron(lines["day-rollup"], program, home)
    assert done.returncode == 78
    assert "summarizer.name" in done.stderr
    assert "hint: " in done.stderr


def test_json_is_printed_where_it_is_asked_for(memtool: Call) -> None:
    done = memtool("ingest", "--scheduled", "--json")
    assert json.loads(done.stdout)["kind"] == "ingest"
    assert done.stderr == ""


def test_reading_takes_nothing_in_while_ingest_is_paused(memtool: Call, home: Path) -> None:
    memtool("ingest")
    memtool("scheduler", "pause", "ingest", "--for", "2h")
    session = home / ".claude/projects/-work/s1.jsonl"
    line = json.loads(session.read_text()) | {"uuid": "u2", "timestamp": "2026-01-06T10:00:00Z"}
    with session.open("a") as file:
        file.write(json.dumps(line) + "\n")
    done = memtool("search", "hello", "--json")
    assert "new transcripts were not read: ingest is paused" in done.stderr
    assert json.loads(memtool("stats", "--json").stdout)["events"] == 1
