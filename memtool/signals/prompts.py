"""What a person says: asks, decisions, plans. Also what they answered, rejected and approved outside prompts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from memtool.model import actions as act
from memtool.model.records import EXCERPT_CHARACTERS, Event
from memtool.model.threads import Kind, Proof, Signal
from memtool.model.words import content_words
from memtool.signals import answers, choices, cues
from memtool.signals.text import (
    MOST_WORDS,
    Piece,
    capitalised,
    clause,
    clean,
    code_share,
    is_made_of,
    is_whole,
    one_line,
    pieces_of,
    without,
    without_path,
)

Answer = tuple[Event, list[Piece]]
MOST_RULING_WORDS = 30
_ROUTINE = cues.words("routine")
_WISH = cues.start("wish")
_INTERJECTIONS = cues.start("interjections")
_RULING = cues.start("ruling")
_VERBS = cues.words("verbs")
PROCESS = frozenset(word for each in cues.words("process") for word in content_words(each))
_POINTING = cues.words("pointing")
_VAGUE = PROCESS | {word for each in cues.words("vague") for word in content_words(each)}
_WORD = re.compile(r"[^\W_]+")
# "Address 1 first", "investigate 3 and 7": a number of a list that is not told.
_NUMBERED = re.compile(r"^\w+ #?\d{1,2}\b(?! \w+s\b)")
FEWEST_TOLD = 4
FEWEST_ASKED = 3
"""A request of fewer words ("find the queries") needs the sentence that it is about."""
_PLAN = re.compile(
    r"\s*(?:please\s+)?(?:implement|execute|follow|carry out|do|build)\s+(?:the|"
    r"this)\s+(?:following\s+|attached\s+)?plan\b[^\n:]*:\s*\n",
    re.IGNORECASE,
)
_PLAN_WORD = re.compile(
    r"^(?:implementation\s+)?plan\s*[:–—-]\s*|^(?:feat|feature)\s+plan\s*[:–—-]\s*|"
    r"\s*[-–—:]?\s*\b(?:implementation )?plan$",
    re.IGNORECASE,
)
_STEP = re.compile(r"^(?:step|task|phase|part)\s+\w+\s*[:.–—-]\s*|^\d+[.)]\s*", re.IGNORECASE)
_GOAL = re.compile(
    r"^(?:goal|overview|summary|context|problem|motivation|background|objective)\b", re.IGNORECASE
)
_FINDINGS = re.compile(r"(?:issues|findings|problems|observations|review|results)\b", re.IGNORECASE)
"""A section of a plan whose numbered headings are no steps."""
_PROCESS_QUESTION = re.compile(
    r"\b(?:what would you like|like to do next|how (?:should|would you like) (?:i|me|we) (?:to "
    r")?proceed|next step|ready to|shall i|should i (?:proceed|continue|start))\b",
    re.IGNORECASE,
)
_SLASH = re.compile(r"^/[\w:-]+\s*")
_RECOMMENDED = re.compile(r"\s*\((?:recommended|empfohlen)\)", re.IGNORECASE)
_YES = re.compile(
    r"^(?:yes|yep|yeah|ja|sure|please do|do it|go ahead|yes please|sounds "
    r"good)\b[\s,.!]*(?:please|do it|go ahead|do that)?[\s.!]*$",
    re.IGNORECASE,
)
_OR = re.compile(r"\bor\b|\boder\b", re.IGNORECASE)
MOST_STEPS = 8
MOST_LABEL = 12
"""Of a longer option only its label is told: the next clause may be the reason, not what is done."""
MOST_CHOICE_WORDS = 8
"""A choice with fewer words asks for nothing more."""
FEWEST_SUBJECT = 2
LONGEST_OPTION = 40
MOST_CODE_ASKED = 0.5


def signals_of(
    event: Event,
    said: Sequence[act.AnyAction],
    answer: Answer | None,
    calls: Mapping[str, Event],
) -> list[Signal]:
    """Return the signals of one event of a person; `answer` is the last one of the agent before it."""
    outside = [a for a in said if isinstance(a, (act.Question, act.Rejection, act.Plan))]
    if outside:
        return [signal for action in outside for signal in _outside(event, action, calls)]
    if _PLAN.match(event.text):
        return list(_plan(event))
    text = event.text.strip()
    if not text:
        return []
    pieces = list(_typed(pieces_of(event.text), event.text))
    found = list(_chosen(event, answer))
    is_only_choice = found and len(content_words(text)) < MOST_CHOICE_WORDS
    rulings = [] if found else list(_rulings(event, pieces, answer))
    taken = {(signal.proofs[0].start, signal.proofs[0].end) for signal in rulings}
    asks = [] if is_only_choice else list(_asks(event, pieces, answer, taken))
    return found + rulings + asks


def proof(event: Event, start: int, end: int) -> Proof:
    """Return the proof by a span of an event's text, at most as long as an excerpt may be."""
    end = min(end, start + EXCERPT_CHARACTERS, len(event.text))
    return Proof(event.id, start, end, event.text[start:end])


