"""From a day's turns to its threads: which turns belong together, what they say, how they stand."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from memtool.model.levels import Level
from memtool.model.threads import (
    LIMITS,
    Candidate,
    Item,
    Kind,
    Point,
    Reference,
    Signal,
    State,
    Thread,
    Turn,
    best_headlines,
    best_points,
    closed_items,
    joined_references,
    limited,
)
from memtool.model.words import content_words, share
from memtool.signals import answers, cues
from memtool.signals.turns import TRUNKS

MOST_HEADLINE = 90
REPLACED_SHARE = 0.4
DELIVERED_SHARE = 1 / 3
_PROCESS = frozenset(word for each in cues.words("process") for word in content_words(each))
_VERBS = cues.words("verbs")
_SIDE = frozenset(content_words("test tests lint docs documentation readme comment comments todo"))
_SIDE_VERBS = frozenset(
    "explain check look review run test verify explore see plan read investigate".split()
)
_REVISION = cues.anywhere("revision")
_UNDOES_LAST = re.compile(
    r"\b(?:revert|undo|scrap)\s+(?:that|it|this|these|those)\b", re.IGNORECASE
)
_DROPPED = cues.anywhere("dropped")
_TICKET = re.compile(r"\b([A-Za-z]{2,10}-\d{1,6})\b")

# What a point weighs before its words are looked at, for the lead and for further ones.
_WEIGHTS: dict[Kind, tuple[float, float]] = {
    "decision": (1.0, 1.0),
    "plan": (0.6, 0.25),
    "ask": (0.55, 0.45),
    "result": (0.7, 0.42),
    "found": (0.7, 0.42),
    "done": (0.62, 0.62),
    "commit": (0.9, 0.9),
    "issue": (0.8, 0.8),
    "pull request": (0.8, 0.8),
    "recap": (0.85, 0.7),
    "subagent": (0.2, 0.2),
    "error": (0.4, 0.4),
    "open": (0.75, 0.75),
    "test": (0.45, 0.45),
}


def threads_of(turns: Iterable[Turn]) -> tuple[Thread, ...]:
    """Return the threads of one day's turns, heaviest first. The order of the turns does not matter."""
    ordered = sorted(turns, key=lambda turn: (turn.start_us, turn.session, turn.end_us))
    groups: dict[tuple[str, str, str], list[Turn]] = defaultdict(list)
    for branch, turn in _placed(ordered):
        groups[turn.project, branch, "" if branch else turn.session].append(turn)
    threads = [_Day(key, group).thread() for key, group in groups.items() if _says(group)]
    return limited(threads, Level.DAY)


def _says(turns: Sequence[Turn]) -> bool:
    return any(turn.signals or turn.edits for turn in turns)


def _placed(ordered: Sequence[Turn]) -> Iterator[tuple[str, Turn]]:
    """Yield each turn with the feature branch whose thread it belongs to, or "".

    A session's run on the trunk belongs to that session's next feature branch of the day; without edits, else to
    the branch before it.
    """
    sessions: dict[str, list[Turn]] = defaultdict(list)
    for turn in ordered:
        sessions[turn.session].append(turn)
    for mine in sessions.values():
        features = [turn.branch if turn.branch not in TRUNKS else "" for turn in mine]
        for number, turn in enumerate(mine):
            branch = features[number]
            if not branch:
                branch = next((name for name in features[number:] if name), "")
            if not branch:
                before = next((name for name in reversed(features[:number]) if name), "")
                end = next((n for n in range(number, -1, -1) if features[n]), -1)
                if before and not any(each.is_work for each in mine[end + 1 :]):
                    branch = before
            yield branch, turn


