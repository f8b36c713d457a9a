"""What TAB offers: by the program itself, and in bash, zsh and fish as they are (skipped where not installed)."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from memtool.cli.app import COMMANDS, COMPLETE, Row, load
from memtool.model.levels import parse_period
from memtool.systemd.jobs import JOBS, SETTINGS
from tests.conftest import REPOSITORY, SOURCE, Program
from tests.waiting import HUNG_S

SCRIPTS = REPOSITORY / "completions"
NAMES = [row.name for row in COMMANDS]
JOB_NAMES = [job.name for job in JOBS]

Offers = Callable[[str], list[str]]


def asked(line: str) -> dict[str, str]:
    """Return the variables by which completions/* ask the program."""
    return {
        COMPLETE: "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": line,
    }


@pytest.fixture
def offers(memtool: Program) -> Offers:
    """Return what gives all that the program prints for a line."""

    def asking(line: str) -> list[str]:
        done = memtool(env=asked(line))
        assert (done.returncode, done.stderr) == (0, "")
        return [offer for offer in done.stdout.splitlines() if offer]

    return asking


def values(lines: list[str]) -> list[str]:
    return [line.partition("\t")[0] for line in lines]


def test_commands_are_offered_with_their_help(offers: Offers) -> None:
    assert offers("memtool ") == [f"{row.name}\t{row.help}" for row in COMMANDS]
    assert values(offers("memtool sch")) == ["scheduler"]
    assert values(offers("memtool --store x --version sch")) == ["scheduler"]
    assert values(offers("memtool")) == NAMES


def test_the_help_of_a_subcommand_is_not_cut_off(offers: Offers) -> None:
    assert "logs\tShow the journal of a job's unit." in offers("memtool scheduler ")


def test_the_options_of_the_program_are_its_own(offers: Offers) -> None:
    """Those of typer would install scripts of its own."""
    found = values(offers("memtool --"))
    assert found == ["--store", "--config", "--version", "--json", "--help"]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("scheduler pause ", JOB_NAMES),
        ("scheduler pause --reason 'on battery' day", ["day-rollup"]),
        ("scheduler run --ignore-pause week", ["week-rollup"]),
        ("config show ", [row.key for row in SETTINGS.values()]),
        ("config set summarizer.na", ["summarizer.name"]),
        ("config set calendar.week_starts_on s", ["saturday", "sunday"]),
        ("config set locks.wait_s ", []),
        ("rollup all --since last-w", ["last-week"]),
        ("rollup all --since=last-w", ["last-week"]),
        ("events --kind tool_c", ["tool_call"]),
        ("stats --by ", ["project", "agent"]),
        ("toc --dep", ["--depth"]),
        ("toc --depth ", []),
        ("toc today ", []),
        ("grip ", []),
    ],
)
def test_what_can_stand_there_is_offered(offers: Offers, line: str, offered: list[str]) -> None:
    assert values(offers(f"memtool {line}")) == offered


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("--store ", "\t(directories)"),
        ("--config=/e", "/e\t(files)"),
        ("ingest one ", "\t(files)"),
        ("backup ", "\t(directories)"),
    ],
)
def test_the_shell_is_left_to_find_paths(offers: Offers, line: str, what: str) -> None:
    assert offers(f"memtool {line}") == [what]


@pytest.mark.parametrize("line", ["memtool nosuch s", "memtool scheduler nosuch "])
def test_nothing_is_offered_below_an_unknown_command(memtool: Program, line: str) -> None:
    done = memtool(env=asked(line))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "memtool: unknown command: nosuch\n"


def test_every_relative_period_that_is_offered_is_understood(offers: Offers) -> None:
    words = values(offers("memtool toc "))
    assert {"today", "yesterday", "last-week", "last-month", "last-year"} <= set(words)
    for word in words:
        assert parse_period(word, today=739_000, week_start=6)


def test_completing_reads_no_store_and_leaves_nothing_behind(memtool: Program, home: Path) -> None:
    before = sorted(home.rglob("*"))
    broken = {"MEMTOOL_CALENDAR__TIMEZONE": "nowhere", "MEMTOOL_WITHIN": "1"}
    done = memtool(env={**broken, **asked("memtool toc last-w")})
    assert (done.returncode, done.stdout, done.stderr) == (0, "last-week\n", "")
    assert sorted(home.rglob("*")) == before


def test_naming_commands_imports_none_of_them(memtool: Program) -> None:
    done = memtool(env={**asked("memtool "), "PYTHONPROFILEIMPORTTIME": "1"})
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    verbs = {name for name in loaded if name.startswith("memtool.cli.")}
    assert verbs == {f"memtool.cli.{name}" for name in ("app", "options", "output", "streams")}
    assert not {name.partition(".")[0] for name in loaded} & {"rich", "rocksdict", "msgspec"}


# What stands in the help for a value that cannot be offered without a look into the store.
FREE = {
    "DURATION",
    "EVENT",
    "GRIP",
    "ID",
    "N",
    "PROJECT",
    "QUERY",
    "REGEX",
    "SESSION",
    "TEXT",
    "WHEN",
    "YEAR",
}


def parameters(command: Any) -> Iterator[tuple[Any, Any]]:
    """Give every command with each of its parameters that take a value."""
    for one in command.params:
        if not getattr(one, "is_flag", False):
            yield command, one
    for child in getattr(command, "commands", {}).values():
        yield from parameters(child)


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: str(row.name))
def test_for_every_value_something_is_offered_where_that_can_be(row: Row) -> None:
    """A new one gets `autocompletion=`, or its metavar is put into FREE."""
    for command, one in parameters(load(row)):
        context = command.make_context(row.name, [], resilient_parsing=True)
        context.params["key"] = "calendar.week_starts_on"
        metavar = (one.metavar or one.name).strip("[].").upper()
        has_offers = bool(one.shell_complete(context, ""))
        assert has_offers is (metavar not in FREE), f"{row.name}: {metavar}"


# --- The shells ---------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a directory with something to complete in it, and this program on PATH."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/memtool"
    start = shlex.join(["env", f"PYTHONPATH={SOURCE}", sys.executable, "-m", "memtool"])
    program.write_text(f'#!/bin/sh\nexec {start} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    (tmp_path / "here/stores").mkdir(parents=True)
    (tmp_path / "here/my.toml").touch()
    return tmp_path


def shell(name: str, place: Path, *arguments: str, **env: str) -> str:
    """Return what a shell prints; skip the test where there is no such shell."""
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    done = subprocess.run(
        [program, *arguments],
        cwd=place / "here",
        env={**os.environ, "PATH": f"{place / 'bin'}:{os.environ['PATH']}", **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=HUNG_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


BASH = """
source "$1"
COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2))
complete -p memtool >/dev/null && _memtool memtool
if ((${#COMPREPLY[@]})); then printf '%s\\n' "${COMPREPLY[@]}"; fi
"""


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["sch"], ["scheduler"]),
        (["scheduler", "pause", ""], JOB_NAMES),
        (["scheduler", "pause", "--reason", '"on battery"', "day"], ["day-rollup"]),
        (["rollup", "all", "--since", "=", "last-w"], ["last-week"]),  # as bash cuts it
        (["events", "--since", "week", ":", "2026-11-22", "--until", "=", "last-w"], ["last-week"]),
        (["nosuch", ""], []),
        (["--store", ""], []),  # readline does it
    ],
    ids=" ".join,
)
def test_bash(place: Path, words: list[str], offered: list[str]) -> None:
    script = str(SCRIPTS / "memtool.bash")
    done = shell("bash", place, "-c", BASH, "bash", script, "memtool", *words)
    assert done.splitlines() == offered


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("memtool sch", ["scheduler\tShow and control the scheduled jobs."]),
        ("memtool scheduler pause --reason 'on battery' day", ["day-rollup\t"]),
        ("memtool rollup all --since=last-w", ["--since=last-week"]),
        ("memtool --config=my", ["--config=my.toml"]),
        ("memtool --config my", ["my.toml"]),
        ("memtool --store ", ["stores/\tDirectory"]),
        ("memtool nosuch ", []),
    ],
)
def test_fish(place: Path, line: str, offered: list[str]) -> None:
    script = f"source {SCRIPTS / 'memtool.fish'}; complete -C $argv[1]"
    found = shell("fish", place, "--no-config", "-c", script, line).splitlines()
    assert len(found) == len(offered)
    assert all(one.startswith(start) for one, start in zip(found, offered, strict=True))


# zsh completes only in its line editor, and that only on a terminal: a zsh in a zsh's pseudo-terminal.
ZSHRC = """
fpath=($SCRIPTS $fpath)
autoload -Uz compinit
compinit -u -D
zle-line-init() {
  BUFFER=$LINE CURSOR=$#LINE
  zle complete-word
  print -r -- "$BUFFER" >$RESULT
  exit
}
zle -N zle-line-init
TRAPEXIT() { print THE-END }
"""
ZSH = "zmodload zsh/zpty; zpty z zsh -d -i; zpty -r z out '*THE-END*'"


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("memtool sch", "memtool scheduler "),
        (
            "memtool scheduler pause --reason 'on battery' day",
            "memtool scheduler pause --reason 'on battery' day-rollup ",
        ),
        ("memtool rollup all --since=last-w", "memtool rollup all --since=last-week "),
        ("memtool --config=my", "memtool --config=my.toml "),
        ("memtool --store ", "memtool --store stores/"),
        ("memtool nosuch ", "memtool nosuch "),
    ],
)
def test_zsh(place: Path, line: str, completed: str) -> None:
    (place / ".zshrc").write_text(ZSHRC, encoding="utf-8")
    result = place / "result"
    env = {"ZDOTDIR": str(place), "SCRIPTS": str(SCRIPTS), "LINE": line, "RESULT": str(result)}
    shell("zsh", place, "-f", "-c", ZSH, **env)
    assert result.read_text(encoding="utf-8") == f"{completed}\n"
