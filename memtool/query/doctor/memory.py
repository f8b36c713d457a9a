"""Checks of the configuration and of what the store says of itself. Walks nothing: that is `verify`'s."""

from __future__ import annotations

import os

from memtool.errors import DamagedError, MemtoolError
from memtool.ledger.file import ledger_path
from memtool.query.doctor.finding import Advice, in_words, ok, problem, skipped, span, warning
from memtool.query.doctor.scene import Scene
from memtool.store.access import SWAP


def check_configuration(scene: Scene) -> Advice:
    """Check that every setting is understood."""
    if scene.faults:
        first, more = scene.faults[0], len(scene.faults) - 1
        text = f"{first.message}{_more(more)}; every command and job stops at this"
        return problem(text, first.hint or "memtool config check")
    if scene.config.warnings:
        return warning(scene.config.warnings[0], "take it out; memtool config check names all")
    files = [file.path for file in scene.config_files if file.path.exists()]
    return ok(f"read from {', '.join(map(str, files))}" if files else "all settings are defaults")


def _more(count: int) -> str:
    return f" (and {count} more)" if count else ""


def check_store(scene: Scene) -> Advice:
    """Check that the store opens, and its format is known."""
    if not scene.has_store:
        return skipped(f"there is none at {scene.root} yet", "memtool ingest makes it")
    try:
        facts = scene.read_store
    except MemtoolError as error:
        return problem(error.message, error.hint or "memtool verify")
    if facts.format is None:
        text = "it has no FORMAT file, by which an older memtool would leave a newer store alone"
        return warning(text, f"put it back from a backup: {scene.root / 'FORMAT'}")
    return ok(f"opens, format {facts.format}")


def check_ledger(scene: Scene) -> Advice:
    """Check that the record of what ran can be read."""
    try:
        history = scene.read_history
    except DamagedError as error:
        return problem(error.message, error.hint)
    if history.damaged_lines:
        records = in_words(history.damaged_lines, "record")
        text = f"{records} cannot be read; the disk may be failing"
        return warning(text, f"look at {ledger_path(scene.root)}; what is damaged is passed over")
    aside = sorted(ledger_path(scene.root).parent.glob("ledger.damaged-*"))
    if aside:
        text = "a damaged ledger was set aside: runs and budgets count from then on"
        return warning(text, f"remove it when you need it no more: {aside[-1]}")
    if not history.runs:
        return skipped("no job has run yet")
    return ok(f"{in_words(len(history.runs), 'run')} on record")


def check_unfinished(scene: Scene) -> Advice:
    """Check that no work on the whole store was begun and left."""
    if os.path.lexists(scene.root / SWAP):  # False where one may not look
        return problem("a restore was interrupted", "run memtool restore again")
    facts = scene.facts
    if facts.erasing_us is not None:
        age = span((scene.now_us - facts.erasing_us) // 1_000_000)
        text = f"something was taken away {age} ago, and its bytes may still be in the files"
        return warning(text, "memtool compact")
    if facts.building:
        return warning(
            "a rebuild was begun and has not ended; what is shown is the table before it",
            "memtool rebuild goes on with it",
        )
    return ok("no rebuild, restore or erasing is half done")


def check_damage(scene: Scene) -> Advice:
    """Check what earlier ingests could not read."""
    sources = scene.facts.sources
    damaged = {path: row for path, row in sources.items() if row.damaged or row.problem}
    if not damaged:
        return ok(f"{in_words(len(sources), 'transcript')} on record, none damaged")
    path, row = next(iter(damaged.items()))
    why = row.problem or in_words(row.damaged, "damaged line")
    text = f"{in_words(len(damaged), 'transcript')} could not be read whole, such as {path}: {why}"
    return warning(text, "memtool ingest --json lists them; all else in them was taken in")
