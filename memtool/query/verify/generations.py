"""Verifies that no table of contents is left over: there are the current one, and one that is half built at most."""

from __future__ import annotations

from collections.abc import Iterator

from memtool.query.verify.walk import Walk
from memtool.store.toc import generations_found


def check_generations(walk: Walk) -> Iterator[str]:
    """Check that every key of a table of contents belongs to one that is known."""
    known = {each.generation for each in walk.store.generations()}
    for family, number in generations_found(walk.store):
        if number not in known:
            what = f"keys of it in {family}, although it is neither the current one nor half built"
            walk.found.say(f"generation {number}", what)
    for _ in known:
        yield "generations"
