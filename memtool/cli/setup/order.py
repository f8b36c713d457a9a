"""The options of memtool setup, how it asks, and the files of a package."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from memtool.cli.options import Invocation
from memtool.cli.output import Page, note, print_json, print_line
from memtool.errors import OK, ExitCode, UsageError
from memtool.paths import SYSTEM_STORE, name_of, other_owner, shipped
from memtool.systemd.changes import changes, diff, write
from memtool.systemd.setup import package_places, page_texts
from memtool.systemd.systemctl import Scope, default_scope, installed_in
from memtool.systemd.units import Installation, unit_files

EXTRAS = ("openai", "anthropic")
"""What --with knows: the optional dependencies in pyproject.toml."""
_LABEL = 12


class Order(NamedTuple):
    """The options."""

    call: Invocation
    is_system: bool | None
    run_as: str
    take_over: str
    enables: bool
    extras: tuple[str, ...]
    yes: bool
    is_dry: bool
    json: bool

    @property
    def is_asking(self) -> bool:
        """Whether there is a person at a terminal to ask."""
        return sys.stdin.isatty() and sys.stderr.isatty() and not self.yes and not self.json

    def say(self, text: str) -> None:
        """Say something to the person on stderr; nothing with --json."""
        if not self.json:
            note(text)

    def show(self, rows: Iterable[tuple[str, str]]) -> None:
        """Show a plan, as (label, text): data of a dry run, else something that is said. Nothing with --json."""
        if self.json:
            return
        page = Page(self.call.environ, sys.stdout if self.is_dry else sys.stderr)
        for label, text in rows:
            page.line(text, first=f"  {label:<{_LABEL}}" if label else "")

    def require_consent(self) -> None:
        """Raise UsageError where something is to be changed and the person cannot be asked."""
        if not (self.yes or self.is_dry or self.is_asking):
            raise UsageError(
                "not a terminal: nothing is asked, and nothing was changed",
                hint="add --yes to do it without a question, or --dry-run to see what it would do",
            )


def scope_of(order: Order) -> Scope:
    """Return whose timers are meant: those that were named, else those that are there, else a user's own.

    Raise UsageError where root names none: a person's sessions are hardly root's. Reads no settings, which may be
    broken.
    """
    if order.is_system is not None:
        return "system" if order.is_system else "user"
    if order.run_as:
        return "system"
    installed = installed_in(order.call.environ)
    is_root = os.getuid() == 0
    if is_root and installed:
        return default_scope(installed, prefers_system=True) or "user"
    if is_root:
        who = order.call.environ.get("SUDO_USER") or "USER"
        raise UsageError(
            "as root, say for whom",
            hint=f"memtool setup --system --run-as {who}, or memtool setup --user for root alone",
        )
    is_served = other_owner(SYSTEM_STORE) == name_of(os.getuid())
    return "system" if installed == ("system",) and is_served else "user"


VERSION = 1
_PROGRAM = Path("/usr/bin/memtool")


def write_package(order: Order, root: Path) -> ExitCode:
    """Write the system's units, the man page, completions, and files for sysusers.d, tmpfiles.d and presets."""
    where = package_places(root.absolute())
    wanted = {
        where.units / name: text
        for name, text in unit_files(Installation("system", _PROGRAM)).items()
    }
    wanted |= page_texts(where)
    source = shipped("systemd/package")
    for path in sorted(source.rglob("*")):
        if path.is_file():
            target = root.absolute() / "usr/lib" / path.relative_to(source)
            if target.parent.name == "system-preset":
                target = root.absolute() / "usr/lib/systemd/system-preset" / path.name
            wanted[target] = path.read_text(encoding="utf-8")
    made = changes(wanted, ())
    for change in made:
        if order.is_dry:
            for line in diff(change):
                print_line(line)
        else:
            write(change)
            order.say(f"wrote {change.path}")
    if order.json:
        print_json(
            "setup-package",
            VERSION,
            {"root": str(root.absolute()), "files": [str(path) for path in sorted(wanted)]},
        )
    return OK
