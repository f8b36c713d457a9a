"""`memtool setup`: its options, for whom it is, and the files of a package. The modules beside it do the rest."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from memtool.cli.options import Invocation, JsonOption, directories, invocation, people
from memtool.cli.output import Page, note, print_json, print_line
from memtool.errors import OK, ExitCode, UsageError
from memtool.paths import SYSTEM_STORE, name_of, other_owner, shipped
from memtool.person import Person, person_named
from memtool.systemd.changes import changes, diff, write
from memtool.systemd.setup import offline_manager, package_places, page_texts
from memtool.systemd.systemctl import (
    Manager,
    Scope,
    default_scope,
    installed_in,
    manager_of,
    units_directory,
)
from memtool.systemd.units import Installation, installation_in, unit_files

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
        """Whether the user can be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty() and not self.yes and not self.json

    def say(self, text: str) -> None:
        """Print to stderr; nothing with --json."""
        if not self.json:
            note(text)

    def show(self, rows: Iterable[tuple[str, str]]) -> None:
        """Print a plan of (label, text): on stdout for a dry run, else on stderr. Nothing with --json."""
        if self.json:
            return
        page = Page(self.call.environ, sys.stdout if self.is_dry else sys.stderr)
        for label, text in rows:
            page.line(text, first=f"  {label:<{_LABEL}}" if label else "")

    def require_consent(self) -> None:
        """Raise UsageError if something is to be changed and the user cannot be asked."""
        if not (self.yes or self.is_dry or self.is_asking):
            raise UsageError(
                "not a terminal: nothing was asked or changed",
                hint="use --yes to skip the question, or --dry-run to see the plan",
            )


def scope_of(order: Order) -> Scope:
    """Return whose timers are meant: the named ones, else the installed ones, else a user's own.

    Raise UsageError if root names none: sessions rarely belong to root. Reads no settings, which may be
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


PACKAGE_VERSION = 1
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
            PACKAGE_VERSION,
            {"root": str(root.absolute()), "files": [str(path) for path in sorted(wanted)]},
        )
    return OK


def installed_person(order: Order) -> Person | None:
    """Return whom the installed units of the system run as; None if there are none, or the user is gone."""
    environ = order.call.environ
    installed = installation_in(units_directory("system", environ), "system", Path("/"))
    with suppress(UsageError):
        return person_named(installed.run_as) if installed and installed.run_as else None
    return None


def store_owner(store: Path) -> str:
    """Return whose memory it is; empty if there is none, or nothing in it."""
    from memtool.jobs.purge import is_used

    try:
        return name_of(store.stat().st_uid) if is_used(store) else ""
    except OSError:
        return ""


def managers(scope: Scope, environ: Mapping[str, str]) -> tuple[Manager | None, Manager | None]:
    manager = manager_of(scope, environ, os.getuid())
    if shutil.which("systemctl", path=environ.get("PATH")) is None:
        return None, None
    runs = manager.is_booted and manager.call("show", "--property=Version").is_ok
    return (manager if runs else None), offline_manager(manager)


ScopeOption = Annotated[
    bool | None,
    typer.Option(
        "--system/--user",
        help="System timers for one user's sessions, or your own timers (default, except for root).",
        show_default=False,
    ),
]
RunAsOption = Annotated[
    str,
    typer.Option(
        "--run-as",
        metavar="USER",
        autocompletion=people,
        help="With --system: the user of the sessions and the memory.",
    ),
]
TakeOverOption = Annotated[
    str,
    typer.Option(
        "--take-over",
        metavar="OLD",
        autocompletion=people,
        help="With --run-as: give the memory of user OLD to that user.",
    ),
]
WithOption = Annotated[
    str,
    typer.Option(
        "--with",
        metavar="NAMES",
        autocompletion=lambda: [(name, "") for name in EXTRAS],
        help="Also install what these summarizers need: openai, anthropic or both, with a comma.",
    ),
]
RootOption = Annotated[
    Path | None,
    typer.Option(
        "--root",
        metavar="DIR",
        autocompletion=directories,
        help="For packages: write a distribution's files below DIR.",
    ),
]


def setup(
    context: typer.Context,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    is_dry: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what would be done, with all files; change nothing."),
    ] = False,
    is_system: ScopeOption = None,
    run_as: RunAsOption = "",
    take_over: TakeOverOption = "",
    no_enable: Annotated[
        bool, typer.Option("--no-enable", help="Do not enable the timers.")
    ] = False,
    extras: WithOption = "",
    root: RootOption = None,
    removes: Annotated[
        bool, typer.Option("--remove", help="Remove everything except the memory and the settings.")
    ] = False,
    is_purge: Annotated[
        bool, typer.Option("--purge", help="With --remove: also delete these. It cannot be undone.")
    ] = False,
    json: JsonOption = False,
) -> ExitCode:
    """Set up memtool: its timers, man page and completions; or renew or remove them.

    It says what it will do and asks once. Running it again brings everything up to date; schedules, pauses and
    disabled timers stay as they are.
    """
    order = Order(
        call=invocation(context),
        is_system=is_system,
        run_as=run_as,
        take_over=take_over,
        enables=not no_enable,
        extras=tuple(filter(None, extras.split(","))),
        yes=yes,
        is_dry=is_dry,
        json=json,
    )
    _check(order, root=root, removes=removes, is_purge=is_purge)
    if root is not None:
        return write_package(order, root)
    if removes:
        from memtool.cli.setup.removing import remove

        return remove(order, is_purge=is_purge)
    from memtool.cli.setup.installing import install

    return install(order)


def _check(order: Order, *, root: Path | None, removes: bool, is_purge: bool) -> None:
    """Raise UsageError if options do not go together."""
    for_installing = {
        "--run-as": order.run_as,
        "--take-over": order.take_over,
        "--no-enable": not order.enables,
        "--with": order.extras,
    }
    named = [name for name, value in for_installing.items() if value]
    wrong = ""
    if is_purge and not removes:
        wrong = "--purge goes with --remove"
    elif removes and named:
        wrong = f"{named[0]} does not go with --remove"
    elif order.run_as and order.is_system is False:
        wrong = "--run-as goes with --system"
    elif order.take_over and not order.run_as:
        wrong = "--take-over goes with --run-as"
    elif root is not None and (removes or named or order.is_system is False):
        wrong = (
            "--root writes a package's files for the system, and takes none of the other options"
        )
    elif order.json and not (order.yes or order.is_dry or root):
        wrong = "--json asks nothing: it needs --yes or --dry-run"
    if wrong:
        raise UsageError(wrong, hint="memtool setup --help")