def _signal(
    kind: Kind, text: str, event: Event, *proofs: Proof, state: str = "", rank: int = 0
) -> Signal:
    return Signal(kind, one_line(text), event.time_us, proofs, state, rank=rank)


# --- outside prompts


def _outside(event: Event, action: act.AnyAction, calls: Mapping[str, Event]) -> Iterator[Signal]:
    whole = proof(event, 0, len(event.text))
    call = calls.get(event.metadata.get("tool_use_id", ""))
    if isinstance(action, act.Question):
        for asked in action.asked:
            yield from _answered(event, asked)
    elif isinstance(action, act.Plan):
        heading = plan_heading(action.heading)
        if action.verdict in {"approved", "changed"}:
            proofs = (proof(call, 0, len(call.text)), whole) if call else (whole,)
            if heading:
                yield _signal("plan", heading, event, *proofs)
            yield from _steps(event, action.steps, call or event)
        if action.verdict != "approved":
            yield from _rejected(event, f"plan “{heading}”" if heading else "a plan", call)
    elif isinstance(action, act.Rejection):
        yield from _rejected(event, _subject(action.subject, call), call)


def _steps(event: Event, steps: Sequence[str], said: Event) -> Iterator[Signal]:
    """Yield the steps of a plan that the event which said them still holds."""
    rank = 0
    for step in steps:
        text, where = clean(_STEP.sub("", step)), said.text.find(step)
        if where >= 0 and text and rank < MOST_STEPS:
            rank += 1
            held = proof(said, where, where + len(step))
            yield _signal("plan", text, event, held, state="step", rank=rank)


def _answered(event: Event, asked: act.Asked) -> Iterator[Signal]:
    answer = _RECOMMENDED.sub("", asked.answer).strip()
    start = event.text.find(asked.question)
    answered = max(0, start) + len(asked.question)
    end = event.text.find(asked.answer, answered) + len(asked.answer)
    whole = proof(event, max(0, start), end if end > start else len(event.text))
    is_option = asked.answer in asked.options
    if _PROCESS_QUESTION.search(asked.question):
        if not is_option and is_whole(text := clause(answer)):
            yield _signal("decision", capitalised(text), event, whole, state="ruling")
        return
    question = asked.question.strip()
    short = clause(answer) or (clause(answer, LONGEST_OPTION) if is_option else "")
    if short:
        yield _signal("decision", f"{question} → {short}", event, whole, state="answer")


