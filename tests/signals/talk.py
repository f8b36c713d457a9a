"""Conversations for tests: each method adds what one event of a source would say."""

from __future__ import annotations

from memtool.model.actions import METADATA_KEY, AnyAction, Edit, Todo, encode
from memtool.model.records import ROLES, Claim, Event, EventId, digest_of
from memtool.model.threads import Thread, Turn
from memtool.signals.shell import actions_of
from memtool.signals.threads import threads_of
from memtool.signals.turns import turns_of

MINUTE_US = 60_000_000
PROJECT = "/home/me/shop"


class Talk:
    """One session's events, a minute apart."""

    def __init__(
        self, session: str = "s1", branch: str = "", start_us: int = 0, project: str = PROJECT
    ) -> None:
        self.session = session
        self.branch = branch
        self.project = project
        self.now_us = start_us
        self.events: list[Event] = []

    def add(self, kind: str, text: str, *actions: AnyAction, **metadata: str) -> Talk:
        self.now_us += MINUTE_US
        number = len(self.events)
        if self.branch:
            metadata.setdefault("branch", self.branch)
        if actions:
            metadata[METADATA_KEY] = encode(actions)
        self.events.append(
            Event(
                id=EventId(digest_of(self.session, number, self.now_us)[:32]),
                agent="claude-code",
                claims=(Claim(self.session, self.project),),
                time_us=self.now_us,
                kind=kind,
                role=ROLES.get(kind, "system"),
                text=text,
                digest="",
                metadata=metadata,
            )
        )
        return self

    def prompt(self, text: str, *actions: AnyAction, **metadata: str) -> Talk:
        return self.add("prompt", text, *actions, **metadata)

    def answer(self, text: str) -> Talk:
        return self.add("answer", text)

    def edit(self, *paths: str) -> Talk:
        action = Edit(paths=tuple(f"{self.project}/{path}" for path in paths))
        return self.call(f"Edit: {paths[0]}", action)

    def call(self, text: str, *actions: AnyAction, result: str = "ok", error: str = "") -> Talk:
        call = f"c{len(self.events)}"
        self.add("tool_call", text, *actions, tool_use_id=call)
        return self.add("tool_result", result, tool_use_id=call, is_error=error)

    def todo(self, action: Todo) -> Talk:
        return self.call("\n".join(item.text for item in action.items), action)

    def shell(self, line: str, result: str = "", error: str = "") -> Talk:
        return self.call(f"Bash: {line}", *actions_of(line), result=result, error=error)

    @property
    def turns(self) -> tuple[Turn, ...]:
        return turns_of(self.events)

    def told(self, *kinds: str) -> list[str]:
        """Return the texts of the signals of these kinds."""
        return [s.text for turn in self.turns for s in turn.signals if s.kind in kinds]

    def thread(self) -> Thread:
        (thread,) = threads_of(self.turns)
        return thread


def points(thread: Thread, *kinds: str) -> list[str]:
    """Return the texts of a thread's points of these kinds, or of all."""
    return [point.text for point in thread.points if not kinds or point.kind in kinds]
