"""What the pages name exists, and pages, help and docstrings use the words of the glossary."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from docs.generating.commands import Command, program, subcommands
from memtool.systemd.jobs import SETTINGS

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "memtool"
TOP_PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "AGENTS.md")
PAGES = [*(REPOSITORY / name for name in TOP_PAGES), *sorted((REPOSITORY / "docs").glob("*.md"))]
SOURCES = ("memtool/**/*.py", "systemd/**/*", "install.sh", "tests/run")
# `store/` and `ledger/` are also directories of a store.
STORE_FILES = {f"ledger/{name}" for name in ("ledger.sqlite3", "runs.jsonl", "calls.jsonl")}
STORE_FILES |= {"store/CURRENT"}
HELP = {"-h", "--help"}
_SETTING_FIRST = (["config", "set"], ["config", "show"])

_BLOCK = re.compile(r"^```.*\n((?:(?!```).*\n)*)```|((?:^ {4}.*\n)+)", re.MULTILINE)
_SPAN = re.compile(r"``(.+?)``|`((?:[^`\n]|\n(?!\n))+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_COMMAND = re.compile(r"(?:^|(?<=[\s(/]))memtool (.+)")
_SCRIPT = re.compile(r"(?:^|(?<=\s))(?:\./)?((?:\w[\w.-]*/)*\w[\w.-]*) (-.+)")
_END = re.compile(r"\s(?:#|&&|\||;|>|2>)\s?.*")
_OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
_SETTING = re.compile(r"([a-z_]+)\.([a-z_]+)")
_VARIABLE = re.compile(r"\b((?:MEMTOOL|CLAUDE|XDG)_[A-Z0-9_]+|[A-Z]+_API_KEY)(?![\w*])")
_FILE = re.compile(r"(?:\./)?([\w.-]+(?:/[\w.*-]+)*/?)(?::.*)?")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_what_a_page_names_exists(page: Path) -> None:
    assert list(problems(page.read_text(encoding="utf-8"), page.parent)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Run `memtool ingets`.", "unknown command: memtool ingets"),
        ("`memtool scheduler stop ingest`", "unknown command: memtool scheduler stop"),
        ("Use `memtool toc --width 3`.", "unknown option of memtool toc: --width"),
        ("Use `memtool toc\n--width 3`.", "unknown option of memtool toc: --width"),
        ("    $ memtool toc --width 3\n", "unknown option of memtool toc: --width"),
        ("```\nmemtool --stroe X toc\n```\n", "unknown option of memtool: --stroe"),
        ("Or `--no-such-option`.", "unknown option: --no-such-option"),
        ("    ./install.sh --no-such\n", "unknown option of install.sh: --no-such"),
        ("The setting `summarizer.modelname`.", "unknown setting: summarizer.modelname"),
        ("The setting `sumarizer.model`.", "unknown setting: sumarizer.model"),
        ("    memtool config set budget.calls 3\n", "unknown setting: budget.calls"),
        ("Set MEMTOOL_STORE_PATH.", "unknown variable: MEMTOOL_STORE_PATH"),
        ("Set `$MEMTOOL_NOTHING`.", "unknown variable: MEMTOOL_NOTHING"),
        ("Set OPEN_API_KEY.", "unknown variable: OPEN_API_KEY"),
        ("See `docs/nothing.md`.", "no such file: docs/nothing.md"),
        ("See docs/nothing.md.", "no such file: docs/nothing.md"),
        ("It is in `model/nothing.py`.", "no such file: model/nothing.py"),
        ("See [that](nothing.md).", "no such file: nothing.md"),
        ("See [that](store-format.md#nothing).", "no such heading: store-format.md#nothing"),
        ("# This\n\nSee [that](#that).", "no such heading: #that"),
    ],
)
def test_what_does_not_exist_is_found(text: str, found: str) -> None:
    assert list(problems(text, REPOSITORY / "docs")) == [found]


def test_what_exists_is_accepted() -> None:
    text = (
        "`memtool --store DIR toc [PERIOD] [--depth N]`, `memtool scheduler pause --all`,\n"
        "`summarizer.model`, `MEMTOOL_STORE__PATH`, `model/calendar.py`, `tests/run --quick`,\n"
        "docs/install.md, `--json`, [format](store-format.md#marks)\n\n"
        "    memtool export | ssh new memtool ingest -      # --not-an-option\n"
    )
    assert list(problems(text, REPOSITORY / "docs")) == []


# Their strings are lists of words and patterns, or the text of a prompt, which is part of the recipe.
NO_PROSE = (
    "signals/cues.py",
    "summarize/extractive/",
    "summarize/text/",
    "summarize/models/prompt.py",
)


def test_words_to_avoid_are_in_no_page_help_or_docstring() -> None:
    glossary = (REPOSITORY / "docs/glossary.md").read_text(encoding="utf-8")
    table = glossary.partition("## Words to avoid\n")[2]
    cells = re.findall(r"^\| ([a-z][a-z, ]+) \|", table, re.MULTILINE)[1:]
    words = [word.replace(" ", r"\w{0,3}\s+") for cell in cells for word in cell.split(", ")]
    assert "anew" in words
    avoided = re.compile(rf"\b(?:{'|'.join(words)})(?:s|d|ed|ing)?\b", re.IGNORECASE)
    pages = {page: page.read_text(encoding="utf-8").replace(table, "") for page in PAGES}
    texts = {page: re.sub(r"`[^`]*`", "", text) for page, text in pages.items()}
    for path in PACKAGE.rglob("*.py"):
        if not str(path.relative_to(PACKAGE)).startswith(NO_PROSE):
            texts[path] = "\n".join(_sentences(path))
    found = {str(path): avoided.findall(text) for path, text in texts.items()}
    assert {path: words for path, words in found.items() if words} == {}


def _sentences(module: Path) -> Iterator[str]:
    """Yield the strings of more than one word: docstrings, help and messages."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.value


