"""A sample of each agent's files, made by hand, and what every reader must find in it.

`samples/AGENT/` is a root as the agent keeps it. `@SECRET@` in its files becomes a token before they are read, and
`NAME.sql` the database NAME, statement by statement.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import zstandard

from memtool.agents.discover import discover
from memtool.agents.reading import Limits, read_chunks
from memtool.agents.registry import AGENTS, Agent, Root
from memtool.model.merge import NOTHING, Identity, merged
from memtool.model.records import Event, Record

SAMPLES = Path(__file__).with_name("samples")
SECRET = "ghp_" + "q7Zw" * 9
_MASK = b"@SECRET@"
_PACKERS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".zst": zstandard.compress}


class Sample(NamedTuple):
    """What is in an agent's sample: who said what, and what must not be taken for that."""

    agent: str
    session: str
    resume: str
    typed: tuple[str, ...]
    """How the prompts of the person begin, in order, without those that were undone."""
    undone: tuple[str, ...] = ()
    """How the prompts and answers begin that were taken back."""
    injected: tuple[str, ...] = ()
    """Words that no person typed."""
    actions: frozenset[str] = frozenset({"read", "edit", "run"})
    subagent: str = ""
    """What only a subagent said."""
    title: str = ""
    project: str = "/home/ann/shop"
    is_bare: bool = False
    """Its files hold no times and no results: a message has the time of the file."""
    events: int = 0
    """How many events there are, so that none is lost or doubled unseen."""


ROWS = (
    Sample(
        "claude-code",
        session="c0ffee00-0000-4000-8000-000000000001",
        resume="claude --resume c0ffee00-0000-4000-8000-000000000001",
        typed=("Logins fail after midnight.", "Leave the name."),
        undone=("Rename the module", "Renamed."),
        injected=("changed by a linter", "Search for now()"),
        actions=frozenset({"read", "edit", "run", "search", "todo", "commit", "subagent"}),
        subagent="None found.",
        title="Fix the expiry of logins",
        events=27,
    ),
    Sample(
        "codex",
        session="019cae30-0000-7000-8000-000000000001",
        resume="codex resume 019cae30-0000-7000-8000-000000000001",
        typed=(
            "What was in the deleted thread?",
            "Logins fail after midnight.",
            "Which zone do sessions use? \u2192 UTC",
            "Leave the name.",
            "Make the zone a setting",
            "Which time is it?",
        ),
        undone=("Rename the module", "Renamed."),
        injected=("British spelling", "environment_context", "Active file", "other local times"),
        actions=frozenset(
            ("read", "edit", "run", "search", "todo", "commit", "subagent", "question", "rejection")
        ),
        subagent="None found.",
        title="Fix the expiry of logins",
        events=46,
    ),
    Sample(
        "gemini",
        session="6e6e0000-0000-4000-8000-000000000001",
        resume="gemini --resume 6e6e0000-0000-4000-8000-000000000001",
        typed=(
            "Logins fail after midnight.",
            "Which zone do sessions use? \u2192 UTC",
            "Leave the name.",
            "Which time is it?",
        ),
        undone=("Rename the module", "Renamed."),
        injected=("The date is Monday", "expires = now()", "other local times"),
        actions=frozenset(
            ("read", "edit", "run", "search", "todo", "commit", "subagent", "question", "rejection")
        ),
        subagent="None found.",
        title="Fix the expiry of logins",
        events=41,
    ),
    Sample(
        "qwen",
        session="aaaa0000-0000-4000-8000-000000000001",
        resume="qwen --resume aaaa0000-0000-4000-8000-000000000001",
        typed=("Logins fail after midnight.", "Leave the name.", "Make the zone a setting"),
        undone=("Rename the module", "Renamed."),
        injected=("background task ended", "Search for now()"),
        actions=frozenset(
            {"read", "edit", "run", "search", "todo", "commit", "subagent", "rejection"}
        ),
        subagent="None found.",
        title="Fix the expiry of logins",
        events=34,
    ),
    Sample(
        "copilot",
        session="5aa3a415-3b13-46c3-b25a-cd675ae40047",
        resume="copilot --resume=5aa3a415-3b13-46c3-b25a-cd675ae40047",
        typed=(
            "The greeting test fails.",
            "Why is there a space?",
            "The token is",
            "Open a pull request? \u2192 Yes, as a draft",
            "Never force a push here.",
        ),
        undone=("Rename everything", "Renamed everything."),
        injected=("Continue working", "Search the repository"),
        actions=frozenset(
            {"read", "edit", "run", "search", "commit", "todo", "subagent", "question", "rejection"}
        )
        | {"pull request"},
        subagent="No other misspelt words",
        events=35,
    ),
    Sample(
        "opencode",
        session="ses_ddb5eb80effep3qRfLFRqUQwL7",
        resume="opencode --session ses_ddb5eb80effep3qRfLFRqUQwL7",
        typed=(
            '"The greeting test fails.',
            "Tell me about colours",
            "Rather about sizes",
            "Use the token",
            "Which forge? \u2192 GitLab",
            "Never force a push here.",
        ),
        injected=("Search the repository", "Called the Read tool"),
        actions=frozenset(
            {"read", "edit", "run", "search", "commit", "todo", "subagent", "question", "rejection"}
        ),
        subagent="No other misspelt words",
        title="Mend the failing greeting test",
        events=39,
    ),
    Sample(
        "pi",
        session="01a224a1-bf42-7495-a6b5-b002bfed36ad",
        resume="pi --session 01a224a1-bf42-7495-a6b5-b002bfed36ad",
        typed=(
            "The greeting test fails.",
            "Why is there a space?",
            "Keep the name",
            "Review the change.",
        ),
        undone=("Rename everything", "Renamed everything."),
        injected=("Injected by", "Read all.", "A rename was tried"),
        actions=frozenset({"read", "edit", "run", "commit"}),
        title="Mend the greeting",
        events=28,
    ),
    Sample(
        "cursor",
        session="d0d0d0d0-0000-4000-8000-000000000001",
        resume="cursor-agent --resume d0d0d0d0-0000-4000-8000-000000000001",
        typed=("The greeting test fails", "Which token?"),
        injected=("open in the editor", "Search for typos"),
        actions=frozenset({"read", "edit", "run", "commit", "search", "todo", "subagent"}),
        subagent="None found",
        project="home-ann-shop",
        is_bare=True,
        events=14,
    ),
    Sample(
        "jsonl",
        session="robo-1",
        resume="",
        typed=("Mount the arm.",),
        undone=("Paint it.",),
        subagent="Painted by the helper.",
        events=9,
    ),
)


