"""Signals, turns and threads: what nodes are made of. A parent's threads are a pure function of its children's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from memtool.model.levels import Level
from memtool.model.records import EventId, Grip, digest_of, grip_id
from memtool.model.words import content_words, share

Kind = Literal[
    "title",
    "plan",
    "ask",
    "decision",
    "result",
    "found",
    "done",
    "todo",
    "commit",
    "pull request",
    "issue",
    "test",
    "open",
    "pending",
    "question",
    "recap",
    "subagent",
    "error",
    "dropped",
    "note",
    "settled",
]
State = Literal["open", "dropped", "delivered", "in work", "answered"]
SIGNS: Mapping[State, tuple[str, str]] = {
    "delivered": ("✔", "+"),
    "open": ("○", "o"),
    "in work": ("◐", "~"),
    "answered": ("·", "-"),
    "dropped": ("✗", "x"),
}
"""The sign of each state, and the one in ASCII."""
STATES: tuple[State, ...] = tuple(SIGNS)


class Proof(msgspec.Struct, frozen=True, array_like=True, order=True):
    """The words of one event that prove a point: a grip that has no ID yet."""

    event: EventId
    start: int
    end: int
    excerpt: str

    @property
    def grip(self) -> Grip:
        """The grip that it is in a node."""
        events = (self.event,)
        return Grip(
            grip_id(events, self.start, self.end), events, self.start, self.end, self.excerpt
        )


class Signal(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """A typed fact taken from events.

    `state` and `key` depend on the kind: who gave a title, how a to-do or a test stands, what was done to a
    pull request; the to-do's ID, the commit's hash, the URL. What settles an item by hand has the thread's ID and
    the item's key, and is of the time when that was said. `rank` orders the signals of one text: 0 is the lead.
    """

    kind: Kind
    text: str
    time_us: int
    proofs: tuple[Proof, ...]
    state: str = ""
    key: str = ""
    rank: int = 0


class Usage(msgspec.Struct, frozen=True, array_like=True):
    """The tokens of some messages of one model. `input` is what was neither read from a cache nor written to it."""

    model: str
    messages: int
    input: int
    output: int
    cache_read: int
    cache_write: int

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.input + self.output + self.cache_read + self.cache_write


def joined_usage(usages: Iterable[Usage]) -> tuple[Usage, ...]:
    """Return the sum of each model, in order of their names."""
    sums: dict[str, list[int]] = {}
    for usage in usages:
        counts = sums.setdefault(usage.model, [0] * 5)
        parts = (usage.messages, usage.input, usage.output, usage.cache_read, usage.cache_write)
        for index, count in enumerate(parts):
            counts[index] += count
    return tuple(Usage(model, *counts) for model, counts in sorted(sums.items()))


class Turn(msgspec.Struct, frozen=True, omit_defaults=True):
    """A prompt and what followed it, up to the next prompt, within one segment."""

    session: str
    project: str
    start_us: int
    end_us: int
    branch: str = ""
    """The branch that the turn belongs to, or that of the session before it where no event says one."""
    signals: tuple[Signal, ...] = ()
    edits: tuple[tuple[str, int, int], ...] = ()
    """Path, number of edits, time of the last one."""
    asks_back: bool = False
    """The last answer ends in a question, and nothing was changed: its statements are candidates, not results."""
    corrects: bool = False
    """Its prompt says that the turn before it was wrong."""
    is_work: bool = False
    """It has edits, commits, pull requests or issues."""
    is_cut: bool = False
    """It does not end in an answer: it was interrupted, or goes on elsewhere."""
    usage: tuple[Usage, ...] = ()
    """What the models took for it, those of subagents among them."""


class Candidate(msgspec.Struct, frozen=True, array_like=True):
    """A headline of one rank; the join keeps the best of each rank: the greatest (score, -time), ties by text."""

    rank: int
    score: float
    time_us: int
    text: str
    proofs: tuple[Proof, ...]


class Point(msgspec.Struct, frozen=True, array_like=True):
    """One statement of a thread."""

    kind: Kind
    text: str
    time_us: int
    weight: float
    proofs: tuple[Proof, ...]

    @property
    def key(self) -> tuple[str, frozenset[str]]:
        """What equal points share."""
        return ("open" if self.kind == "open" else "", content_words(self.text))


class Item(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """Something open, by its key; `closed_us` is when it was settled, 0 while it stands."""

    key: str
    text: str
    time_us: int
    proofs: tuple[Proof, ...]
    closed_us: int = 0


class Reference(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """A commit, pull request or issue. `verb`: what was done to it last; `here`: it was made in this thread."""

    kind: Literal["commit", "pull request", "issue"]
    key: str
    text: str
    time_us: int
    verb: str = ""
    url: str = ""
    number: int = 0
    here: bool = False
    proofs: tuple[Proof, ...] = ()


class Thread(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One piece of work as one node knows it. All fields join by union, by (time, text), or by sum."""

    project: str
    branch: str
    session: str
    """Empty where the thread is a branch."""
    first_us: int
    last_us: int
    state: State
    since: int = 0
    """Edits after the last delivery, on the thread's last day."""
    headlines: tuple[Candidate, ...] = ()
    points: tuple[Point, ...] = ()
    items: tuple[Item, ...] = ()
    references: tuple[Reference, ...] = ()
    files: tuple[tuple[str, int], ...] = ()
    sessions: tuple[str, ...] = ()
    edits: int = 0
    turns: int = 0
    written: str = ""
    """In a day whose headline and points a model wrote: the digest of what it wrote them from."""

    @property
    def id(self) -> str:
        """The digest of its key."""
        return thread_id(self.project, self.branch, self.session)

    @property
    def headline(self) -> str:
        """The first that exists, by rank."""
        return self.headlines[0].text if self.headlines else ""

    @property
    def open_items(self) -> tuple[Item, ...]:
        """What stands open."""
        return tuple(item for item in self.items if not item.closed_us)


