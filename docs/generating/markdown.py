"""The blocks of docs/cli.md and docs/config.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from textwrap import fill

from docs.generating.commands import Command, entries, program, sections, usage
from memtool.agents.hooks import Hooks, Server
from memtool.agents.registry import AGENTS
from memtool.cli.app import COMMANDS
from memtool.settings import Setting, Value
from memtool.systemd.jobs import JOBS, SETTINGS

JOB_SETTINGS = ("schedule", "jitter_s", "timeout_s")


def commands() -> Iterator[str]:
    """Yield the options of the program, and a section for each command."""
    yield from _synopsis("memtool", [*usage(program()), "COMMAND", "..."])
    yield from ("", *_takes(program()), "")
    links = [(f"[{_code(row.name)}](#memtool-{row.name})", _prose(row.help)) for row in COMMANDS]
    yield from _table(["command", "what it does"], links)
    for name, help_text, command in sections():
        words = [word for word in name.split() if "|" not in word]
        yield from ("", f"{'#' * len(words)} {' '.join(words)}", "")
        yield from _synopsis(name, usage(command))
        for paragraph in help_text.split("\n\n"):
            yield from ("", _prose(" ".join(paragraph.split())))
        yield from ["", *_takes(command)] if entries(command) else []


def settings() -> Iterator[str]:
    """Yield a table for each section, without the settings that all jobs have."""
    of_jobs = {f"{job.section}.{name}" for job in JOBS for name in JOB_SETTINGS}
    for section in dict.fromkeys(key.partition(".")[0] for key in SETTINGS):
        rows = [row for row in SETTINGS.values() if row.key.startswith(f"{section}.")]
        cells = [_setting(row) for row in rows if row.key not in of_jobs]
        if cells:
            yield from (f"## `[{section}]`", "")
            yield from (*_table(["key", "default", "meaning", "accepts"], cells), "")


def agents() -> list[str]:
    """Return the agents whose files are found without being named."""
    rows = []
    for row in AGENTS:
        if row.roots:
            places = ", ".join(
                _code(f"{root}/{below}".rstrip("/"))
                for root in row.roots
                for below in row.transcripts
            )
            keys = [_code(key) if key else "" for key in (row.roots_key, row.setting, row.variable)]
            rows.append((row.title, _code(row.name), places, *keys, _code(row.resume)))
    heads = ["setting", "older setting", "variable", "a session goes on with"]
    return _table(["agent", "name", "transcripts", *heads], rows)


def hooks() -> list[str]:
    """Return where memtool enters itself in the settings of each agent."""
    rows = []
    for row in AGENTS:
        if row.hooks is not None or row.server is not None:
            when = ", ".join(map(_code, row.hooks.events)) if row.hooks else "no hooks"
            start = _code(row.hooks.start) if row.hooks and row.hooks.start else "no"
            places = [_settings_file(facts) for facts in (row.hooks, row.server)]
            rows.append((row.title, _code(row.name), when, start, *places))
    heads = ["a hook at", "context at", "hooks are in", "MCP server is in"]
    return _table(["agent", "name", *heads], rows)


def _settings_file(facts: Hooks | Server | None) -> str:
    if facts is None:
        return ""
    return _code(facts.place.alone or f"{facts.place.home}/{facts.place.files[0]}")


def job_settings() -> list[str]:
    """Return the settings that all jobs have."""
    rows = [_setting(SETTINGS[f"{JOBS[0].section}.{name}"]) for name in JOB_SETTINGS]
    return _table(["key", "meaning", "accepts"], [(key, *more) for key, _, *more in rows])


def jobs() -> list[str]:
    """Return the jobs and the defaults of their settings."""
    rows = []
    for job in JOBS:
        numbers = [_literal(SETTINGS[f"{job.section}.{name}"].default) for name in JOB_SETTINGS[1:]]
        command = _code(f"memtool {' '.join(job.command)}")
        rows.append((job.name, command, "; ".join(map(_code, job.schedule)), *numbers))
    return _table(["job", "command", *map(_code, JOB_SETTINGS)], rows)


def _takes(command: Command) -> list[str]:
    rows = [(", ".join(map(_code, names)), _prose(remarks)) for names, remarks in entries(command)]
    return _table(["", ""], rows)


def _synopsis(name: str, forms: Sequence[str]) -> list[str]:
    """Return an indented block, wrapped only between the forms."""
    text = " ".join(word.replace(" ", "\0") for word in (name, *forms))
    indent = " " * len("    memtool ")
    folded = fill(
        text, 100, initial_indent="    ", subsequent_indent=indent, break_on_hyphens=False
    )
    return folded.replace("\0", " ").splitlines()


def _setting(row: Setting) -> tuple[str, ...]:
    key = _code(row.key.partition(".")[2])
    return key, _literal(row.default), _prose(row.doc), _prose(row.kind.expected)


def _literal(value: Value) -> str:
    return _code(f'"{value}"' if isinstance(value, str) else str(value).lower())


def _prose(text: str) -> str:
    """Return text in which only `code` is markup."""
    parts = enumerate(re.split(r"(`[^`]+`)", text))
    return "".join(part if at % 2 else re.sub(r"([*<\[\]])", r"\\\1", part) for at, part in parts)


def _code(text: str) -> str:
    return f"`{text}`"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [" | ".join(cell.replace("|", r"\|") for cell in row) for row in (heads, *rows)]
    return [f"| {lines[0]} |", "|" + "---|" * len(heads), *(f"| {line} |" for line in lines[1:])]
