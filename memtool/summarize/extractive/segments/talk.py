"""The draft of a talk between people: what each told that one may ask for later, in their own sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from memtool.model.records import EXCERPT_CHARACTERS
from memtool.model.summary import Citation, Draft, DraftBullet
from memtool.summarize.extractive.phrases import SEPARATOR, points_back, result_text, topic
from memtool.summarize.extractive.segments.salience import Line, Told, told_by
from memtool.summarize.extractive.segments.speakers import Message
from memtool.summarize.text.keywords import Terms
from memtool.summarize.text.plain import plain, shorten
from memtool.summarize.text.words import PLAIN, key, overlap, specificity, words

WORDS_A_BULLET = 28
"""On average: a message that tells more may take what others leave. At 24 to 32 ROUGE-1 is the same within .003."""
TEXT_LIMIT = 320
TITLE_LIMIT = 60
_REPEATED = 1
"""Points that a message loses for each percent of its words that a chosen one holds already."""
_FEWEST_KEYS = 2
"""A sentence that is added has more words of content than this: thanks to someone by name tell nothing."""
_SPOKEN_WEIGHT, _CHOSEN_WEIGHT = 8, 24


@dataclass(slots=True)
class _Pick:
    """A message that is told, and the sentences that tell it, by their place in it."""

    told: Told
    lines: list[int]


def summarize_talk(messages: Sequence[Message], max_bullets: int) -> Draft:
    """Return a draft in which every bullet is what one message says, and cites it alone."""
    told = told_by(messages)
    picks = [_Pick(one, [_best(one)]) for one in _chosen(told, max_bullets)]
    _fill(picks, WORDS_A_BULLET * max_bullets)
    bullets = _bullets(picks, WORDS_A_BULLET * max_bullets)
    terms = _terms(told, picks)
    return Draft(_title(picks, terms.best(_SUBJECTS)), bullets, terms.best())


def _chosen(told: list[Told], most: int) -> list[Told]:
    """Return the messages that tell most, none that says what another says already, in order of time."""
    left = [one for one in told if any(line.keys for line in one.lines)] or told[:1]
    said = {id(one): frozenset(name for line in one.lines for name in line.keys) for one in left}
    loss = dict.fromkeys(said, 0)
    kept: list[Told] = []
    while left and len(kept) < most:
        best = max(left, key=lambda one: one.score - loss[id(one)])
        left.remove(best)
        kept.append(best)
        for one in left:
            repeated = _REPEATED * overlap(said[id(one)], said[id(best)])
            loss[id(one)] = max(loss[id(one)], repeated)
    return sorted(kept, key=lambda one: one.message.item.number)


def _best(told: Told) -> int:
    """Return the place of the sentence that says most for its length."""
    places = range(len(told.lines))
    return max(places, key=lambda at: _density(told.lines[at]))


def _density(line: Line) -> int:
    return 100 * len(set(line.keys)) // (line.count + _SLOW_START) - _QUESTION_LOSS * line.asks


_SLOW_START, _QUESTION_LOSS = 8, 100


def _fill(picks: list[_Pick], budget: int) -> None:
    """Add the densest other statements of the chosen messages, as long as there are words left."""
    left = budget - sum(pick.told.lines[pick.lines[0]].count + _named(pick) for pick in picks)
    others = [
        (pick, at)
        for pick in picks
        for at, line in enumerate(pick.told.lines)
        if at not in pick.lines and not line.asks and len(line.keys) > _FEWEST_KEYS
    ]
    for pick, at in sorted(others, key=lambda pair: -_density(pair[0].told.lines[pair[1]])):
        lines = [pick.told.lines[place] for place in (*pick.lines, at)]
        characters = max(line.end for line in lines) - min(line.start for line in lines)
        if lines[-1].count <= left and characters <= TEXT_LIMIT:
            pick.lines.append(at)
            left -= lines[-1].count


def _named(pick: _Pick) -> int:
    return len(pick.told.message.speaker.split())


def _bullets(picks: list[_Pick], budget: int) -> tuple[DraftBullet, ...]:
    """Return the bullets; where single sentences are too many words together, the longest are cut."""
    texts = [_text(pick) for pick in picks]
    most = max(len(text.split()) for text in texts)
    while sum(min(len(text.split()), most) for text in texts) > budget:
        most -= 1
    return tuple(
        DraftBullet(_cut(text, most), (_citation(pick),))
        for pick, text in zip(picks, texts, strict=True)
    )


def _text(pick: _Pick) -> str:
    message = pick.told.message
    lines = (pick.told.lines[at] for at in sorted(pick.lines))
    said = plain(" ".join(message.item.text[line.start : line.end] for line in lines)) or "…"
    return f"{message.speaker}: {said}" if message.speaker else said


def _cut(text: str, most: int) -> str:
    split = text.split(" ")
    kept = " ".join(split[:most])
    return shorten(kept if len(split) <= most else f"{kept} …", TEXT_LIMIT)


def _citation(pick: _Pick) -> Citation:
    lines = [pick.told.lines[at] for at in pick.lines]
    start = min(line.start for line in lines)
    end = min(max(line.end for line in lines), start + EXCERPT_CHARACTERS)
    return Citation(pick.told.message.item.number, start, end)


def _terms(told: Sequence[Told], picks: list[_Pick]) -> Terms:
    """Return the words that are told, without the speakers' names; those of the bullets count twice more."""
    names = {name for one in told for name in one.message.speaker.lower().split()}
    terms = Terms()
    for weight, lines in (
        (_SPOKEN_WEIGHT, [(one, line) for one in told for line in one.lines]),
        (_CHOSEN_WEIGHT, [(one.told, one.told.lines[at]) for one in picks for at in one.lines]),
    ):
        for one, line in lines:
            said = words(one.message.item.text[line.start : line.end])
            telling = (word for word in said if specificity(word) >= PLAIN)
            terms.add((word for word in telling if word.lower() not in names), weight)
    return terms


