"""The program as a person or a unit starts it: help, messages, exit codes, streams."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from memtool import __version__
from memtool.cli import app
from memtool.cli.app import COMMANDS, Row, run
from memtool.errors import INTERRUPTED, UNAVAILABLE, UnavailableError
from tests.conftest import SOURCE, Program
from tests.waiting import HUNG_S

RUNNER = [sys.executable, "-m", "memtool"]


def test_the_version_is_printed(memtool: Program) -> None:
    done = memtool("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"memtool {__version__}\n", "")


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_every_command_in_80_columns(memtool: Program, option: str) -> None:
    done = memtool(option)
    assert done.returncode == 0
    for row in COMMANDS:
        assert f"  {row.name} " in done.stdout
        assert row.help in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_without_a_command_help_goes_to_stderr_and_the_exit_is_2(memtool: Program) -> None:
    done = memtool()
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: memtool" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["tco"], "Did you mean 'toc'?", '"memtool --help"'),
        (["--stor", "x"], "No such option", '"memtool --help"'),
        (["--store", "", "toc"], "the path is empty", '"memtool --help"'),
        (["config"], "Missing command", '"memtool config --help"'),
        (["config", "set"], "Missing argument", '"memtool config set --help"'),
        (["config", "path", "extra"], "unexpected extra argument", '"memtool config path --help"'),
    ],
)
def test_a_usage_error_is_one_line_and_a_hint(
    memtool: Program, arguments: list[str], message: str, hint: str
) -> None:
    done = memtool(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    first, second = done.stderr.splitlines()
    assert first.startswith("memtool: ")
    assert message in first
    assert second.startswith("hint: ")
    assert hint in second


def test_an_error_names_no_escape_from_a_path(memtool: Program) -> None:
    done = memtool("--config", "/no\x1b[31mwhere", "config", "show")
    assert done.returncode == 78
    assert "\x1b" not in done.stderr
    assert "/nowhere" in done.stderr


@pytest.mark.parametrize("reader", ["true", "head -c 1"])
def test_a_reader_that_leaves_ends_the_program_quietly(home: Path, reader: str) -> None:
    script = f"set -o pipefail; {' '.join(RUNNER)} config show --json | {reader} >/dev/null"
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        cwd=home,
        capture_output=True,
        encoding="utf-8",
        timeout=HUNG_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def start(script: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {script}"],
        env={**os.environ, "PYTHONPATH": str(SOURCE), **(env or {})},
        capture_output=True,
        timeout=HUNG_S,
        check=False,
    )


def test_a_full_disk_behind_stdout_is_an_io_error() -> None:
    done = start(f"{' '.join(RUNNER)} config show > /dev/full")
    assert done.returncode == 74
    assert b"no space left on device" in done.stderr


def test_closed_streams_do_not_matter() -> None:
    assert start(f"{' '.join(RUNNER)} config path >&- 2>&- <&-").returncode == 0


@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
    ],
)
def test_any_locale_prints_any_text(home: Path, locale: dict[str, str]) -> None:
    (home / ".config/memtool").mkdir(parents=True)
    (home / ".config/memtool/config.toml").write_text(
        '[store]\npath = "/tmp/häuser→"\n', encoding="utf-8"
    )
    done = start(f"{' '.join(RUNNER)} config show store.path", {"PYTHONUTF8": "0", **locale})
    assert done.returncode == 0
    assert "häuser→".encode() in done.stdout


def test_what_is_made_is_private_whatever_the_umask(home: Path) -> None:
    done = start(f"umask 000; {' '.join(RUNNER)} config set locks.wait_s 5")
    assert done.returncode == 0
    made = [home / ".config", home / ".config/memtool", home / ".config/memtool/config.toml"]
    assert [oct(path.stat().st_mode & 0o777) for path in made] == ["0o700", "0o700", "0o600"]


# What follows runs in this process, with a command of the test's own in the table.

RAISED: dict[str, BaseException] = {
    "memtool": UnavailableError("the endpoint is down", hint="try again"),
    "interrupt": KeyboardInterrupt(),
    "system": PermissionError(13, "Permission denied", "/some/where"),
    "pipe": BrokenPipeError(32, "Broken pipe"),
    "fault": ZeroDivisionError("a fault of ours"),
}


def failing(kind: str) -> None:
    """Fail."""
    raise RAISED[kind]


def returning() -> object:
    """Return an exit code."""
    return UNAVAILABLE


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        Row(one.__name__, f"{__name__}:{one.__name__}", "Fail.") for one in (failing, returning)
    ]
    monkeypatch.setitem(sys.modules, __name__, sys.modules[failing.__module__])
    monkeypatch.setattr(app, "COMMANDS", rows)
    monkeypatch.setattr(app, "_ROWS", {row.name: row for row in rows})


def call(*arguments: str) -> int:
    return run(arguments, os.environ, 0)


@pytest.mark.usefixtures("commands")
@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        ("memtool", UNAVAILABLE.code, "memtool: the endpoint is down\nhint: try again\n"),
        ("interrupt", INTERRUPTED.code, ""),
        ("system", 74, "memtool: /some/where: permission denied (as "),
        ("pipe", 74, "memtool: a pipe: broken pipe\n"),
    ],
)
def test_each_error_has_its_message_and_code(
    kind: str, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("failing", kind) == code
    assert capsys.readouterr().err.strip("\n").startswith(said.strip("\n"))


@pytest.mark.usefixtures("commands")
def test_a_fault_of_the_program_is_not_dressed_up() -> None:
    with pytest.raises(ZeroDivisionError):
        call("failing", "fault")


@pytest.mark.usefixtures("commands")
def test_a_command_may_return_its_exit_code() -> None:
    assert call("returning") == UNAVAILABLE.code


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_help_fits_the_terminal_from_40_to_80_columns(
    call: Callable[..., tuple[int, str, str]], columns: int
) -> None:
    names = [[], *([row.name] for row in COMMANDS), ["rollup", "day"], ["scheduler", "pause"]]
    for name in names:
        code, out, _ = call(*name, "--help", COLUMNS=str(columns))
        assert code == 0
        assert [line for line in out.splitlines() if len(line) > min(columns, 80)] == [], name
        assert not re.search(r"[^A-Z\]]\.\.\.", out), name  # cut off; PATH... is not
