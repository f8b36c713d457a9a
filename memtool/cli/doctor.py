"""`memtool doctor`: check what memtool needs. Takes no lock, changes nothing."""

from __future__ import annotations

import os

import typer

from memtool.cli.options import Invocation, JsonOption, invocation
from memtool.cli.output import LEAST_TABLE, Page, print_json
from memtool.cli.scheduler.place import place_of, state_of
from memtool.errors import FAILED, OK, ExitCode
from memtool.query.doctor import examine
from memtool.query.doctor.scene import Examination, Scene

VERSION = 1
_MARGIN = "  "
_STYLES: dict[str, str] = {
    "ok": "green",
    "warning": "yellow",
    "problem": "red",
    "skipped": "dim",
}


def doctor(context: typer.Context, *, json: JsonOption = False) -> ExitCode:
    """Check what memtool needs, and say what to do. Exits 1 if there is a problem or a warning."""
    scene = scene_of(invocation(context))
    found = examine(scene)
    if json:
        print_json("doctor", VERSION, found)
    else:
        _print(Page(scene.environ), found)
    return OK if found.healthy else FAILED


def scene_of(call: Invocation) -> Scene:
    """Return what the checks look at."""
    place = place_of(call, None)
    seen = place.call
    return Scene(
        environ=seen.environ,
        now_us=seen.now_us,
        uid=os.getuid(),
        config=seen.config,
        config_files=seen.config_files,
        store=place.store,
        roots=seen.roots,
        look=lambda: state_of(place),
        manager=None if place.scope is None else place.manager,
    )


def _print(page: Page, found: Examination) -> None:
    """Print what is wrong and what to do about it, then in one line each what is right and what was not checked."""
    page.line(("Store: ", "bold"), f"{found.store.path} ({found.store.why})")
    page.blank()
    for one in found.checks:
        if one.verdict in ("problem", "warning"):
            first, style = f"{one.verdict}  {one.name}: ", _STYLES[one.verdict]
            if page.prose_width < LEAST_TABLE:
                page.line((first.rstrip(), style))
                first = _MARGIN
            page.line(one.found, first=first, rest=_MARGIN, lead=style)
            page.line((one.todo, "bold"), first=f"{_MARGIN}do: ", rest=_MARGIN * 2)
    for verdict, word in (("ok", "ok"), ("skipped", "not checked")):
        names = [one.name for one in found.checks if one.verdict == verdict]
        if names:
            page.line((f"{word}: ", _STYLES[verdict]), ", ".join(names), rest=_MARGIN)
