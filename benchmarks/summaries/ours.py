"""What `extractive` makes of a talk, in every way that a talk may be told as events; directly, or by the whole path."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.summaries.measure import MOST_TURNS, MOST_WORDS, Summary
from benchmarks.summaries.talks import Talk
from memtool.model.levels import Level
from memtool.model.records import EventId
from memtool.model.summary import Item, Request, Section
from memtool.summarize.extractive.segments.draft import summarize_segment


@dataclass(frozen=True, slots=True)
class Mapping:
    """Whose turns are prompts (the others are answers), and whether each text begins with its speaker's name."""

    name: str
    prompts_of: tuple[int, ...]
    named: bool

    def kind(self, talk: Talk, at: int) -> str:
        """Return the kind of the event that a turn becomes."""
        asks = talk.turns[at].speaker in [talk.speakers[place] for place in self.prompts_of]
        return "prompt" if asks else "answer"

    def text(self, talk: Talk, at: int) -> str:
        """Return the text of the event that a turn becomes."""
        turn = talk.turns[at]
        return f"{turn.speaker}: {turn.text}" if self.named else turn.text


MAPPINGS = tuple(
    Mapping(name, prompts_of, named)
    for named in (False, True)
    for name, prompts_of in (
        ("a asks, b answers", (0,)),
        ("b asks, a answers", (1,)),
        ("all prompts", (0, 1)),
    )
)


def items_of(talk: Talk, mapping: Mapping) -> tuple[Item, ...]:
    """Return the talk as a summarizer is given it."""
    return tuple(
        Item(at + 1, mapping.kind(talk, at), mapping.text(talk, at), event=EventId(f"{at:032x}"))
        for at in range(len(talk.turns))
    )


def direct(talk: Talk, mapping: Mapping) -> Summary:
    """Return what the summarizer itself makes of the talk."""
    section = Section(talk.conversation, items_of(talk, mapping))
    request = Request(Level.SEGMENT, "", (section,))
    draft = summarize_segment(request, MOST_TURNS)
    cited = [[citation.number - 1 for citation in one.citations] for one in draft.bullets]
    return _checked(cited, [bullet.text for bullet in draft.bullets])


def _checked(cited: Sequence[Sequence[int]], texts: Sequence[str]) -> Summary:
    """Return the summary, in which a bullet that cites several turns counts for none of them."""
    assert sum(len(text.split()) for text in texts) <= MOST_WORDS, texts
    return Summary(tuple(one[0] for one in cited if len(one) == 1), tuple(texts))


def by_whole_path(talks: Sequence[Talk], mapping: Mapping) -> list[Summary]:
    """Return the same from a store: our JSONL is ingested and rolled up, and the nodes are read with `show --json`."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "talks.jsonl"
        lines = (json.dumps(line) for talk in talks for line in _lines(talk, mapping))
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        store = Path(folder) / "store"
        _memtool(store, "ingest", str(file))
        _memtool(store, "rollup", "all")
        found = json.loads(_memtool(store, "toc", "--depth", "9", "--json"))["entries"]
        segments = [entry["id"] for entry in _entries(found) if entry["level"] == "segment"]
        nodes = [json.loads(_memtool(store, "show", one, "--json")) for one in segments]
        by_session: dict[str, list[dict[str, Any]]] = {}
        for node in {node["id"]: node for node in nodes}.values():
            by_session.setdefault(node["segment"]["session"], []).append(node)
        return [_summary(by_session[_session(talk)]) for talk in talks]


def _lines(talk: Talk, mapping: Mapping) -> Iterator[dict[str, str]]:
    for at in range(len(talk.turns)):
        yield {
            "agent": "talk",
            "session": _session(talk),
            "time": talk.time_of(at).isoformat(),
            "kind": mapping.kind(talk, at),
            "id": f"{_session(talk)}:{at}",
            "text": mapping.text(talk, at),
        }


def _session(talk: Talk) -> str:
    return f"{talk.conversation}-{talk.number}"


def _entries(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        yield entry
        yield from _entries(entry["children"])


def _summary(nodes: list[dict[str, Any]]) -> Summary:
    """Return what a session's node says; of a session that midnight cuts in two, the first segments' bullets."""
    events = [event for node in nodes for event in node["segment"]["events"]]
    cited, texts = [], []
    for node in nodes:
        grips = {grip["id"]: grip["events"] for grip in node["grips"]}
        for bullet in node["bullets"]:
            proof = dict.fromkeys(event for grip in bullet["grips"] for event in grips[grip])
            cited.append([events.index(event) for event in proof])
            texts.append(bullet["text"])
    return _checked(cited[:MOST_TURNS], texts[:MOST_TURNS])


def _memtool(store: Path, *arguments: str) -> str:
    names = {"MEMTOOL_STORE__PATH": str(store), "MEMTOOL_CALENDAR__TIMEZONE": "UTC"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEMTOOL_")}
    done = subprocess.run(
        [sys.executable, "-m", "memtool", *arguments],
        env={**kept, **names, "XDG_CONFIG_HOME": str(store.parent)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout
