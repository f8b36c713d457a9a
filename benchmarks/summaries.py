"""How good the threads of real days are: what they tell of the commits that were made, and a draw to be judged by hand.

    PYTHON benchmarks/summaries.py score STORES COMMITTED [--without PERSON]
    PYTHON benchmarks/summaries.py draw STORES {points,states,ruled} [--count N] [--seed N]

STORES has one store for each person, zone UTC, into which that person's transcripts were ingested; no rollup is needed.
COMMITTED has the subjects of the commits that were made with them: {person: {date: [subject]}}. A subject is covered if
a headline or point that is shown, in its first 24 words, holds 60 % of the subject's content words. A headline is
right if it holds half of the content words of a subject. "hidden" leaves out the signals of commits and pull requests.

`draw` prints what is shown, at random: points with their proofs; states with what the thread ends in; or decided and
open points, also those that are not shown. Each is judged from what is printed alone.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from memtool.model.levels import Level
from memtool.model.records import Event, digest_of
from memtool.model.segmenting import segments_of
from memtool.model.shown import WORDS, view_of
from memtool.model.threads import Point, Thread, Turn, join
from memtool.signals.threads import threads_of
from memtool.signals.turns import turns_of
from memtool.store.access import Access

DAY_US = 86_400_000_000
FIRST_DAY = date(1970, 1, 1).toordinal()
TEXT_WORDS = 24
LEAST_WORDS = 3
STEM, SHORT = 6, 4
COVERED = 0.6
NAMED = 0.5
AROUND = 500
MOST_PROOFS = 3
HIDDEN = {"commit", "pull request"}
STOP = (
    "a an and are as at be but by for from has have in into is it its of on or that the this to was we with when "
    "not no do does if so more some make made use using also too all any only now up out than then them they you "
    "your our i"
)
STOP_WORDS = set(STOP.split())


class Day(NamedTuple):
    """A person's day: its turns, and the events that prove what they say."""

    turns: tuple[Turn, ...]
    events: Mapping[str, Event]


@cache
def days(store: Path) -> dict[date, Day]:
    """Return the days of a store, from its events."""
    with Access(store).reading() as opened:
        span = opened.span_us()
        assert span is not None, f"{store} is empty"
        held: dict[int, list[Event]] = defaultdict(list)
        for event in opened.events(span[0], span[1] + 1):
            held[FIRST_DAY + event.time_us // DAY_US].append(event)
    return {
        date.fromordinal(day): Day(
            tuple(
                turn
                for cut, part in segments_of(events, day)
                for turn in turns_of(part, cut.project)
            ),
            {event.id: event for event in events},
        )
        for day, events in held.items()
    }


def without_deliveries(turn: Turn) -> Turn:
    """Return a turn without its commits and pull requests."""
    return replace(turn, signals=tuple(s for s in turn.signals if s.kind not in HIDDEN))


# --- score


def content_words(text: str) -> frozenset[str]:
    """Return the content words by which a commit's subject is looked for; not those of memtool."""
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text).lower()
    words = (w for w in re.findall(r"[a-z0-9]+", split) if w not in STOP_WORDS and len(w) > 1)
    return frozenset(w[:STEM].rstrip("s") if len(w) > SHORT else w for w in words)


def shown_texts(threads: Sequence[Thread], level: Level) -> list[tuple[str, bool]]:
    """Return (text, whether it is a headline) in the order of reading."""
    found: list[tuple[str, bool]] = []
    for thread, points in view_of(threads, level).threads:
        found.append((thread.headline, True))
        found += [(point.text, False) for point in points]
    return found


class Score:
    """Counts of subjects and headlines."""

    def __init__(self) -> None:
        self.subjects = self.covered = self.headlines = self.right = 0

    def add(
        self, subjects: Sequence[frozenset[str]], texts: Iterable[tuple[str, bool]], budget: int
    ) -> None:
        """Count the subjects of one period, and the texts that fit the budget."""
        said: list[frozenset[str]] = []
        for text, is_headline in texts:
            words = text.split()[: min(budget, TEXT_WORDS)]
            budget -= len(words)
            if not words:
                continue
            said.append(content_words(" ".join(words)))
            if is_headline:
                self.headlines += 1
                self.right += any(len(s & said[-1]) >= NAMED * len(s) for s in subjects)
        self.subjects += len(subjects)
        self.covered += sum(any(len(s & t) >= COVERED * len(s) for t in said) for s in subjects)


