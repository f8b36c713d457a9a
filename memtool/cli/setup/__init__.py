"""`memtool setup`: its options. What it does is in the modules beside this one, imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memtool.cli.options import JsonOption, directories, invocation, people
from memtool.cli.setup.order import EXTRAS, Order
from memtool.errors import ExitCode, UsageError

ScopeOption = Annotated[
    bool | None,
    typer.Option(
        "--system/--user",
        help="Timers of the system, for one person's sessions; or your own (the default but for root).",
        show_default=False,
    ),
]
RunAsOption = Annotated[
    str,
    typer.Option(
        "--run-as",
        metavar="USER",
        autocompletion=people,
        help="With --system: whose sessions and whose memory it is.",
    ),
]
TakeOverOption = Annotated[
    str,
    typer.Option(
        "--take-over",
        metavar="OLD",
        autocompletion=people,
        help="With --run-as: give that user the memory that belongs to OLD now.",
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
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")] = False,
    is_dry: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what would be done and every file; change nothing."),
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
        bool, typer.Option("--remove", help="Undo it: remove all but the memory and the settings.")
    ] = False,
    is_purge: Annotated[
        bool, typer.Option("--purge", help="With --remove: delete these, too. Cannot be undone.")
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
        from memtool.cli.setup.order import write_package

        return write_package(order, root)
    if removes:
        from memtool.cli.setup.removing import remove

        return remove(order, is_purge=is_purge)
    from memtool.cli.setup.installing import install

    return install(order)


def _check(order: Order, *, root: Path | None, removes: bool, is_purge: bool) -> None:
    """Raise UsageError where options do not go together."""
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
