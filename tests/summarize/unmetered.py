"""Calls without limit, budget or record, and the summarizers that make them."""

from __future__ import annotations

from memtool.summarize import Ask, Options, Remote, Reply, make


async def unmetered(estimate: int, ask: Ask) -> Reply:
    """Make the call."""
    assert estimate > 0
    return await ask()


def remote(name: str, options: Options) -> Remote:
    """Return a summarizer that calls something outside."""
    summarizer = make(name, options)
    assert summarizer.waits is True
    return summarizer
