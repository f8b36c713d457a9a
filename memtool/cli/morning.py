"""`memtool` alone: the morning page. And `memtool standup`, which prints the same days as plain text."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from memtool.cli.options import Invocation, JsonOption, OnlyProjectOption, invocation
from memtool.cli.output import Page, Part, cleaned, number, print_json, print_line
from memtool.cli.reading import STATE_COLOURS, counted, here, read, reader_of, sign
from memtool.errors import MemtoolError
from memtool.files import atomic_write, private_directory
from memtool.model.clock import Clock
from memtool.paths import looks_file, other_owner
from memtool.process import run
from memtool.query.contents import by_state
from memtool.query.morning import (
    MOST_DAYS,
    Look,
    Morning,
    News,
    Standup,
    Work,
    morning,
    standup,
)
from memtool.query.threads import ShownPoint, ShownThread

if TYPE_CHECKING:
    from memtool.query.left_off import LeftOff

VERSION = 1
_MOST_LOOKS = 20
_MOST_HEADLINES = 5
_MOST_POINTS = 4
"""Points are shown where there are fewer headlines than so many."""
_MOST_NEWS = 3
_MOST_FILES = 3
_MOST_ASKED = 100
_GIT_S = 2
_STATUS = len("XY ")
"""What stands before a path in git's list."""
_LABEL = 9
_MARGIN = "  "
_DAY_US = 24 * 3600 * 1_000_000
_NOT_TOLD = ("open", "ask", "question", "found")
"""Kinds of points that do not say what came of the work."""


def page(call: Invocation, *, as_json: bool) -> bool:
    """Print the morning page; return False if nothing is remembered yet. A look on a terminal is recorded."""
    file = _looks_file(call.environ)
    looks = _looks(file)
    found = morning(reader_of(call), looks)
    if as_json:
        print_json("morning", VERSION, found)
        return True
    if not found.exists:
        return False
    _print(call, found)
    if file is not None:
        kept = {**looks, found.store: Look(call.now_us, found.newest_us)}
        newest = sorted(kept.items(), key=lambda row: -row[1].time_us)[:_MOST_LOOKS]
        _keep(file, dict(newest))
    return True


# The last look, in the user's state directory. Without one, or if it cannot be written, every look is the first.


def _looks_file(environ: Mapping[str, str]) -> Path | None:
    with suppress(MemtoolError):
        return looks_file(environ)
    return None


def _looks(file: Path | None) -> dict[str, Look]:
    if file is not None:
        with suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode(file.read_bytes(), type=dict[str, Look])
    return {}


def _keep(file: Path, looks: Mapping[str, Look]) -> None:
    """Record the look. Root writes nothing into the directory of another user."""
    place = next(path for path in file.parents if path.exists())
    if os.getuid() == 0 and other_owner(place) is not None:
        return
    with suppress(OSError, MemtoolError):
        private_directory(file.parent)
        atomic_write(file, msgspec.json.encode(looks))


# The page.


def _print(call: Invocation, found: Morning) -> None:
    page, now_us = Page(call.environ), call.now_us
    clock = Clock(found.zone)
    if found.work is not None:
        _print_work(page, found, found.work)
    if found.left_off is not None:
        page.blank()
        _print_left_off(call, page, found, found.left_off)
    shown = {thread.id for thread in _chosen(found.work)} if found.work else set[str]()
    if found.news is not None and (found.news.delivered or found.news.open):
        page.blank()
        _print_news(page, clock, found.news, shown, now_us)
    page.blank()
    page.line((" · ".join(_commands(found)), "dim"))


def _commands(found: Morning) -> Iterator[str]:
    if found.day is not None:
        yield f"memtool show {found.day}"
    if found.open:
        yield f"memtool open ({found.open:,})"
    yield "memtool standup"


def _amounts(work: Work) -> str:
    parts = (
        (work.sessions, "session"),
        (work.commits, "commit"),
        (work.pull_requests, "pull request"),
    )
    return "".join(f" · {number(count, what)}" for count, what in parts if count)


