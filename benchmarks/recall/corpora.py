"""The two corpora as stores, and their questions with the events that answer them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from memtool.model.records import RECORD_DIGITS, digest_of

ADVERSARIAL = 5
"""LoCoMo's category of questions without an answer."""


class Question(NamedTuple):
    """`answers` are records: an event answers if its id begins with one. `group` is what cross-validation holds out."""

    corpus: str
    group: str
    store: Path
    text: str
    answers: frozenset[str]
    sessions: frozenset[str]


def memtool(store: Path, *arguments: str) -> str:
    """Run the installed program on a store and return what it prints."""
    program = [sys.executable, "-m", "memtool", "--store", str(store), *arguments]
    return subprocess.run(program, check=True, capture_output=True, encoding="utf-8").stdout


def _made(store: Path, *sources: Path) -> Path:
    if not store.exists():
        memtool(store, "ingest", *map(str, sources))
        memtool(store, "rollup", "all", "--include-open")
    return store


def locomo(data: Path, place: Path) -> Iterator[Question]:
    """Yield LoCoMo's questions; each conversation is a store, each turn an event with its speaker's name."""
    for talk in json.loads((data / "locomo/locomo-dev.json").read_text(encoding="utf-8")):
        name = talk["sample_id"]
        lines = place / f"{name}.jsonl"
        lines.write_text("".join(_turns(talk)), encoding="utf-8")
        store = _made(place / name, lines)
        for asked in talk["qa"]:
            turns = re.findall(r"D\d+:\d+", " ".join(asked["evidence"]))
            if turns and asked["category"] != ADVERSARIAL:
                answers = frozenset(_record("locomo", f"{name}/{turn}") for turn in turns)
                held = frozenset(f"{name}-session_{turn[1:].split(':')[0]}" for turn in turns)
                yield Question("locomo", name, store, asked["question"], answers, held)


def _turns(talk: dict[str, dict[str, object]]) -> Iterator[str]:
    said = talk["conversation"]
    for key in (key for key in said if re.fullmatch(r"session_\d+", key)):
        moment = f"{said[f'{key}_date_time']} +0000"
        began = datetime.strptime(moment, "%I:%M %p on %d %B, %Y %z")
        turns = said[key]
        assert isinstance(turns, list)
        for number, turn in enumerate(turns):
            caption = f" [image: {turn['blip_caption']}]" if turn.get("blip_caption") else ""
            event = {
                "agent": "locomo",
                "session": f"{talk['sample_id']}-{key}",
                "project": f"/locomo/{talk['sample_id']}",
                "time": (began + timedelta(seconds=30 * number)).isoformat(),
                "kind": "prompt" if turn["speaker"] == said["speaker_a"] else "answer",
                "id": f"{talk['sample_id']}/{turn['dia_id']}",
                "text": f"{turn['speaker']}: {turn['text']}{caption}",
            }
            yield json.dumps(event) + "\n"


def coding(data: Path, place: Path) -> Iterator[Question]:
    """Yield the questions about coding sessions, which are all in one store."""
    store = _made(place / "coding", *sorted((data / "sessions").glob("*/projects")))
    for line in (data / "recall/coding-dev.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        answers = frozenset(_record("claude-code", one) for one in row["records"])
        yield Question(
            "coding", row["session"], store, row["question"], answers, frozenset([row["session"]])
        )


def _record(agent: str, own_id: str) -> str:
    return digest_of("id", agent, own_id)[:RECORD_DIGITS]