TRUNKS = frozenset({"", "main", "master", "develop", "trunk", "HEAD"})
"""Branches that are no feature branches."""
PERSON_TITLE = 0
"""The rank of a headline that the person gave."""


def item_id(thread: str, key: str) -> str:
    """Return the ID of an item, by which a person names it; `thread` is the ID of its thread."""
    return digest_of("open item", thread, key)


def thread_id(project: str, branch: str, session: str) -> str:
    """Return the ID of the thread with this key; `session` counts only without a branch."""
    return digest_of("thread", project, branch, "" if branch else session)[:32]


class Limits(NamedTuple):
    """How much of its threads a node of one level stores."""

    points: int
    items: int
    files: int
    references: int
    sessions: int
    whole: int
    """This many threads, by weight, are stored whole; the others as facts without points and excerpts."""
    threads: int


LIMITS: Mapping[Level, Limits] = {
    Level.DAY: Limits(20, 30, 30, 60, 60, 100, 400),
    Level.WEEK: Limits(12, 30, 20, 60, 40, 60, 400),
    Level.MONTH: Limits(8, 12, 6, 8, 3, 16, 400),
    Level.YEAR: Limits(8, 8, 6, 8, 3, 16, 1000),
}
FACTS = Limits(0, 2, 1, 1, 1, 0, 0)
"""What is stored of a thread that is not stored whole."""
QUESTION = "asked: "
"""How the key of an item begins that is an unanswered question."""
CLOSING_SHARE = 0.5
"""A later text closes an open item if it holds this share of the item's content words."""


def join(children: Iterable[Sequence[Thread]], level: Level) -> tuple[Thread, ...]:
    """Return the threads of a period from those of its children, in any order; heaviest first."""
    parts: dict[str, list[Thread]] = {}
    for child in children:
        for thread in child:
            parts.setdefault(thread.id, []).append(thread)
    return limited([_joined(same) for same in parts.values()], level)


def limited(threads: Iterable[Thread], level: Level) -> tuple[Thread, ...]:
    """Return the threads that a node of this level stores, by weight; the lighter ones as facts."""
    limits = LIMITS[level]
    ordered = sorted(threads, key=by_weight)[: limits.threads]
    return (
        *(_cut(thread, limits) for thread in ordered[: limits.whole]),
        *(_facts(_cut(thread, FACTS)) for thread in ordered[limits.whole :]),
    )


