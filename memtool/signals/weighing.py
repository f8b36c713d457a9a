"""What the signals of one thread and day weigh, which of them were taken back, and which name the thread."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from memtool.model.threads import PERSON_TITLE, Candidate, Kind, Point, Reference, Signal, Turn
from memtool.model.words import content_words, share
from memtool.signals import cues, prompts
from memtool.signals.text import BRACKETED, clause, prose
from memtool.signals.turns import UNNAMED

MOST_HEADLINE = 90
LONGEST_FULL = 8
"""A text with this many content words is as full as can be."""
REPLACED_SHARE = 0.4
MOST_SHARED = 0.6
"""A branch that shares more of its words with the best act stands alone."""
WHOLE_SHARE = 0.7
FEWEST_SUBJECT = 2
FEWEST_RESULT = 4
FEWEST_ACT = 3
LEAST_OF_BEST = 0.7
FIRST = 2.0
"""How much better what a session was begun with names it than what came later."""
LEAST_OF_ACT = 0.4
"""A branch that says what was done stands alone, unless the best act is so much more central."""
_VERBS = cues.words("verbs")
_SIDE = frozenset(content_words("test tests lint docs documentation readme comment comments todo"))
_SIDE_VERBS = cues.words("side_verbs")
_REVISION = cues.anywhere("revision")
_TAKES_BACK = re.compile(r"\b(?:revert|undo|scrap)\s+(?:that|it|this|these|those)\b", re.IGNORECASE)
_SYMPTOM = cues.anywhere("symptom")
DROPPED = cues.anywhere("dropped")
_TICKET = re.compile(r"\b([A-Za-z]{2,10}-\d{1,6})\b")

# What a point weighs before its words are looked at: as the lead of its text, and further down.
_WEIGHTS: dict[Kind, tuple[float, float]] = {
    "decision": (1.0, 1.0),
    "commit": (0.9, 0.9),
    "recap": (0.85, 0.7),
    "issue": (0.8, 0.8),
    "pull request": (0.8, 0.8),
    "open": (0.75, 0.75),
    "result": (0.7, 0.42),
    "found": (0.7, 0.42),
    "done": (0.62, 0.62),
    "plan": (0.6, 0.25),
    "ask": (0.55, 0.45),
    "test": (0.45, 0.45),
    "error": (0.4, 0.4),
    "subagent": (0.2, 0.2),
}
# Factors by the state of a signal.
_STATES = {"goal": 1.5, "aside": 0.0, "offer": 0.7, "ruling": 0.85}
_NOTE = 1.5
"""What each note by hand weighs: somebody wanted it kept."""
_HALF = 0.5
_SIDE_SHARE = 0.3
_QUESTION = 0.6
_UNANSWERED_SUBAGENT = 1.6
# What names a thread, the best first, after a title that the person gave.
PULL_REQUEST, PLAN, AGENT_TITLE, COMMIT, BRANCH, ACT, ASK, ISSUE = range(1, 9)
NAME, RESULT, QUESTION, SHORT_NAME, NOTE = range(9, 14)
"""NAME: the branch alone, where nothing says what was done on it."""


class Weighing:
    """The turns of one thread and day, with the counts of their words."""

    def __init__(self, turns: Sequence[Turn], branch: str) -> None:
        self.turns = turns
        self.branch = branch
        self.signals = [(turn, signal) for turn in turns for signal in turn.signals]
        self.is_work = any(turn.is_work for turn in turns)
        self.counts: Counter[str] = Counter()
        self.told: set[str] = set()
        """The words of edits, asks and results: what the work was about, apart from its to-dos."""
        for _, signal in self.signals:
            if signal.state == "aside" or signal.kind == "test":
                continue
            self.counts.update(content_words(signal.text))
            if signal.kind not in {"todo", "subagent", "question"}:
                self.told |= content_words(signal.text)
        for turn in turns:
            for path, _, _ in turn.edits:
                name = content_words(path.rsplit("/", 1)[-1].partition(".")[0])
                self.counts.update(name)
                self.told |= name
        self.most = math.log1p(max(self.counts.values(), default=1))
        self.replaced = {id(turn) for turn in self._replaced()}
        self.wrong = self.replaced | {id(turn) for turn in self._wrong()}
        self.recapped: dict[str, int] = {}
        for turn, signal in self.signals:
            if signal.kind == "recap":
                latest = max(signal.time_us, self.recapped.get(turn.session, 0))
                self.recapped[turn.session] = latest

    # --- what was taken back

    def _replaced(self) -> Iterator[Turn]:
        """Yield the turns whose ask a later prompt of the thread replaces."""
        for number, turn in enumerate(self.turns):
            for words in (content_words(s.text) for s in _said(turn) if _REVISION.search(s.text)):
                for earlier in self.turns[:number]:
                    asks = [s for s in earlier.signals if s.kind == "ask" and not s.rank]
                    if any(share(content_words(s.text), words) >= REPLACED_SHARE for s in asks):
                        yield earlier

    def _wrong(self) -> Iterator[Turn]:
        """Yield the turns whose results the next prompt of the session corrects or takes back."""
        before: dict[str, Turn] = {}
        for turn in self.turns:
            takes_back = turn.corrects or any(_TAKES_BACK.search(s.text) for s in _said(turn))
            if takes_back and turn.session in before:
                yield before[turn.session]
            before[turn.session] = turn

    # --- points

    def weight(self, kind: Kind, text: str, rank: int = 0) -> float:
        """Return what a text weighs: by its kind, by how central its words are, by how full it is."""
        subject = content_words(text) - prompts.PROCESS
        central = sum(math.log1p(self.counts[word]) for word in subject) / self.most
        fullness = min(len(subject), LONGEST_FULL) / LONGEST_FULL
        weight = 0.55 + 0.35 * central / max(1, len(subject)) + 0.3 * fullness
        if len(subject) < FEWEST_SUBJECT:
            weight *= 0.3
        elif len(subject) < FEWEST_RESULT and (
            kind in {"result", "found"} or (kind == "ask" and not _SYMPTOM.search(text))
        ):
            weight *= 0.65
        return round(_WEIGHTS[kind][min(rank, 1)] * weight, 4)

    def points(self) -> Iterator[Point]:
        """Yield the points that the signals make, apart from to-dos and open items."""
        tests = {signal.key: signal for _, signal in self.signals if signal.kind == "test"}
        for turn, signal in self.signals:
            if signal.kind == "note":
                yield Point("note", signal.text, signal.time_us, _NOTE, signal.proofs)
            if signal.kind not in _WEIGHTS or signal.kind == "open":
                continue
            factor = self._factor(turn, signal)
            text = signal.text
            if signal.kind == "test":
                factor = float(tests[signal.key] is signal and signal.state == "failed")
                text = f"last run failed: {text}"
            elif signal.kind in {"issue", "pull request"}:
                factor = float(signal.state in {"opened", "merged", "closed"})
                text = f"issue {signal.state}: {text}" if signal.kind == "issue" else text
            if factor:
                weight = self.weight(signal.kind, signal.text, signal.rank) * factor
                yield Point(signal.kind, text, signal.time_us, round(weight, 4), signal.proofs)

    def _factor(self, turn: Turn, signal: Signal) -> float:
        """Return what the weight of a signal is multiplied with; 0 where it is not told."""
        kind = signal.kind
        factor = _STATES.get(signal.state, 1.0)
        if kind == "ask":
            factor *= _QUESTION if signal.text.endswith("?") else 1.0
            return 0.0 if id(turn) in self.replaced else factor
        if kind not in {"result", "found", "subagent"}:
            return factor
        if id(turn) in self.wrong or (turn.asks_back and kind == "found"):
            return 0.0
        if kind == "found" and self.is_work:
            factor *= _HALF
        if kind == "subagent" and not any(s.kind in {"result", "found"} for s in turn.signals):
            factor *= _UNANSWERED_SUBAGENT
        if signal.time_us < self.recapped.get(turn.session, 0):
            factor *= _HALF
        return factor

    # --- to-dos

    def todos(self) -> Iterator[tuple[str, Signal]]:
        """Yield (session, to-do) as each stands last, with the words that its list gave it.

        What an older list of the session held, and the last one does not, is dropped.
        """
        texts: dict[tuple[str, str], Signal] = {}
        last: dict[tuple[str, str], Signal] = {}
        lists: dict[str, int] = {}
        for turn, signal in self.signals:
            if signal.kind != "todo":
                continue
            key = (turn.session, signal.key)
            if signal.text != UNNAMED:
                texts[key] = signal
            last[key] = signal
            if not signal.key.startswith("#"):
                lists[turn.session] = max(signal.time_us, lists.get(turn.session, 0))
        for key, signal in last.items():
            named = texts.get(key)
            if named is None:
                continue
            proofs = signal.proofs if named is signal else (*named.proofs, *signal.proofs)
            is_waiting = signal.state in {"pending", "started"} and not signal.key.startswith("#")
            is_gone = is_waiting and signal.time_us < lists[key[0]]
            state = "dropped" if is_gone else signal.state
            yield key[0], Signal("todo", named.text, signal.time_us, proofs, state, signal.key)

    def is_subject(self, text: str) -> bool:
        """Return whether the words of a to-do occur in the work; else it is a procedure."""
        return bool((content_words(text) - prompts.PROCESS) & self.told)

    # --- headlines

    def headlines(self, references: Sequence[Reference]) -> Iterator[Candidate]:
        """Yield what may name the thread, each with its rank and how well it does."""
        for turn, signal in self.signals:
            yield from self._named(turn, signal)
        for each in references:
            titled = Signal(each.kind, each.text, each.time_us, each.proofs)
            if each.kind == "pull request" and each.here and each.text:
                yield from _candidate(PULL_REQUEST, _later(titled), titled)
            elif each.kind == "issue" and each.verb == "opened" and each.text:
                yield from _candidate(ISSUE, self._likeness(each.text), titled)
        yield from self._by_branch_or_act()

    def _named(self, turn: Turn, signal: Signal) -> Iterator[Candidate]:
        likeness = self._likeness(signal.text)
        if signal.kind == "title":
            rank = PERSON_TITLE if signal.state == "person" else AGENT_TITLE
            yield from _candidate(rank, _later(signal), signal)
        elif signal.kind == "plan" and not signal.state:
            is_label = len(content_words(signal.text)) < FEWEST_ACT
            yield from _candidate(ACT if is_label else PLAN, likeness, signal)
        elif signal.kind == "commit":
            yield from _candidate(COMMIT, self._log_likeness(signal.text), signal)
        elif self._asks(turn, signal) and not _is_cut(signal) and not DROPPED.search(signal.text):
            is_aside = self.is_work and signal.text.endswith("?")
            score = likeness * (0.8 if signal.rank else 1.0)
            score *= _HALF if prompts.points(signal.text) else 1.0
            yield from _candidate(QUESTION if is_aside else ASK, score, _short(signal))
        elif signal.kind == "note":
            text = signal.text if len(signal.text.strip(" .")) <= MOST_HEADLINE else "Notes"
            yield from _candidate(NOTE, _later(signal), msgspec.structs.replace(signal, text=text))
        elif signal.kind in {"result", "found", "subagent"}:
            is_lead = not signal.rank and id(turn) not in self.wrong
            score = likeness * (1.0 if turn.is_work else _HALF)
            yield from _candidate(RESULT, score, _short(signal)) if is_lead else ()

    def _by_branch_or_act(self) -> Iterator[Candidate]:
        fitting = (each for each in self._scored_acts() if len(each[1].text) <= MOST_HEADLINE)
        scored = sorted(fitting, key=lambda each: (-each[0], each[1].time_us, each[1].text))
        score, best = scored[0] if scored else (0.0, None)
        if best is not None:
            yield from _candidate(ACT, score, best)
        words, ticket = self._branch_words()
        if not words or not self.signals:
            return
        content = content_words(words)
        known = sum(bool(self.counts[word]) for word in content_words(words + ticket))
        central = self._act_score(best) if best else 0.0
        alone = msgspec.structs.replace(best or self.signals[0][1], text=words + ticket)
        is_verb = words.split(" ", 1)[0].lower() in _VERBS
        is_phrase = len(content) >= FEWEST_ACT and (is_verb or len(words.split()) > FEWEST_ACT)
        if is_phrase and self._likeness(words) >= LEAST_OF_ACT * central:
            yield from _candidate(BRANCH, 0.0, alone)
            return
        yield from _candidate(NAME if known else SHORT_NAME, 0.0, alone)
        if best is None or known < FEWEST_SUBJECT:
            return
        room = MOST_HEADLINE - len(words + ticket) - 2
        fits = (
            act for own, act in scored if own >= LEAST_OF_BEST * score and len(act.text) <= room
        )
        named = next((act for act in fits if act.kind != "todo" and not _is_side(act.text)), None)
        if named is not None and share(content, content_words(best.text)) <= MOST_SHARED:
            both = msgspec.structs.replace(named, text=f"{words}{ticket}: {named.text}")
            yield from _candidate(BRANCH, 0.0, both)
        elif len(content) >= FEWEST_ACT:
            yield from _candidate(BRANCH, 0.0, alone)

    def _asks(self, turn: Turn, signal: Signal) -> bool:
        """Return whether a signal is an ask that stands, and says something by itself."""
        return signal.kind == "ask" and signal.state != "aside" and id(turn) not in self.replaced

    def _scored_acts(self) -> Iterator[tuple[float, Signal]]:
        """Yield what may name the thread, with how well it does; what a session was begun for does it best."""
        begun: dict[str, Turn] = {}
        for turn, signal in self.signals:
            if self._asks(turn, signal) or signal.kind == "recap":
                begun.setdefault(turn.session, turn)
        for turn, act in self._acts():
            short = _short(act)
            is_first = begun.get(turn.session) is turn and act.rank < FEWEST_SUBJECT
            if self._is_act(short) or (is_first and _is_statement(act)):
                yield self._act_score(short) * (FIRST if is_first else 1.0), short
        for _, todo in self.todos():
            short = _short(todo)
            if todo.state == "done" and self.is_subject(todo.text) and self._is_act(short):
                yield self._act_score(short), short

    def _acts(self) -> Iterator[tuple[Turn, Signal]]:
        for turn, signal in self.signals:
            if signal.kind == "recap" or self._asks(turn, signal):
                yield turn, signal
            elif signal.kind == "decision" and signal.state == "ruling":
                yield turn, msgspec.structs.replace(signal, text=prompts.wanted(signal.text))

    def _likeness(self, text: str) -> float:
        """Return the mean count of the text's content words among the thread's signals."""
        words = content_words(text) - prompts.PROCESS
        return sum(self.counts[word] for word in words) / len(words) if words else 0.0

    def _log_likeness(self, text: str) -> float:
        """Return the same so that one frequent word does not decide, less for words of process."""
        words = content_words(text)
        return sum(math.log1p(self.counts[w]) for w in words - prompts.PROCESS) / max(1, len(words))

    def _is_act(self, act: Signal) -> bool:
        """Return whether an act begins with a verb, is no question and has a subject besides names of code."""
        text = prose(act.text)
        first = text.split(" ", 1)[0].lower().strip(",.:")
        subject = content_words(text) - prompts.PROCESS
        return first in _VERBS and not text.endswith("?") and len(subject) >= FEWEST_ACT

    def _act_score(self, act: Signal) -> float:
        """Return how well an act names the work: central, several words, and more than its routine."""
        text = prose(act.text)
        words = content_words(text)
        fullness = 1 - _HALF ** max(1, len(words - prompts.PROCESS) - FEWEST_SUBJECT)
        is_side = bool(words & _SIDE) or _is_side(text)
        return self._likeness(text) * fullness * (_SIDE_SHARE if is_side else 1.0)

    def _branch_words(self) -> tuple[str, str]:
        """Return the branch in words, without owner and date, and its ticket in brackets."""
        name = self.branch.rsplit("/", 1)[-1]
        ticket = _TICKET.search(name)
        bare = name.replace(ticket[1], "") if ticket else name
        words = [word for word in re.split(r"[-_.]+", bare) if word and not word.isdecimal()]
        text = " ".join(words) or (ticket[1] if ticket else "")
        told = f" ({ticket[1].upper()})" if ticket and words else ""
        return text[:1].upper() + text[1:], told


def _said(turn: Turn) -> list[Signal]:
    return [signal for signal in turn.signals if signal.kind in {"ask", "decision"}]


def _later(signal: Signal) -> float:
    """The score of a title: of several, the latest names the thread."""
    return signal.time_us / 1e16


def _candidate(rank: int, score: float, signal: Signal) -> Iterator[Candidate]:
    text = signal.text.strip(" .")
    if FEWEST_ACT <= len(text) <= MOST_HEADLINE:
        yield Candidate(rank, round(score, 6), signal.time_us, text, signal.proofs)


def _short(signal: Signal) -> Signal:
    """Return the signal with as many whole clauses of its text as fit a headline."""
    if len(signal.text) <= MOST_HEADLINE:
        return signal
    bare = BRACKETED.sub("", signal.text)
    unlabelled = _LABELLED.sub("", bare)
    texts = (bare, *(clause(bare, most) for most in _FEWER_WORDS), unlabelled)
    fitting = next((text for text in texts if text and len(text) <= MOST_HEADLINE), signal.text)
    return msgspec.structs.replace(signal, text=fitting)


_FEWER_WORDS = (18, 14, 10)
_LABELLED = re.compile(r"\A[^:]{3,30}: (?=\S)")


def _is_side(text: str) -> bool:
    return text.split(" ", 1)[0].lower() in _SIDE_VERBS


def _is_statement(ask: Signal) -> bool:
    """Return whether an ask says what it is about, though it does not begin with a verb."""
    return (
        prompts.stands_alone(ask.text, least=FEWEST_ACT)
        and not ask.text.endswith("?")
        and not _CONDITION.match(ask.text)
        and not _is_cut(ask)
    )


_CONDITION = re.compile(
    r"(?:to|if|when|because|since|continue|resume|go on|proceed|back to|retry)\b", re.IGNORECASE
)


def _is_cut(signal: Signal) -> bool:
    """Return whether a signal holds much less than the sentence that proves it."""
    whole = content_words(signal.proofs[0].excerpt)
    return share(whole, content_words(signal.text)) < WHOLE_SHARE
