"""From a segment's events to its turns and signals. The same events give the same signals."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from memtool.model import actions as act
from memtool.model.records import (
    SETTLED_ITEM,
    SETTLED_THREAD,
    SETTLED_TIME,
    Event,
    is_by_hand,
)
from memtool.model.threads import TRUNKS, Kind, Proof, Signal, Turn, Usage, joined_usage
from memtool.model.words import content_words
from memtool.signals import answers, prompts, recaps, shell
from memtool.signals.prompts import proof
from memtool.signals.text import Piece, clause, one_line, pieces_of

_MOST_SIGNALS = 60
_INTERRUPTED = "[Request interrupted"
UNNAMED = "…"
"""A to-do of which these events say only its ID."""
_DIGITS = 15
"""No message takes more tokens than this has digits."""
_NOTHING = "nothing to commit"


def turns_of(events: Sequence[Event], project: str = "") -> tuple[Turn, ...]:
    """Return the turns of one session's events, which are in order. `project` stands for that of the first event."""
    if events and is_by_hand(events[0].session):
        return tuple(turn for event in events if (turn := _by_hand(event)) is not None)
    return tuple(_Segment(events, project).turns())


def _by_hand(event: Event) -> Turn | None:
    """Return what a person told memtool itself: a turn of its own, without a session."""
    settled = event.metadata.get(SETTLED_TIME, "")
    proofs = (proof(event, 0, len(event.text)),)
    if event.kind == "note":
        signal = Signal("note", _gist(event.text), event.time_us, proofs)
    elif event.kind == "settled" and settled.isdecimal():
        signal = Signal(
            "settled",
            one_line(event.text),
            int(settled),
            proofs,
            state=event.metadata.get(SETTLED_THREAD, ""),
            key=event.metadata.get(SETTLED_ITEM, ""),
        )
    else:
        return None
    branch = event.metadata.get("branch", "")
    if not signal.text:
        return None
    return Turn("", event.project, event.time_us, event.time_us, branch, (signal,))


_MOST_OF_NOTE = 400


def _gist(text: str) -> str:
    """Return a note on one line; of a long one as many whole sentences as fit."""
    whole = one_line(text)
    if len(whole) <= _MOST_OF_NOTE:
        return whole
    end = max(whole.rfind(mark, 0, _MOST_OF_NOTE) for mark in (". ", "! ", "? ", "; ", ": "))
    space = whole.rfind(" ", 0, _MOST_OF_NOTE)
    return whole[: end + 1] if end > 0 else f"{whole[: space if space > 0 else _MOST_OF_NOTE]} …"


@dataclass(slots=True)
class _Draft:
    """A turn that is being read."""

    events: list[Event] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    edits: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    is_work: bool = False
    asks_back: bool = False
    is_cut: bool = False


