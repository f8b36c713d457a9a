"""`memtool doctor`: one table, an exit code, a JSON contract, and nothing that it waits for or changes."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memtool.cli.app import run as memtool
from memtool.ledger.file import Run, ledger_path
from memtool.ledger.reading import record_end
from memtool.locks import Holder, job_lock_path, lock_path, try_lock
from memtool.query.doctor import CHECKS
from memtool.systemd.jobs import JOBS
from memtool.systemd.units import Installation
from tests.cli.history import call as call_at_noon
from tests.cli.test_json_page import fields, section
from tests.memory import Memory
from tests.scheduler.fakes import FakeSystemd, install_units, show_text

NOW_US = 1_795_521_600_000_000  # 2026-11-24 12:00 UTC
Output = pytest.CaptureFixture[str]
ME = Holder(os.getpid(), "ingest", 0, "now")


class Machine:
    """A user's home with transcripts, settings and timers, all well; what is asked of systemd is answered."""

    def __init__(self, base: Path) -> None:
        self.home = base / "home"
        self.root = self.home / ".local/state/memtool"
        self.config = self.home / ".config/memtool/config.toml"
        self.systemd = FakeSystemd(base)
        calendar = self.systemd.bin / "systemd-analyze"
        calendar.unlink(missing_ok=True)
        calendar.symlink_to(shutil.which("systemd-analyze") or "/bin/false")
        self.program = base / "bin/memtool"
        self.program.touch(0o700)
        units = self.home / ".config/systemd/user"
        install_units(units, Installation("user", self.program))
        self.timers()
        transcript = self.home / ".claude/projects/p/s.jsonl"
        transcript.parent.mkdir(parents=True)
        transcript.write_text("")
        for job in JOBS:
            at_us = NOW_US - 800 * 1_000_000
            run = Run(job.name, job.name, "timer", at_us, 7, "0.1.0", ended_us=at_us + 9)
            record_end(self.root, run._replace(result="done", exit_code=0))

    def timers(self, **timers: dict[str, str]) -> None:
        line = f"{{ path={self.program} ; argv[]={self.program} ; }}"
        services = {name: {"ExecStart": line} for name in ("ingest", "day-rollup")}
        self.systemd.shows(show_text(timers, services))

    def call(self, *arguments: str, **more: str) -> int:
        environ = {
            "HOME": str(self.home),
            "PATH": str(self.systemd.bin),
            "LANG": "C.UTF-8",
            "MEMTOOL_CALENDAR__TIMEZONE": "UTC",
            **more,
        }
        named = ["--store", str(self.root)]
        return memtool([*named, "doctor", *arguments], environ, NOW_US)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield Machine(tmp_path)
    monkeypatch.delenv("TZ")
    time.tzset()


def verdicts(capsys: Output) -> dict[str, Any]:
    found = json.loads(capsys.readouterr().out)
    return {row["name"]: row for row in found["checks"]}


# What these say depends on where the tests run: whether users may linger, and where temporary directories are.
ELSEWHERE = {"timers", "file system", "disk space", "zone data"}


def test_a_machine_that_is_well_has_nothing_to_tell(machine: Machine, capsys: Output) -> None:
    machine.call("--json")
    found = verdicts(capsys)
    bad = {name for name, row in found.items() if row["verdict"] in ("problem", "warning")}
    assert bad - ELSEWHERE == set(), found
    assert found["program"]["found"] == f"the units start {machine.program}"
    assert found["retention"]["found"].endswith("ingest runs every 15 minutes")


def test_the_table_says_what_was_found_and_what_to_do(machine: Machine, capsys: Output) -> None:
    machine.program.unlink()
    assert machine.call() == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Store:")
    row = next(number for number, line in enumerate(lines) if line.startswith("problem  program"))
    assert lines[row].endswith("which is not there")
    assert lines[row + 1] == "  do: memtool setup corrects this"
    (right,) = (line for line in lines if line.startswith("ok: "))
    assert {"retention", "summarizer"} <= set(right.removeprefix("ok: ").split(", "))


