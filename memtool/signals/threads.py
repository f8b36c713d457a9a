"""From a day's turns to its threads: which turns belong together, what they say, how they stand."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from memtool.model.levels import Level
from memtool.model.records import Event, digest_of
from memtool.model.segmenting import segments_of
from memtool.model.threads import (
    QUESTION,
    TRUNKS,
    Item,
    Point,
    Reference,
    Signal,
    State,
    Thread,
    Turn,
    best_headlines,
    closed_items,
    joined_references,
    limited,
    thread_id,
)
from memtool.model.words import content_words
from memtool.signals import answers
from memtool.signals.turns import turns_of
from memtool.signals.weighing import DROPPED, Weighing

DELIVERED_SHARE = 1 / 3
KEY_DIGITS = 16
_NUMBER = re.compile(r"(\d+)$")
_SUBJECT_KINDS = {"result", "found", "commit"}


def threads_of(turns: Iterable[Turn]) -> tuple[Thread, ...]:
    """Return the threads of one day's turns, heaviest first. The order of the turns does not matter."""
    settled: dict[tuple[str, str], int] = {}
    told: list[Turn] = []
    for turn in turns:
        by_hand = [signal for signal in turn.signals if signal.kind == "settled"]
        for signal in by_hand:
            about = (signal.state, signal.key)
            settled[about] = max(signal.time_us, settled.get(about, 0))
        told += [] if by_hand else [turn]
    ordered = sorted(told, key=lambda turn: (turn.start_us, turn.session, turn.end_us))
    groups: dict[tuple[str, str, str], list[Turn]] = defaultdict(list)
    for branch, turn in _placed(ordered):
        groups[turn.project, branch, "" if branch else turn.session].append(turn)
    threads = [
        _thread(key, group, settled)
        for key, group in groups.items()
        if any(turn.signals or turn.edits for turn in group)
    ]
    return limited(threads, Level.DAY)


def threads_of_day(events: Iterable[Event], day: int) -> tuple[Thread, ...]:
    """Return the threads of a day's events as a rollup now would make them."""
    return threads_of(
        turn for cut, held in segments_of(events, day) for turn in turns_of(held, cut.project)
    )


def _placed(ordered: Sequence[Turn]) -> Iterator[tuple[str, Turn]]:
    """Yield each turn with the feature branch whose thread it belongs to, or "".

    A session's run on the trunk belongs to that session's next feature branch of the day; where there is none
    and the run changes nothing, to the branch before it.
    """
    sessions: dict[str, list[Turn]] = defaultdict(list)
    for turn in ordered:
        if turn.session:
            sessions[turn.session].append(turn)
        else:  # said by hand
            yield ("" if turn.branch in TRUNKS else turn.branch), turn
    for mine in sessions.values():
        branches: list[str] = []
        for turn in mine:  # where no event says the branch, it is that of the session before
            branches.append(turn.branch or (branches[-1] if branches else ""))
        features = [branch if branch not in TRUNKS else "" for branch in branches]
        last = max((number for number, name in enumerate(features) if name), default=-1)
        after_is_work = any(turn.is_work for turn in mine[last + 1 :])
        for number, turn in enumerate(mine):
            branch = next((name for name in features[number:] if name), "")
            if not branch and last >= 0 and not after_is_work:
                branch = features[last]
            yield branch, turn


def _thread(
    key: tuple[str, str, str], turns: Sequence[Turn], settled: Mapping[tuple[str, str], int]
) -> Thread:
    """Return the thread with this key; `settled`: when a person said so of which item."""
    project, branch, session = key
    own_id = thread_id(project, branch, session)
    weighing = Weighing(turns, branch)
    todos = list(weighing.todos())
    references = joined_references(_references(weighing))
    points = [*weighing.points(), *_done(weighing, todos)]
    found = (_by_hand(item, settled.get((own_id, item.key), 0)) for item in _items(weighing, todos))
    items = closed_items(found, points, references)
    talked = [turn for turn in turns if turn.session] or turns
    standing = [item for item in items if not item.closed_us]
    for item in standing:
        weight = weighing.weight("open", item.text)
        points.append(Point("open", item.text, item.time_us, weight, item.proofs))
    files: Counter[str] = Counter()
    for turn in turns:
        for path, count, _ in turn.edits:
            files[path] += count
    since = _since(turns, references)
    return Thread(
        project=project,
        branch=branch,
        session=session,
        first_us=min(turn.start_us for turn in turns),
        last_us=max(turn.end_us for turn in turns),
        state=_state(talked, standing, references, since),
        since=since,
        headlines=best_headlines(weighing.headlines(references)),
        points=tuple(points),
        items=items,
        references=references,
        files=tuple(sorted(files.items(), key=lambda each: (-each[1], each[0]))),
        sessions=tuple(sorted({turn.session for turn in turns} - {""})),
        edits=files.total(),
        turns=len(talked),
    )


