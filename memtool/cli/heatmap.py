"""A calendar of days in five shades: weeks are columns, weekdays rows. Pure: counts in, text and styles out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from memtool.core.levels import Level, period_of

Cell = tuple[str, str]
"""A text and its style."""

LABEL_WIDTH = 4
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEK = 7
_MONTH_ROOM = 4
_OUTSIDE = " "
_BLOCKS = "·░▒▓█"
_DIGITS = ".1234"
_STYLES = ("dim", "color(22)", "color(28)", "color(34)", "color(40)")
MOST = len(_BLOCKS) - 1


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The shades of each weekday's days, week by week; None is no day of the calendar's.

    `bounds` are the greatest counts of the shades from 1 on, of which equal ones are never used.
    """

    first: int
    weekdays: tuple[str, ...]
    rows: tuple[tuple[int | None, ...], ...]
    bounds: tuple[int, ...]

    @property
    def weeks(self) -> int:
        """How many columns there are."""
        return len(self.rows[0])


def heat_map(counts: Mapping[int, int], first: int, last: int, week_start: int) -> HeatMap:
    """Return the days from `first` to `last` (ordinals), in weeks that start on this weekday (0 is monday)."""
    start = period_of(Level.WEEK, first, week_start).first
    weeks = (last - start) // _WEEK + 1
    bounds = bounds_of([count for day, count in counts.items() if first <= day <= last and count])

    def shade(day: int) -> int | None:
        return _shade(counts.get(day, 0), bounds) if first <= day <= last else None

    rows = tuple(
        tuple(shade(start + week * _WEEK + weekday) for week in range(weeks))
        for weekday in range(_WEEK)
    )
    names = tuple(_WEEKDAYS[(week_start + weekday) % _WEEK] for weekday in range(_WEEK))
    return HeatMap(start, names, rows, bounds)


def bounds_of(counts: Sequence[int]) -> tuple[int, ...]:
    """Return the greatest count of each shade: a quarter of the days that have any has each, as far as that goes."""
    ordered = sorted(counts)
    if not ordered:
        return ()
    return tuple(ordered[-(-len(ordered) * part // MOST) - 1] for part in range(1, MOST + 1))


def _shade(count: int, bounds: Sequence[int]) -> int:
    if not count:
        return 0
    return 1 + sum(count > bound for bound in bounds[:-1])


def drawn(shown: HeatMap, *, has_blocks: bool) -> Iterator[list[Cell]]:
    """Yield the lines: the months, then a weekday each. Without blocks it is plain ASCII."""
    yield [(" " * LABEL_WIDTH + _months(shown), "dim")]
    for name, row in zip(shown.weekdays, shown.rows, strict=True):
        yield [(name.ljust(LABEL_WIDTH), "dim"), *_runs(row, has_blocks=has_blocks)]


def _months(shown: HeatMap) -> str:
    """Return the names of months, each over the week of its first day; of the first one, where there is room."""
    names: dict[int, str] = {}
    for week in range(shown.weeks):
        for day in _days(shown, week):
            if day.day == 1:
                names[week] = f"{day:%b}"
    if not names or min(names) >= _MONTH_ROOM:
        names[0] = f"{next(_days(shown, 0)):%b}"
    line = ""
    for week in sorted(names):
        line = line.ljust(week) + names[week]
    return line


def _days(shown: HeatMap, week: int) -> Iterator[date]:
    """Yield the days of a column that are shown."""
    for weekday, row in enumerate(shown.rows):
        if row[week] is not None:
            yield date.fromordinal(shown.first + week * _WEEK + weekday)


def _runs(row: Sequence[int | None], *, has_blocks: bool) -> Iterator[Cell]:
    """Yield neighbours of one shade together."""
    text, style = "", ""
    for shade in row:
        sign, own = (_OUTSIDE, "") if shade is None else _sign(shade, has_blocks=has_blocks)
        if own != style and text:
            yield text, style
            text = ""
        text, style = text + sign, own
    yield text.rstrip(), style


def _sign(shade: int, *, has_blocks: bool) -> Cell:
    return (_BLOCKS if has_blocks else _DIGITS)[shade], _STYLES[shade]


def legend(shown: HeatMap, *, has_blocks: bool) -> Iterator[Cell]:
    """Yield the signs with the counts that they stand for."""
    sign, style = _sign(0, has_blocks=has_blocks)
    yield sign, style
    yield " none", ""
    low = 1
    for shade, high in enumerate(shown.bounds, 1):
        if high < low:
            continue
        sign, style = _sign(shade, has_blocks=has_blocks)
        dash = "–" if has_blocks else "-"
        yield f"  {sign}", style
        yield f" {low:,}" if low == high else f" {low:,}{dash}{high:,}", ""
        low = high + 1
