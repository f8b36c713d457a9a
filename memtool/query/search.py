"""Searching: what a person or an agent asks for, in this store's names, and the hits with the words that matched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from memtool.agents.registry import resume_of
from memtool.errors import UsageError
from memtool.model.levels import Level, place_of
from memtool.model.records import (
    FIRST_INSTANT_US,
    LAST_INSTANT_US,
    ROLES,
    Cut,
    Event,
    EventId,
    NodeId,
)
from memtool.query.events import check_kinds, span_us
from memtool.query.names import ShortNames, session_named
from memtool.query.projects import projects_named, short_projects
from memtool.query.reader import Reader
from memtool.search.documents import node_text
from memtool.search.find import Wanted, find, wanted_of
from memtool.search.ranking import Ranked
from memtool.search.words import expanded, terms
from memtool.store.store import Store
from memtool.text import nearest

EXCERPT_CHARACTERS = 240
_SHORTEST_EXCERPT = 60
_BESIDE_A_HIT = 130
"""About how many characters a hit takes beside its excerpt."""
_CHARACTERS_PER_TOKEN = 4
EVENT_ID = re.compile(r"[0-9a-f]{8,32}")
_MOST_READ = 60_000
_WORD_END = re.compile(r"[\w'\u2019]*")
_SHORTEST_PREFIX = 3


class Ask(Struct, frozen=True):
    """What is asked; what is empty asks for nothing. `project` is a path, its last part, or `.` for that of `here`."""

    words: tuple[str, ...]
    project: str = ""
    here: str = ""
    since: str = ""
    until: str = ""
    agent: str = ""
    session: str = ""
    without_session: str = ""
    roles: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    limit: int = 10
    tokens: int = 1500


class Hit(Struct, frozen=True, kw_only=True):
    """One event or node. `marks` are the spans of the excerpt that matched; `parts` add up to the score."""

    id: str
    level: str = ""
    kind: str = ""
    role: str = ""
    agent: str = ""
    session: str = ""
    project: str = ""
    time_us: int
    excerpt: str
    marks: tuple[tuple[int, int], ...]
    node: str = ""
    title: str = ""
    resume: str = ""
    score: float
    parts: dict[str, float]
    short_session: str = field(name="_short_session", default="")
    short_project: str = field(name="_short_project", default="")


class Hits(Struct, frozen=True):
    """The hits, the best first. `exists`: whether anything is remembered; `lacks`: what was not searched, in words."""

    exists: bool
    zone: str = "UTC"
    hits: tuple[Hit, ...] = ()
    lacks: tuple[str, ...] = ()


def search(reader: Reader, ask: Ask) -> Hits:
    """Return what answers best. Raise UsageError where a filter names nothing."""
    check_kinds(ask.kinds)
    _check_words(ask.roles, sorted(set(ROLES.values())), "role")
    _check_words(ask.levels, [level.word for level in Level], "level")
    with reader.memory() as store:
        if store is None:
            return Hits(exists=False)
        listing = _Listing(store, ask)
        ids = _ids_named(store, ask)
        if ids:
            events = [event for one in ids if (event := store.event(one)) is not None]
            hits = tuple(listing.of_event(event, 1.0, {}) for event in events)
            return Hits(True, store.calendar.zone, hits)
        wanted = _wanted(reader, store, ask)
        found = find(reader.root, store, wanted, reader.now_us)
        listing.weights = found.terms
        listing.phrases = [f" {' '.join(terms(phrase))} " for phrase in wanted.phrases]
        return Hits(True, store.calendar.zone, tuple(listing.hits(found.ranked)), found.lacks)


def _check_words(given: Sequence[str], known: Sequence[str], what: str) -> None:
    for word in given:
        if word not in known:
            meant = nearest(word, known)
            guess = f"did you mean {meant}? " if meant else ""
            raise UsageError(f"unknown {what}: {word}", hint=f"{guess}one of: {', '.join(known)}")


def _ids_named(store: Store, ask: Ask) -> list[EventId]:
    """Return the events whose id is the whole query."""
    word = " ".join(ask.words).strip().lower()
    return sorted(store.ids_from(word))[: ask.limit] if EVENT_ID.fullmatch(word) else []


def _wanted(reader: Reader, store: Store, ask: Ask) -> Wanted:
    since_us = span_us(reader, store, ask.since, "--since")[0] if ask.since else None
    until_us = span_us(reader, store, ask.until, "--until")[1] if ask.until else None
    tags = [
        [f"kind:{kind}" for kind in ask.kinds],
        [f"role:{role}" for role in ask.roles],
        [f"session:{session_named(store, ask.session)}"] if ask.session else [],
        _project_tags(store, ask) if ask.project else [],
        [f"agent:{name}" for name in _agents_named(store, ask.agent)] if ask.agent else [],
    ]
    return wanted_of(
        ask.words,
        tags=tuple(tuple(group) for group in tags if group),
        since_us=FIRST_INSTANT_US if since_us is None and until_us is not None else since_us,
        until_us=LAST_INSTANT_US if until_us is None and since_us is not None else until_us,
        levels=tuple(level for level in Level if level.word in ask.levels),
        without_session=ask.without_session,
    )


def _project_tags(store: Store, ask: Ask) -> list[str]:
    found = projects_named(store, ask.project, ask.here)
    projects = [f"project:{name}" for name in sorted(found.names)]
    return projects + [f"session:{name}" for name in sorted(found.loose)]


def _agents_named(store: Store, text: str) -> list[str]:
    known = sorted({name for _, session in store.sessions() for name in session.agents})
    found = [name for name in known if name.casefold().startswith(text.casefold())]
    if not found:
        raise UsageError(f"unknown agent: {text}", hint=f"agents are: {', '.join(known) or 'none'}")
    return found


class _Listing:
    """Makes hits of what was found: each is checked against the store, which may have lost it since."""

    def __init__(self, store: Store, ask: Ask) -> None:
        self._store = store
        self._ask = ask
        self._names = ShortNames(store)
        self._projects = short_projects(store)
        self._cuts: dict[int, list[Cut]] = {}
        self.weights: Mapping[str, float] = {}
        self.phrases: Sequence[str] = ()
        room = ask.tokens * _CHARACTERS_PER_TOKEN // max(1, ask.limit) - _BESIDE_A_HIT
        self._characters = max(_SHORTEST_EXCERPT, min(EXCERPT_CHARACTERS, room))

    def hits(self, rows: Sequence[Ranked]) -> Iterator[Hit]:
        """Yield as many hits as were asked for and fit the budget."""
        left = self._ask.tokens * _CHARACTERS_PER_TOKEN
        count = 0
        for row in rows:
            hit = self._hit(row)
            if hit is None:
                continue
            left -= len(hit.excerpt) + _BESIDE_A_HIT
            if count == self._ask.limit or (count and left < 0):
                return
            count += 1
            yield hit

    def _hit(self, row: Ranked) -> Hit | None:
        if ":" in row.candidate.id:
            return self._of_node(NodeId(row.candidate.id), row)
        event = self._store.event(EventId(row.candidate.id))
        if event is None or event.rewound or not self._has_phrases(event.text):
            return None
        return self.of_event(event, row.score, row.parts)

    def _has_phrases(self, text: str) -> bool:
        """Return whether the text holds the quoted words as they stand: the index knows only that it holds them all."""
        if not self.phrases:
            return True
        words = f" {' '.join(terms(text))} "
        return all(phrase in words for phrase in self.phrases)

    def of_event(self, event: Event, score: float, parts: dict[str, float]) -> Hit:
        """Return the hit of an event. Where it was named by its id, the excerpt is its beginning."""
        cut = self._cut_of(event)
        node = self._store.node(cut.id) if cut else None
        excerpt, marks = excerpt_of(event.text, self.weights, self._characters)
        return Hit(
            id=event.id,
            kind=event.kind,
            role=event.role,
            agent=event.agent,
            session=event.session,
            project=event.project,
            time_us=event.time_us,
            excerpt=excerpt,
            marks=marks,
            node=cut.id if cut else "",
            title=node.title if node else "",
            resume=resume_of(event.agent, event.session),
            score=round(score, 3),
            parts={name: round(value, 3) for name, value in parts.items()},
            short_session=self._names.session(event.session),
            short_project=self._projects.get(event.project, event.project),
        )

    def _of_node(self, node_id: NodeId, row: Ranked) -> Hit | None:
        node = self._store.node(node_id)
        if node is None or not self._has_phrases(node_text(node)):
            return None
        place = place_of(node_id)
        start_us = self._store.calendar.day_start_us(place.period.first)
        excerpt, marks = excerpt_of(node_text(node), self.weights, self._characters)
        hit = Hit(
            id=node_id,
            level=place.level.word,
            time_us=start_us,
            excerpt=excerpt,
            marks=marks,
            node=node_id,
            title=node.title,
            score=round(row.score, 3),
            parts={name: round(value, 3) for name, value in row.parts.items()},
        )
        if place.level is not Level.SEGMENT:
            return hit
        cut = next(cut for cut in self._cuts_on(place.period.first) if cut.id == node_id)
        return replace(
            hit,
            agent=cut.agent,
            session=cut.session,
            project=cut.project,
            time_us=cut.start_us,
            resume=resume_of(cut.agent, cut.session),
            short_session=self._names.session(cut.session),
            short_project=self._projects.get(cut.project, cut.project),
        )

    def _cut_of(self, event: Event) -> Cut | None:
        day = self._store.calendar.day_of(event.time_us)
        return next(
            (
                cut
                for cut in self._cuts_on(day)
                if cut.start_us <= event.time_us <= cut.end_us and event.id in cut.events
            ),
            None,
        )

    def _cuts_on(self, day: int) -> list[Cut]:
        if day not in self._cuts:
            self._cuts[day] = self._store.cuts(day)
        return self._cuts[day]


def excerpt_of(
    text: str, weights: Mapping[str, float], characters: int
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return the stretch of a text that holds most of the terms, on one line, and the spans in it that matched."""
    text = text[:_MOST_READ]
    found = list(_matches(text, weights))
    start = _best_start(found, weights, characters)
    low, high = _edges(text, start, characters)
    head, tail = "…" * bool(low), "…" * bool(high < len(text))
    excerpt, marks, at = head, [], low
    for first, last, _ in found:
        if low <= first and last <= high and first >= at:
            excerpt += _on_one_line(text[at:first], is_first=at == low)
            marks.append((len(excerpt), len(excerpt) + last - first))
            excerpt += text[first:last]
            at = last
    return (excerpt + _on_one_line(text[at:high], is_first=at == low)).rstrip() + tail, tuple(marks)


