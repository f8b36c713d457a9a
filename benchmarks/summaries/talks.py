"""The benchmark's conversations: LoCoMo's sessions, each a segment at its real date, with questions and summaries."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

FILE = Path("locomo") / "locomo-dev.json"
_TURN_ID = re.compile(r"D:?(\d+):(\d+)")
_DATE = "%I:%M %p on %d %B, %Y"


@dataclass(frozen=True, slots=True)
class Turn:
    """What one person said, and how often the questions name it as their evidence."""

    speaker: str
    text: str
    evidence: int


@dataclass(frozen=True, slots=True)
class Talk:
    """One session of a conversation between two people, and the summary that people are given of it."""

    conversation: str
    number: int
    start: datetime
    speakers: tuple[str, str]
    turns: tuple[Turn, ...]
    summary: str

    def time_of(self, turn: int) -> datetime:
        """Return when a turn was said: the file dates sessions only, so turns follow by the minute or faster."""
        step = min(timedelta(minutes=1), timedelta(hours=3) / len(self.turns))
        return self.start + turn * step


def talks(data: Path) -> list[Talk]:
    """Return all sessions that have turns, in order of the file."""
    loaded = json.loads((data / FILE).read_text(encoding="utf-8"))
    return [talk for conversation in loaded for talk in _talks(conversation)]


def _talks(conversation: dict[str, Any]) -> Iterator[Talk]:
    said, summaries = conversation["conversation"], conversation["session_summary"]
    evidence = _evidence(conversation["qa"])
    numbers = sorted(int(name[8:]) for name in said if re.fullmatch(r"session_\d+", name))
    for number in numbers:
        turns = tuple(
            Turn(turn["speaker"], turn["text"], evidence[turn["dia_id"]])
            for turn in said[f"session_{number}"]
        )
        if turns:
            yield Talk(
                conversation["sample_id"],
                number,
                datetime.strptime(said[f"session_{number}_date_time"], _DATE).replace(tzinfo=UTC),
                (said["speaker_a"], said["speaker_b"]),
                turns,
                summaries[f"session_{number}_summary"],
            )


def _evidence(questions: list[dict[str, Any]]) -> Counter[str]:
    """Return how many questions each turn is evidence for; a few references are misspelt ("D:11:26")."""
    named = (" ".join(question.get("evidence", [])) for question in questions)
    return Counter(f"D{one}:{two}" for text in named for one, two in _TURN_ID.findall(text))
