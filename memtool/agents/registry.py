"""The agents, one row each. The row and its module own everything about an agent; the rest derives from them.

Imports neither msgspec nor an agent's module before it is needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from memtool.agents.hooks import (
    CLAUDE_HOOKS,
    CLAUDE_SERVER,
    CODEX_HOOKS,
    CODEX_SERVER,
    COPILOT_HOOKS,
    COPILOT_SERVER,
    CURSOR_HOOKS,
    CURSOR_SERVER,
    GEMINI_HOOKS,
    GEMINI_SERVER,
    OPENCODE_SERVER,
    QWEN_HOOKS,
    QWEN_SERVER,
    Hooks,
    Server,
)
from memtool.paths import expand
from memtool.settings import PATHS, Setting

if TYPE_CHECKING:
    from memtool.agents.outcomes import Outcome
    from memtool.agents.values import JsonObject
    from memtool.settings import Config


class File(NamedTuple):
    """What a parser may ask about the source it reads.

    `stem` is the file's name without its endings. `earlier(word)` yields the objects before the point where this
    reading began; with a word (plain ASCII) only those whose line may contain it.
    """

    stem: str
    earlier: Callable[[str], Iterator[JsonObject]]
    whole: Callable[[str], Iterator[JsonObject]] = lambda _: iter(())
    """The same for all of the file, as far as it is written."""
    is_covered: Callable[[str, int], bool] = lambda _session, _time_us: False
    """Whether a session's transcript is the one to say what happened at a time: a list of prompts then does not."""
    path: Path | None = None
    """Where the source is; None for a stream."""
    memory: str = ""
    """What the parser that read the part before this reading knew (`Parser.memory`); "" at the start."""


class Parser:
    """Reads one source's objects in order. The answer depends on the source's content up to there, on nothing else."""

    def parse(self, record: JsonObject) -> Outcome:
        """Return what the object says; never raises, for any content of its fields."""
        raise NotImplementedError

    def memory(self) -> str:
        """Return what a later parser needs of all that was parsed so far, as short text: it need not ask `earlier`."""
        return ""


class Found(NamedTuple):
    """How a source looks from outside: a change of it changes one of these."""

    inode: int
    size_bytes: int
    mtime_ns: int


class Row(NamedTuple):
    """One object of a source that is not a file of lines; `cursor` says where to go on once it is stored."""

    record: JsonObject
    cursor: str


class Retention(NamedTuple):
    """After how many days an agent deletes its transcripts.

    `file` says so (None: the default), `setting` is its name there, `settings` the file in which a person sets it.
    """

    days: int
    setting: str
    settings: Path
    file: Path | None = None
    unreadable: tuple[Path, ...] = ()
    example: str = "3650"
    """A value that keeps them for long."""

    @property
    def origin(self) -> str:
        """Where it is set, in words."""
        return "its default" if self.file is None else str(self.file)


class Format:
    """What an agent's module knows about its files. `place_key`: the field with the working directory of a record.

    A source is a file of lines, each of them an object; one document of JSON, which the agent rewrites (`expanded`);
    or anything else that the format reads itself, such as a database or a tree of files (`opens`, `look`, `rows`).
    The files may be compressed.
    """

    place_key = ""
    """Empty where a file may hold several sessions."""
    reader = 0
    """The version of the parser. Files that an older one read are read again from their start."""

    def recognises(self, record: JsonObject) -> bool:
        """Return whether the object is of this format: by its content, never by a file's name."""
        raise NotImplementedError

    def parser(self, file: File) -> Parser:
        """Return what reads one file."""
        raise NotImplementedError

    def expanded(self, record: JsonObject) -> Iterable[JsonObject]:
        """Return the objects for the parser that an object of the file stands for."""
        return (record,)

    def opens(self, path: Path, head: bytes) -> bool:  # noqa: ARG002
        """Return whether `rows` reads the source, of which these are the first bytes. Raise OSError."""
        return False

    def look(self, path: Path) -> Found:
        """Return how a source looks. Raise OSError."""
        found = path.stat()
        return Found(found.st_ino, found.st_size, found.st_mtime_ns)

    def rows(self, path: Path, cursor: str) -> Iterator[Row]:
        """Yield what the source holds, as it is now; with a cursor, at least what is new since. Raise OSError."""
        raise NotImplementedError

    def ignores(self, path: Path) -> bool:  # noqa: ARG002
        """Return whether it is one of the agent's other files, which need no word."""
        return False

    def skip_reason(self, path: Path) -> str:  # noqa: ARG002 - for those that override it
        """Return why a transcript of this name and place is not read, or ""."""
        return ""

    def retention(self, root: Path, machine: Path) -> Retention | None:  # noqa: ARG002
        """Return how long the agent keeps its transcripts, None if for ever. `machine` is the root directory."""
        return None


@cache
def _format_of(module: str) -> Format:
    found = importlib.import_module(module).FORMAT
    assert isinstance(found, Format), module
    return found


class Agent(NamedTuple):
    """One row. `module` has the agent's Format as FORMAT.

    `roots` are the directories in which the agent keeps its files, without any only files that are named are read.
    The environment variable names another root, as does the setting that was there before `agents.NAME.roots`.
    """

    name: str
    title: str
    module: str
    roots: tuple[str, ...] = ()
    variable: str = ""
    setting: str = ""
    transcripts: tuple[str, ...] = ("",)
    """The directories below a root that hold the transcripts, or files; empty: the root itself."""
    lists: tuple[str, ...] = ()
    """The files below a root that list prompts or titles of all sessions; they are read last."""
    suffixes: tuple[str, ...] = (".jsonl",)
    resume: str = ""
    """The command that continues a session, with `{session}` for its id."""
    hooks: Hooks | None = None
    """How its hooks are written; None if it runs none, or memtool does not know how."""
    server: Server | None = None
    """How its MCP servers are written."""

    @property
    def format(self) -> Format:
        """The agent's format, loaded."""
        return _format_of(self.module)

    @property
    def roots_key(self) -> str:
        """The setting that names the roots."""
        return f"agents.{self.name}.roots"