def _print_work(page: Page, found: Morning, work: Work) -> None:
    when = "Yesterday" if found.is_yesterday else "Last worked on"
    page.line((f"{when} {work.scope}", "bold"), (_amounts(work), "dim"))
    chosen = _chosen(work)
    points = _points(chosen)
    for project in dict.fromkeys(thread.project for thread in work.threads):
        own = [thread for thread in work.threads if thread.project == project]
        mine = [thread for thread in own if thread in chosen]
        page.line((found.short_projects.get(project, project), "bold"))
        for thread in mine:
            page.text(
                cleaned(thread.headline),
                first=f"{sign(page, thread.state)} ",
                lead=STATE_COLOURS[thread.state],
                right=_beside(thread) or None,
            )
            for point in points.get(thread.id, ()):
                page.line((point.text, "dim"), first=_MARGIN * 2)
        rest = by_state(thread.state for thread in own if thread not in mine)
        if rest:
            more = f"and {sum(rest.values()):,} more: " if mine else ""
            page.line((f"{more}{counted(rest)}", "dim"), first=_MARGIN)


def _chosen(work: Work) -> list[ShownThread]:
    """Return the threads that the page shows: of each project the heaviest, then the heaviest of all."""
    whole = [thread for thread in work.threads if thread.shown]
    first = list({thread.project: thread for thread in reversed(whole)}.values())
    leads = [thread for thread in whole if thread in first][:_MOST_HEADLINES]
    others = [thread for thread in whole if thread not in leads]
    return [*leads, *others][:_MOST_HEADLINES]


def _points(chosen: Sequence[ShownThread]) -> dict[str, list[ShownPoint]]:
    """Return the weightiest points of the threads, as many as there is room for, by the threads' IDs."""
    every = [
        (point, thread.id)
        for thread in chosen
        for point in thread.points
        if point.shown and point.kind not in _NOT_TOLD
    ]
    every.sort(key=lambda row: (-row[0].weight, row[0].time_us, row[0].text))
    found: dict[str, list[ShownPoint]] = {}
    for point, thread_id in every[: max(0, _MOST_POINTS - len(chosen))]:
        found.setdefault(thread_id, []).append(point)
    return found


def _beside(thread: ShownThread) -> str:
    """Return what a thread delivered, as it stands beside its headline."""
    requests = [each for each in thread.references if each.kind == "pull request" and each.here]
    if numbers := [f"#{each.number}" for each in requests if each.number]:
        return " ".join(numbers[-2:])
    return number(len(thread.commits), "commit") if thread.commits else ""


def _when(clock: Clock, time_us: int, now_us: int) -> str:
    """Return such as `today 09:12` and `Mon 9 Feb 2026 17:40`."""
    days = {clock.date(now_us): "today", clock.date(now_us - _DAY_US): "yesterday"}
    day = days.get(clock.date(time_us)) or clock.day(time_us)
    return f"{day} {clock.minute(time_us)}"


def _print_left_off(call: Invocation, page: Page, whole: Morning, found: LeftOff) -> None:
    clock, now_us, environ = Clock(whole.zone), call.now_us, call.environ
    title = "Where you left off"
    project = whole.short_projects.get(found.project, found.project)
    told = f" · {project} · {_when(clock, found.time_us, now_us)}"
    branch = f" · {found.branch}" if found.branch not in ("", project) else ""
    is_long = len(title) + len(told) + len(branch) > page.prose_width
    page.line((title, "bold"), (told + branch * (not is_long), "dim"))
    names = _edited(environ, found)
    rows: list[tuple[str, str]] = [
        ("branch", found.branch if branch and is_long else ""),
        ("asked", found.asked),
        ("ended", found.ended if found.is_answered else "without an answer"),
        ("edited", names),
        ("next", found.next),
        ("resume", found.resume),
    ]
    for label, text in rows:
        if text:
            style = "cyan" if label == "resume" else ""
            page.text(
                cleaned((text, style)),
                first=_MARGIN + label.ljust(_LABEL),
                rest=" " * (len(_MARGIN) + _LABEL),
            )


