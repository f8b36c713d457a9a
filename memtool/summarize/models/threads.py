"""What a model reads of a thread, and the thread with what it wrote. Pure.

A model writes a headline and points. State, references, open items, files and amounts stay as the rules found them,
and so does a title that the person gave.
"""

from __future__ import annotations

from collections.abc import Iterable
from posixpath import basename

from msgspec import Struct
from msgspec.structs import replace

from memtool.model.levels import Level
from memtool.model.records import Recipe, digest_of
from memtool.model.segmenting import tokens_of
from memtool.model.shown import view_of
from memtool.model.summary import Request
from memtool.model.threads import PERSON_TITLE, VERBATIM, Candidate, Point, Proof, Thread
from memtool.summarize.models.answer import Text
from memtool.summarize.models.prompt import Signal, heading, shown
from memtool.summarize.text.plain import plain, shorten

THREAD_TOKENS = 1_000
"""How much of a thread a prompt holds: its weightiest signals, as far as they fit."""
_MOST_SIGNALS = 12
_MOST_TEXT = 300
_MOST_EXCERPT = 240
_EXCERPTS = 2
_MOST_PROOFS = 6
_TITLE_WEIGHT = 0.5


class Unwritten(Struct, frozen=True):
    """A thread that a model is to write: the digest of what it reads, and the points behind the numbered signals."""

    thread: Thread
    digest: str
    heading: str
    points: tuple[Point, ...]
    signals: tuple[Signal, ...]

    @property
    def tokens(self) -> int:
        """How much of a prompt it takes; a number may have four digits."""
        return _tokens(self.heading, self.signals)


def unwritten(request: Request, recipe: Recipe) -> tuple[tuple[Thread, ...], tuple[Unwritten, ...]]:
    """Return a day's threads, with the texts that were written from the same signals, and those that need a text.

    Only what a day shows is written. The lighter threads keep their headlines and points.
    """
    if request.level is not Level.DAY:
        return request.threads, ()
    texts = {thread.written: thread for thread in request.before if thread.written}
    seen = {shown.thread.id for shown in view_of(request.threads, Level.DAY).threads}
    threads: list[Thread] = []
    wanted: list[Unwritten] = []
    for thread in request.threads:
        is_noted = {point.kind for point in thread.points} == {"note"}
        read = _read(thread, recipe) if thread.id in seen and not is_noted else None
        if read is not None and read.digest in texts:
            old = texts[read.digest]
            points = (point for point in old.points if point.kind not in VERBATIM)
            threads.append(_with_text(read, old.headlines, points))
            continue
        if read is not None:
            wanted.append(read)
        threads.append(thread)
    return tuple(threads), tuple(wanted)


def _read(thread: Thread, recipe: Recipe) -> Unwritten:
    """Return a thread as a model reads it: its headline, then its weightiest points in order of time."""
    best = thread.headlines[0]
    points = [Point("title", best.text, best.time_us, _TITLE_WEIGHT, best.proofs)]
    header = heading(basename(thread.project.rstrip("/")), thread.branch)
    told = [each for each in thread.points if each.kind != "note"]
    by_weight = sorted(told, key=lambda each: (-each.weight, each.time_us, each.text))
    for point in by_weight[:_MOST_SIGNALS]:
        if _tokens(header, map(_signal, [*points, point])) <= THREAD_TOKENS:
            points.append(point)
    in_order = (points[0], *sorted(points[1:], key=lambda each: (each.time_us, each.text)))
    signals = tuple(map(_signal, in_order))
    said = [text for signal in signals for text in (signal.kind, signal.text, *signal.excerpts)]
    proofs = [f"{p.event} {p.start} {p.end}" for point in in_order for p in point.proofs]
    words = (recipe.summarizer, recipe.model, recipe.prompt, recipe.settings)
    digest = digest_of("thread text", *words, thread.id, header, *said, *proofs)
    return Unwritten(thread, digest, header, in_order, signals)


def _signal(point: Point) -> Signal:
    """Return what a model reads of a point: its text, and the words behind it where they say more."""
    text = shorten(plain(point.text), _MOST_TEXT)
    excerpts = (plain(proof.excerpt) for proof in point.proofs[:_EXCERPTS])
    more = tuple(
        shorten(each, _MOST_EXCERPT) for each in excerpts if _bare(each) not in _bare(text)
    )
    return Signal(point.kind, text, more)


def _bare(text: str) -> str:
    return text.casefold().rstrip(" .:;!?")


def _tokens(header: str, signals: Iterable[Signal]) -> int:
    return tokens_of(header) + 1 + sum(tokens_of(shown(9_999, each)) + 1 for each in signals)


def written(read: Unwritten, text: Text) -> Thread:
    """Return the thread with what a model wrote of it; `text` cites its signals from 1."""
    best = read.thread.headlines[0]
    if best.rank != PERSON_TITLE:
        proofs = _proofs([read.points[number - 1] for number in text.cites])
        best = replace(best, text=text.headline, proofs=proofs)
    points = [
        point
        for claim in text.points
        if (point := _point(claim.text, [read.points[number - 1] for number in claim.cites]))
    ]
    return _with_text(read, (best,), points)


def _with_text(
    read: Unwritten, headlines: tuple[Candidate, ...], points: Iterable[Point]
) -> Thread:
    kept = (point for point in read.thread.points if point.kind in VERBATIM)
    in_order = sorted([*points, *kept], key=lambda point: (point.time_us, point.text))
    return replace(read.thread, headlines=headlines, points=tuple(in_order), written=read.digest)


def _point(text: str, cited: list[Point]) -> Point | None:
    """Return the point of a claim, of the kind of its weightiest signal; none where only open items prove it."""
    told = [point for point in cited if point.kind != "open"]
    if not told:
        return None
    best = max(told, key=lambda point: point.weight)
    time_us = min(point.time_us for point in told)
    return Point(best.kind, text, time_us, best.weight, _proofs(cited))


def _proofs(cited: list[Point]) -> tuple[Proof, ...]:
    """Return the first proof of each cited signal, then their others."""
    first = [point.proofs[0] for point in cited]
    rest = [proof for point in cited for proof in point.proofs[1:]]
    return tuple(dict.fromkeys([*first, *rest]))[:_MOST_PROOFS]
