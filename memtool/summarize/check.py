"""The rules for every draft of every summarizer. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from memtool.errors import MemtoolError
from memtool.model.records import EXCERPT_CHARACTERS
from memtool.model.summary import Citation, Draft, DraftBullet, Item, Request

TITLE_LIMIT = 120
BULLET_LIMIT = 400
KEYWORD_LIMIT = 80
MOST_BULLETS = 100
MOST_KEYWORDS = 30


class SummaryFailed(MemtoolError):  # noqa: N818 - it names what happened to one node, as in the ledger
    """This one node could not be summarized; others may be."""


def check_draft(request: Request, draft: Draft) -> Draft:
    """Return the draft. Raise SummaryFailed, saying why, when it promises what it cannot prove.

    A draft has a title, a bullet, and at least one citation for every bullet. Texts are one visible line
    of bounded length. A citation names an item of the request. Of a message it spans visible characters
    of its text, at most as many as an excerpt may hold; a message without any visible character is cited
    as 0 to 0, so that a draft is possible for every request that has an item. A child's bullet has no span
    of its own (its grips hold the spans): it is cited as 0 to 0.
    """
    for problem in _problems(request, draft):
        raise SummaryFailed(f"the draft of {request.scope} is not usable: {problem}")
    return draft


def _problems(request: Request, draft: Draft) -> Iterator[str]:
    items = {item.number: item for section in request.sections for item in section.items}
    yield from _text_problems("the title", draft.title, TITLE_LIMIT)
    if not 1 <= len(draft.bullets) <= MOST_BULLETS:
        yield f"it has {len(draft.bullets)} bullets"
    for position, bullet in enumerate(draft.bullets, 1):
        yield from (f"bullet {position}: {problem}" for problem in _bullet_problems(items, bullet))
    if len(draft.keywords) > MOST_KEYWORDS:
        yield f"it has {len(draft.keywords)} keywords"
    if len(set(draft.keywords)) < len(draft.keywords):
        yield "a keyword comes twice"
    for keyword in draft.keywords:
        yield from _text_problems("a keyword", keyword, KEYWORD_LIMIT)


def _bullet_problems(items: dict[int, Item], bullet: DraftBullet) -> Iterator[str]:
    yield from _text_problems("its text", bullet.text, BULLET_LIMIT)
    if not bullet.citations and not bullet.grips:
        yield "it cites nothing"
    if len(set(bullet.citations)) < len(bullet.citations):
        yield "it cites the same words twice"
    for citation in bullet.citations:
        item = items.get(citation.number)
        if item is None:
            yield f"it cites item {citation.number}, which does not exist"
        else:
            yield from _span_problems(item, citation)


def _span_problems(item: Item, citation: Citation) -> Iterator[str]:
    span = f"it cites {citation.start} to {citation.end} of item {item.number}"
    if item.kind == "bullet" or not item.text.strip():
        if (citation.start, citation.end) != (0, 0):
            yield f"{span}, which has no span"
        return
    if not 0 <= citation.start < citation.end <= len(item.text):
        yield f"{span}, which has {len(item.text)} characters"
    elif citation.end - citation.start > EXCERPT_CHARACTERS:
        yield f"{span}, more than {EXCERPT_CHARACTERS} characters"
    elif not item.text[citation.start : citation.end].strip():
        yield f"{span}, which is blank"


def _text_problems(name: str, text: str, limit: int) -> Iterator[str]:
    if not text.strip() or text != text.strip():
        yield f"{name} is empty or padded"
    if len(text) > limit:
        yield f"{name} has {len(text)} characters, more than {limit}"
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text):
        yield f"{name} holds a line break or a control character"