def _cut(thread: Thread, limits: Limits) -> Thread:
    return replace(
        thread,
        headlines=thread.headlines[:1],
        points=best_points(thread.points, limits.points),
        items=thread.items[: limits.items],
        references=thread.references[-limits.references :],
        files=thread.files[: limits.files],
        sessions=thread.sessions[: limits.sessions],
    )


def _facts(thread: Thread) -> Thread:
    return replace(
        thread,
        headlines=tuple(_bare(each) for each in thread.headlines),
        items=tuple(_bare(item) for item in thread.items if not item.closed_us),
        references=tuple(replace(each, text="", proofs=()) for each in thread.references),
    )


Proven = TypeVar("Proven", Candidate, Item)


def _bare(proven: Proven) -> Proven:
    """Return a fact without the excerpts of its proofs."""
    proofs = tuple(replace(proof, excerpt="") for proof in proven.proofs)
    return replace(proven, proofs=proofs)


def _joined(parts: Sequence[Thread]) -> Thread:
    latest = max(parts, key=lambda part: (part.last_us, part.first_us, part.state))
    # Talk on a later day does not change what became of the work.
    worked = [part for part in parts if part.state != "answered"] or parts
    standing = max(worked, key=lambda part: (part.last_us, part.first_us, part.state))
    references = joined_references(each for part in parts for each in part.references)
    told = [each for part in parts for each in part.points]
    items = closed_items(_standing(parts, latest), told, references)
    files: dict[str, int] = {}
    for part in parts:
        for path, count in part.files:
            files[path] = files.get(path, 0) + count
    return Thread(
        project=latest.project,
        branch=latest.branch,
        session="" if latest.branch else min(part.session for part in parts),
        first_us=min(part.first_us for part in parts),
        last_us=latest.last_us,
        state=standing.state,
        since=standing.since,
        headlines=best_headlines(each for part in parts for each in part.headlines),
        points=tuple(told),
        items=items,
        references=tuple(replace(each, proofs=()) for each in references),
        files=tuple(sorted(files.items(), key=lambda file: (-file[1], file[0]))),
        sessions=tuple(sorted({each for part in parts for each in part.sessions})),
        edits=sum(part.edits for part in parts),
        turns=sum(part.turns for part in parts),
    )


def _standing(parts: Sequence[Thread], latest: Thread) -> Iterable[Item]:
    """Yield the items of all parts; a question was answered, or given up, where the thread went on later."""
    for part in parts:
        for item in part.items:
            if item.key.startswith(QUESTION) and item.time_us < latest.first_us:
                yield replace(item, closed_us=item.closed_us or latest.first_us)
            else:
                yield item