def _edited(environ: Mapping[str, str], found: LeftOff) -> str:
    """Return which files were edited and not committed: by git where the repository is here, else by the session."""
    files, project = found.files, Path(found.project)
    is_elsewhere = any(path.startswith(("/", "~", ".claude/", ".worktrees/")) for path in files)
    if files and not is_elsewhere and (project / ".git").is_dir():
        options = ("--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(project))
        status = ("status", "--porcelain=v1", "-z", "--untracked-files=all", "--")
        plain = {name: value for name, value in environ.items() if not name.startswith("GIT_")}
        done = run(["git", *options, *status, *files[:_MOST_ASKED]], plain, timeout_s=_GIT_S)
        if done.is_ok:
            changed = {entry[_STATUS:] for entry in done.stdout.split("\0")}
            names = _names([path for path in files if path in changed])
            return f"{names}, not committed" if names else ""
    names = _names(files)
    return f"{names}; no commit since" if names else ""


def _names(files: Sequence[str]) -> str:
    """Return the last parts of the first files, more of it where two are the same, and how many others there are."""
    last = [path.rpartition("/")[2] or path for path in files]
    names = [
        name if last.count(name) == 1 else "/".join(path.split("/")[-2:])
        for path, name in zip(files[:_MOST_FILES], last, strict=False)
    ]
    more = len(files) - len(names)
    if more > 0:
        return f"{', '.join(names)} and {more:,} more"
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def _print_news(page: Page, clock: Clock, news: News, shown: set[str], now_us: int) -> None:
    """Print how much is new since the last look, and what of it the page has not said already."""
    counts = [
        f"{len(found):,} {word}"
        for found, word in ((news.delivered, "delivered"), (news.open, "newly open"))
        if found
    ]
    page.line(
        ("New since you last looked", "bold"),
        (f" · {_when(clock, news.since_us, now_us)} · {', '.join(counts)}", "dim"),
    )
    delivered = [each for each in news.delivered if each.thread not in shown]
    for each in delivered[:_MOST_NEWS]:
        lead = STATE_COLOURS["delivered"]
        page.text(cleaned(each.text), first=f"{sign(page, 'delivered')} ", lead=lead)
    for each in news.open[: _MOST_NEWS - min(_MOST_NEWS - 1, len(delivered))]:
        about: Part = (f"  ({each.headline})", "dim")
        page.text(
            cleaned(each.text, about), first=f"{sign(page, 'open')} ", lead=STATE_COLOURS["open"]
        )


# The stand-up.

DaysOption = Annotated[
    int | None,
    typer.Option(
        "--days",
        min=1,
        max=MOST_DAYS,
        metavar="N",
        help="The last N days, today included. Default: the last day worked before today.",
    ),
]


def standup_(
    context: typer.Context,
    *,
    days: DaysOption = None,
    project: OnlyProjectOption = "",
    json: JsonOption = False,
) -> None:
    """Print the work of the last day, or of several, as plain text to paste."""
    call = invocation(context)
    found = read(call, lambda reader: standup(reader, days or 0, project, here()), as_json=json)
    if json:
        print_json("standup", VERSION, found)
    elif found.exists:
        for line in _lines(found):
            print_line(line)


def _lines(found: Standup) -> Iterator[str]:
    """Yield the lines: no colours, no signs, nothing that is not plain text or a Markdown list."""
    work = found.work
    if work is None:
        yield "Nothing was done in these days."
        return
    yield f"{work.scope}{_amounts(work)}"
    for project in dict.fromkeys(thread.project for thread in work.threads):
        own = [thread for thread in work.threads if thread.project == project]
        yield ""
        yield found.short_projects.get(project, project)
        for thread in own:
            if thread.shown:
                yield f"- {thread.headline} ({', '.join(_facts(thread))})"
                yield from (f"  - open: {item.text}" for item in thread.open)
        rest = by_state(thread.state for thread in own if not thread.shown)
        if rest:
            yield f"- {number(sum(rest.values()), 'smaller piece')} of work: {counted(rest)}"


def _facts(thread: ShownThread) -> Iterator[str]:
    yield "note" if {point.kind for point in thread.points} == {"note"} else thread.state
    beside = _beside(thread)
    if beside:
        yield beside
    if thread.commits and beside.startswith("#"):
        yield number(len(thread.commits), "commit")