def test_json_is_described_and_the_exit_code_fits(machine: Machine, capsys: Output) -> None:
    code = machine.call("--json")
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["version"]) == ("doctor", 1)
    described = set(re.findall(r"`(\w+)`", section("doctor")))
    assert set(fields(found)) - described - {"kind", "version"} == set()
    assert [row["name"] for row in found["checks"]] == [name for name, _ in CHECKS]
    assert sum(found["counts"].values()) == len(CHECKS)
    assert found["healthy"] == (code == 0)


def test_without_a_store_or_a_systemd_it_works_and_makes_nothing(
    tmp_path: Path, capsys: Output
) -> None:
    environ = {"HOME": str(tmp_path), "PATH": str(tmp_path)}
    memtool(["doctor"], environ, NOW_US)
    shown = capsys.readouterr().out
    assert "not checked: store, timers, program" in shown
    assert list(tmp_path.iterdir()) == []


def test_a_broken_configuration_ends_it_as_every_command(machine: Machine, capsys: Output) -> None:
    machine.config.parent.mkdir(parents=True)
    machine.config.write_text('[ingest]\nclaude_rot = "/x"\n')
    assert machine.call() == 78
    assert "claude_rot" in capsys.readouterr().err


def test_a_damaged_store_and_ledger_are_told_and_hide_nothing(
    machine: Machine, capsys: Output
) -> None:
    (machine.root / "store").mkdir()
    (machine.root / "store/000001.sst").write_text("?")
    ledger_path(machine.root).unlink()
    ledger_path(machine.root).mkdir()
    assert machine.call("--json") == 1
    found = verdicts(capsys)
    assert found["store"]["verdict"] == "problem"
    assert found["timers"]["verdict"] == "problem"
    assert found["program"]["verdict"] == "skipped"
    assert found["retention"]["found"].startswith("Claude Code deletes transcripts after 30 days")


def changes(root: Path) -> dict[Path, int]:
    """Return when each file was changed; less one that rocksdict writes anew at every open, of readers too."""
    found = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    return {path: at for path, at in found.items() if path.name != "rocksdict-config.json"}


def test_it_waits_for_no_lock_and_changes_nothing(memory: Memory, capsys: Output) -> None:
    locks = [
        try_lock(path, Holder(os.getpid(), "compaction", 0, "busy"))
        for path in (
            job_lock_path(memory.root, "compaction"),
            *(lock_path(memory.root, name) for name in ("tree", "writer-queue", "writer")),
        )
    ]
    before = changes(memory.root)
    assert call_at_noon(memory.root, "doctor", "--json") == 1
    assert changes(memory.root) == before
    assert verdicts(capsys)["store"]["found"].startswith("opens, format")
    for lock in locks:
        assert lock is not None
        lock.release()


def test_a_systemd_that_fails_is_told_in_words(machine: Machine, capsys: Output) -> None:
    machine.systemd.fails("Failed to connect to bus: No medium found")
    machine.call("--json")
    found = verdicts(capsys)
    assert found["timers"]["verdict"] in (
        "problem",
        "skipped",
    )  # on a machine without systemd nothing is missed
    assert found["program"]["verdict"] == "skipped"
    assert found["retention"]["verdict"] in ("ok", "warning")


def test_a_dead_timer_is_a_problem(machine: Machine, capsys: Output) -> None:
    machine.timers(ingest={"NextElapseUSecRealtime": "", "SubState": "elapsed"})
    assert machine.call("--json") == 1
    assert verdicts(capsys)["timers"]["verdict"] == "problem"


def test_what_files_are_called_cannot_command_the_terminal(
    machine: Machine, capsys: Output
) -> None:
    path = machine.home / ".claude/projects/p/\x1b[31mevil\n.jsonl"
    path.write_text("{}\n")
    then_s = NOW_US / 1e6 - 29 * 86_400
    os.utime(path, (then_s, then_s))
    assert machine.call() == 1
    shown = capsys.readouterr().out
    assert "1 transcript not read yet" in shown
    assert "\x1b" not in shown