def best_headlines(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Return the best candidate of each rank, in order of rank."""
    best: dict[int, Candidate] = {}
    for candidate in candidates:
        other = best.get(candidate.rank)
        if other is None or _merit(candidate) > _merit(other):
            best[candidate.rank] = candidate
    return tuple(best[rank] for rank in sorted(best))


def _merit(candidate: Candidate) -> tuple[float, int, str, tuple[Proof, ...]]:
    return (candidate.score, -candidate.time_us, candidate.text, candidate.proofs)


def best_points(points: Iterable[Point], most: int) -> tuple[Point, ...]:
    """Return the weightiest points, each set of words once, in order of time."""
    best: dict[tuple[str, frozenset[str]], Point] = {}
    for point in points:
        other = best.get(point.key)
        if other is None or _rank(point) < _rank(other):
            best[point.key] = point
    kept = sorted(best.values(), key=_rank)[:most]
    return tuple(sorted(kept, key=lambda point: (point.time_us, _rank(point))))


def _rank(point: Point) -> tuple[float, int, str, str, tuple[Proof, ...]]:
    return (-point.weight, point.time_us, point.text, point.kind, point.proofs)


def joined_references(references: Iterable[Reference]) -> tuple[Reference, ...]:
    """Return each reference once: the last verb, the first text, made here if any says so; in order of time."""
    same: dict[tuple[str, str], list[Reference]] = {}
    for reference in references:
        same.setdefault((reference.kind, reference.key), []).append(reference)
    found = []
    for copies in same.values():
        ordered = sorted(copies, key=lambda each: (each.time_us, each.verb, each.text, each.proofs))
        told = [each for each in ordered if each.text] or ordered
        found.append(
            replace(
                ordered[-1],
                text=told[-1].text,
                proofs=told[-1].proofs or ordered[-1].proofs,
                url=max(each.url for each in ordered),
                here=any(each.here for each in ordered),
                verb=_last_verb(ordered),
            )
        )
    return tuple(sorted(found, key=lambda each: (each.time_us, each.kind, each.key)))


_CHANGES = frozenset({"opened", "merged", "closed", "reopened"})


def _last_verb(ordered: Sequence[Reference]) -> str:
    changes = [each.verb for each in ordered if each.verb in _CHANGES]
    return changes[-1] if changes else ordered[-1].verb


def closed_items(
    items: Iterable[Item], points: Sequence[Point], references: Sequence[Reference]
) -> tuple[Item, ...]:
    """Return each item once, as it stood last, closed where something later settles it; open and late ones first."""
    last: dict[str, Item] = {}
    for item in items:
        other = last.get(item.key)
        if other is None or _freshness(item) > _freshness(other):
            last[item.key] = item
    closers = [(each.time_us, content_words(each.text)) for each in references if each.here]
    closers += [
        (point.time_us, content_words(point.text)) for point in points if point.kind in CLOSERS
    ]
    closed = [_settled(item, closers) for item in last.values()]
    # A settled item only keeps an older copy of it from standing open.
    closed = [replace(item, text="", proofs=()) if item.closed_us else item for item in closed]
    return tuple(sorted(closed, key=lambda item: (bool(item.closed_us), -item.time_us, item.key)))


VERBATIM: frozenset[Kind] = frozenset({"open", "note"})
"""The kinds of points that no model writes again."""
CLOSERS: frozenset[Kind] = frozenset({"result", "done", "commit", "recap"})


def _freshness(item: Item) -> tuple[int, int, str, tuple[Proof, ...]]:
    return (max(item.time_us, item.closed_us), item.closed_us, item.text, item.proofs)


def _settled(item: Item, closers: Sequence[tuple[int, frozenset[str]]]) -> Item:
    if item.closed_us:
        return item
    words = content_words(item.text)
    times = [
        time_us
        for time_us, said in closers
        if time_us > item.time_us and share(words, said) >= CLOSING_SHARE
    ]
    return replace(item, closed_us=min(times)) if times else item


def weight_of(thread: Thread) -> float:
    """Return what a thread weighs: what was delivered and decided before how long it took. Never how recent it is."""
    requests = sum(each.here for each in thread.references if each.kind == "pull request")
    commits = sum(each.kind == "commit" for each in thread.references)
    decisions = sum(point.kind in {"decision", "plan"} for point in thread.points)
    notes = sum(point.kind == "note" for point in thread.points)
    return (
        4.0 * min(requests, 3)
        + 2.0 * min(commits, 6)
        + 1.0 * min(decisions, 5)
        + 2.0 * min(notes, 2)
        + 0.5 * min(len(thread.points), 10)
        + 0.15 * min(thread.edits, 40)
        + 0.1 * min(thread.turns, 30)
    )


class _ById:
    """A thread that is compared by its ID, which is a digest: most threads differ before that."""

    __slots__ = ("_thread",)

    def __init__(self, thread: Thread) -> None:
        self._thread = thread

    def __lt__(self, other: _ById) -> bool:
        return self._thread.id < other._thread.id


def by_weight(thread: Thread) -> tuple[float, int, _ById]:
    """Order threads: the heaviest first, then the earlier, then by ID."""
    return (-round(weight_of(thread), 6), thread.first_us, _ById(thread))


_ENCODER = msgspec.json.Encoder()
_TURNS = msgspec.json.Decoder(tuple[Turn, ...])
_THREADS = msgspec.json.Decoder(tuple[Thread, ...])


def body_of(made_of: Sequence[Turn] | Sequence[Thread]) -> bytes:
    """Return the body of a node: the turns of a segment, or the threads of a period; empty where there are none."""
    return _ENCODER.encode(made_of) if made_of else b""


def turns_in(body: bytes) -> tuple[Turn, ...]:
    """Return the turns of a segment's body."""
    return _TURNS.decode(body) if body else ()


def threads_in(body: bytes) -> tuple[Thread, ...]:
    """Return the threads of a period's body."""
    return _THREADS.decode(body) if body else ()