def _title(picks: list[_Pick], subjects: Sequence[str]) -> str:
    """Return the sentences that name most of what the talk is about, one of each message, as far as there is room."""
    wanted = frozenset(map(key, subjects))
    themes = sorted((one for pick in picks for one in _themes(pick, wanted)), key=_worth)
    title = topic(themes[0].text, TITLE_LIMIT)
    for other in themes[1:]:
        room = TITLE_LIMIT - len(title) - len(SEPARATOR)
        fits = _WHOLE_FROM <= len(other.text) <= room and other.subjects >= _FEWEST_KEYS
        if fits and other.number != themes[0].number:
            return f"{title}{SEPARATOR}{other.text}"
    return title


@dataclass(frozen=True, slots=True)
class _Theme:
    """A sentence as a title: how many of the talk's subjects it names, and what it is worth."""

    text: str
    number: int
    subjects: int
    worth: int


def _worth(theme: _Theme) -> int:
    return -theme.worth


def _themes(pick: _Pick, wanted: frozenset[str]) -> Iterator[_Theme]:
    message = pick.told.message
    for at in pick.lines:
        line = pick.told.lines[at]
        text = result_text(message.item.text[line.start : line.end]).rstrip(" .-–") or "…"
        text = f"{message.speaker}: {text}" if message.speaker else text
        found = len(wanted.intersection(line.keys))
        worth = _SUBJECT * found - _CUT * (len(text) > TITLE_LIMIT)
        worth -= _POINTS_BACK * points_back(text, frozenset(line.keys))
        worth += pick.told.score // _TITLE_SCORE
        yield _Theme(text, message.item.number, found, worth)


_WHOLE_FROM = 14
_SUBJECT, _TITLE_SCORE, _CUT, _POINTS_BACK = 12, 10, 15, 30
"""Points as a title: whole sentences that are understood alone, of messages that tell much."""
_SUBJECTS = 16
