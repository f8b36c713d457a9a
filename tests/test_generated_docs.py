"""The pages that docs/generate writes are what the code says, on every machine; the man page is sound."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from docs.generating import pages
from docs.generating.config_page import SAMPLE
from docs.generating.man_page import EXAMPLES, text
from docs.generating.tree import Command, program
from memtool.cli.app import COMMANDS, run
from memtool.config import examine
from memtool.paths import ConfigFile, Role
from memtool.settings import SETTINGS
from tests.waiting import HUNG_S

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIG_PAGE = REPOSITORY / "docs/config.md"
CLI_PAGE = REPOSITORY / "docs/cli.md"
MAN_PAGE = REPOSITORY / "man/memtool.1"
ELSEWHERE = {
    "COLUMNS": "40",
    "LANG": "de_DE.UTF-8",
    "TZ": "Pacific/Auckland",
    "XDG_CONFIG_HOME": "/elsewhere",
    "MEMTOOL_STORE__PATH": "/elsewhere",
    "NO_COLOR": "1",
}


@pytest.mark.parametrize("env", [{}, ELSEWHERE], ids=["here", "elsewhere"])
def test_the_pages_are_what_the_code_says(env: dict[str, str], home: Path) -> None:
    done = tool(sys.executable, str(REPOSITORY / "docs/generate"), "--check", cwd=home, **env)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nto mend it: python docs/generate"


def test_a_page_that_is_out_of_date_is_told_with_what_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    for name in pages.PAGES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
    assert pages.main([]) == 0
    assert pages.main(["--check"]) == 0
    page = tmp_path / "docs/cli.md"
    page.write_text(page.read_text(encoding="utf-8").replace("--depth", "--width"), "utf-8")
    capsys.readouterr()
    assert pages.main(["--check"]) == 1
    said = capsys.readouterr().out
    assert "+| `--depth N` |" in said
    assert "docs/generate writes these files anew" in said


def test_wrong_usage_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert pages.main(["--chekc"]) == 2
    assert "--check" in capsys.readouterr().err


def test_the_sample_is_a_config_that_memtool_accepts(tmp_path: Path) -> None:
    found = re.search(r"```toml\n(.*?)```", CONFIG_PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    assert tomllib.loads(found[1])
    path = tmp_path / "config.toml"
    path.write_text(found[1], encoding="utf-8")
    settings, faults = examine({}, [ConfigFile(path, Role.NAMED)])
    assert faults == []
    assert {one.key: one.value for one in settings} == SAMPLE


def test_every_setting_has_its_row() -> None:
    rows = CONFIG_PAGE.read_text(encoding="utf-8").splitlines()
    for setting in SETTINGS:
        name = setting.key.partition(".")[2]
        assert [row for row in rows if row.startswith(f"| `{name}` |") and setting.variable in row]


@pytest.mark.parametrize("name", [row.name for row in COMMANDS])
def test_what_help_names_is_on_both_pages(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By the program's own --help, so that what the walk of the tree forgets is seen."""
    own = _help([name], capsys)
    found = re.search(r"^Commands:\n(.*)", own, re.DOTALL | re.MULTILINE)
    children = re.findall(r"^  ([a-z-]+)", found[1] if found else "", re.MULTILINE)
    helps = [own, *(_help([name, child], capsys) for child in children)]
    markdown = CLI_PAGE.read_text(encoding="utf-8")
    section = markdown.partition(f"\n## memtool {name}\n")[2].partition("\n## ")[0]
    roff = MAN_PAGE.read_text(encoding="utf-8").replace("\\-", "-")
    for text_of in helps:
        for option in set(re.findall(r"(?<![\w-])--[a-z-]+", text_of)) - {"--help"}:
            assert f"`{option}" in section
            assert f"\\fB{option}\\fR" in roff


def _help(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert run([*words, "--help"], {}, 0) == 0
    return capsys.readouterr().out.partition("\nOptions:\n")[2]


@pytest.mark.parametrize("line", [line for _, lines in EXAMPLES for line in lines])
def test_every_example_is_a_command_with_its_options(line: str) -> None:
    command = program()
    words = shlex.split(line)[1:]
    while words and (child := _child(command, words[0])) is not None:
        command = child
        words = words[1:]
    assert len(command.path) > 1
    known = {name for one in command.options for name in (*one.names, *one.opposites)}
    assert {word for word in words if word.startswith("-")} <= known


def _child(command: Command, name: str) -> Command | None:
    return next((one for one in command.children if one.path[-1] == name), None)


# --- roff ---------------------------------------------------------------------------------


def tool(name: str, *arguments: str, **more: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a tool of the system; skip the test where it is not installed."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    cwd = more.pop("cwd", REPOSITORY)
    return subprocess.run(
        [path, *arguments],
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "90", **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=HUNG_S,
        check=False,
    )


Lint = Callable[[], subprocess.CompletedProcess[str]]
LINTS = {
    "groff": lambda: tool("groff", "-ww", "-man", "-Tutf8", str(MAN_PAGE)),
    "man": lambda: tool("man", "--warnings", "-l", str(MAN_PAGE)),
    "mandoc": lambda: tool("mandoc", "-T", "lint", "-W", "warning", str(MAN_PAGE)),
}


@pytest.mark.parametrize("name", LINTS)
def test_the_man_page_has_no_fault(name: str) -> None:
    lint: Lint = LINTS[name]
    done = lint()
    said = [] if name != "mandoc" else done.stdout.splitlines()
    # A date would differ from run to run, or soon be wrong.
    wrong = [line for line in said if "missing date" not in line]
    assert (wrong, done.stderr) == ([], "")


def test_the_man_page_reads_as_it_is_meant() -> None:
    page = tool("man", "-l", str(MAN_PAGE)).stdout
    for line in (
        "memtool - long-term memory for AI coding agents",
        "memtool scheduler pause [--all] [--for TIME]",
        'memtool scheduler pause --all --for 2d --reason "on battery"',
        "~/.config/memtool/config.toml",
    ):
        assert line in page
    heads = re.findall(r"^[A-Z][A-Z ]+$", page, re.MULTILINE)
    assert heads == [
        *("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "FILES", "ENVIRONMENT"),
        *("EXIT STATUS", "EXAMPLES", "SEE ALSO"),
    ]


@pytest.mark.parametrize(
    "words",
    [
        "".join(map(chr, range(33, 127))).replace("`", ""),
        ".TH is no macro here",
        "'nor is this",
        r"\fBbold\fR and \n and C:\path",
        "-- --dry-run -",
        "from – to … → naïve",
        "code: `.SH --x \\e 'y'`",
    ],
)
def test_any_text_is_printed_as_it_is(words: str, tmp_path: Path) -> None:
    page = tmp_path / "page.1"
    lines = ['.TH X 1 "" "" ""', ".nh", ".SH NAME", *text(words)]
    page.write_text("\n".join(lines) + "\n", encoding="ascii")
    printed = tool("man", "-l", str(page)).stdout
    assert " ".join(words.replace("`", "").split()) in " ".join(printed.split())
