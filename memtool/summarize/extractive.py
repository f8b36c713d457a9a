"""The default summarizer: what the threads say, in the conversations' own words; never a network."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from memtool.model.levels import Level
from memtool.model.records import Recipe
from memtool.model.shown import PREFIXES, View, view_of
from memtool.model.summary import Draft, DraftBullet, Item, Request
from memtool.model.threads import SIGNS, Point, Thread
from memtool.summarize import Options, SummaryFailed
from memtool.summarize.text.citing import beginning
from memtool.summarize.text.plain import plain, shorten

VERSION = "extractive-5"
"""Raise it whenever the same request gives another draft: nodes written before are then outdated."""
_LONGEST_BULLET = 300
_LONGEST_TITLE = 100
_MOST_SECTIONS = 8
_TELLING = ("prompt", "answer", "bullet")


class Extractive(Struct, frozen=True):
    """Deterministic: the same request gives the same draft on every machine."""

    max_bullets: int
    waits: bool = False

    @property
    def recipe(self) -> Recipe:
        """What signs its nodes."""
        return Recipe("extractive", prompt=VERSION, settings=f"max_bullets={self.max_bullets}")

    def summarize(self, request: Request) -> Draft:
        """Return the draft. Raise SummaryFailed if the request has no item at all."""
        if not any(section.items for section in request.sections):
            raise SummaryFailed(f"there is nothing to summarize in {request.scope}")
        view = view_of(request.threads, max(request.level, Level.DAY))
        bullets = tuple(_of_threads(view))
        if not bullets:
            return _without_threads(request)
        return Draft(view.title, bullets, _keywords(bullet.text for bullet in bullets))


def make(options: Options) -> Extractive:
    """Return the summarizer."""
    return Extractive(options.max_bullets)


def _of_threads(view: View) -> Iterator[DraftBullet]:
    for thread, points in view.threads:
        proofs = thread.headlines[0].proofs
        yield DraftBullet(_heading(thread), grips=tuple(proof.grip for proof in proofs))
        for point in points:
            yield DraftBullet(_told(point), grips=tuple(proof.grip for proof in point.proofs))


def _heading(thread: Thread) -> str:
    """Return a thread in a line: its state, its headline, what was delivered."""
    requests = [each for each in thread.references if each.kind == "pull request" and each.here]
    commits = sum(each.kind == "commit" for each in thread.references)
    facts = [f"#{each.number}" for each in requests if each.number]
    if commits:
        facts.append(f"{commits} commit{'s' if commits > 1 else ''}")
    more = f" ({', '.join(facts)})" if facts else ""
    return shorten(f"{SIGNS[thread.state][0]} {thread.headline}{more}", _LONGEST_BULLET)


def _told(point: Point) -> str:
    return shorten(f"– {PREFIXES.get(point.kind, '')}{point.text}", _LONGEST_BULLET)


def _keywords(texts: Iterator[str]) -> tuple[str, ...]:
    # A reader asks for the recipe alone, and should not wait for word lists.
    from memtool.summarize.text.keywords import Terms
    from memtool.summarize.text.words import words

    terms = Terms()
    for text in texts:
        terms.add(words(text), 1)
    return terms.best()


def _without_threads(request: Request) -> Draft:
    """Return a draft of a request in which nothing was said that makes a point: how each part begins."""
    parts = [section for section in request.sections if section.items]
    found = [_most_telling(section.items) for section in parts[:_MOST_SECTIONS]]
    bullets = tuple(
        DraftBullet(_line(item, request), (beginning(item),)) for item in dict.fromkeys(found)
    )
    titles = (plain(section.title) for section in parts)
    title = next(filter(None, titles), "") or bullets[0].text
    return Draft(shorten(title, _LONGEST_TITLE), bullets, ())


def _most_telling(items: tuple[Item, ...]) -> Item:
    return next(
        (item for kind in _TELLING for item in items if item.kind == kind and plain(item.text)),
        items[0],
    )


def _line(item: Item, request: Request) -> str:
    text = shorten(plain(item.text), _LONGEST_BULLET)
    return text or f"{item.kind.replace('_', ' ')} without text in {request.scope}"
