"""Threads over time: on which days each was worked on, and how it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from memtool.errors import UsageError
from memtool.model.levels import Level, Period, period_of
from memtool.model.records import NodeId
from memtool.model.threads import State, Thread, by_weight, join
from memtool.query.contents import Tree, by_state
from memtool.query.morning import last_day
from memtool.query.projects import projects_named
from memtool.query.reader import Reader

DEFAULT_DAYS = 28
MOST_DAYS = 3 * 366
MOST_ROWS = 25


class Row(Struct, frozen=True):
    """A thread, the days on which it was worked on, and what it delivered; `shown` if text shows it."""

    id: str
    headline: str
    project: str
    branch: str
    state: State
    first_us: int
    last_us: int
    days: tuple[NodeId, ...]
    commits: int
    pull_requests: tuple[int, ...]
    shown: bool


class Timeline(Struct, frozen=True):
    """The threads of some days by project, those that began first before the others; `rest` are not shown."""

    exists: bool = False
    zone: str = "UTC"
    first: NodeId | None = None
    last: NodeId | None = None
    rows: tuple[Row, ...] = ()
    rest: Mapping[State, int] = {}
    short_projects: Mapping[str, str] = field(name="_short_projects", default_factory=dict)


class Span(Struct, frozen=True):
    """Which days are asked for, as a person names them; empty: the four weeks up to the last day worked."""

    since: str = ""
    until: str = ""


def timeline(
    reader: Reader, span: Span, project: str, here: str, *, everything: bool = False
) -> Timeline:
    """Return the threads of the days. Raise UsageError for an unknown project or time."""
    with reader.memory() as store:
        if store is None:
            return Timeline()
        projects = projects_named(store, project, here) if project else None
        today = store.calendar.day_of(reader.now_us)
        until = _period(reader, span.until, "--until")
        since = _period(reader, span.since, "--since")
        if until is not None:
            last = min(until.end - 1, today)
        else:
            last = last_day(store, today + 1, projects) or today
            last = max(last, since.first) if since else last
        first = since.first if since else last - DEFAULT_DAYS + 1
        if first > last or last - first >= MOST_DAYS:
            raise UsageError(
                "--since must come before --until, by three years at most",
                hint="memtool timeline --since last-month --until today",
            )
        tree = Tree(store, reader, None, counts=False)
        parts: dict[int, Sequence[Thread]] = {}
        for day in _days_with_work(tree, first, last):
            found = tree.threads(Period(Level.DAY, day))
            parts[day] = [
                one for one in found if projects is None or projects.hold(one.session, one.project)
            ]
        level = Level.WEEK if len(parts) <= DEFAULT_DAYS else Level.YEAR
        threads = join(parts.values(), level)
        most = len(threads) if everything else MOST_ROWS
        shown = {thread.id for thread in sorted(threads, key=by_weight)[:most]}
        rows = sorted(
            (_row(thread, parts, is_shown=thread.id in shown) for thread in threads),
            key=lambda row: (row.project, row.first_us, row.id),
        )
        return Timeline(
            True,
            store.calendar.zone,
            Period(Level.DAY, first).id,
            Period(Level.DAY, last).id,
            tuple(rows),
            by_state(row.state for row in rows if not row.shown),
            tree.short_projects,
        )


def _period(reader: Reader, text: str, option: str) -> Period | None:
    if not text:
        return None
    with reader.store() as store:
        try:
            return reader.period(store, text)
        except UsageError as error:
            raise UsageError(f"{option}: {error.message}", hint=error.hint) from None


def _days_with_work(tree: Tree, first: int, last: int) -> list[int]:
    """Return the days that hold anything: those of weeks that hold nothing are not looked at."""
    days: list[int] = []
    start = tree.store.calendar.week_start
    for monday in range(period_of(Level.WEEK, first, start).first, last + 1, 7):
        week = period_of(Level.WEEK, monday, start)
        if tree.holds(week):
            days += [
                day
                for day in range(max(week.first, first), min(week.end - 1, last) + 1)
                if tree.holds(Period(Level.DAY, day))
            ]
    return days


def _row(thread: Thread, parts: Mapping[int, Sequence[Thread]], *, is_shown: bool) -> Row:
    return Row(
        thread.id,
        thread.headline,
        thread.project,
        thread.branch,
        thread.state,
        thread.first_us,
        thread.last_us,
        tuple(
            Period(Level.DAY, day).id
            for day, held in sorted(parts.items())
            if any(each.id == thread.id for each in held)
        ),
        sum(each.kind == "commit" for each in thread.references),
        tuple(
            each.number
            for each in thread.references
            if each.kind == "pull request" and each.here and each.number
        ),
        is_shown and bool(thread.headline),
    )