def _on_one_line(text: str, *, is_first: bool) -> str:
    flat = re.sub(r"\s+", " ", text)
    return flat.lstrip() if is_first else flat


def _matches(text: str, weights: Mapping[str, float]) -> Iterator[tuple[int, int, frozenset[str]]]:
    """Yield the words that hold a term. A stem mostly begins its words, so that few words have to be looked at."""
    if not weights:
        return
    prefixes = sorted({_prefix(term) for term in weights}, key=len, reverse=True)
    pattern = re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, prefixes))})", re.IGNORECASE)
    for match in pattern.finditer(text):
        ending = _WORD_END.match(text, match.end())
        last = ending.end() if ending else match.end()
        held = frozenset(expanded(text[match.start() : last])) & weights.keys()
        if held:
            yield match.start(), last, held


def _prefix(term: str) -> str:
    return term[:-1] if term.endswith("i") and len(term) > _SHORTEST_PREFIX else term


def _best_start(
    found: Sequence[tuple[int, int, frozenset[str]]], weights: Mapping[str, float], characters: int
) -> int:
    """Return where the stretch begins whose terms weigh most; the earliest of equals."""
    best, start = 0.0, 0
    for index, (first, _, _) in enumerate(found):
        held: set[str] = set()
        for _, last, more in found[index:]:
            if last - first > characters:
                break
            held |= more
        weight = sum(weights[term] for term in held)
        if weight > best * 1.001:
            best, start = weight, first
    return start


def _edges(text: str, start: int, characters: int) -> tuple[int, int]:
    """Return the bounds of an excerpt that shows a bit of what comes before `start`, between words where it can."""
    low = max(0, min(start - characters // 6, len(text) - characters))
    if low:
        space = re.compile(r"\s").search(text, low, min(len(text), max(start, low) + 1))
        low = space.end() if space else low
    high = min(len(text), low + characters)
    if high < len(text):
        space_at = max(text.rfind(" ", low, high), text.rfind("\n", low, high))
        high = space_at if space_at > high - 30 else high
    return low, high
