"""The draft of a segment: bullets that read request → outcome, a title of what was worked on. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from memtool.core.summary import Citation, Draft, DraftBullet, Item, Request
from memtool.summarize import actions
from memtool.summarize.keywords import Terms
from memtool.summarize.phrases import request_text, topic
from memtool.summarize.plain import plain, shorten
from memtool.summarize.sentences import HEAD_CHARACTERS
from memtool.summarize.turns import Passage, Turn, best_ask, outcomes, turns_of
from memtool.summarize.words import overlap, words

TITLE_LIMIT = 60
TEXT_LIMIT = 160
ASK_LIMIT = 76
MOST_TURNS = 60
"""Turns that are weighed; of more, the first and the last ones."""
NOTHING_SAID = "Session opened, nothing said"

WORD_WEIGHTS = {
    "prompt": 24,
    "answer": 16,
    "command": 8,
    "error": 12,
    "compaction": 2,
    "subagent_start": 8,
}
"""How much the words of a kind count for keywords; kinds not named here are not read."""
FALLBACKS = (
    "answer", "error", "command", "subagent_end", "subagent_start", "tool_call", "compaction",
    "tool_result", "thinking", "note", "session_start", "session_end",
)  # fmt: skip
"""Kinds that a bullet is taken from when nothing better is there, best first."""
_OUTCOME_AT_LEAST = 2
_EXTRA_AT_LEAST = 10
_SAME_PERCENT = 60


@dataclass(frozen=True, slots=True)
class Claim:
    """A bullet with what it is worth, what it is about and where it stands."""

    bullet: DraftBullet
    score: int
    keys: frozenset[str]
    position: int


@dataclass(frozen=True, slots=True)
class Story:
    """A turn with the sentences that tell it."""

    turn: Turn
    ask: Passage | None
    outcomes: tuple[Passage, ...]

    @property
    def weight(self) -> int:
        """How much of the segment's work it holds."""
        edits = sum(map(actions.is_edit, self.turn.calls))
        best = self.outcomes[0].score if self.outcomes else 0
        asked = self.ask.score if self.ask else 0
        return asked + best + min(len(self.turn.answers), 6) + 2 * min(edits, 4)


