"""Agents' transcripts as events. A format is one row of FORMATS and its module; nothing else knows any agent."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, cast

from memtool.agents.values import JsonObject
from memtool.model.records import Record


class Fate(Enum):
    """What became of one object of a source; each has exactly one."""

    TAKEN = "taken"
    IGNORED = "ignored"
    METADATA = "metadata"
    UNKNOWN = "unknown"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one object of a source gave: its fate, the name to count it by (or the reason), and the records."""

    fate: Fate
    name: str
    records: tuple[Record, ...] = ()
    redactions: int = 0


@dataclass(frozen=True, slots=True)
class File:
    """What a parser may ask of the file it reads.

    `stem` is the file's name without its ending. `earlier(word)` yields the objects that lie before the point
    where this reading began; with a word (plain ASCII) only those whose line may hold it.
    """

    stem: str
    earlier: Callable[[str], Iterator[JsonObject]]


class Parser(Protocol):
    """Reads one file's objects in order. What it answers depends on the file's content up to there, on nothing else."""

    def parse(self, record: JsonObject) -> Outcome:
        """Return what the object says; never raises, whatever its fields hold."""
        ...


class Format(Protocol):
    """One agent's way to write transcripts as lines of JSON objects."""

    @property
    def name(self) -> str:
        """The name that sources and counts show."""
        ...

    @property
    def place_key(self) -> str:
        """The field in which a record names its working directory, where a file is one session; else nothing."""
        ...

    def recognises(self, record: JsonObject) -> bool:
        """Return whether the object is of this format: by its content, never by a file's name."""
        ...

    def parser(self, file: File) -> Parser:
        """Return what reads one file."""
        ...


FORMATS = (
    ("claude-code", "memtool.agents.claude.format:FORMAT"),
    ("jsonl", "memtool.agents.jsonl:FORMAT"),
)
"""Every format, the more telling ones first: the first that recognises an object reads the file."""


def formats() -> tuple[Format, ...]:
    """Return the formats of the table, loaded."""
    return tuple(_load(target) for _, target in FORMATS)


def format_named(name: str) -> Format | None:
    """Return the format of that name, or None."""
    target = dict(FORMATS).get(name)
    return None if target is None else _load(target)


def _load(target: str) -> Format:
    module, _, attribute = target.partition(":")
    return cast("Format", getattr(importlib.import_module(module), attribute))
