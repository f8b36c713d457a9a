"""Checks of what writes summaries: whether it is ready, and what today may still spend. Calls no model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from memtool.errors import MemtoolError
from memtool.paths import home_directory
from memtool.query.doctor.finding import Advice, ok, problem, skipped, warning
from memtool.query.doctor.scene import Scene
from memtool.rollup.configured import budget_of, options_of, recipe_of, spent_today, wanted_calendar
from memtool.summarize import problem as problem_of
from memtool.summarize import row
from memtool.summarize.models import command
from memtool.systemd.programs import find_program


def check_summarizer(scene: Scene) -> Advice:
    """Check that the configured summarizer lacks nothing."""
    name = scene.config.summarizer.name
    try:
        recipe_of(scene.config)
        options = options_of(scene.config, scene.environ, scene.root)
        lacking = problem_of(name, options)
        if name == command.NAME:
            _find_program(scene, command.argv_of(options))
    except MemtoolError as error:  # a part of it is missing, or a key file cannot be read
        return _lacking(name, error)
    if lacking is not None:
        return _lacking(name, lacking)
    return ok(f"{name} is ready: {row(name).about}")


def _find_program(scene: Scene, words: Sequence[str]) -> None:
    """Raise ConfigError where the program of the summarizer `command`, or its interpreter, is not there."""
    search = [Path(name) for name in scene.environ.get("PATH", "").split(":") if name[:1] == "/"]
    find_program(words, search, home_directory(scene.environ))


def _lacking(name: str, error: MemtoolError) -> Advice:
    return problem(f"{name}: {error.message}", error.hint or "memtool summarizers")


def check_budget(scene: Scene) -> Advice:
    """Check that today's budget is not used up."""
    if not row(scene.config.summarizer.name).needs_network:
        return skipped("the summarizer asks no model")
    calendar = scene.facts.calendar if scene.has_store else wanted_calendar(scene.config)
    used = spent_today(scene.root, calendar, scene.now_us)
    budget = budget_of(scene.config, None)
    rows = (
        ("calls", used.calls, budget.calls_per_day),
        ("tokens", used.tokens, budget.tokens_per_day),
    )
    words = ", ".join(f"{n:,}{f' of {most:,}' if most else ''} {what}" for what, n, most in rows)
    for what, number, most in rows:
        if most and number >= most:
            todo = f"tomorrow's runs go on, or: memtool config set budget.{what}_per_day N"
            return warning(f"today's {what} are used up: {words}", todo)
    return ok(f"today: {words}")
