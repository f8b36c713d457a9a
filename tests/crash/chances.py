"""What is done next to a store, when it is killed, and what transcripts say meanwhile: all of it by a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from memtool.model.calendar import Calendar
from tests.crash.history import AGENT
from tests.crash.truth import Facts, Line, Offered

DAY_US = 24 * 3600 * 1_000_000
OLDEST_DAYS, NEWEST_DAYS = 420, 3
"""How long before the run the transcripts play: over a year's end, and never today."""
MOST_SESSIONS = 60
MEASURED = 0.1
"""How many commands nobody kills: by them it is known what the usual duration is by now."""
CALENDARS = (("UTC", "sunday"), ("Asia/Tokyo", "monday"), ("America/New_York", "sunday"))
TRANSCRIPTS, BACKUPS, LINES = "{place}/transcripts", "{place}/backups", "{place}/lines.jsonl"
LAST_BACKUP = "{backup}"


@dataclass(frozen=True, slots=True)
class Action:
    """One command: what comes before it, and when it is killed.

    `at` is a number of durable steps for `step`, seconds for `time`; a `whole` one starts a Python of its own.
    """

    name: str
    words: tuple[str, ...]
    way: str = "none"
    at: float = 0
    whole: bool = False
    writes: dict[str, list[Line]] = field(default_factory=dict)
    selector: tuple[str, str] = ("", "")
    calendar: tuple[str, str] | None = None

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def action_of(row: dict[str, Any]) -> Action:
    """Return the action that `as_json` gave."""
    asked = row["calendar"]
    return Action(
        **{
            **row,
            "words": tuple(row["words"]),
            "selector": tuple(row["selector"]),
            "calendar": asked and tuple(asked),
        }
    )


@dataclass(slots=True)
class Usual:
    """How long commands took, and in how many steps, when nobody killed them."""

    seconds: dict[str, float] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)

    def learn(self, name: str, seconds: float, steps: int | None) -> None:
        """Remember the last times more than those long ago."""
        self.seconds[name] = (self.seconds.get(name, seconds) + seconds) / 2
        if steps is not None:
            self.steps[name] = (self.steps.get(name, steps) + steps + 1) // 2