def _rejected(event: Event, subject: str, call: Event | None) -> Iterator[Signal]:
    pieces = pieces_of(event.text)
    rulings = [piece for piece in _first_paragraph(pieces) if _is_ruling(piece)]
    for piece in rulings[:2]:
        text = clause(piece.text)
        if is_whole(text) and len(content_words(text) - PROCESS) >= FEWEST_SUBJECT:
            about = f" (rejected: {subject})" if subject else ""
            proofs = [proof(event, piece.start, piece.end)]
            if call is not None and about:
                proofs.append(proof(call, 0, len(call.text)))
            text = capitalised(text) + about
            yield _signal("decision", text, event, *proofs, state="rejection")
            return
    yield from _asks(event, pieces, None, set())


def _subject(subject: str, call: Event | None) -> str:
    """Return the name of the file that was rejected; "" where it was a command."""
    path = subject or (call.metadata.get("path", "") if call else "")
    name = path.rsplit("/", 1)[-1]
    return "" if " " in name else name


# --- plans


def plan_heading(text: str) -> str:
    """Return a plan's heading without the word "plan"."""
    bare = _PLAN_WORD.sub(
        "", _PLAN_WORD.sub("", text.strip("# ").strip(), count=1), count=1
    ).strip()
    return bare if len(content_words(bare)) >= FEWEST_SUBJECT else ""


def _plan(event: Event) -> Iterator[Signal]:
    begin = _PLAN.match(event.text)
    assert begin is not None
    pieces = [piece for piece in pieces_of(event.text) if piece.start >= begin.end()]
    heading = next((piece for piece in pieces if piece.kind == "heading"), None)
    if heading is not None and (text := plan_heading(heading.text)):
        yield _signal("plan", text, event, proof(event, heading.start, heading.end))
    section, told, steps = "", False, 0
    for piece in pieces:
        if piece.kind == "heading":
            is_step = bool(_STEP.match(piece.text))
            section = section if is_step else piece.text
            step = without_path(_STEP.sub("", piece.text))
            is_told = is_step and is_whole(step) and not _FINDINGS.match(section)
            if is_told and steps < MOST_STEPS:
                steps += 1
                yield _signal(
                    "plan",
                    step,
                    event,
                    proof(event, piece.start, piece.end),
                    state="step",
                    rank=steps,
                )
        elif not told and piece.kind == "sentence" and _GOAL.match(section):
            text = clause(piece.text)
            if is_whole(text, MOST_CODE_ASKED):
                told = True
                yield _signal(
                    "ask", text, event, proof(event, piece.start, piece.end), state="goal"
                )


# --- choices and rulings


def _chosen(event: Event, answer: Answer | None) -> Iterator[Signal]:
    if answer is None:
        return
    asked, pieces = answer
    for option in choices.chosen(event.text, pieces):
        is_long = len(option.text.split()) > MOST_WORDS
        text = _RECOMMENDED.sub("", clause(option.text, MOST_LABEL if is_long else MOST_WORDS))
        if text and len(content_words(text)) >= 1:
            first = event.text.strip().split("\n", 1)[0]
            yield _signal(
                "decision",
                capitalised(text),
                event,
                proof(asked, option.start, option.end),
                proof(event, event.text.find(first), event.text.find(first) + len(first)),
                state="choice",
            )
    for question, start, end in choices.replies(event.text, pieces):
        reply = clause(event.text[start:end])
        if reply and not is_made_of(reply, _ROUTINE):
            yield _signal(
                "decision",
                f"{question.text} → {reply}",
                event,
                proof(asked, question.start, question.end),
                proof(event, start, end),
                state="answer",
            )


def _rulings(event: Event, pieces: Sequence[Piece], answer: Answer | None) -> Iterator[Signal]:
    for piece in _first_paragraph(pieces) if answer else ():
        if not _is_ruling(piece):
            continue
        text = clause(without(_INTERJECTIONS, piece.text))
        words = content_words(text)
        if (
            len(words - PROCESS) < FEWEST_TOLD - 1
            or is_made_of(text, _ROUTINE)
            or not is_whole(text)
        ):
            continue
        if not stands_alone(text, FEWEST_TOLD - 1):
            continue
        proofs = [proof(event, piece.start, piece.end)]
        yield _signal("decision", capitalised(text), event, *proofs, state="ruling")