class _Segment:
    def __init__(self, events: Sequence[Event], project: str) -> None:
        self.events = events
        self.project = project or (events[0].project if events else "")
        self.actions = {event.id: act.decode(event.metadata) for event in events}
        self.rejected = {
            event.metadata.get("tool_use_id", "")
            for event in events
            if any(isinstance(action, act.Rejection) for action in self.actions[event.id])
        }
        self.calls: dict[str, Event] = {}
        self.results: dict[str, Event] = {}
        for event in events:
            call = event.metadata.get("tool_use_id", "")
            if call and event.kind in {"tool_call", "subagent_start"}:
                self.calls.setdefault(call, event)
            elif call and event.role == "tool":
                self.results.setdefault(call, event)
        self.readers: dict[str, Callable[[_Draft, Event], None]] = {
            "title": self._title,
            "prompt": self._prompt,
            "compaction": self._recap,
            "recap": self._recap,
            "subagent_end": self._subagent,
        }
        self.answer: tuple[Event, list[Piece]] | None = None
        """The last one of the main conversation."""
        self.before: _Draft | None = None
        self.todos: dict[str, tuple[_Draft, Signal]] = {}
        self.commits: list[tuple[_Draft, Signal]] = []

    def turns(self) -> Iterator[Turn]:
        drafts = self._drafts()
        for draft in drafts:
            self._read(draft, is_last=draft is drafts[-1])
            self.before = draft
        branch = ""
        for draft in drafts:
            branch = self._branch(draft, branch)
            yield Turn(
                session=draft.events[0].session,
                project=self.project,
                start_us=draft.events[0].time_us,
                end_us=max(event.time_us for event in draft.events),
                branch=branch,
                signals=tuple(draft.signals[:_MOST_SIGNALS]),
                edits=tuple(
                    (path, len(times), max(times)) for path, times in sorted(draft.edits.items())
                ),
                asks_back=draft.asks_back,
                is_work=draft.is_work,
                is_cut=draft.is_cut,
                usage=_usage(draft.events),
                corrects=self._is_prompt(draft.events[0])
                and prompts.corrects(draft.events[0].text),
            )

    def _drafts(self) -> list[_Draft]:
        drafts: list[_Draft] = []
        is_begun = False  # what stands before the first prompt and answers nothing belongs to it
        for event in self.events:
            if not drafts or (self._is_prompt(event) and is_begun):
                drafts.append(_Draft())
            is_begun |= event.kind not in {"session_start", "title", "note"}
            drafts[-1].events.append(event)
        return drafts

    def _is_prompt(self, event: Event) -> bool:
        return (
            event.kind == "prompt"
            and not event.metadata.get("sidechain")
            and not any(
                isinstance(action, (act.Question, act.Rejection, act.Plan))
                for action in self.actions[event.id]
            )
        )

    def _branch(self, draft: _Draft, before: str) -> str:
        """Return the feature branch on which a turn ends, else the last one in it, else its trunk.

        A stretch on another branch without edit or commit does not count where another one has some.
        """
        stretches: list[tuple[str, bool]] = []
        for event in draft.events:
            name = event.metadata.get("branch", "")
            changes = any(
                isinstance(action, (act.Edit, act.Commit)) for action in self.actions[event.id]
            )
            if name and (not stretches or stretches[-1][0] != name):
                stretches.append((name, changes))
            elif stretches and changes:
                stretches[-1] = (stretches[-1][0], True)
        worked = [name for name, changes in stretches if changes] or [name for name, _ in stretches]
        features = [name for name in worked if name not in TRUNKS]
        return features[-1] if features else (worked[-1] if worked else before)

    def _read(self, draft: _Draft, *, is_last: bool) -> None:
        tests: dict[str, Signal] = {}
        for event in draft.events:
            if event.kind != "prompt":
                for action in self.actions[event.id]:
                    self._action(draft, event, action, tests)
            read = self.readers.get(event.kind)
            if read is not None and (event.kind == "subagent_end" or _is_main(event)):
                read(draft, event)
        draft.signals += tests.values()
        said = [event for event in draft.events if event.kind == "answer" and _is_main(event)]
        pieces = pieces_of(said[-1].text) if said else []
        last = self._last_word(draft)
        draft.is_cut = last is None or last.kind != "answer" or answers.announces(pieces)
        if last is not None and last.kind == "answer":
            self._final(draft, last, pieces)
        elif last is not None and is_last:
            text = clause(last.text.strip().split("\n", 1)[0])
            self._add(draft, "error", last, text, (0, len(last.text)))
        if said:
            self.answer = (said[-1], pieces)

    def _last_word(self, draft: _Draft) -> Event | None:
        """Return the last answer, if no call followed it and nothing interrupted it, or the error that came last."""
        last: Event | None = None
        for event in draft.events:
            if not _is_main(event):
                continue
            if event.kind in {"answer", "error"}:
                last = event
            elif event.kind in {"prompt", "tool_call"} or event.text.startswith(_INTERRUPTED):
                last = None
        return last

    def _add(
        self,
        draft: _Draft,
        kind: Kind,
        event: Event,
        text: str,
        span: tuple[int, int],
        *,
        state: str = "",
        key: str = "",
        rank: int = 0,
        more: Sequence[Proof] = (),
    ) -> None:
        text = one_line(text)
        if text:
            proofs = (proof(event, *span), *more)
            draft.signals.append(Signal(kind, text, event.time_us, proofs, state, key, rank))

    def _title(self, draft: _Draft, event: Event) -> None:
        given_by = event.metadata.get("given_by", "")
        self._add(draft, "title", event, event.text, (0, len(event.text)), state=given_by)

    def _prompt(self, draft: _Draft, event: Event) -> None:
        found = prompts.signals_of(event, self.actions[event.id], self.answer, self.calls)
        if self.before is not None and any(signal.state == "choice" for signal in found):
            # What the answer before listed were options, whatever it called them.
            others = [signal for signal in self.before.signals if signal.kind != "found"]
            self.before.signals[:] = others
        draft.signals += found

    def _recap(self, draft: _Draft, event: Event) -> None:
        for said in recaps.said_in(event.text):
            self._add(draft, said.kind, event, said.text, (said.start, said.end), rank=said.rank)

    def _subagent(self, draft: _Draft, event: Event) -> None:
        said = next(answers.results_of(pieces_of(event.text)), None)
        if said is not None:
            self._add(draft, "subagent", event, said.text, (said.start, said.end))

    def _final(self, draft: _Draft, event: Event, pieces: Sequence[Piece]) -> None:
        question = answers.closing_question(pieces)
        if question is not None:
            self._add(draft, "question", event, question.text, (question.start, question.end))
        kind: Kind = "result" if draft.is_work else "found"
        draft.asks_back = question is not None and not draft.is_work
        is_choice = question is not None and not answers.is_offer(question.text)
        if not draft.asks_back:
            for said in answers.results_of(pieces):
                if is_choice and not answers.is_deed(said.text):
                    continue  # of what is to be chosen, like the options
                self._add(draft, kind, event, said.text, (said.start, said.end), rank=said.rank)
        for said in answers.open_of(pieces):
            self._add(draft, "open", event, said.text, (said.start, said.end))

    def _action(
        self, draft: _Draft, event: Event, action: act.AnyAction, tests: dict[str, Signal]
    ) -> None:
        call = event.metadata.get("tool_use_id", "")
        if call and call in self.rejected:
            return
        result = self.results.get(call)
        is_error = result is not None and result.metadata.get("is_error") == "true"
        if isinstance(action, act.Edit) and not is_error:
            draft.is_work = True
            for path in action.paths:
                draft.edits[_relative(path, self.project)].append(event.time_us)
        elif isinstance(action, act.Run) and result and action.purpose in {"test", "lint"}:
            outcome = shell.outcome_of(result.text, is_error=is_error, hidden=action.hidden)
            if outcome:
                called = proof(event, *_span(event.text, action.command))
                proofs = (proof(result, *_telling(result.text)), called)
                text, purpose = one_line(action.command), action.purpose
                tests[purpose] = Signal("test", text, result.time_us, proofs, outcome, purpose)
        elif isinstance(action, act.Commit) and not action.scratch:
            self._commit(draft, event, action, result, is_error=is_error)
        elif isinstance(action, (act.PullRequest, act.Issue)) and not is_error:
            self._forge(draft, event, action, result)
        elif isinstance(action, act.Todo):
            self._todo(draft, event, action)

    def _todo(self, draft: _Draft, event: Event, action: act.Todo) -> None:
        """Keep the last state of each to-do, told in the turn that reached it.

        A whole list stamps what is not done with its time: what an older list held and the last one does not is gone.
        """
        for item in action.items:
            key = f"#{item.id}" if item.id else " ".join(sorted(content_words(item.text)))
            known = self.todos.get(key)
            text = one_line(item.text) or UNNAMED
            if item.text and item.text not in event.text:
                continue  # nothing would prove it
            proofs: tuple[Proof, ...] = (proof(event, *_span(event.text, item.text)),)
            if known is not None:
                holder, old = known
                if old.state == item.state and item.state not in {"pending", "started"}:
                    continue
                holder.signals.remove(old)
                if not item.text:
                    text, proofs = old.text, (old.proofs[0], *proofs)
            signal = Signal("todo", text, event.time_us, proofs, item.state, key)
            self.todos[key] = (draft, signal)
            draft.signals.append(signal)

    def _commit(
        self,
        draft: _Draft,
        event: Event,
        action: act.Commit,
        result: Event | None,
        *,
        is_error: bool,
    ) -> None:
        made = shell.commits_made(result.text) if result is not None else []
        if not made and (is_error or (result is not None and _NOTHING in result.text)):
            return
        same = [each for each in made if each.subject == action.subject]
        own = next(iter(same or made[-1:]), None)
        subject = action.subject or (own.subject if own else "")
        known = own.hash if own else action.hash
        more = _proved(result, own.subject if own else "")
        draft.is_work = True
        if action.amend and self.commits:
            holder, old = self.commits.pop()
            renamed = (*more, proof(event, *_span(event.text, subject)))
            proofs = renamed if action.subject else old.proofs
            text = subject or old.text
            signal = Signal("commit", text, event.time_us, proofs, key=known or old.key)
            holder.signals[holder.signals.index(old)] = signal
            self.commits.append((holder, signal))
            return
        if not subject or _MERGE.match(subject):
            return
        self._add(draft, "commit", event, subject, _span(event.text, subject), key=known, more=more)
        self.commits.append((draft, draft.signals[-1]))

    def _forge(
        self,
        draft: _Draft,
        event: Event,
        action: act.PullRequest | act.Issue,
        result: Event | None,
    ) -> None:
        kind: Kind = "pull request" if isinstance(action, act.PullRequest) else "issue"
        links = shell.forge_links(result.text) if result is not None else []
        url = action.url or (links[-1][0] if links else "")
        number = action.number or (links[-1][2] if links else 0)
        if action.verb in {"opened", "merged", "closed"}:
            draft.is_work = True
        if not (action.title or number or url):
            return
        more = _proved(result, url if result is not None and url in result.text else "")
        self._add(
            draft,
            kind,
            event,
            action.title or f"#{number}",
            _span(event.text, action.title or str(number)),
            state=action.verb,
            key=url or (f"#{number}" if number else action.title),
            more=more,
        )


_COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


def _usage(events: Sequence[Event]) -> tuple[Usage, ...]:
    """Return the tokens by model. The records of one message repeat them while they grow: the last one counts."""
    last: dict[str, Usage] = {}
    for event in events:
        counts = [event.metadata.get(name, "") for name in _COUNTS]
        if any(counts):
            numbers = [int(c) if c.isdecimal() and len(c) <= _DIGITS else 0 for c in counts]
            model = event.metadata.get("model", "")
            last[event.group or event.id] = Usage(model, 1, *numbers)
    return joined_usage(last.values())


def _is_main(event: Event) -> bool:
    """Return whether an event belongs to the main conversation, not to a subagent's."""
    return not event.metadata.get("sidechain")


def _span(text: str, words: str) -> tuple[int, int]:
    """Return where the words stand in a text; where they do not stand as they are, the text's beginning."""
    start = text.find(words) if words else -1
    return (start, start + len(words)) if start >= 0 else (0, len(text))


def _proved(result: Event | None, words: str) -> tuple[Proof, ...]:
    """Return the proof by the output of a call, if it says the words."""
    return (proof(result, *_span(result.text, words)),) if result is not None and words else ()


_MERGE = re.compile(r"Merge (?:branch|remote-tracking branch|tag|commit) ")
"""How git names a merge by itself: the commits that it brings were made elsewhere."""
_TELLING = re.compile(
    r"^.*(?:FAIL|failed|passed|\bok\b|error|PASS|0 issues|problems).*$", re.MULTILINE
)


def _telling(output: str) -> tuple[int, int]:
    """Return the last line of an output that tells how it ended."""
    last = None
    for match in _TELLING.finditer(output):
        last = match
    return last.span() if last else (max(0, len(output) - 200), len(output))


def _relative(path: str, project: str) -> str:
    return path.removeprefix(project.rstrip("/") + "/")
