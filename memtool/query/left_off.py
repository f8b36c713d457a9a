"""Where a person left off: the last thing asked, how it ended, what is not committed, and what the agent named next."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from msgspec import Struct, field

from memtool.agents.registry import resume_of
from memtool.model.records import FIRST_INSTANT_US, Event
from memtool.model.segmenting import in_order
from memtool.model.threads import TRUNKS, Signal, Turn, turns_in
from memtool.model.words import content_words
from memtool.query.names import ShortNames
from memtool.signals.text import Piece, one_line, pieces_of
from memtool.store.store import Store

MOST_BACK = 20_000
"""The last prompt is looked for among so many events, and its session is read so far back."""
_MOST_TEXT = 150
_FEWEST_WORDS = 4
_ASKS = ("ask", "decision")
_RESULTS = ("result", "found")
_NEXT = re.compile(
    r"^(?:(?:recommended |suggested |possible |remaining )?(?:next|remaining) (?:steps?|tasks?|work)"
    r"|what(?:'s| is) (?:next|left)|to-?dos?|still to do|nächste schritte)\b",
    re.IGNORECASE,
)
_NEXT_SENTENCE = re.compile(
    r"^(?:next(?: up)?[,:]|the next step is|next step:|remaining:|still to do:)\s*", re.IGNORECASE
)


# What no repository holds: plans of agents, scratch files.
_ELSEWHERE = re.compile(r"^(?:/|~).*/\.[^/]+/|^/(?:private/)?(?:tmp|var)/")


class LeftOff(Struct, frozen=True):
    """The last session that a person typed in. `files` were edited since its last commit; `next` is the agent's word.

    `is_answered` is false if the agent was at work when the session was seen last, or was interrupted.
    """

    session: str
    agent: str
    project: str
    branch: str
    time_us: int
    asked: str
    ended: str
    is_answered: bool
    files: tuple[str, ...]
    next: str
    resume: str
    short_session: str = field(name="_short_session", default="")


def left_off(store: Store, now_us: int) -> LeftOff | None:
    """Return where the person left off; None if no prompt is found."""
    last = next(_prompts(store, now_us), None)
    bounds = store.session(last.session) if last is not None else None
    if last is None or bounds is None:
        return None
    held = [
        event
        for event in islice(store.events_back(bounds.first_us, now_us + 1), MOST_BACK)
        if event.session == last.session and not event.rewound
    ]
    turns = _turns(store, last, held)
    ending = [event for event in in_order(held) if event.time_us >= last.time_us]
    answer = next((event for event in reversed(ending) if _is_answer(event)), None)
    signals = [signal for turn in turns for signal in turn.signals]
    return LeftOff(
        last.session,
        last.agent,
        last.project,
        turns[-1].branch if turns and turns[-1].branch not in TRUNKS else "",
        held[0].time_us,
        _asked(signals, last),
        _ended(turns, last, answer),
        answer is not None,
        tuple(_uncommitted(turns)),
        _next(signals, answer),
        resume_of(last.agent, last.session),
        ShortNames(store).session(last.session),
    )


def _turns(store: Store, last: Event, held: Sequence[Event]) -> Sequence[Turn]:
    """Return the turns of the session: from its segments' nodes, or from its events where these are not up to date."""
    days = sorted({store.calendar.day_of(event.time_us) for event in held})
    cuts = [cut for day in days for cut in store.cuts(day) if cut.session == last.session]
    nodes = [store.node(cut.id) for cut in cuts]
    known = {event_id for cut in cuts for event_id in cut.events}
    stored = [turn for node in nodes if node is not None for turn in turns_in(node.body)]
    if stored and known >= {event.id for event in held}:
        return stored
    from memtool.signals.turns import turns_of  # these tables are large, and mostly not needed

    return turns_of(in_order(held), last.project)


def _prompts(store: Store, now_us: int) -> Iterator[Event]:
    """Yield what was typed, the newest first."""
    for event in islice(store.events_back(FIRST_INSTANT_US, now_us + 1), MOST_BACK):
        if event.kind == "prompt" and _is_main(event):
            yield event


