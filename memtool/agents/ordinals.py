"""The ordinal among equals within a file: what tells records apart that carry no id of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from memtool.agents import File
from memtool.agents.values import JsonObject


class Ordinals:
    """Counts equal records. Where reading resumed in the middle, the part before is gone through once a scope.

    The scope is a word that all equals share in their lines ("" for none), so that most lines need no parsing.
    """

    def __init__(self, file: File, key_of: Callable[[JsonObject], str]) -> None:
        self._file = file
        self._key_of = key_of
        self._seen: dict[str, Counter[str]] = {}

    def next(self, record: JsonObject, scope: str) -> int:
        """Return how many equals of the record came before it; from now on it is one of them."""
        if scope not in self._seen:
            self._seen[scope] = Counter(map(self._key_of, self._file.earlier(scope)))
        key = self._key_of(record)
        self._seen[scope][key] += 1
        return self._seen[scope][key] - 1
