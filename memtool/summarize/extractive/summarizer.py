"""The default summarizer: what was asked and what came of it, in the conversation's own words; never a network."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from memtool.model.levels import Level
from memtool.model.records import Recipe
from memtool.model.summary import Draft, Request
from memtool.summarize import Options
from memtool.summarize.check import SummaryFailed

VERSION = "extractive-2"
"""Raise it whenever the same request gives another draft: nodes written before are then outdated."""


class Extractive(Struct, frozen=True):
    """Deterministic: the same request gives the same draft on every machine."""

    max_bullets: int
    waits: Literal[False] = False

    @property
    def recipe(self) -> Recipe:
        """What signs its nodes."""
        return Recipe("extractive", prompt=VERSION, settings=f"max_bullets={self.max_bullets}")

    def summarize(self, request: Request) -> Draft:
        """Return the draft. Raise SummaryFailed if the request has no item at all."""
        if not any(section.items for section in request.sections):
            raise SummaryFailed(f"there is nothing to summarize in {request.scope}")
        # Imported with the first draft: their patterns would be a third of the start of a run that has nothing to do.
        if request.level is Level.SEGMENT:
            from memtool.summarize.extractive.segments.draft import summarize_segment

            return summarize_segment(request, self.max_bullets)
        from memtool.summarize.extractive.periods.draft import summarize_period

        return summarize_period(request, self.max_bullets)


def make(options: Options) -> Extractive:
    """Return the summarizer."""
    return Extractive(options.max_bullets)
