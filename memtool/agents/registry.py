"""The agents, one row each. The row and its module own everything about an agent; the rest derives from them.

Imports neither msgspec nor an agent's module before it is needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from memtool.agents.outcomes import Outcome
    from memtool.agents.values import JsonObject


class File(NamedTuple):
    """What a parser may ask about the file it reads.

    `stem` is the file's name without its ending. `earlier(word)` yields the objects before the point where this
    reading began; with a word (plain ASCII) only those whose line may contain it.
    """

    stem: str
    earlier: Callable[[str], Iterator[JsonObject]]


class Parser(Protocol):
    """Reads one file's objects in order. The answer depends on the file's content up to there, on nothing else."""

    def parse(self, record: JsonObject) -> Outcome:
        """Return what the object says; never raises, whatever its fields hold."""
        ...


class Retention(NamedTuple):
    """After how many days an agent deletes its transcripts.

    `file` says so (None: the default), `setting` is its name there, `settings` the file in which a person sets it.
    """

    days: int
    setting: str
    settings: Path
    file: Path | None = None
    unreadable: tuple[Path, ...] = ()

    @property
    def origin(self) -> str:
        """Where it is set, in words."""
        return "its default" if self.file is None else str(self.file)


class Format:
    """What an agent's module knows about its files. `place_key`: the field with the working directory of a record."""

    place_key = ""
    """Empty where a file may hold several sessions."""

    def recognises(self, record: JsonObject) -> bool:
        """Return whether the object is of this format: by its content, never by a file's name."""
        raise NotImplementedError

    def parser(self, file: File) -> Parser:
        """Return what reads one file."""
        raise NotImplementedError

    def skip_reason(self, path: Path) -> str:  # noqa: ARG002 - for those that override it
        """Return why a transcript of this name and place is not read, or ""."""
        return ""

    def retention(self, root: Path, machine: Path) -> Retention | None:  # noqa: ARG002
        """Return how long the agent keeps its transcripts, None if for ever. `machine` is the root directory."""
        return None


class Agent(NamedTuple):
    """One row. `module` has the agent's Format as FORMAT."""

    name: str
    title: str
    module: str

    @property
    def format(self) -> Format:
        """The agent's format, loaded."""
        found = importlib.import_module(self.module).FORMAT
        assert isinstance(found, Format), self.module
        return found


AGENTS = (
    Agent("claude-code", "Claude Code", "memtool.agents.claude"),
    Agent("jsonl", "the event schema", "memtool.agents.jsonl"),
)
"""Every agent, the more telling formats first: the first that recognises an object reads the file."""


def agent_named(name: str) -> Agent | None:
    """Return the agent of that name, or None."""
    return next((agent for agent in AGENTS if agent.name == name), None)
