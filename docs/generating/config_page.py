"""docs/config.md: every setting, where it is read from, and a file to begin with."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from docs.generating.markdown import NOTICE, code, prose, table
from docs.generating.words import config_places, variables
from memtool.settings import BY_KEY, SECTIONS, SETTINGS, Setting, Value
from memtool.systemd.jobs import JOBS

SAMPLE: dict[str, Value] = {
    "calendar.timezone": "Europe/Paris",
    "calendar.day_starts_at": "04:00",
    "calendar.week_starts_on": "monday",
    "summarizer.name": "openai",
    "summarizer.model": "qwen3-16k",
    "summarizer.endpoint": "http://localhost:11434/v1",
    "summarizer.window_tokens": 16_000,
    "budget.calls_per_day": 200,
    "day_rollup.schedule": "*-*-* 05:30:00",
    "scheduler.on_failure": "curl -fsS -m 10 https://hc.example.org/ping/your-uuid/fail",
}
"""The file that the page ends with; a test has the program read it."""

_SCHEDULES = {f"{job.section}.schedule": job.schedule for job in JOBS}

_INTRODUCTION = """\
Settings are read from TOML files, the weakest first. A later file overrides the keys that it names; the others stay.
A file that is not there is no fault, but for one that was named.
"""
_PRECEDENCE = """\
Over all files stands the environment, `MEMTOOL_SECTION__KEY` with capitals and two underscores, and over that
the option `--store DIR` for `store.path`. A key that memtool does not know is an error (exit code 78), and so is a
value that the setting does not accept: nothing is guessed.

    memtool config show                              # every setting, its value, and where that comes from
    memtool config show calendar.timezone            # one of them, with what it accepts and what it is for
    memtool config set calendar.week_starts_on monday
    memtool config path                              # the files
    memtool config check                             # everything that is wrong, at once

Schedules, time-outs and what is called on failure come into force by `memtool scheduler apply`, all else with the
next command. A timer's job runs as a service: it does not see the variables of your shell. A store keeps the
calendar that it was made with; `memtool rebuild --calendar` has it take on another.
"""


def config_page() -> str:
    """Return the whole page."""
    lines = [NOTICE, "", "# Settings", "", *_INTRODUCTION.splitlines(), ""]
    lines += table(["file", "whose"], [(code(path), words) for path, words in config_places()])
    lines += ["", *_PRECEDENCE.splitlines()]
    for name in SECTIONS:
        lines += ["", *_section(name)]
    lines += ["", "## Other variables", ""]
    lines += table(["variable", "what it does"], _variables())
    lines += ["", "## A file to begin with", "", "```toml", *sample().splitlines(), "```"]
    return "\n".join(lines) + "\n"


def _section(name: str) -> list[str]:
    rows = [row for row in SETTINGS if row.key.startswith(f"{name}.")]
    return [
        f"## `[{name}]`",
        "",
        *_remark(name),
        *table(["key", "default", "what it is for", "accepts", "variable"], map(_row, rows)),
    ]


def _remark(name: str) -> Iterator[str]:
    """Give what a section's class says of it behind its name."""
    text = inspect.cleandoc(SECTIONS[name].__doc__ or "").partition("`: ")[2]
    if text:
        yield from (prose(text[0].upper() + text[1:]), "")


def _row(row: Setting) -> tuple[str, ...]:
    return (
        code(row.key.partition(".")[2]),
        code(literal(row.default)),
        prose(row.doc) + _own_schedule(row),
        prose(row.kind.expected),
        code(row.variable),
    )


def _own_schedule(row: Setting) -> str:
    """Return when the timer fires by itself."""
    schedule = _SCHEDULES.get(row.key, ())
    return f" The default: {' and '.join(map(code, schedule))}." if schedule else ""


def _variables() -> Iterator[tuple[str, str]]:
    for names, words in variables():
        yield ", ".join(map(code, names.split(", "))), prose(words)


def literal(value: Value) -> str:
    """Return a value as it stands in a file."""
    return f'"{value}"' if isinstance(value, str) else str(value)


def sample() -> str:
    """Return the file to begin with: a few settings, each below what it is for."""
    lines: list[str] = ["# ~/.config/memtool/config.toml"]
    section = ""
    for key, value in SAMPLE.items():
        here, _, name = key.partition(".")
        if here != section:
            lines += ["", f"[{here}]"]
            section = here
        lines += [f"# {BY_KEY[key].doc}", f"{name} = {literal(value)}"]
    return "\n".join(lines)
