"""Closed, full and abandoned streams, over every command: the work is done, and the exit code is that of the work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from memtool.cli.app import COMMANDS
from memtool.errors import IO_ERROR
from tests.cli.test_ingest import line
from tests.conftest import SOURCE
from tests.memory import Memory
from tests.waiting import HUNG_S

RUNNER = f"{sys.executable} -m memtool"
ARGUMENTS = {
    "ingest": "new.jsonl",
    "rollup": "all",
    "show": "2026-11",
    "grip": "00000000",
    "search": "wind",
    "forget": "--session ff3c4393 --yes",
    "backup": "copies",
    "restore": "copies/nothing",
    "setup": "--user --dry-run",
    "scheduler": "status",
    "config": "show",
}
"""What each command is called with; the others are called without."""


class Place:
    """A directory with a copy of a store, and a shell in it."""

    def __init__(self, directory: Path, store: Path) -> None:
        self.directory = directory
        shutil.copytree(store, directory / "memory")
        (directory / "new.jsonl").write_text(line("something new"))

    def call(
        self, words: str, streams: str, env: dict[str, str] | None = None
    ) -> tuple[int, bytes, str]:
        """Return exit code, stdout and stderr of memtool; its streams are redirected as a shell would."""
        script = f"{RUNNER} {words} {streams}; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ["bash", "-c", script],
            env={
                **os.environ,
                "HOME": str(self.directory),
                "PYTHONPATH": str(SOURCE),
                "MEMTOOL_STORE__PATH": str(self.directory / "memory"),
                **(env or {}),
            },
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=HUNG_S,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr.decode()


@pytest.fixture
def place(tmp_path: Path, memory: Memory) -> Place:
    return Place(tmp_path, memory.root)


@pytest.fixture(scope="module")
def codes(tmp_path_factory: pytest.TempPathFactory, memory: Memory) -> dict[str, tuple[int, bool]]:
    """Return the exit code of each command with all its streams, and whether it writes on stdout."""
    found = {}
    place = Place(tmp_path_factory.mktemp("reference"), memory.root)
    for row in COMMANDS:
        code, out, errors = place.call(f"{row.name} {ARGUMENTS.get(row.name, '')}", "")
        assert "Traceback" not in errors, errors
        found[row.name] = code, bool(out)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "streams",
    ["<&- >&- 2>&-", ">/dev/full", "2>/dev/full", "| true"],
)
def test_no_command_minds_its_streams(
    place: Place, codes: dict[str, tuple[int, bool]], streams: str
) -> None:
    for row in COMMANDS:
        code, _, errors = place.call(f"{row.name} {ARGUMENTS.get(row.name, '')}", streams)
        expected, writes = codes[row.name]
        if streams == ">/dev/full" and writes:
            expected = expected or IO_ERROR.code
            assert "memtool: standard output: no space left on device" in errors
        assert (row.name, code) == (row.name, expected)
        assert "Traceback" not in errors
        assert "Exception ignored" not in errors


@pytest.mark.parametrize("streams", [">&-", ">/dev/full", "| true", "<&- >&- 2>&-"])
def test_the_work_is_done_whoever_listens(place: Place, streams: str) -> None:
    place.call("ingest new.jsonl", streams)
    place.call("forget --session ff3c4393 --yes", streams)
    code, out, _ = place.call("events --json --limit 1000", "")
    assert code == 0
    events = json.loads(out)["events"]
    assert "something new" in [event["text"] for event in events]
    assert not any(event["session"].startswith("ff3c4393") for event in events)


def test_a_file_of_the_store_never_becomes_a_standard_stream(place: Place) -> None:
    script = (
        "import os, sys; from memtool.cli import app, toc; from memtool.store.access import Access\n"
        "reading = Access.reading\n"
        "def seen(self):\n"
        "    print([os.readlink(f'/proc/self/fd/{n}') for n in (0, 1, 2)], file=open('seen', 'w'))\n"
        "    return reading(self)\n"
        "Access.reading = seen; sys.argv[1:] = ['toc']; app.main()"
    )
    done = subprocess.run(
        ["bash", "-c", f'{sys.executable} -c "{script}" <&- >&- 2>&-'],
        env={
            **os.environ,
            "PYTHONPATH": str(SOURCE),
            "MEMTOOL_STORE__PATH": str(place.directory / "memory"),
        },
        cwd=place.directory,
        timeout=HUNG_S,
        check=False,
    )
    assert done.returncode == 0
    assert (place.directory / "seen").read_text().strip() == str(["/dev/null"] * 3)


def test_a_reader_that_leaves_ends_a_long_list(place: Place) -> None:
    (place.directory / "many.jsonl").write_text("".join(line("x" * 900, n) for n in range(60)))
    place.call("ingest many.jsonl", "")
    assert place.call("export", "| true") == (0, b"", "")


def test_the_journal_is_told_how_bad_it_is(place: Place) -> None:
    said = place.directory / "journal"
    said.touch()
    found = said.stat()
    journal = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
    place.call("show nothing", f"2>>{said}", journal)
    assert [row[:3] for row in said.read_text().splitlines()] == ["<3>", "<3>"]
    said.write_text("")
    place.call("toc", f"2>>{said}", {**journal, "MEMTOOL_RETENTION__EVENTS_DAYS": "9"})
    assert said.read_text().startswith("<4>memtool: warning: ")
    # A shell within a unit inherits the variable, but writes elsewhere.
    assert place.call("show nothing", "", journal)[2].startswith("memtool: ")
