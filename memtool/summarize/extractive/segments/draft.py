"""The draft of a segment: bullets that read request → outcome, a title of what was worked on. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from memtool.model.summary import Citation, Draft, DraftBullet, Item, Request
from memtool.summarize.extractive.phrases import (
    ARROW,
    SEPARATOR,
    UNTOLD,
    is_routine,
    is_whole,
    points_back,
    result_text,
    tells_deed,
    topic,
)
from memtool.summarize.extractive.segments import actions
from memtool.summarize.extractive.segments.passages import Passage, best_ask, outcomes
from memtool.summarize.extractive.segments.speakers import talk_of
from memtool.summarize.extractive.segments.talk import summarize_talk
from memtool.summarize.extractive.segments.turns import Turn, turns_of
from memtool.summarize.text.citing import first_words
from memtool.summarize.text.keywords import Terms
from memtool.summarize.text.plain import plain, shorten
from memtool.summarize.text.sentences import HEAD_CHARACTERS
from memtool.summarize.text.words import GENERIC_KEYS, alike, keys, overlap, words

TITLE_LIMIT = 60
TEXT_LIMIT = 240
ASK_LIMIT = 90
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
    "prompt",
    "answer", "error", "command", "subagent_end", "subagent_start", "tool_call", "compaction",
    "tool_result", "thinking", "note", "session_start", "session_end",
)  # fmt: skip
"""Kinds that a bullet is taken from when nothing better is there, best first."""
MOST_CALLS = 400
"""Tool calls of a turn that are searched for commits: the last ones."""
_OUTCOME_AT_LEAST = 4
_FINDING_AT_LEAST, _FINDING_CUE, _STRONG_FINDING = 9, 6, 13
"""A turn that was cut off has no conclusion: only a clear finding is better than the files it changed."""
_EXTRA_AT_LEAST, _EXTRA_CUE = 9, 5
_EXTRA_CHARACTERS, _EXTRA_KEYS = 30, 2
_EXTRAS_OF_ANSWER = 3
_COMMIT_SCORE = 14
_SECOND_AT_LEAST = 16
_ASK_THEME, _COMMIT_THEME, _DEED_THEME, _OPENING_THEME = 10, 22, 10, 14
_ROUTINE_LOSS, _POINTS_BACK_LOSS, _NEARLY = 40, 16, 12
"""Points as a title: requests and commits name the work, deeds do if there are none."""
_SAME_PERCENT, _REPEATED_PERCENT = 60, 85


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
    if talk := talk_of(items):
        return summarize_talk(talk, max_bullets)
    terms = _terms(items)
    turns = turns_of(items)
    if len(turns) > MOST_TURNS:
        turns = turns[: MOST_TURNS // 2] + turns[-MOST_TURNS // 2 :]
    weights = terms.weights()
    opening = next((turn for turn in turns if turn.asks), None)
    stories = [_story(turn, weights, opens=turn is opening) for turn in turns]
    claims = _chosen(stories, max_bullets) or [_fallback(items)]
    bullets = tuple(claim.bullet for claim in claims)
    return Draft(_title(stories, claims), bullets, terms.best())


def _terms(items: tuple[Item, ...]) -> Terms:
    terms = Terms()
    for item in items:
        if item.kind == "tool_call":
            terms.add(actions.files_of(item), 12 if actions.is_edit(item) else 3)
        elif weight := WORD_WEIGHTS.get(item.kind, 0):
            terms.add(words(item.text[:HEAD_CHARACTERS]), weight)
    return terms


def _story(turn: Turn, weights: dict[str, int], *, opens: bool) -> Story:
    asks = [ask for item in turn.asks if (ask := best_ask(item, weights, opens=opens))]
    ask = max(asks, key=lambda passage: passage.score, default=None)
    found = outcomes(turn, ask.keys if ask else frozenset(), weights)
    return Story(turn, ask, tuple(passage for passage in found if passage.text))


def _chosen(stories: list[Story], most: int) -> list[Claim]:
    """Return the claims: first one of each turn, the weightiest ones, then what else was found out."""
    mains = [claim for story in stories for claim in _main(story)]
    extras = [claim for story in stories for claim in _extras(story)]
    kept: list[Claim] = []
    for claim in _heaviest_first(mains):
        if not any(alike(claim.keys, other.keys) > _REPEATED_PERCENT for other in kept):
            kept.append(claim)
    kept = kept[:most]
    for claim in _heaviest_first(extras):
        if len(kept) == most:
            break
        if not any(overlap(claim.keys, other.keys) > _SAME_PERCENT for other in kept):
            kept.append(claim)
    if len(kept) == 1 < most:
        kept += [claim for claim in _unasked_work(stories) if claim.bullet != kept[0].bullet]
    return sorted(kept, key=lambda claim: claim.position)


def _unasked_work(stories: list[Story]) -> list[Claim]:
    """Return the edits of what goes on without a request: a single remark does not tell what was done."""
    turns = [story.turn for story in stories if story.ask is None]
    edited = [turn for turn in turns if actions.edits_of(turn.calls)]
    return [_work(turn) for turn in edited[:1]]


def _heaviest_first(claims: list[Claim]) -> list[Claim]:
    return sorted(claims, key=lambda claim: -claim.score)


def _main(story: Story) -> list[Claim]:
    """Return the claim that tells the turn, if it has words: what was asked, and what came of it."""
    result = _result(story)
    if story.ask is None:
        return [replace(result, score=story.weight)] if result else []
    ask, position = story.ask, story.ask.item.number
    if result is None:
        text = topic(ask.text, TEXT_LIMIT - len(UNTOLD)).replace(ARROW, " -> ") + UNTOLD
        return [Claim(DraftBullet(text, (ask.citation,)), story.weight, ask.keys, position)]
    asked = topic(ask.text, ASK_LIMIT).replace(ARROW, " -> ")
    text = f"{asked}{ARROW}{shorten(result.bullet.text, TEXT_LIMIT - len(asked) - len(ARROW))}"
    bullet = DraftBullet(text, (ask.citation, *result.bullet.citations))
    return [Claim(bullet, story.weight, ask.keys | result.keys, position)]


def _result(story: Story) -> Claim | None:
    """Return what came of the turn: its best conclusion, else its commit, its edits, or any answer."""
    best = story.outcomes[0] if story.outcomes else None
    commits = _commits(story.turn)
    if best and _is_clear(best, concluded=story.turn.concluded):
        return _told(best)
    if commits:
        return commits[-1]
    if actions.edits_of(story.turn.calls) or (story.turn.calls and not story.ask):
        return _work(story.turn)
    is_last_resort = best and (
        story.turn.concluded or not story.ask or best.score >= _FINDING_AT_LEAST
    )
    return _told(best) if best and best.score > 0 and is_last_resort else None


def _work(turn: Turn) -> Claim:
    """Return which files the turn changed, or what else its tools did."""
    bullet = actions.work_bullet(turn.calls, TEXT_LIMIT)
    return Claim(bullet, 0, frozenset(), bullet.citations[0].number)


def _is_clear(passage: Passage, *, concluded: bool) -> bool:
    """Return whether a sentence is a result; of a turn that was cut off, only what is worded as one."""
    if concluded:
        return passage.score >= _OUTCOME_AT_LEAST
    is_finding = passage.score >= _FINDING_AT_LEAST and passage.cue >= _FINDING_CUE
    return is_finding or passage.score >= _STRONG_FINDING


def _told(passage: Passage) -> Claim:
    bullet = DraftBullet(shorten(result_text(passage.text), TEXT_LIMIT), (passage.citation,))
    return Claim(bullet, passage.score, passage.keys, passage.item.number)


def _extras(story: Story) -> list[Claim]:
    """Return further conclusions and commits of the turn, at most a few of one answer."""
    found, of_answer = _commits(story.turn), dict.fromkeys(story.turn.answers, 0)
    for passage in story.outcomes:
        wanted = passage.score >= _EXTRA_AT_LEAST and passage.cue >= _EXTRA_CUE
        wanted = wanted and len(passage.keys - GENERIC_KEYS) >= _EXTRA_KEYS
        wanted = wanted and len(passage.text) >= _EXTRA_CHARACTERS
        if wanted and of_answer[passage.item] < _EXTRAS_OF_ANSWER:
            of_answer[passage.item] += 1
            found.append(_told(passage))
    return found


def _commits(turn: Turn) -> list[Claim]:
    spans = ((item, actions.commit_span(item)) for item in turn.calls[-MOST_CALLS:])
    return [_commit(item, span) for item, span in spans if span]


def _commit(item: Item, span: tuple[int, int]) -> Claim:
    subject = plain(item.text[span[0] : span[1]])
    text = shorten(f"Committed: {subject}", TEXT_LIMIT)
    bullet = DraftBullet(text, (actions.clipped(item, *span),))
    return Claim(bullet, _COMMIT_SCORE, frozenset(keys(subject)), item.number)


def _fallback(items: tuple[Item, ...]) -> Claim:
    """Return a claim of the least weak thing that was said."""
    visible = [item for item in items if item.text.strip()]
    best = min(visible, key=lambda item: _rank(item.kind))
    text = plain(best.text[:HEAD_CHARACTERS]) or f"A {best.kind.replace('_', ' ')} without words"
    bullet = DraftBullet(shorten(text, TEXT_LIMIT), (first_words(best),))
    return Claim(bullet, 0, frozenset(keys(text)), best.number)


def _rank(kind: str) -> int:
    return FALLBACKS.index(kind) if kind in FALLBACKS else len(FALLBACKS)


@dataclass(frozen=True, slots=True)
class Theme:
    """What a segment may be called after."""

    score: int
    text: str
    keys: frozenset[str]


def _title(stories: list[Story], claims: list[Claim]) -> str:
    """Return the weightiest theme, and a second one where it weighs nearly as much and there is room."""
    themes = [*_asked(stories), *map(_deed, claims)]
    themes.sort(key=lambda theme: -theme.score)
    first = themes[0]
    title = topic(first.text, TITLE_LIMIT) or shorten(first.text, TITLE_LIMIT)
    room = TITLE_LIMIT - len(title) - len(SEPARATOR)
    for other in themes[1:4] if room >= _SECOND_AT_LEAST else []:
        second = topic(other.text, room)
        weighs = other.score >= max(first.score - _NEARLY, _COMMIT_THEME)
        if weighs and overlap(first.keys, other.keys) < _SAME_PERCENT and is_whole(second):
            return f"{title}{SEPARATOR}{second}"
    return title


def _asked(stories: list[Story]) -> Iterator[Theme]:
    """Yield the subjects of commits, and requests: first of all the one that opens the segment."""
    opening = next((story for story in stories if story.ask), None)
    for story in stories:
        if story.ask:
            said = frozenset(keys(topic(story.ask.text, TITLE_LIMIT)))
            score = _ASK_THEME + story.weight + _OPENING_THEME * (story is opening)
            score -= _ROUTINE_LOSS * is_routine(said)
            score -= _POINTS_BACK_LOSS * points_back(story.ask.text, story.ask.keys)
            yield Theme(score, story.ask.text, story.ask.keys)
        for claim in _commits(story.turn):
            yield Theme(_COMMIT_THEME, claim.bullet.text.partition(": ")[2], claim.keys)


def _deed(claim: Claim) -> Theme:
    """Return a claim as a theme: weak, unless it begins with what was done."""
    text = claim.bullet.text.partition(ARROW)[2] or claim.bullet.text
    score = _DEED_THEME * tells_deed(text) + min(claim.score, 8)
    shown = topic(text, TITLE_LIMIT)
    score -= _POINTS_BACK_LOSS * points_back(shown, frozenset(keys(shown)))
    return Theme(score, text, claim.keys)
