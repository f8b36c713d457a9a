"""A preview as a node that is shown: what another summarizer would say, without what only a stored node has."""

from __future__ import annotations

from memtool.errors import UsageError
from memtool.model.levels import PERIOD_FORMS, Period, heading
from memtool.model.records import Bullet
from memtool.model.shown import view_of
from memtool.query.names import is_segment
from memtool.query.node import Shown
from memtool.query.projects import short_projects
from memtool.query.reader import Reader
from memtool.query.threads import shown_threads
from memtool.rollup.preview import Preview


def period_to_preview(reader: Reader, text: str) -> Period | None:
    """Return the period that is named, None if nothing is remembered. Raise UsageError if it holds nothing."""
    if is_segment(text) or text.startswith("thread:"):
        raise UsageError("--with takes a period", hint=f"a period is one of: {PERIOD_FORMS}")
    with reader.memory() as store:
        period = reader.period(store, text)
        if store is None:
            return None
        if next(store.events(*store.calendar.bounds_us(period)), None) is None:
            raise UsageError(
                f"nothing was recorded in {heading(period)} ({period.id})",
                hint="memtool toc lists what there is",
            )
        return period


def of_preview(reader: Reader, period: Period, made: Preview) -> Shown:
    """Return the node that `show` prints."""
    threads, rest = shown_threads(made.threads, period.level)
    bullets = made.bullets or tuple(
        point.text for thread in threads for point in thread.points if point.shown
    )
    with reader.store() as store:
        assert store is not None, period
        return Shown(
            exists=True,
            id=period.id,
            level=period.level.word,
            scope=heading(period),
            title=made.title or view_of(made.threads, period.level).title,
            state=("preview",),
            bullets=tuple(Bullet(text, ()) for text in bullets),
            sessions=len({session for thread in threads for session in thread.sessions}),
            zone=store.calendar.zone,
            threads=threads,
            rest=rest,
            recipe=made.recipe,
            holding=period.id,
            short_projects=short_projects(store),
        )
