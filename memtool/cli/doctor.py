"""`memtool doctor`: what memtool stands on, what is wrong with it, and what to do. Takes no lock, changes nothing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property

import typer

from memtool.cli.options import Invocation, JsonOption, invocation
from memtool.cli.output import Page, number, print_json
from memtool.cli.scheduler.apply import as_the_jobs
from memtool.cli.scheduler.place import Place, place_of, state_of, timers_of
from memtool.errors import FAILED, OK, ExitCode, MemtoolError
from memtool.query.doctor import examine as examine_scene
from memtool.query.doctor.scene import VERDICTS, Finding, Scene, Verdict, is_healthy
from memtool.settings import Assignment, Config, examine, load_config, problem_of
from memtool.systemd.jobs import SETTINGS

VERSION = 1
_STYLES: dict[Verdict, str] = {
    "ok": "green",
    "warning": "yellow",
    "problem": "red",
    "skipped": "dim",
}
_TODO = "do: "
_WORD_WIDTH = max(map(len, VERDICTS))


class Mended(Invocation):
    """An invocation whose configuration leaves out what is wrong with it, so that the rest can be looked at."""

    @cached_property
    def config(self) -> Config:
        """The settings; where some are not understood, the others."""
        try:
            return self.read_config()
        except MemtoolError:
            found, _ = examined(self)
            values = {one.key: one.value for one in found if isinstance(one.value, str | int)}
            if self.store_option is not None:
                values["store.path"] = str(self.store_option.absolute())
            return load_config({}, [], SETTINGS, options=values)


def examined(call: Invocation) -> tuple[list[Assignment], list[MemtoolError]]:
    """Return what is set and understood, weakest first, and everything that is wrong with the rest."""
    found, faults = [], list[MemtoolError]()
    for environ, files in (*(({}, [file]) for file in call.config_files), (call.environ, [])):
        try:
            more, wrong = examine(environ, files, SETTINGS)
        except MemtoolError as error:  # a file that cannot be read
            faults.append(error)
        else:
            found += [one for one in more if problem_of(one, SETTINGS) is None]
            faults += wrong
    return found, faults


def doctor(context: typer.Context, *, json: JsonOption = False) -> ExitCode:
    """Look at what memtool stands on, and say what to do. Exits 1 where there is a problem or a warning."""
    scene = scene_of(invocation(context))
    findings = examine_scene(scene)
    if json:
        print_json("doctor", VERSION, _json(scene, findings))
    else:
        _print(Page(scene.environ), scene, findings)
    return OK if is_healthy(findings) else FAILED


def scene_of(given: Invocation) -> Scene:
    """Return what there is to look at: for the system's timers, as the person whom their jobs run as sees it."""
    call = Mended(given.environ, given.now_us, given.store_option, given.config_option)
    place = place_of(call, None)
    if place.scope == "system":
        place = as_the_jobs(place, _person(place))
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
        faults=tuple(examined(seen)[1]),
        manager=None if place.scope is None else place.manager,
    )


def _person(place: Place) -> str:
    """Return the user whom the system's jobs run as; nothing where systemd does not say."""
    users = (timer.service.user for timer in timers_of(place).states.values())
    return next(filter(None, users), "")


def _print(page: Page, scene: Scene, findings: Sequence[Finding]) -> None:
    page.line(("Store: ", "bold"), f"{scene.root} ({scene.store.why})")
    page.blank()
    name_width = max(len(finding.name) for finding in findings)
    for finding in findings:
        _print_finding(page, finding, name_width)
    page.blank()
    page.line(*_verdict(findings))


def _print_finding(page: Page, finding: Finding, name_width: int) -> None:
    """Print the verdict, the name and what was found in columns, and below it what to do."""
    advice, style = finding.advice, _STYLES[finding.advice.verdict]
    first = f"{advice.verdict:<{_WORD_WIDTH}}  {finding.name:<{name_width}}  "
    margin = " " * len(first)
    page.line(advice.found, first=first, rest=margin, lead=style)
    if advice.todo:
        page.line(
            (advice.todo, "bold" if advice.verdict in ("warning", "problem") else ""),
            first=margin + _TODO,
            rest=margin + " " * len(_TODO),
        )


def _verdict(findings: Sequence[Finding]) -> Iterator[tuple[str, str]]:
    counts = _counts(findings)
    bad = [number(counts[word], word) for word in ("problem", "warning") if counts[word]]
    if bad:
        yield ", ".join(bad), "red" if counts["problem"] else "yellow"
    else:
        yield "Healthy", "green"
    yield f"; {counts['ok']} ok, {counts['skipped']} skipped", ""


def _counts(findings: Sequence[Finding]) -> dict[Verdict, int]:
    found = Counter(finding.advice.verdict for finding in findings)
    return {word: found[word] for word in VERDICTS}


def _json(scene: Scene, findings: Sequence[Finding]) -> dict[str, object]:
    return {
        "store": {"path": str(scene.root), "why": scene.store.why},
        "healthy": is_healthy(findings),
        "counts": _counts(findings),
        "checks": [
            {
                "name": finding.name,
                "verdict": finding.advice.verdict,
                "found": finding.advice.found,
                "todo": finding.advice.todo,
            }
            for finding in findings
        ],
    }
