"""Calls without bound, budget or record."""

from __future__ import annotations

from memtool.summarize import Ask, Reply


class Unmetered:
    """What summarizers that stand alone make their calls through."""

    async def make(self, estimate: int, ask: Ask) -> Reply:
        """Make the call."""
        assert estimate > 0
        return await ask()
