"""What a shell may offer for the word under the cursor. Opens no store, reads no file and prints nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

# typer offers this only with shell scripts of its own, which evaluate what the program prints, and load rich for it.
from typer._click.core import Command, Parameter
from typer._click.shell_completion import CompletionItem, _resolve_context, _resolve_incomplete
from typer.core import TyperGroup

Source = Callable[[Mapping[str, object]], Iterable[tuple[str, str]]]
"""Gives words with their help; it is given the parameters that the line has already."""


def _periods(_params: Mapping[str, object]) -> Iterable[tuple[str, str]]:
    from memtool.core.levels import Level

    levels = (Level.WEEK, Level.MONTH, Level.YEAR)
    words = [f"{which}-{level.word}" for which in ("this", "last") for level in levels]
    return [(word, "") for word in ("today", "yesterday", *words)]


def _jobs(_params: Mapping[str, object]) -> Iterable[tuple[str, str]]:
    from memtool.scheduler.jobs import JOBS

    return [(job.name, job.description) for job in JOBS]


def _kinds(_params: Mapping[str, object]) -> Iterable[tuple[str, str]]:
    from memtool.core.model import ROLES

    return [(kind, "") for kind in ROLES]


def _settings(_params: Mapping[str, object]) -> Iterable[tuple[str, str]]:
    from memtool.base.settings import SETTINGS

    return [(row.key, row.doc) for row in SETTINGS]


def _values(params: Mapping[str, object]) -> Iterable[tuple[str, str]]:
    from memtool.base.settings import BY_KEY

    row = BY_KEY.get(str(params.get("key")))
    return [(word, "") for word in row.kind.words()] if row is not None else ()


WORDS: Mapping[str, Source] = {
    "JOB": _jobs,
    "K": _kinds,
    "KEY": _settings,
    "NODE": _periods,
    "PERIOD": _periods,
    "T": _periods,
    "VALUE": _values,
}
"""What completes an argument or an option's value, by what stands for it in the help."""
PATHS = {"BACKUP": "directories", "DIR": "directories", "FILE": "files", "PATH": "files"}
"""What the shell itself completes."""
FREE = frozenset({"A", "ID", "N", "P", "REGEX", "S", "TEXT", "TIME", "Y"})
"""What nothing can be offered for without a look into the store. tests/cli holds all three to the commands."""


def completions(program: Command, line: str) -> Iterator[str]:
    """Give first what the shell is to offer: words, files or directories; then the words, each with a tab and its help.

    Give nothing for a line that names no command.
    """
    *arguments, word = line.split("\n")[1:] or [""]
    context = _resolve_context(program, {}, "memtool", arguments)
    if isinstance(context.command, TyperGroup) and context._protected_args:  # noqa: SLF001 - what was not resolved
        return
    target, rest = _resolve_incomplete(context, arguments, word)
    start = word.removesuffix(rest)  # such as `--since=`
    name = placeholder(target) if isinstance(target, Parameter) else ""
    yield PATHS.get(name, "words")
    if name in WORDS:
        found = WORDS[name](context.params)
    else:  # commands, options, and the values of an enumeration
        found = [(item.value, _help(target, item)) for item in target.shell_complete(context, rest)]
    for value, text in found:
        if value.startswith(rest):
            yield f"{start}{value}\t{text}"


def _help(command: Command | Parameter, item: CompletionItem) -> str:
    """Return the first sentences of a subcommand's help, in full; of an option, what it has."""
    child = command.commands.get(item.value) if isinstance(command, TyperGroup) else None
    text = (child.help if child is not None else item.help) or ""
    return " ".join(text.partition("\n\n")[0].split())


def placeholder(parameter: Parameter) -> str:
    """Return what stands for its value in the help, bare: PATH for `[PATH]...`."""
    return (parameter.metavar or parameter.name or "").strip("[].").upper()