AGENTS = (
    Agent(
        "claude-code",
        "Claude Code",
        "memtool.agents.claude",
        roots=("~/.claude",),
        variable="CLAUDE_CONFIG_DIR",
        setting="ingest.claude_root",
        transcripts=("projects",),
        lists=("history.jsonl",),
        resume="claude --resume {session}",
        hooks=CLAUDE_HOOKS,
        server=CLAUDE_SERVER,
    ),
    Agent(
        "codex",
        "Codex",
        "memtool.agents.codex",
        roots=("~/.codex",),
        variable="CODEX_HOME",
        transcripts=("sessions", "archived_sessions"),
        lists=("history.jsonl", "session_index.jsonl"),
        suffixes=(".jsonl", ".jsonl.zst"),
        resume="codex resume {session}",
        hooks=CODEX_HOOKS,
        server=CODEX_SERVER,
    ),
    Agent(
        "gemini",
        "Gemini CLI",
        "memtool.agents.gemini",
        roots=("~/.gemini",),
        transcripts=("tmp",),
        suffixes=(".json", ".jsonl"),
        resume="gemini --resume {session}",
        hooks=GEMINI_HOOKS,
        server=GEMINI_SERVER,
    ),
    Agent(
        "qwen",
        "Qwen Code",
        "memtool.agents.qwen",
        roots=("~/.qwen",),
        transcripts=("projects",),
        resume="qwen --resume {session}",
        hooks=QWEN_HOOKS,
        server=QWEN_SERVER,
    ),
    Agent(
        "copilot",
        "Copilot CLI",
        "memtool.agents.copilot",
        roots=("~/.copilot",),
        variable="COPILOT_HOME",
        transcripts=("session-state",),
        resume="copilot --resume={session}",
        hooks=COPILOT_HOOKS,
        server=COPILOT_SERVER,
    ),
    Agent(
        "opencode",
        "OpenCode",
        "memtool.agents.opencode",
        roots=("~/.local/share/opencode",),
        transcripts=("opencode.db", "storage/session"),
        suffixes=(".db", ".json"),
        resume="opencode --session {session}",
        server=OPENCODE_SERVER,
    ),
    Agent(
        "pi",
        "Pi",
        "memtool.agents.pi",
        roots=("~/.pi/agent",),
        variable="PI_CODING_AGENT_DIR",
        transcripts=("sessions",),
        resume="pi --session {session}",
    ),
    Agent(
        "cursor",
        "Cursor",
        "memtool.agents.cursor",
        roots=("~/.cursor",),
        transcripts=("projects",),
        resume="cursor-agent --resume {session}",
        hooks=CURSOR_HOOKS,
        server=CURSOR_SERVER,
    ),
    Agent("jsonl", "the event schema", "memtool.agents.jsonl"),
)
"""Every agent, the more telling formats first: the first that recognises an object reads the file."""


class Root(NamedTuple):
    """One directory in which an agent keeps its files."""

    agent: Agent
    path: Path

    @property
    def transcripts(self) -> tuple[Path, ...]:
        """The directories that hold the transcripts."""
        return tuple(self.path / name for name in self.agent.transcripts)

    @property
    def places(self) -> str:
        """The same, in words."""
        return " and ".join(map(str, self.transcripts))

    def holds(self, path: Path) -> bool:
        """Return whether a file is below one of them."""
        return any(path.is_relative_to(place) for place in self.transcripts)


def root_of(path: Path, roots: Iterable[Root]) -> Root:
    """Return the root that holds a transcript which was found below these roots."""
    return next(root for root in roots if root.holds(path))


def agent_named(name: str) -> Agent | None:
    """Return the agent of that name, or None."""
    return next((agent for agent in AGENTS if agent.name == name), None)


def resume_of(name: str, session: str) -> str:
    """Return the command that resumes a session of the agent of that name, or nothing."""
    agent = agent_named(name)
    return agent.resume.format(session=session) if agent is not None and agent.resume else ""


def settings() -> tuple[Setting, ...]:
    """Return the settings of the agents: the roots of each that has any."""
    return tuple(
        Setting(agent.roots_key, "", PATHS, _roots_doc(agent)) for agent in AGENTS if agent.roots
    )


def _roots_doc(agent: Agent) -> str:
    others = [agent.setting, f"${agent.variable}" if agent.variable else "", *agent.roots]
    *first, last = filter(None, others)
    known = f"{', '.join(first)} or {last}" if first else last
    return f"{agent.title}'s directories,separated by colons. Empty: {known}."


def roots_of(environ: Mapping[str, str], config: Config) -> tuple[Root, ...]:
    """Return where the agents keep their files: as set, else as the variable says, else the defaults.

    Directories that do not exist are among them. Raise ConfigError where the home is not known.
    """
    found: list[Root] = []
    for agent in AGENTS:
        names = str(config.value(agent.roots_key)) if agent.roots else ""
        if not names and agent.setting:
            names = str(config.value(agent.setting))
        paths = names.split(":") if names else [environ.get(agent.variable, "")]
        given = [expand(Path(path), environ) for path in paths if path]
        found += [
            Root(agent, path)
            for path in given or [expand(Path(root), environ) for root in agent.roots]
        ]
    return tuple(found)