def _is_ruling(piece: Piece) -> bool:
    return bool(
        piece.kind == "sentence"
        and _RULING.match(piece.text)
        and not piece.text.endswith("?")
        and len(piece.text.split()) <= MOST_RULING_WORDS
    )


def _first_paragraph(pieces: Sequence[Piece]) -> list[Piece]:
    """Return the pieces of a prompt's own first paragraph: no pasted, quoted or code text."""
    own = [piece for piece in pieces if piece.kind in {"sentence", "item"}]
    return [piece for piece in own if piece.paragraph == own[0].paragraph] if own else []


# --- asks


def _typed(pieces: Sequence[Piece], text: str) -> Iterator[Piece]:
    """Yield the pieces that are no output of a program: not those after such a line, up to the next paragraph."""
    paragraph = -1
    for piece in pieces:
        if _REVIEW.match(piece.text):
            return
        line = text[text.rfind("\n", 0, piece.start) + 1 : piece.end]
        is_indented = paragraph >= 0 and line[:2].isspace()
        if _PASTED.search(piece.text) or _OUTPUT.match(line):
            paragraph = piece.paragraph
        elif piece.paragraph != paragraph and not is_indented:
            paragraph = -1
            yield piece


def wanted(text: str) -> str:
    """Return a ruling as an act: without what stands before it."""
    return capitalised(without(_ADVERB, without(_WISH, text)))


_ADVERB = re.compile(
    r"^(?:thinking again:? (?:let's )?)?(?:completely|simply|just|also|only|instead,?)?\s*",
    re.IGNORECASE,
)


def points(text: str) -> bool:
    """Return whether a text points at something that it does not name."""
    return any(word.lower() in _POINTING for word in _WORD.findall(text))


def stands_alone(text: str, fewest: int = FEWEST_TOLD, least: int = FEWEST_SUBJECT) -> bool:
    """Return whether a text says something to a reader who sees nothing else.

    It needs `least` words that name its subject, `fewest` where it points at something.
    """
    subject = content_words(text) - _VAGUE
    enough = len(subject) >= (fewest if points(text) else least)
    return enough and not _NUMBERED.match(wanted(text))


class _Wanted(NamedTuple):
    piece: Piece
    text: str
    is_request: bool
    words: frozenset[str]


def _asks(
    event: Event,
    pieces: Sequence[Piece],
    answer: Answer | None,
    taken: set[tuple[int, int]],
) -> Iterator[Signal]:
    wanted = [
        each
        for piece in pieces
        if piece.kind in {"sentence", "item"} and (piece.start, piece.end) not in taken
        for each in _wanted(piece)
    ][:12]
    if not wanted:
        yield from _accepted(event, answer)
        return
    standing = [each for each in wanted if stands_alone(each.text)]
    state = "" if standing else "aside"
    sentences = [each for each in standing if each.piece.kind == "sentence"]
    wanted = sentences or standing or wanted
    request = next((w for w in wanted if w.is_request and len(w.words) >= FEWEST_ASKED), wanted[0])
    fullest = max(wanted, key=lambda each: (min(len(each.words), 14), -each.piece.start))
    yield _signal(
        "ask",
        request.text,
        event,
        proof(event, request.piece.start, request.piece.end),
        state=state,
    )
    if fullest is not request and len(fullest.words) > len(request.words):
        start, end = fullest.piece.start, fullest.piece.end
        yield _signal("ask", fullest.text, event, proof(event, start, end), state=state, rank=1)


