"""What agents write when memtool runs them as its summarizer: memtool's own sessions. None of it is taken in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from memtool.agents import Fate, File, Format, Outcome, Parser
from memtool.agents.values import JsonObject, text_at
from memtool.model.records import Event

NAME = "memtool's own"
_MOST_OBJECTS = 1000


@dataclass(frozen=True, slots=True)
class Own:
    """The name of the directories in which memtool runs programs; "" where nothing is to be passed over."""

    name: str = ""

    def holds(self, place: str) -> bool:
        """Return whether the place is such a directory, or below one."""
        return self.name in place.split("/")


def without_own(
    chosen: Format, file: File, own: Own, whole: Callable[[str], Iterator[JsonObject]]
) -> Parser:
    """Return the format's parser, less what is memtool's own. `whole` is as `file.earlier`, but for all of the file."""
    parser = chosen.parser(file)
    return _Others(parser, chosen.place_key, own, whole) if own.name else parser


@dataclass(slots=True)
class _Others:
    """A parser whose records of memtool's own sessions are counted, and passed over.

    A record counts by its own project. In a format of one session a file, all of a file counts by the first place that
    it names: a session may begin with records that name none, and go on elsewhere.
    """

    parser: Parser
    place_key: str
    own: Own
    whole: Callable[[str], Iterator[JsonObject]]
    _is_own: bool | None = field(default=None, init=False)

    def parse(self, record: JsonObject) -> Outcome:
        """Return what the object says; of an own one, only that it is one."""
        outcome = self.parser.parse(record)
        if outcome.fate is Fate.TAKEN and (self._is_own_file() or self._is_of_own(outcome)):
            return Outcome(Fate.IGNORED, NAME)
        return outcome

    def _is_of_own(self, outcome: Outcome) -> bool:
        events = (one for one in outcome.records if isinstance(one, Event))
        return any(self.own.holds(event.project) for event in events)

    def _is_own_file(self) -> bool:
        if self._is_own is None:
            self._is_own = bool(self.place_key) and self.own.holds(self._first_place())
        return self._is_own

    def _first_place(self) -> str:
        records = islice(self.whole(self.place_key), _MOST_OBJECTS)
        return next(filter(None, (text_at(one, self.place_key) for one in records)), "")
