"""What a summarizer is given and gives back, and the node that is made of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from posixpath import basename

import msgspec

from memtool.model.levels import Level, Period, heading
from memtool.model.records import (
    EXCERPT_CHARACTERS,
    GAP,
    Bullet,
    Child,
    Cut,
    Event,
    EventId,
    Grip,
    Node,
    NodeId,
    Recipe,
    digest_of,
    grip_id,
)
from memtool.model.threads import Thread, body_of


class Item(msgspec.Struct, frozen=True):
    """One thing that can be cited: a message of a segment, or a bullet of a child node.

    `kind` is the event's kind, or "bullet". A message has `event` and no grips; a child's bullet has
    its grips and no event.
    """

    number: int
    kind: str
    text: str
    event: EventId | None = None
    grips: tuple[Grip, ...] = ()


class Section(msgspec.Struct, frozen=True):
    """The items of one child (a segment has one section, of itself), in order of time.

    `title` and `keywords` are the child's own (empty for a segment). `label` names it for people:
    its date, or its project and session.
    """

    label: str
    items: tuple[Item, ...]
    title: str = ""
    keywords: tuple[str, ...] = ()
    project: str = ""


class Request(msgspec.Struct, frozen=True):
    """All inputs of one node: its level, its scope in words ("Sun 22 Nov 2026"), its sections in order of time."""

    level: Level
    scope: str
    sections: tuple[Section, ...]
    threads: tuple[Thread, ...] = ()
    """Of a segment too: what it would be as a day."""
    body: bytes = b""
    """What the node will hold of them."""


class Citation(msgspec.Struct, frozen=True):
    """Item `number`; of a message also the characters `start` to `end` of its text that prove the claim."""

    number: int
    start: int = 0
    end: int = 0


class DraftBullet(msgspec.Struct, frozen=True):
    """One claim and what proves it: at least one citation or grip."""

    text: str
    citations: tuple[Citation, ...] = ()
    grips: tuple[Grip, ...] = ()
    """Proofs that are grips already, as the points of threads have them."""


class Draft(msgspec.Struct, frozen=True):
    """What a summarizer writes: a title without date, bullets, keywords. The engine makes grips and digests of it."""

    title: str
    bullets: tuple[DraftBullet, ...]
    keywords: tuple[str, ...]


MAX_GRIPS = 24
"""How many grips a bullet keeps: one of each thing it cites first, then the second of each, and so on."""


class Origin(msgspec.Struct, frozen=True):
    """What a node is made from, apart from its words."""

    id: NodeId
    inputs: str
    recipe: Recipe
    children: tuple[Child, ...] = ()
    gaps: tuple[NodeId, ...] = ()


def segment_inputs(cut: Cut, events: Sequence[Event]) -> str:
    """Return the `inputs` digest of a segment: its bounds, and each event as a summarizer sees it."""
    parts = [text for event in events for text in (event.id, event.body_digest())]
    return digest_of(cut.id, cut.start_us, cut.end_us, *parts)


def period_inputs(node: NodeId, bounds_us: tuple[int, int], children: Iterable[Child]) -> str:
    """Return the `inputs` digest of a period: its bounds, and each child's id and content (or gap), in order."""
    parts = [text for child in children for text in (child.id, child.content)]
    return digest_of(node, *bounds_us, *parts)


def segment_request(
    cut: Cut,
    events: Sequence[Event],
    scope: str,
    threads: tuple[Thread, ...] = (),
    body: bytes = b"",
) -> Request:
    """Return the request for a segment: one section, one item an event."""
    items = tuple(
        Item(number, event.kind, event.text, event=event.id)
        for number, event in enumerate(events, start=1)
    )
    section = Section(cut.session, items, project=cut.project)
    return Request(Level.SEGMENT, scope, (section,), threads, body)


def period_request(
    period: Period,
    children: Iterable[tuple[Node, str, str]],
    threads: tuple[Thread, ...] = (),
) -> Request:
    """Return the request for a period from its children's (node, label, project), in order of time."""
    sections: list[Section] = []
    number = 0
    for node, label, project in children:
        grips = {grip.id: grip for grip in node.grips}
        items: list[Item] = []
        for bullet in node.bullets:
            number += 1
            proof = tuple(grips[wanted] for wanted in bullet.grips)
            items.append(Item(number, "bullet", bullet.text, grips=proof))
        sections.append(Section(label, tuple(items), node.title, node.keywords, project))
    return Request(period.level, heading(period), tuple(sections), threads, body_of(threads))


def segment_label(cut: Cut) -> str:
    """Return how a segment is called among a day's: by its project and its session."""
    return f"{basename(cut.project.rstrip('/'))} {cut.session}".strip()


def node_from(draft: Draft, request: Request, origin: Origin) -> Node:
    """Return the node that a checked draft makes, with its citations turned into grips."""
    items = {item.number: item for section in request.sections for item in section.items}
    grips: dict[str, Grip] = {}
    bullets: list[Bullet] = []
    for bullet in draft.bullets:
        proof = _proof(bullet, items)
        grips |= {grip.id: grip for grip in proof}
        bullets.append(Bullet(bullet.text, tuple(grip.id for grip in proof)))
    return Node(
        id=origin.id,
        title=draft.title,
        bullets=tuple(bullets),
        keywords=draft.keywords,
        grips=tuple(grips[key] for key in sorted(grips)),
        children=origin.children,
        gaps=origin.gaps,
        inputs=origin.inputs,
        recipe=origin.recipe,
        body=request.body,
    )


def _proof(bullet: DraftBullet, items: dict[int, Item]) -> list[Grip]:
    of_each = [_grips(citation, items[citation.number]) for citation in bullet.citations]
    of_each += [(grip,) for grip in bullet.grips]
    in_turn = chain.from_iterable(zip_longest(*of_each))
    unique = {grip.id: grip for grip in in_turn if grip is not None}
    return list(unique.values())[:MAX_GRIPS]


def _grips(citation: Citation, item: Item) -> tuple[Grip, ...]:
    if item.event is None:
        return item.grips
    start, end = citation.start, min(citation.end, citation.start + EXCERPT_CHARACTERS)
    events = (item.event,)
    return (Grip(grip_id(events, start, end), events, start, end, item.text[start:end]),)


def gaps_of(children: Sequence[Child], nodes: Iterable[Node]) -> tuple[NodeId, ...]:
    """Return all that is missing at or below a node: children without content, and what its children miss."""
    own = {child.id for child in children if child.content == GAP}
    below = {gap for node in nodes for gap in node.gaps}
    return tuple(sorted(own | below))


def verbatim(grip: Grip, texts: Sequence[str]) -> bool:
    """Return whether the grip's excerpt is what its events (given by their texts, in order) say at its span."""
    if len(texts) == 1:
        return texts[0][grip.start : grip.end] == grip.excerpt
    joined = "\n".join([texts[0][grip.start :], *texts[1:-1], texts[-1][: grip.end]])
    return joined[:EXCERPT_CHARACTERS] == grip.excerpt
