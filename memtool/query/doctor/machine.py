"""Checks of what memtool runs on: Python, locale, versions, the clock."""

from __future__ import annotations

import sys

from memtool import __version__
from memtool.query.doctor.finding import Advice, ok, problem, skipped, span, warning
from memtool.query.doctor.scene import Scene

OLDEST_PYTHON = (3, 11)
_DAY_US = 86_400_000_000
_SLACK_US = 60_000_000
_RELEASED_US = 1_767_225_600_000_000  # 2026-01-01: before this there was no memtool


def check_python(scene: Scene) -> Advice:  # noqa: ARG001 - the interpreter that runs this
    """Check the interpreter."""
    return python_advice(sys.version_info[:3])


def python_advice(version: tuple[int, ...]) -> Advice:
    """Return what this version of Python means."""
    name = f"Python {'.'.join(map(str, version))}"
    if version < OLDEST_PYTHON:
        return problem(
            f"{name} is older than 3.11", "install Python 3.11 or later, then ./install.sh"
        )
    return ok(name)


def check_locale(scene: Scene) -> Advice:
    """Check that file names and output are UTF-8."""
    return locale_advice(
        next(
            (
                scene.environ[name]
                for name in ("LC_ALL", "LC_CTYPE", "LANG")
                if scene.environ.get(name)
            ),
            "",
        ),
        sys.getfilesystemencoding(),
    )


def locale_advice(name: str, encoding: str) -> Advice:
    """Return what the locale means; Python itself makes UTF-8 of none, of C and of POSIX."""
    shown = name or "no locale"
    if encoding.lower().replace("-", "") != "utf8":
        text = f"{shown}: file names are taken for {encoding}, and what does not fit is shown as ?"
        return warning(text, "export LANG=C.UTF-8")
    return ok(f"{shown}, UTF-8")


def check_version(scene: Scene) -> Advice:
    """Check that the timers run this memtool, by what their newest run says of itself."""
    runs = [run for run in scene.history.runs if run.trigger in ("timer", "systemd")]
    if not runs:
        return skipped(f"memtool {__version__}; no timer has run a job yet")
    newest = runs[-1].version
    if newest != __version__:
        text = f"this is memtool {__version__}, the timers' last run was of {newest}"
        return warning(text, "memtool setup brings what the timers run up to date")
    return ok(f"memtool {__version__}, and the timers run the same")


def check_clock(scene: Scene) -> Advice:
    """Check that the clock is not behind what was recorded, and no event is ahead of it."""
    now_us = scene.now_us
    if now_us < _RELEASED_US:
        return problem("the clock is set to a time before 2026", "timedatectl set-ntp true")
    newest_us = max((run.ended_us or run.started_us for run in scene.history.runs), default=0)
    if newest_us > now_us + _SLACK_US:
        behind = span((newest_us - now_us) // 1_000_000)
        text = f"the clock is {behind} behind the newest run in the ledger"
        return problem(text, "timedatectl set-ntp true")
    if scene.has_store and (ahead_us := _newest_event_us(scene) - now_us) > _DAY_US:
        text = f"the newest event is {span(ahead_us // 1_000_000)} in the future"
        return warning(text, "memtool verify lists such events; was the clock wrong?")
    return ok("not behind anything that was recorded")


def _newest_event_us(scene: Scene) -> int:
    bounds = scene.facts.span_us
    return bounds[1] if bounds else 0