def score(stores: Path, committed: Path, without: str) -> None:
    """Print how much of what was committed the days and weeks tell."""
    truth = json.loads(committed.read_text(encoding="utf-8"))
    rows = {
        name: Score() for name in ("day at 150", "day at 250", "week at 350", "day at 250, hidden")
    }
    for person in sorted(truth.keys() - {without}):
        of_week: dict[date, list[frozenset[str]]] = defaultdict(list)
        found = days(stores / person)
        for name, lines in truth[person].items():
            day = date.fromisoformat(name)
            subjects = list(
                dict.fromkeys(w for w in map(content_words, lines) if len(w) >= LEAST_WORDS)
            )
            of_week[_sunday(day)] += subjects
            turns = found[day].turns if day in found else ()
            texts = shown_texts(threads_of(turns), Level.DAY)
            rows["day at 150"].add(subjects, texts, 150)
            rows["day at 250"].add(subjects, texts, WORDS[Level.DAY])
            hidden = threads_of(map(without_deliveries, turns))
            rows["day at 250, hidden"].add(
                subjects, shown_texts(hidden, Level.DAY), WORDS[Level.DAY]
            )
        for sunday, subjects in of_week.items():
            parts = [threads_of(found[day].turns) for day in found if _sunday(day) == sunday]
            texts = shown_texts(join(parts, Level.WEEK), Level.WEEK)
            rows["week at 350"].add(list(dict.fromkeys(subjects)), texts, WORDS[Level.WEEK])
    for name, row in rows.items():
        print(
            f"{name:<20} covered {100 * row.covered / row.subjects:3.0f} % of {row.subjects}, "
            f"headlines that name a commit {100 * row.right / row.headlines:3.0f} % of {row.headlines}"
        )


def _sunday(day: date) -> date:
    return date.fromordinal(day.toordinal() - day.isoweekday() % 7)


# --- draw


def draw(stores: Path, what: str, count: int, seed: int) -> None:
    """Print so many points or threads, drawn at random from all days."""
    every: list[tuple[str, date, Day, Thread, Point | None]] = []
    for store in sorted(each for each in stores.iterdir() if each.is_dir()):
        for day, held in sorted(days(store).items()):
            for thread, points in view_of(threads_of(held.turns), Level.DAY).threads:
                ruled = [point for point in thread.points if point.kind in {"decision", "open"}]
                told = {"states": [None], "points": points, "ruled": ruled}[what]
                every += [(store.name, day, held, thread, point) for point in told]

    def by_lot(each: tuple[str, date, Day, Thread, Point | None]) -> str:
        person, day, _, thread, point = each
        return digest_of(str(seed), person, str(day), thread.id, point.text if point else "")

    for number, each in enumerate(sorted(every, key=by_lot)[:count], start=1):
        person, day, held, thread, point = each
        print(f"\n=== {number} of {len(every)}: {person} {day}")
        for line in _state(held, thread) if point is None else _proven(held, point):
            print(line)


def _proven(held: Day, point: Point) -> Iterator[str]:
    yield f"[{point.kind}] {point.text}"
    for each in point.proofs[:MOST_PROOFS]:
        text = held.events[each.event].text
        before, after = text[max(0, each.start - AROUND) : each.start], text[each.end :][:AROUND]
        yield f"    {held.events[each.event].kind}: …{_line(before)} >>>{_line(each.excerpt)}<<< {_line(after)}…"


def _state(held: Day, thread: Thread) -> Iterator[str]:
    yield f"{thread.state.upper()}: {thread.headline} ({thread.branch or 'trunk'})"
    yield f"    {thread.edits} edits, {thread.since} since the last delivery"
    for each in thread.references:
        yield f"    {_clock(each.time_us)} {each.kind} {each.verb}: {each.text} {each.key}"
    for item in thread.open_items:
        yield f"    open: {item.text}"
    said = [
        event
        for event in held.events.values()
        if event.session in thread.sessions
        and event.kind in {"prompt", "answer", "compaction"}
        and not event.metadata.get("sidechain")
        and thread.first_us <= event.time_us <= thread.last_us
    ]
    for event in sorted(said, key=lambda each: (each.time_us, each.id))[-6:]:
        yield f"    {_clock(event.time_us)} {event.kind}: {_line(event.text[:350])} … {_line(event.text[350:][-350:])}"


def _clock(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%H:%M")


def _line(text: str) -> str:
    return text.replace("\n", "⏎")


def main(arguments: Sequence[str]) -> None:
    """Score or draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    scoring = commands.add_parser("score")
    scoring.add_argument("stores", type=Path)
    scoring.add_argument("committed", type=Path)
    scoring.add_argument("--without", default="", metavar="PERSON")
    scoring.set_defaults(run=lambda asked: score(asked.stores, asked.committed, asked.without))
    drawing = commands.add_parser("draw")
    drawing.add_argument("stores", type=Path)
    drawing.add_argument("what", choices=("points", "states", "ruled"))
    drawing.add_argument("--count", type=int, default=100)
    drawing.add_argument("--seed", type=int, default=1)
    drawing.set_defaults(run=lambda asked: draw(asked.stores, asked.what, asked.count, asked.seed))
    asked = parser.parse_args(arguments)
    asked.run(asked)


if __name__ == "__main__":
    main(sys.argv[1:])
