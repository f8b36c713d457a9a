"""What TAB offers: by the program itself, and in bash, zsh and fish as they are (skipped where not installed)."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer._click.core import Command, Parameter

from memtool.base.settings import SETTINGS
from memtool.cli.app import COMMANDS, COMPLETE, load
from memtool.cli.completion import FREE, PATHS, WORDS, placeholder
from memtool.core.levels import parse_period
from memtool.scheduler.jobs import JOBS
from tests.conftest import REPOSITORY, SOURCE, Program

SCRIPTS = REPOSITORY / "completions"
NAMES = [row.name for row in COMMANDS]
JOB_NAMES = [job.name for job in JOBS]

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def offers(call: Call) -> Callable[..., list[str]]:
    """Return what gives all that the program prints for the words of a line."""

    def asking(*words: str) -> list[str]:
        code, out, err = call(**{COMPLETE: "\n".join(["memtool", *words])})
        assert (code, err) == (0, "")
        return out.splitlines()

    return asking


def values(lines: list[str]) -> list[str]:
    assert lines[0] == "words"
    return [line.partition("\t")[0] for line in lines[1:]]


Offers = Callable[..., list[str]]


def test_commands_are_offered_with_their_help(offers: Offers) -> None:
    assert offers("") == ["words", *(f"{row.name}\t{row.help}" for row in COMMANDS)]
    assert values(offers("sch")) == ["scheduler"]
    assert values(offers("--store", "x", "sch")) == ["scheduler"]


def test_a_program_that_is_asked_bare_offers_its_commands(offers: Offers) -> None:
    assert values(offers()) == NAMES


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["scheduler", "pause", ""], JOB_NAMES),
        (["scheduler", "pause", "--reason", "on battery", "day"], ["day-rollup"]),
        (["scheduler", "run", "--ignore-pause", "week"], ["week-rollup"]),
        (["config", "show", ""], [row.key for row in SETTINGS]),
        (["config", "set", "summarizer.na"], ["summarizer.name"]),
        (["config", "set", "calendar.week_starts_on", "s"], ["saturday", "sunday"]),
        (["config", "set", "locks.wait_s", ""], []),
        (["rollup", "all", "--since", "last-w"], ["last-week"]),
        (["rollup", "all", "--since=last-w"], ["--since=last-week"]),
        (["events", "--kind", "tool_c"], ["tool_call"]),
        (["toc", "--dep"], ["--depth"]),
        (["toc", "--depth", ""], []),
        (["toc", "today", ""], []),
        (["--version", "sch"], ["scheduler"]),
        (["grip", ""], []),
    ],
    ids=" ".join,
)
def test_what_can_stand_there_is_offered(
    offers: Offers, words: list[str], offered: list[str]
) -> None:
    assert values(offers(*words)) == offered


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--store", ""], "directories"),
        (["--config=/e"], "files"),
        (["ingest", "one", ""], "files"),
        (["backup", ""], "directories"),
    ],
    ids=" ".join,
)
def test_the_shell_is_left_to_find_paths(offers: Offers, words: list[str], what: str) -> None:
    assert offers(*words) == [what]


@pytest.mark.parametrize("words", [["nosuch", ""], ["scheduler", "nosuch", ""]], ids=" ".join)
def test_nothing_is_offered_where_nothing_can_be_right(offers: Offers, words: list[str]) -> None:
    assert offers(*words) == [""]


def test_every_relative_period_that_is_offered_is_understood(offers: Offers) -> None:
    words = values(offers("toc", ""))
    assert {"today", "yesterday", "last-week", "last-month", "last-year"} <= set(words)
    for word in words:
        assert parse_period(word, today=739_000, week_start=6)


def test_completing_reads_no_store_and_leaves_nothing_behind(memtool: Program, home: Path) -> None:
    before = sorted(home.rglob("*"))
    broken = {"MEMTOOL_CALENDAR__TIMEZONE": "nowhere", "MEMTOOL_WITHIN": "1"}
    done = memtool(env={**broken, COMPLETE: "memtool\ntoc\nlast-w"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "words\nlast-week\t\n", "")
    assert sorted(home.rglob("*")) == before


def test_naming_commands_imports_none_of_them(memtool: Program) -> None:
    done = memtool(env={COMPLETE: "memtool\n", "PYTHONPROFILEIMPORTTIME": "1"})
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    verbs = {name for name in loaded if name.startswith("memtool.cli.")}
    assert verbs == {f"memtool.cli.{name}" for name in ("app", "completion", "options", "output")}
    assert not loaded & {"rich", "rocksdict", "msgspec"}


def parameters(command: Command) -> Iterator[Parameter]:
    """Give all that take a value, but those whose type lists what it may be."""
    for one in command.params:
        if not getattr(one, "is_flag", False) and not hasattr(one.type, "choices"):
            yield one
    for child in getattr(command, "commands", {}).values():
        yield from parameters(child)


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: str(row.name))
def test_for_every_parameter_there_is_a_word_on_what_completes_it(row: object) -> None:
    """A new one goes into one of the three tables of memtool/cli/completion.py, by what stands for it in the help."""
    command = load(next(one for one in COMMANDS if one is row))
    assert {placeholder(one) for one in parameters(command)} - FREE - {*WORDS, *PATHS} == set()


def test_no_word_stands_in_two_of_the_tables() -> None:
    assert not FREE & {*WORDS, *PATHS}
    assert not PATHS.keys() & WORDS.keys()


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
        timeout=60,
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
        ("memtool sch", ["scheduler\tShow what the jobs did and when they run next."]),
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