def _done(weighing: Weighing, todos: Sequence[tuple[str, Signal]]) -> Iterator[Point]:
    for _, todo in todos:
        if todo.state == "done" and weighing.is_subject(todo.text):
            weight = weighing.weight("done", todo.text)
            yield Point("done", todo.text, todo.time_us, weight, todo.proofs)


def _items(weighing: Weighing, todos: Sequence[tuple[str, Signal]]) -> Iterator[Item]:
    """Yield what is open: to-dos of lists that were started, pending tasks, what a last answer lacks, questions."""
    started = {session for session, todo in todos if todo.state in {"started", "done"}}
    for session, todo in todos:
        if todo.state in {"done", "dropped"}:
            yield _item(todo, closed_us=todo.time_us)
        elif session in started and weighing.is_subject(todo.text):
            yield _item(todo)
    moved: dict[str, int] = defaultdict(int)
    last_turn: dict[str, Turn] = {}
    for turn in weighing.turns:
        last_turn[turn.session] = turn
        times = [signal.time_us for signal in turn.signals if signal.kind in _SUBJECT_KINDS]
        times += [time_us for _, _, time_us in turn.edits]
        moved[turn.session] = max([moved[turn.session], *times])
    for turn, signal in weighing.signals:
        is_last = turn is last_turn[turn.session]
        is_pending = signal.kind == "pending" and moved[turn.session] <= signal.time_us
        if is_pending or (signal.kind == "open" and is_last):
            yield _item(signal)
        elif signal.kind == "question" and is_last and not answers.is_offer(signal.text):
            item = _item(signal)
            yield Item(QUESTION + item.key, f"asked: {item.text}", item.time_us, item.proofs)


def _by_hand(item: Item, settled_us: int) -> Item:
    """Return the item closed where a person said later that it is settled."""
    is_settled = not item.closed_us and settled_us > item.time_us
    return msgspec.structs.replace(item, closed_us=settled_us) if is_settled else item


def _item(signal: Signal, closed_us: int = 0) -> Item:
    return Item(_key(signal.text), signal.text, signal.time_us, signal.proofs, closed_us)


def _key(text: str) -> str:
    """Return what the items share that say the same."""
    return digest_of("item", *sorted(content_words(text)))[:KEY_DIGITS]


def _references(weighing: Weighing) -> Iterator[Reference]:
    commits: dict[frozenset[str], Signal] = {}
    for _, signal in weighing.signals:
        if signal.kind == "commit":
            commits[content_words(signal.text)] = signal  # repeated and amended ones count once
        elif signal.kind in {"pull request", "issue"}:
            number = _NUMBER.search(signal.key)
            yield Reference(
                kind="issue" if signal.kind == "issue" else "pull request",
                key=f"#{number[1]}" if number else signal.key,
                text="" if signal.text.startswith("#") else signal.text,
                time_us=signal.time_us,
                verb=signal.state,
                url=signal.key if "://" in signal.key else "",
                number=int(number[1]) if number else 0,
                here=signal.state in {"opened", "merged"},
                proofs=signal.proofs,
            )
    for signal in commits.values():
        key = signal.key or _key(signal.text)
        yield Reference(
            "commit", key, signal.text, signal.time_us, "made", here=True, proofs=signal.proofs
        )


def _since(turns: Sequence[Turn], references: Sequence[Reference]) -> int:
    """Return the number of edits after the last delivery."""
    last = max((each.time_us for each in _delivered(references)), default=0)
    return sum(count for turn in turns for _, count, time_us in turn.edits if time_us > last)


def _delivered(references: Sequence[Reference]) -> list[Reference]:
    return [each for each in references if each.here and each.kind != "issue"]


def _state(
    turns: Sequence[Turn], standing: Sequence[Item], references: Sequence[Reference], since: int
) -> State:
    edits = sum(count for turn in turns for _, count, _ in turn.edits)
    asks = [signal.text for signal in turns[-1].signals if signal.kind in {"ask", "decision"}]
    if any(DROPPED.search(text) for text in asks) and not turns[-1].edits:
        return "dropped"
    if standing:
        return "open"
    if _delivered(references) and since <= edits * DELIVERED_SHARE:
        return "delivered"
    return "in work" if edits or turns[-1].is_cut else "answered"
