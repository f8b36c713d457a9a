"""What a run may spend on its summarizer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """None is no bound. Free calls (of a summarizer that asks nobody) heed `calls_per_run` alone."""

    calls_per_run: int | None = None
    tokens_per_run: int | None = None
    calls_per_day: int | None = None
    tokens_per_day: int | None = None