def summarize_segment(request: Request, max_bullets: int) -> Draft:
    """Return a draft in which every bullet cites the very words of the segment."""
    items = tuple(item for section in request.sections for item in section.items)
    if not any(item.text.strip() for item in items):
        silent = DraftBullet(NOTHING_SAID, (Citation(items[0].number),))
        return Draft(NOTHING_SAID, (silent,), ())
    terms = _terms(items)
    turns = turns_of(items)
    if len(turns) > MOST_TURNS:
        turns = turns[: MOST_TURNS // 2] + turns[-MOST_TURNS // 2 :]
    stories = [_story(turn, terms.weights()) for turn in turns]
    bullets = _chosen(stories, max_bullets) or (_fallback(items),)
    return Draft(_title(stories, bullets), bullets, terms.best())


def _terms(items: tuple[Item, ...]) -> Terms:
    terms = Terms()
    for item in items:
        if item.kind == "tool_call":
            terms.add(actions.files_of(item), 12 if actions.is_edit(item) else 3)
        elif weight := WORD_WEIGHTS.get(item.kind, 0):
            terms.add(words(item.text[:HEAD_CHARACTERS]), weight)
    return terms


def _story(turn: Turn, weights: dict[str, int]) -> Story:
    asks = [ask for item in turn.asks if (ask := best_ask(item, weights))]
    ask = max(asks, key=lambda passage: passage.score, default=None)
    found = outcomes(turn, ask.keys if ask else frozenset(), weights)
    return Story(turn, ask, tuple(sorted(found, key=lambda passage: -passage.score)))


def _chosen(stories: list[Story], most: int) -> tuple[DraftBullet, ...]:
    """Return the bullets: first one of each turn, the weightiest ones, then what else was found out."""
    mains = sorted(
        (claim for story in stories for claim in _main(story)), key=lambda claim: -claim.score
    )
    extras = sorted(
        (claim for story in stories for claim in _extras(story)), key=lambda claim: -claim.score
    )
    kept: list[Claim] = []
    for claim in (*mains, *extras):
        if len(kept) < most and not any(
            overlap(claim.keys, other.keys) > _SAME_PERCENT for other in kept
        ):
            kept.append(claim)
    kept = kept or mains[:1]
    return tuple(claim.bullet for claim in sorted(kept, key=lambda claim: claim.position))


def _main(story: Story) -> list[Claim]:
    """Return the claim that tells the turn: what was asked, and what came of it."""
    ask, result = story.ask, _result(story)
    if ask is None and result is None:
        return []
    parts = [request_text(ask.text)] if ask else []
    said, cited = ask.keys if ask else frozenset(), [ask.citation] if ask else []
    if result:
        room = TEXT_LIMIT - (min(len(parts[0]), ASK_LIMIT) + 3 if parts else 0)
        parts.append(shorten(result.bullet.text, room))
        said, cited = said | result.keys, cited + list(result.bullet.citations)
    if len(parts) > 1:
        parts[0] = topic(parts[0], ASK_LIMIT)
    text = shorten(" → ".join(part for part in parts if part), TEXT_LIMIT)
    position = cited[0].number
    return [
        Claim(DraftBullet(text or "…", tuple(dict.fromkeys(cited))), story.weight, said, position)
    ]


def _result(story: Story) -> Claim | None:
    """Return what came of the turn: its best conclusion, else the files that were changed, else any answer."""
    best = story.outcomes[0] if story.outcomes else None
    if best and best.score >= _OUTCOME_AT_LEAST and best.text:
        return _told(best)
    if story.turn.calls:
        bullet = actions.work_bullet(story.turn.calls, TEXT_LIMIT)
        return Claim(bullet, 0, frozenset(), bullet.citations[0].number)
    return _told(best) if best and best.text else None


def _told(passage: Passage) -> Claim:
    text = passage.text[:1].upper() + passage.text[1:]
    bullet = DraftBullet(shorten(text.rstrip(":"), TEXT_LIMIT) or "…", (passage.citation,))
    return Claim(bullet, passage.score, passage.keys, passage.item.number)


def _extras(story: Story) -> list[Claim]:
    """Return further conclusions, commits and errors of the turn."""
    found = [_told(passage) for passage in story.outcomes[1:12] if passage.score >= _EXTRA_AT_LEAST]
    commits = ((item, actions.commit_span(item)) for item in story.turn.calls)
    return found + [_commit(item, span) for item, span in commits if span]


def _commit(item: Item, span: tuple[int, int]) -> Claim:
    subject = plain(item.text[span[0] : span[1]])
    bullet = DraftBullet(
        shorten(f"Committed: {subject}", TEXT_LIMIT), (actions.clipped(item, *span),)
    )
    return Claim(bullet, 12, frozenset(words(subject.lower())), item.number)


def _fallback(items: tuple[Item, ...]) -> DraftBullet:
    """Return a bullet of the least weak thing that was said."""
    visible = [item for item in items if item.text.strip()]
    best = min(visible, key=lambda item: _rank(item.kind))
    text = plain(best.text[:HEAD_CHARACTERS]) or f"A {best.kind.replace('_', ' ')} without words"
    return DraftBullet(shorten(text, TEXT_LIMIT), (actions.first_words(best),))


def _rank(kind: str) -> int:
    return FALLBACKS.index(kind) if kind in FALLBACKS else len(FALLBACKS)


_SECOND_TITLE_AT_LEAST = 16


def _title(stories: list[Story], bullets: tuple[DraftBullet, ...]) -> str:
    """Return the weightiest request, and a second one where there is room for it."""
    asked = sorted(
        ((story.weight, story.ask) for story in stories if story.ask and story.ask.text),
        key=lambda pair: -pair[0],
    )
    if not asked:
        return topic(bullets[0].text.rpartition(" → ")[2], TITLE_LIMIT) or NOTHING_SAID
    title = topic(asked[0][1].text, TITLE_LIMIT)
    for _, ask in asked[1:3]:
        room = TITLE_LIMIT - len(title) - 3
        if room >= _SECOND_TITLE_AT_LEAST and overlap(ask.keys, asked[0][1].keys) < _SAME_PERCENT:
            return f"{title} · {topic(ask.text, room)}"
    return title