def agent_of(row: Sample) -> Agent:
    return next(agent for agent in AGENTS if agent.name == row.agent)


def laid_out(row: Sample, root: Path) -> Path:
    """Lay the sample's files out below the directory, as the agent would have; return it."""
    top = SAMPLES / row.agent
    for path in sorted(one for one in top.rglob("*") if one.is_file()):
        target = root / path.relative_to(top)
        target.parent.mkdir(parents=True, exist_ok=True)
        data = path.read_bytes().replace(_MASK, SECRET.encode())
        if path.suffix == ".sql":
            for _ in grown_database(target.with_suffix(""), data.decode()):
                pass
        elif path.suffix == ".pack":  # as it stands, to be compressed
            name = target.with_suffix("")
            name.write_bytes(_PACKERS[name.suffix](data))
        else:
            target.write_bytes(data)
    return root


def grown_database(path: Path, script: str) -> Iterator[Path]:
    """Yield the database after each statement of the script."""
    with sqlite3.connect(path, isolation_level=None) as database:
        for statement in filter(str.strip, script.split(";\n")):
            database.execute(statement)
            yield path
    database.close()


def files_of(row: Sample, root: Path) -> tuple[Path, ...]:
    """Return the transcripts that are found below the root."""
    agent = agent_of(row)
    return discover(() if agent.roots else (root,), roots=(Root(agent, root),)).files


def records_of(paths: Iterable[Path], limits: Limits | None = None) -> list[Record]:
    chunks = (chunk for path in paths for chunk in read_chunks(path, limits=limits or Limits()))
    return [record for chunk in chunks for record in chunk.records]


def states_of(records: Iterable[Record]) -> dict[str, Identity]:
    """Return what is known of each event once these records are merged."""
    found: dict[str, Identity] = {}
    for record in records:
        found[record.id] = merged(found.get(record.id, NOTHING), (record,))
    return found


def current(records: Iterable[Record]) -> list[Event]:
    """Return the events in order of time."""
    events = [state.current for state in states_of(records).values() if state.current is not None]
    return sorted(events, key=lambda event: (event.time_us, event.id))


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