@dataclass(slots=True)
class _Day:
    """One thread of one day, while it is put together."""

    key: tuple[str, str, str]
    turns: list[Turn]
    counts: Counter[str] = field(default_factory=Counter)

    def thread(self) -> Thread:
        project, branch, session = self.key
        undone = set(self._undone())
        self._count()
        signals = [(turn, s) for turn in self.turns for s in turn.signals]
        todos = list(self._todos())
        references = joined_references(self._references())
        points = [*self._points(signals, undone), *self._done(todos)]
        items = closed_items(self._items(signals, todos), points, references)
        standing = [item for item in items if not item.closed_us]
        points += [
            Point("open", item.text, item.time_us, self._weight("open", 0, item.text), item.proofs)
            for item in standing
        ]
        limits = LIMITS[Level.DAY]
        files: Counter[str] = Counter()
        for turn in self.turns:
            for path, count, _ in turn.edits:
                files[path] += count
        since = self._since(references)
        return Thread(
            project=project,
            branch=branch,
            session=session,
            first_us=min(turn.start_us for turn in self.turns),
            last_us=max(turn.end_us for turn in self.turns),
            state=self._state(standing, references, since),
            since=since,
            headlines=best_headlines(self._headlines(signals, undone, references)),
            points=best_points(points, limits.points),
            items=items[: limits.items],
            references=references[-limits.references :],
            files=tuple(
                sorted(files.items(), key=lambda each: (-each[1], each[0]))[: limits.files]
            ),
            sessions=tuple(sorted({turn.session for turn in self.turns}))[: limits.sessions],
            edits=sum(files.values()),
            turns=len(self.turns),
        )

    # --- weights

    def _count(self) -> None:
        for turn in self.turns:
            for signal in turn.signals:
                self.counts.update(content_words(signal.text))
            for path, _, _ in turn.edits:
                self.counts.update(content_words(path.rsplit("/", 1)[-1].partition(".")[0]))

    def _centrality(self, text: str) -> float:
        """Return how often the words of a text occur in the thread, from 0 to 1 for its commonest word."""
        words = content_words(text) - _PROCESS
        if not words:
            return 0.0
        most = math.log1p(max(self.counts.values(), default=1))
        return sum(math.log1p(self.counts[word]) for word in words) / len(words) / most

    def _weight(self, kind: Kind, rank: int, text: str) -> float:
        base = _WEIGHTS[kind][min(rank, 1)]
        subject = content_words(text) - _PROCESS
        fullness = min(len(subject), 8) / 8
        weight = base * (0.55 + 0.35 * self._centrality(text) + 0.3 * fullness)
        if len(subject) < 2:
            weight *= 0.3
        return round(weight, 4)

    # --- what was undone

    def _undone(self) -> Iterator[int]:
        """Yield the start times of turns whose ask a later prompt replaces or takes back."""
        by_session: dict[str, Turn] = {}
        for number, turn in enumerate(self.turns):
            said = [s for s in turn.signals if s.kind in {"ask", "decision"}]
            if any(_UNDOES_LAST.search(s.text) for s in said) and turn.session in by_session:
                yield id(by_session[turn.session])
            for revision in (s for s in said if _REVISION.search(s.text)):
                words = content_words(revision.text)
                for earlier in self.turns[:number]:
                    asks = [s for s in earlier.signals if s.kind == "ask" and not s.rank]
                    if any(share(content_words(s.text), words) >= REPLACED_SHARE for s in asks):
                        yield id(earlier)
            by_session[turn.session] = turn

    # --- points

    def _points(self, signals: Sequence[tuple[Turn, Signal]], undone: set[int]) -> Iterator[Point]:
        recapped: dict[str, int] = {}
        for turn, signal in signals:
            if signal.kind == "recap":
                recapped[turn.session] = max(signal.time_us, recapped.get(turn.session, 0))
        is_work = any(turn.is_work for turn in self.turns)
        tests = {s.key: s for _, s in signals if s.kind == "test"}
        for turn, signal in signals:
            kind = signal.kind
            if kind not in _WEIGHTS or kind in {"open"}:
                continue
            weight = self._weight(kind, signal.rank, signal.text)
            if kind in {"result", "found", "subagent"}:
                if id(turn) in undone:
                    continue
                if turn.asks_back and kind == "found":
                    continue
                if kind == "found" and is_work:
                    weight *= 0.5
                if signal.time_us < recapped.get(turn.session, 0):
                    weight *= 0.5
            if kind == "subagent" and not any(s.kind in {"result", "found"} for s in turn.signals):
                weight *= 2.5
            if kind == "ask":
                if id(turn) in undone:
                    continue
                weight *= (
                    1.5 if signal.state == "goal" else 0.6 if signal.text.endswith("?") else 1.0
                )
                weight *= 0.7 if signal.state == "offer" else 1.0
            if kind == "decision" and signal.state == "ruling":
                weight *= 0.85
            if kind == "test":
                if tests[signal.key] is not signal or signal.state != "failed":
                    continue
                yield Point(
                    kind, f"last run failed: {signal.text}", signal.time_us, weight, signal.proofs
                )
                continue
            if kind in {"pull request", "issue"} and signal.state not in {
                "opened",
                "merged",
                "closed",
            }:
                continue
            text = f"issue {signal.state}: {signal.text}" if kind == "issue" else signal.text
            yield Point(kind, text, signal.time_us, round(weight, 4), signal.proofs)

    def _todos(self) -> Iterator[tuple[str, Signal]]:
        """Yield (session, to-do) as each stands last, with the words that its list gave it."""
        texts: dict[tuple[str, str], Signal] = {}
        last: dict[tuple[str, str], Signal] = {}
        for turn in self.turns:
            for signal in turn.signals:
                if signal.kind != "todo":
                    continue
                key = (turn.session, signal.key)
                if signal.text != "…":
                    texts[key] = signal
                last[key] = signal
        for key, signal in last.items():
            named = texts.get(key)
            if named is not None:
                proofs = signal.proofs if named is signal else (*named.proofs, *signal.proofs)
                yield (
                    key[0],
                    Signal("todo", named.text, signal.time_us, proofs, signal.state, signal.key),
                )

    def _done(self, todos: Sequence[tuple[str, Signal]]) -> Iterator[Point]:
        for _, todo in todos:
            if todo.state == "done" and self._is_subject(todo.text):
                weight = self._weight("done", 0, todo.text)
                yield Point("done", todo.text, todo.time_us, weight, todo.proofs)

    def _is_subject(self, text: str) -> bool:
        """Return whether the words of a to-do occur in the work; else it is a procedure."""
        words = content_words(text) - _PROCESS
        return len(words) >= 2 and any(self.counts[word] > 1 for word in words)

    def _items(
        self, signals: Sequence[tuple[Turn, Signal]], todos: Sequence[tuple[str, Signal]]
    ) -> Iterator[Item]:
        started = {session for session, todo in todos if todo.state in {"started", "done"}}
        for session, todo in todos:
            if (
                session in started
                and todo.state in {"pending", "started"}
                and self._is_subject(todo.text)
            ):
                yield _item(todo)
            elif todo.state in {"done", "dropped"}:
                yield Item(_key(todo.text), todo.text, todo.time_us, todo.proofs, todo.time_us)
        moved: dict[str, int] = {}
        last_turn: dict[str, Turn] = {}
        for turn in self.turns:
            last_turn[turn.session] = turn
            if turn.is_work or any(s.kind in {"result", "found"} for s in turn.signals):
                times = [s.time_us for s in turn.signals if s.kind in {"result", "found", "commit"}]
                times += [time_us for _, _, time_us in turn.edits]
                moved[turn.session] = max([*times, moved.get(turn.session, 0)])
        for turn, signal in signals:
            if signal.kind == "open" and turn is last_turn[turn.session]:
                yield _item(signal)
            elif signal.kind == "open":
                continue
            elif signal.kind == "pending" and moved.get(turn.session, 0) <= signal.time_us:
                yield _item(signal)
            elif (
                signal.kind == "question"
                and turn is last_turn[turn.session]
                and not answers.is_offer(signal.text)
            ):
                yield Item(
                    _key(signal.text), f"asked: {signal.text}", signal.time_us, signal.proofs
                )

    def _references(self) -> Iterator[Reference]:
        subjects: dict[frozenset[str], Signal] = {}
        for turn in self.turns:
            for signal in turn.signals:
                if signal.kind == "commit":
                    subjects[content_words(signal.text)] = (
                        signal  # amended and repeated ones count once
                    )
                elif signal.kind in {"pull request", "issue"}:
                    number = re.search(r"(\d+)$", signal.key)
                    is_titled = not signal.text.startswith("#")
                    yield Reference(
                        "issue" if signal.kind == "issue" else "pull request",
                        f"#{number[1]}" if number else signal.key,
                        signal.text if is_titled else "",
                        signal.time_us,
                        signal.state,
                        signal.key if signal.key.startswith("http") else "",
                        int(number[1]) if number else 0,
                        signal.state in {"opened", "merged"},
                        signal.proofs,
                    )
        for signal in subjects.values():
            key = signal.key or _key(signal.text)
            yield Reference(
                "commit", key, signal.text, signal.time_us, "made", here=True, proofs=signal.proofs
            )

    # --- how it stands

    def _since(self, references: Sequence[Reference]) -> int:
        delivered = [each.time_us for each in references if each.here and each.verb != "seen"]
        last = max(delivered, default=0)
        return sum(count for turn in self.turns for _, count, at in turn.edits if at > last)

    def _state(
        self, standing: Sequence[Item], references: Sequence[Reference], since: int
    ) -> State:
        edits = sum(count for turn in self.turns for _, count, _ in turn.edits)
        prompts = [s.text for s in self.turns[-1].signals if s.kind in {"ask", "decision"}]
        if any(_DROPPED.search(text) for text in prompts) and not self.turns[-1].edits:
            return "dropped"
        if standing:
            return "open"
        if any(each.here for each in references) and since <= edits * DELIVERED_SHARE:
            return "delivered"
        return "in work" if edits else "answered"

    # --- headlines

    def _headlines(
        self,
        signals: Sequence[tuple[Turn, Signal]],
        undone: set[int],
        references: Sequence[Reference],
    ) -> Iterator[Candidate]:
        asks: list[Signal] = []
        acts: list[Signal] = []
        for turn, signal in signals:
            if signal.kind == "title":
                rank = 0 if signal.state == "person" else 3
                yield from _candidate(rank, signal.time_us / 1e15, signal)
            elif signal.kind == "plan" and not signal.state:
                yield from _candidate(2, self._likeness(signal.text), signal)
            elif signal.kind == "commit":
                yield from _candidate(4, self._likeness(signal.text), signal)
            elif signal.kind == "ask" and id(turn) not in undone:
                asks.append(signal)
                acts.append(signal)
            elif signal.kind == "recap":
                acts.append(signal)
        for _, todo in self._todos():
            if todo.state == "done" and self._is_subject(todo.text):
                acts.append(todo)
        for each in references:
            if (
                each.kind == "pull request"
                and each.verb in {"opened", "merged"}
                and each.text
                and each.here
            ):
                yield from _candidate(1, each.time_us / 1e15, _as_signal(each))
            if each.kind == "issue" and each.verb == "opened" and each.text:
                yield from _candidate(8, 0.0, _as_signal(each))
        best = max(
            (signal for signal in acts if self._is_act(signal.text)),
            key=lambda signal: (self._act_score(signal.text), -signal.time_us, signal.text),
            default=None,
        )
        branch = self._branch_words()
        if best is not None:
            score = self._act_score(best.text)
            if branch:
                combined = Signal("ask", f"{branch}: {best.text}", best.time_us, best.proofs)
                yield from _candidate(5, score, combined)
            yield from _candidate(6, score, best)
        for ask in asks:
            score = self._likeness(ask.text) * (0.5 if ask.text.endswith("?") else 1.0)
            yield from _candidate(7, score * (0.8 if ask.rank else 1.0), ask)
        for turn, signal in signals:
            if (
                signal.kind in {"result", "found", "subagent"}
                and not signal.rank
                and id(turn) not in undone
            ):
                yield from _candidate(9, self._likeness(signal.text), signal)

    def _likeness(self, text: str) -> float:
        """Return the mean count of the text's content words among the thread's signals."""
        words = content_words(text) - _PROCESS
        return round(sum(self.counts[word] for word in words) / len(words), 4) if words else 0.0

    def _act_score(self, text: str) -> float:
        """Return how well an act names the work: central, several words, and more than its routine."""
        words = content_words(text)
        fullness = 1 - 0.5 ** max(1, len(words - _PROCESS) - 2)
        is_side = bool(words & _SIDE) or text.split(" ", 1)[0].lower() in _SIDE_VERBS
        return self._likeness(text) * fullness * (0.5 if is_side else 1.0)

    def _is_act(self, text: str) -> bool:
        first = text.split(" ", 1)[0].lower().strip(",.:")
        return (
            first in _VERBS and not text.endswith("?") and len(content_words(text) - _PROCESS) >= 3
        )

    def _branch_words(self) -> str:
        """Return the branch in words, its ticket in brackets, if two of them occur in the signals."""
        name = self.key[1].rsplit("/", 1)[-1]
        ticket = _TICKET.search(name)
        bare = name.replace(ticket[1], "") if ticket else name
        words = [w for w in re.split(r"[-_.]+", bare) if w and not w.isdecimal()]
        known = [w for w in words if self.counts[next(iter(content_words(w)), "")] > 0]
        if len(known) < 2:
            return ""
        text = " ".join(words)
        return text[:1].upper() + text[1:] + (f" ({ticket[1].upper()})" if ticket else "")


def _candidate(rank: int, score: float, signal: Signal) -> Iterator[Candidate]:
    text = signal.text.strip(" .")
    if 3 <= len(text) <= MOST_HEADLINE:
        yield Candidate(rank, round(score, 6), signal.time_us, text, signal.proofs)


def _as_signal(reference: Reference) -> Signal:
    return Signal(reference.kind, reference.text, reference.time_us, reference.proofs)


def _item(signal: Signal) -> Item:
    return Item(_key(signal.text), signal.text, signal.time_us, signal.proofs)


def _key(text: str) -> str:
    return " ".join(sorted(content_words(text)))[:200]
