"""Checks what memtool needs. Takes no lock, writes nothing, waits for no job. The table of checks is at the end."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from memtool.errors import MemtoolError
from memtool.files import storage_error
from memtool.paths import home_directory
from memtool.query.doctor.agents import (
    check_hooks,
    check_ingest,
    check_retention,
    check_transcripts,
)
from memtool.query.doctor.days import check_calendar, check_zone_data
from memtool.query.doctor.disk import check_file_system, check_permissions, check_space
from memtool.query.doctor.scene import (
    STATUS,
    VERDICTS,
    Advice,
    CannotCheckError,
    Examination,
    Finding,
    Scene,
    StorePlace,
    ok,
    problem,
    skipped,
    span,
    warning,
)
from memtool.query.doctor.timers import check_clock, check_program, check_timers
from memtool.redact.rules import RULESET_VERSION
from memtool.rollup.configured import options_of, recipe_of
from memtool.store.access import SWAP
from memtool.summarize import problem as problem_of
from memtool.summarize import row
from memtool.summarize.models import command
from memtool.systemd.programs import find_program


def check_store(scene: Scene) -> Advice:
    """Check that the store opens and has a known format."""
    if not scene.has_store:
        return skipped(f"there is none at {scene.root} yet", "memtool ingest makes it")
    if os.path.lexists(scene.root / SWAP):  # False if it is not visible to this user
        return problem("a restore was interrupted", "run memtool restore again")
    if scene.facts.format is None:
        text = "it has no FORMAT file, so an older memtool would not know a newer store"
        return warning(text, f"restore it from a backup: {scene.root / 'FORMAT'}")
    return ok(f"opens, format {scene.facts.format}")


def check_index(scene: Scene) -> Advice:
    """Check that the search index can be used, and is not behind the store."""
    if not scene.has_store:
        return skipped("there is no store yet")
    days = scene.facts.index_behind
    if days is None:
        return warning("there is no index of this store; searches read the store", "memtool ingest")
    if days > _MOST_DAYS_BEHIND:
        return warning(f"it is {days} days behind", "memtool ingest")
    return ok(
        "up to date" if not days else f"{days} days behind; searches read these from the store"
    )


def check_redaction(scene: Scene) -> Advice:
    """Check that today's rules were applied to all that is stored, and that no file holds what was deleted."""
    facts = scene.facts
    if facts.span_us is not None and facts.rules_applied < RULESET_VERSION:
        return warning(
            f"the rules of this version (number {RULESET_VERSION}) were not applied to all that is stored",
            "memtool redact --again",
        )
    if facts.erasing_us is not None:
        age = span((scene.now_us - facts.erasing_us) // 1_000_000)
        return warning(f"what was deleted {age} ago may still be in the files", "memtool compact")
    return ok("today's rules were applied to all that is stored")


def check_summarizer(scene: Scene) -> Advice:
    """Check that the configured summarizer lacks nothing. Calls no model."""
    name = scene.config.summarizer.name
    lacking: MemtoolError | None
    try:
        recipe_of(scene.config)
        options = options_of(scene.config, scene.environ, scene.root)
        lacking = problem_of(name, options)
        if name == command.NAME:
            search = [
                Path(part) for part in scene.environ.get("PATH", "").split(":") if part[:1] == "/"
            ]
            find_program(command.argv_of(options), search, home_directory(scene.environ))
    except MemtoolError as error:  # a part of it is missing, or a key file cannot be read
        lacking = error
    if lacking is not None:
        return problem(f"{name}: {lacking.message}", lacking.hint or "memtool summarizers")
    return ok(f"{name} is ready: {row(name).about}")


_MOST_DAYS_BEHIND = 3
Checks = Sequence[tuple[str, Callable[[Scene], Advice]]]
CHECKS: Checks = (
    ("store", check_store),
    ("timers", check_timers),
    ("program", check_program),
    ("last ingest", check_ingest),
    ("transcripts", check_transcripts),
    ("retention", check_retention),
    ("hooks", check_hooks),
    ("search index", check_index),
    ("redaction", check_redaction),
    ("summarizer", check_summarizer),
    ("permissions", check_permissions),
    ("file system", check_file_system),
    ("disk space", check_space),
    ("calendar", check_calendar),
    ("zone data", check_zone_data),
    ("clock", check_clock),
)


def examine(scene: Scene, checks: Checks = CHECKS) -> Examination:
    """Return what each check found. What cannot be read is a problem of the first check that needs it."""
    told: dict[int, str] = {}
    found: list[Finding] = []
    for name, check in checks:
        try:
            advice = check(scene)
        except CannotCheckError as reason:
            advice = skipped(str(reason))
        except MemtoolError as error:
            if id(error) in told:
                advice = skipped(f"cannot be checked: see {told[id(error)]}")
            else:
                told[id(error)] = name
                advice = problem(error.message, error.hint or STATUS)
        except OSError as error:
            refused = storage_error(error, error.filename or scene.root)
            advice = problem(refused.message, refused.hint or STATUS)
        found.append(Finding(name, advice.verdict, advice.found, advice.todo))
    counts = Counter(finding.verdict for finding in found)
    return Examination(
        store=StorePlace(str(scene.root), scene.store.why),
        healthy=not counts["problem"] and not counts["warning"],
        counts={verdict: counts[verdict] for verdict in VERDICTS},
        checks=tuple(found),
    )