def _wanted(piece: Piece) -> Iterator[_Wanted]:
    text = without(_SLASH, piece.text)
    if choices.is_reply(text):
        return
    wish = _WISH.match(text)
    lead = text[: wish.end()] if wish else ""
    bare = without_path(text[len(lead) :]).strip()
    if (
        _ABOUT_ME.match(bare)
        or is_made_of(bare, _ROUTINE)
        or is_made_of(text, _ROUTINE)
        or code_share(bare) > MOST_CODE_ASKED
    ):
        return
    is_imperative = bare.split(" ", 1)[0].lower().strip(",.") in _VERBS
    is_wish = bool(_REQUESTS.search(lead))
    if is_wish and not is_imperative:
        bare = without(_INTERJECTIONS, text)
    short = clause(bare)
    if text.endswith("?") and is_imperative:
        short = short.rstrip("? ")
    is_clipped = bool(_FRAGMENT.match(short)) and "," not in short
    ended = f"{short}." if text.endswith(f"{short}.") else short
    if not is_whole(ended, MOST_CODE_ASKED) or is_clipped:
        return
    yield _Wanted(piece, capitalised(short), is_imperative or is_wish, content_words(short))


_FRAGMENT = re.compile(
    r"(?:with|from|in|on|at|since|because|if|when)\b(?:\s+\S+){1,12}$", re.IGNORECASE
)
_CORRECTION = cues.start("correction")


def corrects(text: str) -> bool:
    """Return whether a prompt says that what was said or done before it is wrong."""
    bare = text.strip()
    return bool(_CORRECTION.match(bare) or _CORRECTION.match(without(_INTERJECTIONS, bare)))


_ABOUT_ME = re.compile(
    r"(?:i(?:'ll| will|'ve| have|'m going to| am going to| was able| did| wonder| mean)|"
    r"i(?:'m| am) (?:not|wondering|questioning|thinking) |i (?:should|could|would) have|"
    r"you (?:also )?said|done|never ?mind|thanks|thank you)\b",
    re.IGNORECASE,
)
_PASTED = re.compile(
    r"[│]|^\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d|\(\d+\.\d+s\)|^[A-Z]{4,}:|\boutput: "
    r"|[\[(]y/n[\])]|^\S+ ?= ?\S|^[A-Z][\w -]{2,30}: [\d\[]|\b[0-9a-f]{12}\b|\.\w{1,4}:\d+: "
    r"|={3}|^[0-9a-f]{7,40}\s|^\[[^\]]+\] ?[$>]|^(?:Error Trace|Error|Messages|Expected|Actual)\s*:"
)
"""Signs that a line is a program's output."""
_OUTPUT = re.compile(r"\s*[•⎿⏺\u276f]")
_REVIEW = re.compile(r"(?:critical|high|medium|low|major|minor) severity\W*$", re.IGNORECASE)
"""What follows the title of a comment that a reviewing program made."""
_REQUESTS = re.compile(
    r"\b(?:can|could|would|should|want|need|like|let|lets|please|make sure|must|have to|möchte|"
    r"kannst|bitte)\b|let's",
    re.IGNORECASE,
)


def _accepted(event: Event, answer: Answer | None) -> Iterator[Signal]:
    """An offer that was accepted by a bare yes is what was asked for."""
    if answer is None or not _YES.match(event.text.strip()):
        return
    question = answers.closing_question(answer[1])
    if question is None or question.kind != "sentence" or _OR.search(question.text):
        return
    bare = _OFFERED.sub("", question.text).rstrip("? ")
    text = clause(bare)
    if (
        bare != question.text.rstrip("? ")
        and len(content_words(text)) >= FEWEST_SUBJECT
        and is_whole(text)
    ):
        yield _signal(
            "ask",
            capitalised(text),
            event,
            proof(answer[0], question.start, question.end),
            proof(event, 0, len(event.text)),
            state="offer",
        )


_OFFERED = re.compile(
    r"^(?:.{0,40}?\b)?(?:want me to|would you like me to|shall i|should i|do you want me to|soll "
    r"ich)\s+(?:go ahead and\s+|also\s+)?",
    re.IGNORECASE,
)
