"""The generated blocks are what the code says, on every machine; the man page is valid."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from docs.generating import blocks
from docs.generating.man import text
from memtool.cli.app import COMMANDS, run
from memtool.paths import ConfigFile, Role, choose_store, config_files, key_files
from memtool.settings import examine
from memtool.summarize import SUMMARIZERS
from memtool.systemd.jobs import JOBS, SETTINGS
from tests.waiting import HUNG_S

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIG_PAGE = (REPOSITORY / "docs/config.md").read_text(encoding="utf-8")
CLI_PAGE = (REPOSITORY / "docs/cli.md").read_text(encoding="utf-8")
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
def test_the_blocks_are_what_the_code_says(env: dict[str, str], home: Path) -> None:
    done = tool(sys.executable, str(REPOSITORY / "docs/generate"), "--check", cwd=home, **env)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nto fix it: python docs/generate"


def test_an_outdated_block_is_shown_and_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(blocks, "ROOT", tmp_path)
    for name in blocks.PAGES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    page = tmp_path / "docs/cli.md"
    page.write_text(CLI_PAGE.replace("--depth", "--width").replace("# Com", "# My com"), "utf-8")
    assert blocks.main(["--check"]) == 1
    assert "+| `--depth N` |" in capsys.readouterr().out
    assert blocks.main([]) == 0
    assert page.read_text("utf-8") == CLI_PAGE.replace("# Com", "# My com")
    assert blocks.main(["--check"]) == 0


def test_wrong_usage_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert blocks.main(["--chekc"]) == 2
    assert "--check" in capsys.readouterr().err


def test_the_example_is_a_config_without_problems(tmp_path: Path) -> None:
    example = CONFIG_PAGE.partition("## Example\n")[2].partition("<!--")[0]
    path = tmp_path / "config.toml"
    path.write_text(re.sub(r"^ {4}", "", example, flags=re.MULTILINE), encoding="utf-8")
    settings, problems = examine({}, [ConfigFile(path, Role.NAMED)], SETTINGS)
    assert problems == []
    assert len(settings) == example.count(" = ")


def test_every_setting_and_every_job_is_on_its_page() -> None:
    for setting in SETTINGS.values():
        section, _, name = setting.key.partition(".")
        part = CONFIG_PAGE.partition(f"\n## `[{section}]`\n")[2].partition("\n## ")[0]
        assert f"\n| `{name}` |" in part + CONFIG_PAGE.partition("\n## Jobs\n")[2]
    timers = (REPOSITORY / "docs/scheduling.md").read_text(encoding="utf-8")
    for job in JOBS:
        assert f"\n| {job.name} | `memtool {' '.join(job.command)}` | `{job.schedule[0]}`" in timers


def test_both_pages_have_the_files_and_variables_of_the_program() -> None:
    home = {"HOME": "/h"}
    nowhere = Path("/there/is/nothing/here")
    store = choose_store(home, configured="", origin="", uid=0, root=nowhere).root
    files = [*(file.path for file in config_files(home)), key_files(home)[1], store]
    keys = [row.key_variable for row in SUMMARIZERS if row.key_variable]
    roff = MAN_PAGE.read_text(encoding="utf-8").replace("\\-", "-").replace("\\(ti", "~")
    for name in [*(str(path).replace("/h/", "~/") for path in files), *keys]:
        assert name in roff
        assert name in CONFIG_PAGE or name.endswith("state/memtool")


@pytest.mark.parametrize("name", [row.name for row in COMMANDS])
def test_what_help_names_is_on_both_pages(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By the program's own --help, to find what the generator forgets."""
    own = _help([name], capsys)
    found = re.search(r"^Commands:\n(.*)", own, re.DOTALL | re.MULTILINE)
    children = re.findall(r"^  ([a-z-]+)", found[1] if found else "", re.MULTILINE)
    helps = [own, *(_help([name, child], capsys) for child in children)]
    section = CLI_PAGE.partition(f"\n## memtool {name}\n")[2].partition("\n## ")[0]
    roff = MAN_PAGE.read_text(encoding="utf-8").replace("\\-", "-")
    for text_of in helps:
        for option in set(re.findall(r"(?<![\w-])--[a-z-]+", text_of)) - {"--help"}:
            assert f"`{option}" in section
            assert f"\\fB{option}\\fR" in roff


def _help(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert run([*words, "--help"], {}, 0) == 0
    return capsys.readouterr().out.partition("\nOptions:\n")[2]


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
        "memtool scheduler pause [--all] [--for DURATION]",
        'memtool scheduler pause --all --for 2d --reason "on battery"',
        "~/.config/memtool/config.toml",
    ):
        assert line in re.sub(" +", " ", page)  # it is justified
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
