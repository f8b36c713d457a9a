"""`memtool context`: what an agent should know when a session starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from memtool.cli.options import invocation
from memtool.cli.output import clean, note
from memtool.cli.reading import reader_of
from memtool.errors import MemtoolError
from memtool.query.context import MOST_TOKENS
from memtool.query.context import context as collected

ProjectOption = Annotated[
    str,
    typer.Option(
        metavar="PROJECT", help="Of this project: path, last part, or . for this repository."
    ),
]
SessionOption = Annotated[
    str, typer.Option(metavar="SESSION", help="Leave out this session: the one that asks.")
]
TokensOption = Annotated[
    int,
    typer.Option(
        min=0, max=MOST_TOKENS, metavar="N", help="How long it may be, in tokens; 0 prints nothing."
    ),
]


def context(
    context: typer.Context,
    *,
    project: ProjectOption = ".",
    session: SessionOption = "",
    tokens: TokensOption = 800,
) -> None:
    """Print what an agent should know of this project when a session starts: nothing if nothing is known.

    It never fails: what is wrong is said on stderr, and the agent goes on.
    """
    try:
        directory = Path(os.getcwd())  # noqa: PTH109 - absolute, and refused if it is gone
        reader = reader_of(invocation(context), with_recipe=False)
        found = collected(reader, directory, tokens=tokens, project=project, session=session)
        for line in found.lines:
            print(clean(line))
    except (MemtoolError, OSError) as error:
        note(f"memtool: {error}")
