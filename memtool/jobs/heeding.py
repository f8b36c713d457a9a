"""Waiting for something outside, and yet heeding signals and the deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from memtool.jobs.context import RunContext

_LOOK_S = 0.2
"""How often a run that waits looks whether it was asked to stop."""
_T = TypeVar("_T")


async def heeding(context: RunContext, work: Coroutine[Any, Any, _T]) -> _T:
    """Return what the work does. After a signal, or when the time is up, break it off and raise as `checkpoint` does.

    What it has written by then stays, and its calls are on record.
    """
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait({task}, timeout=_LOOK_S)
        if context.should_stop() and task.cancel():
            await asyncio.wait({task})
    if task.cancelled():
        context.checkpoint()
    return await task
