"""What a summarizer is given and gives back. Every bullet cites numbered items: no claim without its proof."""

from __future__ import annotations

from dataclasses import dataclass

from memtool.model.levels import Level
from memtool.model.records import EventId, Grip


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that can be cited: a message of a segment, or a bullet of a child node.

    `kind` is the event's kind, or "bullet". A message has `event` and no grips; a child's bullet has
    its grips and no event.
    """

    number: int
    kind: str
    text: str
    event: EventId | None = None
    grips: tuple[Grip, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """The items of one child (a segment has one section, of itself), in order of time.

    `title` and `keywords` are the child's own (empty for a segment). `label` names it for people:
    its date, or its project and session.
    """

    label: str
    items: tuple[Item, ...]
    title: str = ""
    keywords: tuple[str, ...] = ()
    project: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """All inputs of one node: its level, its scope in words ("Sun 22 Nov 2026"), its sections in order of time."""

    level: Level
    scope: str
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Citation:
    """Item `number`; of a message also the characters `start` to `end` of its text that prove the claim."""

    number: int
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class DraftBullet:
    """One claim and what proves it: at least one citation."""

    text: str
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a summarizer writes: a title without date, bullets, keywords. The engine makes grips and digests of it."""

    title: str
    bullets: tuple[DraftBullet, ...]
    keywords: tuple[str, ...]
