"""How what was read looks: times in the store's zone, wrapped and indented text, states in colour. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from posixpath import basename
from typing import TYPE_CHECKING, TextIO
from zoneinfo import ZoneInfo

from memtool.cli.output import clean, console
from memtool.model.levels import heading, period_named
from memtool.model.records import Event, Recipe
from memtool.query.contents import Entry

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NARROWEST, _WIDEST = 20, 120
"""Prose is not spread over more columns than one can read."""
STATE_STYLES = {
    "open": "cyan",
    "stale": "yellow",
    "outdated": "yellow",
    "incomplete": "red",
    "failed": "red",
}
ROLE_STYLES = {"user": "green", "assistant": "cyan", "tool": "magenta", "system": "blue"}


@dataclass(frozen=True)  # without slots: what is computed on first use is kept
class Clock:
    """Instants as the store's own clock shows them."""

    zone: str

    def date(self, instant_us: int) -> str:
        """Return such as `2026-11-22`."""
        return f"{self._local(instant_us):%Y-%m-%d}"

    def minute(self, instant_us: int) -> str:
        """Return such as `14:30`."""
        return f"{self._local(instant_us):%H:%M}"

    def second(self, instant_us: int) -> str:
        """Return such as `14:30:05`."""
        return f"{self._local(instant_us):%H:%M:%S}"

    def day(self, instant_us: int) -> str:
        """Return such as `Sun 22 Nov 2026`."""
        local = self._local(instant_us)
        return f"{local:%a} {local.day} {local:%b %Y}"

    def moment(self, instant_us: int) -> str:
        """Return such as `Sun 22 Nov 2026 14:30`."""
        return f"{self.day(instant_us)} {self.minute(instant_us)}"

    def span(self, start_us: int, end_us: int) -> str:
        """Return the minutes of start and end, with the date of the end where it is another day's."""
        start, end = self.minute(start_us), self.minute(end_us)
        if self.date(start_us) != self.date(end_us):
            return f"{start} to {self.moment(end_us)}"
        return start if start == end else f"{start}–{end}"

    def iso(self, instant_us: int) -> str:
        """Return RFC 3339 with the offset of the zone, for JSON."""
        return self._local(instant_us).isoformat(timespec="microseconds")

    def both(self, name: str, instant_us: int) -> dict[str, object]:
        """Return the instant as JSON has it: `<name>_us` and, for people, `<name>`."""
        return {f"{name}_us": instant_us, name: self.iso(instant_us)}

    def _local(self, instant_us: int) -> datetime:
        return (_EPOCH + timedelta(microseconds=instant_us)).astimezone(self._zone)

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


class Page:
    """Lines for the terminal. Text from the store is cleaned here, wrapped by cells, and never read as markup."""

    def __init__(self, environ: Mapping[str, str], stream: TextIO | None = None) -> None:
        self._console: Console = console(environ, stream)
        self.width = self._console.width
        self.has_colour = self._console.color_system is not None
        self.is_ascii = self._console.options.ascii_only

    def line(
        self,
        *parts: str | tuple[str, str],
        first: str = "",
        rest: str | None = None,
        lead: str = "dim",
    ) -> None:
        """Print one paragraph of (text, style) parts, wrapped.

        `first` and `rest` (spaces, if not given) stand at the left of its lines, in the style `lead`.
        """
        self.text(assembled(*parts), first=first, rest=rest, lead=lead)

    def text(
        self, text: Text, *, first: str = "", rest: str | None = None, lead: str = "dim"
    ) -> None:
        """Print one paragraph of text that is styled already."""
        rest = " " * len(first) if rest is None else rest
        for index, row in enumerate(self.wrapped(text, self.prose_width - len(first))):
            self.row(row, rest if index else first, lead)

    def row(self, row: Text, lead: str = "", style: str = "dim") -> None:
        """Print one line, as wide as it is."""
        from rich.text import Text

        shown = Text().append(lead, style).append_text(row)
        shown.rstrip()
        self._console.print(shown, soft_wrap=True)

    def wrapped(self, text: Text, width: int) -> list[Text]:
        """Return the lines that a text takes at this width, measured in cells."""
        return list(text.wrap(self._console, max(_NARROWEST, width))) or [text]

    @property
    def prose_width(self) -> int:
        """How wide running text may be."""
        return min(self.width, _WIDEST)

    def blank(self) -> None:
        """Print an empty line."""
        self._console.print()


def assembled(*parts: str | tuple[str, str] | Text) -> Text:
    """Return the parts as one text; plain strings are cleaned, styled text was already."""
    from rich.text import Text

    text = Text()
    for part in parts:
        if isinstance(part, Text):
            text.append_text(part)
        elif isinstance(part, str):
            text.append(_kept(part))
        else:
            text.append(_kept(part[0]), part[1])
    return text


def _kept(text: str) -> str:
    """Return the text cleaned, with the spaces around it, which clean() takes for noise."""
    inner = clean(text)
    if not inner:
        return " " * len(text) if text.strip(" ") == "" else ""
    before, after = len(text) - len(text.lstrip(" ")), len(text) - len(text.rstrip(" "))
    return " " * before + inner + " " * after


def state_parts(words: Iterable[str]) -> list[str | tuple[str, str]]:
    """Return such as ` [open] [stale]`, in colour."""
    return [(f" [{word}]", STATE_STYLES[word]) for word in words]


def number(count: int, what: str, several: str = "") -> str:
    """Return such as `1 event` and `1,204 events`."""
    return f"{count:,} {what if count == 1 else several or f'{what}s'}"


def last_part(project: str) -> str:
    """Return how a project is called among people: the last part of its path."""
    return basename(project.rstrip("/")) or project or "(no project)"


def scope_of(clock: Clock, entry: Entry) -> str:
    """Return what an entry covers: a period's date, or a segment's times and project."""
    if entry.cut is None:
        return heading(period_named(entry.id))
    return f"{clock.span(entry.cut.start_us, entry.cut.end_us)} {last_part(entry.cut.project)}"


def label(clock: Clock, entry: Entry) -> Text:
    """Return an entry's line: scope, title, and what state it is in."""
    title = ("not summarised yet", "italic") if entry.title is None else (entry.title, "")
    parts = [(scope_of(clock, entry), "bold"), " · ", title, *state_parts(entry.state.words)]
    if entry.also_under is not None:
        parts.append((f" (also under {heading(period_named(entry.also_under))})", "dim"))
    return assembled(*parts)


def event_json(clock: Clock, event: Event) -> dict[str, object]:
    """Return an event as JSON has it, with the names that the event schema has."""
    return {
        "id": event.id,
        "agent": event.agent,
        "session": event.session,
        "project": event.project,
        **clock.both("time", event.time_us),
        "kind": event.kind,
        "role": event.role,
        "text": event.text,
        "group": event.group,
        "metadata": event.metadata,
        "rewound": event.rewound,
    }


def recipe_json(recipe: Recipe) -> dict[str, object]:
    """Return a recipe as JSON has it."""
    return {
        "summarizer": recipe.summarizer,
        "model": recipe.model,
        "prompt": recipe.prompt,
        "settings": recipe.settings,
    }
