"""What agents have written since the last ingest, for a command that reads."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from memtool.agents.discover import discover, source_key, waiting
from memtool.agents.hooks import spool
from memtool.cli.options import Invocation
from memtool.cli.output import WARNING, note
from memtool.errors import MemtoolError
from memtool.locks import WRITER, WRITER_QUEUE, is_free, job_lock_path, lock_path
from memtool.query.reader import Reader
from memtool.store.store import Store

R = TypeVar("R")


def with_news(call: Invocation, reader: Reader, ask: Callable[[Reader], R]) -> R:
    """Return what `ask` finds after an ingest of what is new, if that can begin at once and by the store's owner.

    If nothing is new, the store is opened only once.
    """
    if not _may_ingest(call):
        return ask(reader)
    with reader.held() as held:
        if held.opened is None or not _has_news(call, held.opened):
            return ask(held)
    from memtool.cli.ingest import ingest_quietly

    try:
        ingest_quietly(call)
    except MemtoolError as error:
        note(f"memtool: new transcripts were not read: {error.message}", WARNING)
    return ask(reader)


def _may_ingest(call: Invocation) -> bool:
    root = call.store.root
    try:
        if not os.access(root, os.W_OK) or root.stat().st_uid != os.getuid():
            return False
    except OSError:  # reading it says why
        return False
    busy = (job_lock_path(root, "ingest"), lock_path(root, WRITER), lock_path(root, WRITER_QUEUE))
    return all(map(is_free, busy))


def _has_news(call: Invocation, store: Store) -> bool:
    try:
        if spool.names(call.store.root):
            return True
        found = waiting(discover(roots=call.roots).files, store.sources())
    except MemtoolError as error:
        note(f"memtool: new transcripts were not read: {error.message}", WARNING)
        return False
    unreadable = store.unreadable()
    return any(source_key(path) not in unreadable or os.access(path, os.R_OK) for path, _ in found)
