"""The bullets of a period: one claim each, or a group of claims side by side, with all that proves them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from memtool.model.levels import Level
from memtool.model.summary import Citation, DraftBullet
from memtool.summarize.extractive.periods.claims import Claim, in_order
from memtool.summarize.extractive.periods.marks import recurrence, unnamed_sign
from memtool.summarize.extractive.periods.standing import Standing
from memtool.summarize.extractive.phrases import ARROW, SEPARATOR, UNTOLD, is_chore, topic
from memtool.summarize.text.plain import ELLIPSIS, shorten

CLAIM_LIMIT = 260
GROUP_LIMIT = 380
MOST_NAMED = 3
"""Members of a group that its bullet names; all of them are cited."""
_ASKED_PERCENT = 40
_SHORTEST_RESULT = 24
_TAIL = 8


def bullet_of(group: Sequence[Claim], level: Level, owners: Mapping[int, int]) -> DraftBullet:
    """Return the bullet of a claim, or of a group: it names the weightiest members and cites all of them.

    `owners` tells of which child each bullet is, by its number.
    """
    named = in_order(sorted(group, key=lambda claim: -claim.score)[:MOST_NAMED])
    more = unnamed_sign(len(group) - len(named) + sum(claim.unnamed for claim in group))
    limit = (CLAIM_LIMIT if len(named) == 1 else GROUP_LIMIT) - len(more)
    text = SEPARATOR.join(_told(named, limit, level))
    return DraftBullet(text + more, _citations(group, owners))


def _told(named: Sequence[Claim], limit: int, level: Level) -> list[str]:
    """Return the claims as texts which fit together; what a short one leaves is the next ones'."""
    found: list[str] = []
    left = limit
    speaking = ""
    for at, claim in enumerate(named):
        room = left // (len(named) - at) - len(SEPARATOR)
        name = f"{claim.project}: " if claim.project and claim.project != speaking else ""
        speaking = claim.project
        found.append(name + claim_text(claim, room - len(name), level))
        left -= len(found[-1]) + len(SEPARATOR)
    return found


def claim_text(claim: Claim, limit: int, level: Level) -> str:
    """Return the claim with the sign that it came back, shortened to the limit."""
    sign = recurrence(claim.times, of_a_day=level is Level.DAY)
    text = claim.text.removesuffix(UNTOLD) or claim.text
    if len(text) + len(sign) <= limit:
        asked, arrow, result = text.partition(ARROW)
        return f"{asked}{sign}{arrow}{result}"
    asked, result = claim.asked, claim.result
    if not asked or is_chore(result):
        return shorten(asked or result, limit - len(sign)) + sign
    least = _SHORTEST_RESULT if claim.standing < Standing.DECIDED else limit // 2
    room = max(limit * _ASKED_PERCENT // 100, limit - len(result) - len(ARROW)) - len(sign)
    asked = _cut(asked, min(room, limit - least)) + sign
    return f"{asked}{ARROW}{shorten(result, limit - len(asked) - len(ARROW))}"


def _cut(asked: str, limit: int) -> str:
    """Return the request cut where a clause ends, with an ellipsis: what is missing may tell it from others."""
    found = topic(asked, limit - 1).rstrip(" ,;:")
    is_whole = asked.rstrip(" .?!…").endswith(found[-_TAIL:]) and not asked.endswith(ELLIPSIS)
    return found if is_whole or found.endswith(ELLIPSIS) else found + ELLIPSIS


def _citations(group: Sequence[Claim], owners: Mapping[int, int]) -> tuple[Citation, ...]:
    """Return citations of all that the claims stand on: of every child something, before more of any."""
    numbers = dict.fromkeys(item.number for claim in group for item in claim.items)
    first: dict[int, int] = {}
    for number in numbers:
        first.setdefault(owners[number], number)
    return tuple(Citation(number) for number in dict.fromkeys([*first.values(), *numbers]))