def problems(text: str, directory: Path) -> Iterator[str]:
    """Yield what a page in `directory` names and what does not exist."""
    found = _SPAN.findall(_BLOCK.sub("\n", text))
    spans = [" ".join((one or two).split()) for one, two in found]
    lines = [line for block in _BLOCK.findall(text) for line in "".join(block).splitlines()]
    for line in (*lines, *spans):
        yield from _in_commands(_END.sub("", line.strip()))
    for span in spans:
        yield from _in_span(span)
    for target in _LINK.findall(text):
        yield from _in_link(target, directory, text)
    for name in sorted(set(_VARIABLE.findall(text))):
        if name not in _variables():
            yield f"unknown variable: {name}"
    for name in re.findall(r"(?<![\w/.`(-])(?:docs|tests)/[\w/.-]*\w", text):
        yield from _missing(name)


def _in_commands(line: str) -> Iterator[str]:
    for found in _COMMAND.findall(line):
        yield from _in_command(_words(found))
    for name, rest in _SCRIPT.findall(line):
        script = REPOSITORY / name
        if script.is_file():
            known = set(_OPTION.findall(script.read_text(encoding="utf-8")))
            yield from _unknown(rest, known, name)


def _words(line: str) -> list[str]:
    plain = re.sub(r"[\[\]]|\.\.\.", "", line)
    try:
        return shlex.split(plain)
    except ValueError:
        return plain.split()


def _in_command(words: list[str]) -> Iterator[str]:
    command, path = program(), "memtool"
    takes_value = False
    for index, word in enumerate(words):
        if word.startswith("-") and len(word) > 1:
            name = word.partition("=")[0]
            if name not in _options(command):
                yield f"unknown option of {path}: {name}"
            takes_value = _options(command).get(name, False) and "=" not in word
        elif takes_value:
            takes_value = False
        elif below := subcommands(command):
            name = word.partition("|")[0]
            if name not in below:
                if re.fullmatch(r"[a-z]+(-[a-z]+)*", word):
                    yield f"unknown command: {path} {word}"
                return
            command, path = below[name], f"{path} {name}"
        elif words[:index] in _SETTING_FIRST and word.islower() and word not in SETTINGS:
            yield f"unknown setting: {word}"


def _options(command: Command) -> dict[str, bool]:
    """Return the options of a command, each with whether it takes a value."""
    known = dict.fromkeys(HELP, False)
    for one in command.params:
        for name in (*one.opts, *one.secondary_opts):
            if name.startswith("-"):
                known[name] = not one.is_flag
    return known


def _in_span(span: str) -> Iterator[str]:
    if span.startswith("-"):
        yield from _unknown(span, _all_options(), "")
    elif setting := _SETTING.fullmatch(span):
        names = {key.partition(".")[2] for key in SETTINGS}
        is_like_one = (
            setting[1] in {key.partition(".")[0] for key in SETTINGS} or setting[2] in names
        )
        if span not in SETTINGS and is_like_one and list(_missing(span)):
            yield f"unknown setting: {span}"
    elif "/" in span and span not in STORE_FILES and (file := _FILE.fullmatch(span)):
        top = file[1].partition("/")[0]
        if (REPOSITORY / top).exists() or (PACKAGE / top).is_dir():
            yield from _missing(file[1])


def _unknown(text: str, known: set[str], whose: str) -> Iterator[str]:
    for option in _OPTION.findall(text):
        if option not in known:
            yield f"unknown option{f' of {whose}' if whose else ''}: {option}"


@cache
def _all_options() -> set[str]:
    def below(command: Command) -> Iterator[str]:
        yield from _options(command)
        for child in subcommands(command).values():
            yield from below(child)

    scripts = [REPOSITORY / name for name in ("install.sh", "tests/run", "docs/generate")]
    texts = (script.read_text(encoding="utf-8") for script in scripts)
    return set(below(program())).union(*(_OPTION.findall(text) for text in texts))


@cache
def _variables() -> set[str]:
    """Return the variables of the settings, and those that the sources name."""
    files = [path for pattern in SOURCES for path in REPOSITORY.glob(pattern) if path.is_file()]
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in files)
    own = set().union(*(_VARIABLE.findall(text) for text in texts))
    return own | {row.variable for row in SETTINGS.values()} | {"MEMTOOL_SECTION__KEY"}


def _missing(name: str) -> Iterator[str]:
    """Check a path of the checkout or of the package; `module.name` is a name in that module."""
    for root in (REPOSITORY, PACKAGE):
        if any(root.glob(name.rstrip("/"))):
            return
        module, _, attribute = name.rpartition(".")
        path = root / f"{module}.py"
        if path.is_file() and re.search(rf"\b{attribute}\b", path.read_text(encoding="utf-8")):
            return
    yield f"no such file: {name}"


def _in_link(target: str, directory: Path, text: str) -> Iterator[str]:
    if "://" in target:
        return
    name, _, heading = target.partition("#")
    path = directory / name
    if not path.exists():
        yield f"no such file: {target}"
    elif heading and heading not in _anchors(path.read_text("utf-8") if name else text):
        yield f"no such heading: {target}"


def _anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in found}
