"""A memory with an index, and what a search of it finds."""

from __future__ import annotations

import os
from pathlib import Path

from memtool.context import Limits, RunContext
from memtool.locks import Holder
from memtool.model.calendar import Calendar
from memtool.query.reader import Reader
from memtool.query.search import Ask, Hits, search
from memtool.search.index import DIRECTORY, Report, differences, manifest_of, update
from tests.cli.history import NOW_US
from tests.memory import Memory


def context_of(memory: Memory, *, lock_wait_s: float = 300) -> RunContext:
    holder = Holder(os.getpid(), "test", 0)
    return RunContext(memory.root, NOW_US, holder, limits=Limits(lock_wait_s))


def indexed(memory: Memory, *, rebuild: bool = False) -> Report:
    """Bring the index up to date, and check that it then holds what the store holds."""
    report = update(context_of(memory), rebuild=rebuild)
    with memory.access.reading() as store:
        assert list(differences(memory.root, store)) == []
    return report


def found(memory: Memory, *words: str, **filters: object) -> Hits:
    return search(Reader(memory.root, NOW_US, Calendar("UTC")), Ask(words, **filters))  # type: ignore[arg-type]


def excerpts(memory: Memory, *words: str, **filters: object) -> list[str]:
    return [hit.excerpt for hit in found(memory, *words, **filters).hits]


def directory(memory: Memory) -> Path:
    manifest = manifest_of(memory.root)
    assert manifest is not None
    return memory.root / DIRECTORY / manifest.name