class Chances:
    """The seeded choice of what comes next."""

    def __init__(self, seed: int, now_us: int) -> None:
        self._random = random.Random(seed)
        self._now_us = now_us
        self._sessions: list[str] = []
        self._count = 0
        self._words = 0

    def next(self, now: Facts, offered: Offered, usual: Usual, *, has_backup: bool) -> Action:
        """Return the next command, with its kill."""
        made = self._made(now, offered, has_backup=has_backup)
        return self._with_kill(made, usual)

    def _made(self, now: Facts, offered: Offered, *, has_backup: bool) -> Action:
        name = self._random.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))[0]
        if not now.events or (name == "restore" and not has_backup):
            name = "ingest"
        if name in ("ingest", "ingest late"):
            return self._ingest(name)
        if name.startswith("forget"):
            return self._forget(name, now, offered)
        if name == "rebuild --calendar":
            return Action(name, ("rebuild", "--calendar"), calendar=self._random.choice(CALENDARS))
        return Action(name, WORDS.get(name, tuple(name.split())))

    def _with_kill(self, made: Action, usual: Usual) -> Action:
        way = self._random.choice(("step", "time"))
        part = self._random.uniform(0, 1.15)
        whole = way == "time" and made.name != "exchange" and self._random.random() < 0.1
        key = f"{made.name}, whole" if whole else made.name
        seconds, steps = usual.seconds.get(key, 0), usual.steps.get(key, 0)
        if not seconds or self._random.random() < MEASURED:  # how long it takes has to be known
            way = "none"
        at = int(part * steps) if way == "step" else round(part * seconds, 4)
        row = made.as_json() | {"way": way, "at": at, "whole": whole}
        return action_of(row)

    def _ingest(self, name: str) -> Action:
        writes: dict[str, list[Line]] = {}
        for _ in range(self._random.choice((1, 1, 1, 2))):
            if name == "ingest late" and self._sessions:
                session = self._random.choice(self._sessions)
                lines = self._exchange(session, is_late=True)
            else:
                session = self._session()
                lines = self._exchange(session, is_late=False)
            # Some sessions are told in several files, some lines in two of them.
            file = f"{self._random.randint(0, 40):02}.jsonl"
            writes.setdefault(file, []).extend(lines)
            if self._random.random() < 0.2:
                writes.setdefault("again.jsonl", []).extend(lines)
        return Action(name, ("ingest", TRANSCRIPTS), writes=writes)

    def _session(self) -> str:
        self._count += 1
        name = f"needle-{self._count:05}-session"
        self._sessions = [*self._sessions, name][-MOST_SESSIONS:]
        return name

    def _exchange(self, session: str, *, is_late: bool) -> list[Line]:
        oldest_us = self._now_us - OLDEST_DAYS * DAY_US
        newest_us = self._now_us - NEWEST_DAYS * DAY_US
        share = self._random.random() if is_late else self._random.random() ** 0.5
        start_us = int(oldest_us + share * (newest_us - oldest_us))
        self._words += 1
        return exchange(self._random, session, start_us, self._words)

    def _forget(self, name: str, now: Facts, offered: Offered) -> Action:
        chosen = self._random.choice(sorted(now.events))
        line = offered.lines[chosen][0]
        way = name.partition(" ")[2]
        if way == "since":
            day = _day_text(now.calendar, int(str(line["time"])))
            words = ("--since", day, "--until", day)
            return Action(name, ("forget", *words, "--yes"), selector=(way, day))
        number = int(str(line["id"]).partition("-")[0])
        values = {"session": line["session"], "event": chosen, "match": f"word{number:06}"}
        value = str(values[way])
        return Action(name, ("forget", f"--{way}", value, "--yes"), selector=(way, value))


WEIGHTS = {
    "ingest": 16,
    "ingest late": 14,
    "rollup day": 10,
    "rollup all": 12,
    "rollup week": 2,
    "rollup month": 2,
    "rollup year": 2,
    "rebuild": 7,
    "rebuild --calendar": 6,
    "rebuild --abandon": 1,
    "forget session": 5,
    "forget event": 2,
    "forget match": 2,
    "forget since": 1,
    "compact": 8,
    "backup": 6,
    "restore": 3,
    "export": 2,
    "exchange": 7,
}
WORDS = {
    "backup": ("backup", BACKUPS),
    "restore": ("restore", LAST_BACKUP, "--replace"),
    "export": ("export", "-o", LINES),
    "exchange": ("ingest", LINES),
}


def exchange(chance: random.Random, session: str, start_us: int, number: int) -> list[Line]:
    """Return a question and its answer; now and then a newer version of it, or that it was taken back."""
    text = f"Why does word{number:06} fail in {session}?"
    question = _line(session, start_us, text, f"{number}-q")
    answer_us = start_us + chance.randint(0, 300) * 1_000_000
    text = f"Because clock {number} is wrong."
    answer = _line(session, answer_us, text, f"{number}-a", kind="answer")
    lines: list[Line] = [question, answer]
    if chance.random() < 0.1:
        lines.append({**answer, "revision": 1, "text": f"No: clock {number} is right."})
    if chance.random() < 0.05:
        lines.append({"type": "rewind", "agent": AGENT, "id": answer["id"], "revision": 1})
    return lines


def _line(session: str, time_us: int, text: str, name: str, kind: str = "prompt") -> dict[str, Any]:
    return {
        "agent": AGENT,
        "session": session,
        "project": f"/home/ada/{session}",
        "time": time_us,
        "kind": kind,
        "id": name,
        "text": text,
    }


def _day_text(calendar: Calendar, time_us: int) -> str:
    return date.fromordinal(calendar.day_of(time_us)).isoformat()