def _is_main(event: Event) -> bool:
    return not event.rewound and not event.metadata.get("sidechain")


def _is_answer(event: Event) -> bool:
    return event.kind == "answer" and _is_main(event)


def _asked(signals: Sequence[Signal], last: Event) -> str:
    """Return the last thing that was asked for: not a "yes" or "go on"; if there is nothing else, what was typed."""
    told = [signal for signal in signals if signal.kind in _ASKS and not signal.rank]
    told = [signal for signal in told if signal.state not in ("aside", "choice")] or told
    is_told = bool(told) and told[-1].time_us >= last.time_us
    typed = one_line(last.text.strip().partition("\n")[0])
    if not told or (not is_told and len(typed.split()) > _FEWEST_WORDS):
        return _short(typed)
    return _short(told[-1].text)


def _ended(turns: Sequence[Turn], last: Event, answer: Event | None) -> str:
    """Return what the last answer came to; its own beginning where no statement of it is a result."""
    told = [
        signal
        for turn in turns
        for signal in turn.signals
        if signal.kind in _RESULTS
        and not signal.rank
        and signal.time_us >= last.time_us
        and not signal.text.endswith(":")
    ]
    if told:
        return _short(told[-1].text)
    pieces = pieces_of(answer.text) if answer is not None else []
    said = [piece.text for piece in pieces if piece.kind in ("sentence", "item", "heading")]
    whole = [text for text in said if not text.endswith(":")] or said
    telling = (text for text in whole if len(content_words(text)) >= _FEWEST_WORDS)
    return _short(next(telling, whole[0] if whole else ""))


def _uncommitted(turns: Sequence[Turn]) -> Iterator[str]:
    """Yield the files that were edited after the last commit of the session, the latest first."""
    commits = [s.time_us for turn in turns for s in turn.signals if s.kind == "commit"]
    since_us = max(commits, default=0)
    latest: dict[str, int] = {}
    for turn in turns:
        for path, _, time_us in turn.edits:
            if time_us > since_us and not _ELSEWHERE.search(path):
                latest[path] = max(time_us, latest.get(path, 0))
    yield from sorted(latest, key=lambda path: (-latest[path], path))


def _next(signals: Sequence[Signal], answer: Event | None) -> str:
    """Return the next step that the agent named: in words, in its to-do list, or as what it left open or asked."""
    pieces = pieces_of(answer.text) if answer is not None else []
    named = next(_named_next(pieces), "")
    if named:
        return _short(named)
    last: dict[str, Signal] = {signal.key: signal for signal in signals if signal.kind == "todo"}
    for state in ("started", "pending"):
        waiting = [signal.text for signal in last.values() if signal.state == state]
        if waiting:
            return _short(waiting[0])
    left = [s.text for s in signals if s.kind == "open" and answer and s.time_us >= answer.time_us]
    if left:
        return _short(left[0])
    asked = [
        s.text for s in signals if s.kind == "question" and answer and s.time_us >= answer.time_us
    ]
    return _short(asked[-1]) if asked else ""


def _named_next(pieces: Sequence[Piece]) -> Iterator[str]:
    """Yield what an answer calls the next step: after such words, or the items below such a heading."""
    is_next = False
    for piece in pieces:
        text = piece.text.strip()
        if match := _NEXT_SENTENCE.match(text):
            yield text[match.end() :]
        elif _NEXT.match(text) and (piece.kind == "heading" or text.endswith(":")):
            is_next = True
        elif is_next and piece.kind in ("item", "sentence"):
            yield text
        elif piece.kind == "heading":
            is_next = False


def _short(text: str) -> str:
    """Return a text on one line: whole sentences where they fit, else whole words."""
    line = one_line(text)
    if len(line) <= _MOST_TEXT:
        return line
    end = max(line.rfind(mark, 0, _MOST_TEXT) for mark in (". ", "? ", "! ", "; "))
    if end > _MOST_TEXT // 3:
        return line[: end + 1].rstrip(";")
    return f"{line[: line.rfind(' ', 0, _MOST_TEXT)]} …"
