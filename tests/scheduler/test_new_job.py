"""A new job is one row in the job table and one module with its body. Everything else finds it there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import HUNG_S

REPOSITORY = Path(__file__).resolve().parents[2]
ROW = """
    Job(
        name="tidy-up",
        command=("tidy",),
        description="tidy the store",
        times=(Time(5, 15, weekday=0),),
        settings=TimerSettings(jitter_s=77, timeout_s=600),
        after=("ingest",),
        wants=("ingest",),
        reads_transcripts=True,
        body="memtool.jobs.tidy:tidy",
    ),
)


class Task("""
BODY = '''"""The body of a job."""

from memtool.context import RunContext


def tidy(context: RunContext) -> None:
    """Tidy."""
    context.tally.details["swept"] = 3
'''


class Copy:
    """memtool with one more job."""

    def __init__(self, place: Path) -> None:
        for name in (
            "memtool",
            "systemd",
            "docs",
            "man",
            "completions",
            "hooks",
            "tests/scheduler",
        ):
            shutil.copytree(REPOSITORY / name, place / "code" / name)
        for name in ("tests/waiting.py", "pyproject.toml", "README.md"):
            shutil.copy(REPOSITORY / name, place / "code" / name)
        self.code, self.home = place / "code", place / "home"
        self.home.mkdir()
        table = self.code / "memtool/systemd/jobs.py"
        text = table.read_text()
        assert text.count("\n)\n\n\nclass Task(") == 1
        table.write_text(text.replace("\n)\n\n\nclass Task(", ROW))
        (self.code / "memtool/jobs/tidy.py").write_text(BODY)
        self.environ = {"HOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}

    def python(self, *arguments: str | Path) -> str:
        """Return what Python prints, in the copy."""
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=self.code,
            env={**self.environ, "PYTHONPATH": str(self.code)},
            capture_output=True,
            encoding="utf-8",
            timeout=HUNG_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def memtool(self, *arguments: str | Path) -> str:
        """Return what memtool prints."""
        return self.python("-m", "memtool", *arguments)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("job"))


def test_it_runs_and_is_recorded(copy: Copy) -> None:
    assert json.loads(copy.memtool("tidy", "--json"))["result"] == "done"
    (run,) = json.loads(copy.memtool("scheduler", "history", "tidy-up", "--json"))["runs"]
    assert run["details"] == {"swept": 3}
    rows = json.loads(copy.memtool("scheduler", "status", "--json"))["jobs"]
    assert {row["job"]: row["runs"] for row in rows}["tidy-up"] == 1
    assert "tidy the store" in copy.memtool("tidy", "--help").lower()


def test_it_is_paused_and_resumed(copy: Copy) -> None:
    assert "tidy-up" in copy.memtool("scheduler", "pause", "tidy-up", "--for", "2h")
    assert "tidy-up" in copy.memtool("scheduler", "resume", "tidy-up")


def test_it_has_settings(copy: Copy) -> None:
    rows = json.loads(copy.memtool("config", "show", "--json"))["settings"]
    shown = {row["key"]: row["value"] for row in rows}
    assert {name: shown[f"tidy_up.{name}"] for name in ("schedule", "jitter_s", "timeout_s")} == {
        "schedule": "",
        "jitter_s": 77,
        "timeout_s": 600,
    }
    copy.memtool("config", "set", "tidy_up.schedule", "daily")
    assert "daily" in copy.memtool("config", "show", "tidy_up.schedule")
    copy.memtool("config", "set", "tidy_up.schedule", "--unset")


def test_it_has_units(copy: Copy) -> None:
    copy.memtool("setup", "--root", copy.home / "root")
    units = copy.home / "root/usr/lib/systemd/system"
    service = (units / "memtool-tidy-up.service").read_text().splitlines()
    assert {
        "Description=memtool: tidy the store",
        "ExecStart=/usr/bin/memtool tidy",
        "TimeoutStartSec=600",
        "Wants=memtool-ingest.service",
        "After=memtool-ingest.service",
        "ConditionPathExists=!/var/lib/memtool/pause/tidy-up",
        "# This job needs no network.",
    } <= set(service)
    timer = (units / "memtool-tidy-up.timer").read_text().splitlines()
    assert {"OnCalendar=Mon *-*-* 05:15:00", "RandomizedDelaySec=77"} <= set(timer)


def test_its_unit_may_read_transcripts_of_the_person(copy: Copy) -> None:
    program = (
        "from memtool.systemd.units import *; from pathlib import Path;"
        "files = unit_files(Installation('system', Path('/opt/m'), 'mira', Path('/home/mira')));"
        "print(files['memtool-tidy-up.service.d/15-memtool-transcripts.conf'])"
    )
    assert "BindReadOnlyPaths=-/home/mira/.claude" in copy.python("-c", program)


def test_it_has_a_line_in_the_crontab(copy: Copy) -> None:
    program = (
        "from memtool.systemd.crontab import crontab_lines;print(*crontab_lines(['/m']), sep='\\n')"
    )
    lines = copy.python("-c", program).splitlines()
    assert lines[-1] == "15 5 * * Mon /m tidy --scheduled"


def test_status_and_doctor_see_its_timer(copy: Copy) -> None:
    copy.python(
        "-c",
        "from tests.scheduler.fakes import *; import os;"
        "home = Path(os.environ['HOME']); systemd = FakeSystemd(home); "
        "new = {'ActiveEnterTimestamp': 'Tue 2026-11-24 11:59:00 UTC'};"
        "timers = {job.name: new for job in JOBS} | {'tidy-up': {'ActiveState': 'failed'}};"
        "systemd.shows(show_text(timers));"
        "program = home / '.local/bin/memtool';"
        "install_units(home / '.config/systemd/user', Installation('user', program, home=home, has_sandbox=True))",
    )
    copy.environ["PATH"] = f"{copy.home}/bin:{os.environ['PATH']}"
    program = (
        "from memtool.cli.app import run; import os, sys;"
        "sys.exit(run(sys.argv[1:], os.environ, 1_795_521_600_000_000) > 1)"
    )
    rows = json.loads(copy.python("-c", program, "scheduler", "status", "--json"))["jobs"]
    (row,) = [row for row in rows if row["job"] == "tidy-up"]
    assert row["timer"]["state"] == "failed"
    assert "tidy-up does not run: its timer has failed" in copy.python("-c", program, "doctor")


def test_the_docs_list_it(copy: Copy) -> None:
    copy.python("docs/generate")
    lines = (copy.code / "docs/scheduling.md").read_text().splitlines()
    (row,) = [line for line in lines if "| tidy-up" in line]
    assert all(f"`{cell}`" in row for cell in ("memtool tidy", "Mon *-*-* 05:15:00", "77", "600"))
    assert "memtool tidy" in (copy.code / "docs/cli.md").read_text()
