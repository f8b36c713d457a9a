"""The program: global options and the commands' table. Alone turns errors into messages and exit codes."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand
from typer.main import get_command

from memtool import __version__
from memtool.cli.options import (
    SCHEDULED,
    CommandGroup,
    Invocation,
    command_group,
    directories,
    files,
)
from memtool.cli.output import ERROR, NOTICE, note
from memtool.cli.streams import Stream, prepare
from memtool.errors import (
    FAILED,
    INTERRUPTED,
    OK,
    SKIPPED,
    USAGE,
    ExitCode,
    MemtoolError,
    SkippedError,
    UsageError,
)
from memtool.files import storage_error
from memtool.paths import sound_environ
from memtool.person import BecomeUser
from memtool.process import WITHIN
from memtool.systemd.jobs import JOBS


class Row(NamedTuple):
    """A command: its module is imported when it is called. The object is a function, or a Typer of subcommands.

    Without a target it is that of a job whose row names its body.
    """

    name: str
    target: str
    help: str
    ends_with_reader: bool = False
    """Whether it ends when the reader of its output has left. The others go on, and end with the code of their work."""


COMMANDS = (
    Row(
        "ingest",
        "memtool.cli.ingest:ingest",
        "Read new agent sessions into the memory.",
    ),
    Row(
        "rollup",
        "memtool.cli.rollup:rollup",
        "Summarize days, weeks, months and years that have ended.",
    ),
    Row("toc", "memtool.cli.toc:toc", "Show the table of contents."),
    Row("show", "memtool.cli.show:show", "Show one summary, or follow one thread."),
    Row("standup", "memtool.cli.morning:standup_", "Print the last day's work as text to paste."),
    Row("timeline", "memtool.cli.timeline:timeline_", "Show threads over time, a row each."),
    Row("open", "memtool.cli.open:open_", "List what is open, by project, oldest first."),
    Row("note", "memtool.cli.note:note_", "Keep a note by hand, or list the notes."),
    Row(
        "grip",
        "memtool.cli.grip:grip",
        "Show the text that proves a point, in its conversation.",
    ),
    Row("search", "memtool.cli.search:search", "Find what was said, the best answer first."),
    Row("context", "memtool.cli.context:context", "Print what an agent should know at its start."),
    Row("mcp", "memtool.cli.mcp:mcp", "Serve the memory to an agent, over MCP."),
    Row(
        "hooks",
        "memtool.cli.hooks:hooks",
        "Read sessions within seconds, and tell new ones what is known.",
    ),
    Row(
        "events",
        "memtool.cli.events:events",
        "List events by session, project, agent or time.",
        ends_with_reader=True,
    ),
    Row("verify", "memtool.cli.verify:verify", "Check the store's integrity."),
    Row("forget", "memtool.cli.forget:forget", "Permanently delete events."),
    Row("project", "memtool.cli.project:project", "Say that a project moved."),
    Row("redact", "memtool.cli.redact:redact", "Mask secrets in what is already stored."),
    Row(
        "rebuild",
        "memtool.cli.rebuild:rebuild",
        "Rewrite all summaries, beside the current ones.",
    ),
    Row("stats", "memtool.cli.stats:stats", "Show what is stored, and its size on disk."),
    Row("doctor", "memtool.cli.doctor:doctor", "Check what memtool needs, and say what to do."),
    Row("compact", "memtool.cli.compact:compact", "Free disk space in the store."),
    Row("backup", "memtool.cli.backup:backup", "Copy the store, and verify the copy."),
    Row("restore", "memtool.cli.restore:restore", "Replace the store with a backup."),
    Row(
        "export",
        "memtool.cli.export:export",
        "Export events as lines of JSON.",
        ends_with_reader=True,
    ),
    Row(
        "summarizers",
        "memtool.cli.summarizers:summarizers",
        "List summarizers, their recipes and what they spent today.",
    ),
    Row(
        "setup",
        "memtool.cli.setup:setup",
        "Install timers, man page and completions, or remove them.",
    ),
    Row(
        "scheduler",
        "memtool.cli.scheduler:scheduler",
        "Show and control the scheduled jobs.",
    ),
    Row("config", "memtool.cli.config:config", "Show, set and check settings."),
    *(Row(job.command[0], "", job.help) for job in JOBS if job.body),
)
_ROWS = {row.name: row for row in COMMANDS}
_JOB_COMMANDS = {job.command[0] for job in JOBS}
COMPLETE = "_MEMTOOL_COMPLETE"
"""The variable by which completions/* ask typer for what can stand at the end of a line."""
TyperError = [kind for kind in typer.BadParameter.__mro__ if issubclass(kind, Exception)][-2]
"""The base of what typer raises: it has a public name only since typer 0.28."""
# What typer adds where it completes: options that install scripts of its own.
_INSTALLERS = ("install_completion", "show_completion")


class LazyCommands(CommandGroup):
    """The commands as their rows describe them; the real one takes a row's place when it is called."""

    def __init__(self, **options: Any) -> None:
        """Add the rows without what typer makes of a function, which takes 0.5 ms each."""
        super().__init__(**options)
        self.commands.update({row.name: TyperCommand(row.name, help=row.help) for row in COMMANDS})

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command that the arguments name, then let typer find it."""
        self.words = tuple(args)
        row = _ROWS.get(args[0])
        if row is not None:
            self.add_command(load(row), row.name)
            if row.ends_with_reader and isinstance(sys.stdout, Stream):
                sys.stdout.raise_errors()
        if not gc.isenabled():  # memtool/__main__.py
            gc.freeze()
            gc.enable()
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command. If it ends because its output cannot be written, `run` decides what that means."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error is getattr(sys.stdout, "error", None):
                raise typer.Exit(OK.code) from None
            if isinstance(error, BrokenPipeError):  # typer would end with 1, and say nothing
                raise storage_error(error, "a pipe") from error
            raise


def load(row: Row) -> Any:
    """Return the command of a row."""
    if not row.target:
        from memtool.cli.running import command_of

        target: Any = command_of(next(job for job in JOBS if job.command == (row.name,)))
    else:
        module, _, name = row.target.partition(":")
        target = getattr(import_module(module), name)
    if isinstance(target, typer.Typer):
        target.info.help = row.help
        return get_command(target)
    single = command_group()
    single.command(row.name)(target)
    return get_command(single)


def _print_version(context: typer.Context, value: bool) -> None:
    if value and not context.resilient_parsing:
        print(f"memtool {__version__}")
        raise typer.Exit


def _given_path(text: str) -> Path:
    if not text:  # an unset variable of a script: it must not become the current directory
        raise typer.BadParameter("the path is empty")
    return Path(text)


StoreOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIRECTORY",
        autocompletion=directories,
        parser=_given_path,
        help="The store's directory.",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        autocompletion=files,
        parser=_given_path,
        help="Extra config file; overrides the others.",
    ),
]
VersionOption = Annotated[
    bool,
    typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
]


MorningOption = Annotated[
    bool, typer.Option("--json", help="Without a command: print the morning page as JSON.")
]


def _help_width(environ: Mapping[str, str]) -> int:
    """Return the width of help texts: that of the terminal, from 40 to 80 columns. Less typer's margin."""
    columns = environ.get("COLUMNS", "")
    if columns.isdecimal():
        return max(40, min(80, int(columns))) - 2
    return max(40, min(80, shutil.get_terminal_size().columns)) - 2


def build(environ: Mapping[str, str], now_us: int) -> typer.Typer:
    """Return the program for one invocation."""
    app = command_group(
        LazyCommands, has_completion=bool(environ.get(COMPLETE)), width=_help_width(environ)
    )

    @app.callback(invoke_without_command=True)
    def memtool(
        context: typer.Context,
        store: StoreOption = None,
        config: ConfigOption = None,
        version: VersionOption = False,  # noqa: ARG001 - its callback has done it
        json: MorningOption = False,
    ) -> None:
        """Long-term memory for AI coding agents.

        Alone on a terminal: the last day worked, where you left off, and what is new since you last looked."""
        context.obj = Invocation(environ, now_us, store, config)
        if os.geteuid() == 0:
            from memtool.cli.whose import settle

            context.obj = settle(context.obj, getattr(context.command, "words", ()))
        if context.invoked_subcommand is not None:
            if json:
                raise typer.BadParameter("--json stands after the command")
            return
        if json or sys.stdout.isatty():
            from memtool.cli.morning import page

            if page(context.obj, as_json=json):
                return
        print(context.get_help(), file=sys.stderr)
        raise typer.Exit(USAGE.code)

    return app


def main() -> None:
    """Run the program on the process's own arguments, environment and clock."""
    os.umask(0o077)
    prepare(os.environ)
    code = _run_or_become()
    gc.freeze()  # so that the interpreter does not walk through everything once more
    sys.exit(code)


def _run_or_become() -> int:
    """Run the program; where root works on the memory of another user, as that user in place of this process."""
    try:
        return run(sys.argv[1:], os.environ, time.time_ns() // 1000)
    except BecomeUser as other:
        if sys.stderr is not None and sys.stderr.isatty():
            note(f"memtool: as {other.person.name}, whose memory this is")
        try:
            other.run_again()
        except MemtoolError as error:
            return _report(error)


def run(arguments: Sequence[str], environ: Mapping[str, str], now_us: int) -> int:
    """Return the exit code of one invocation, with what went wrong said on stderr.

    With --scheduled nothing is printed where nothing went wrong: cron would mail it.
    """
    environ = sound_environ(environ)
    app = build(environ, now_us)
    with _quiet_where_scheduled(arguments) as ended:
        try:
            if environ.get(COMPLETE):
                return _complete(app)
            _refuse_within(arguments, environ)
            result = app(args=list(arguments), prog_name="memtool", standalone_mode=False)
            ended.code = result.code if isinstance(result, ExitCode) else result or OK.code
        except MemtoolError as error:
            ended.code = _report(error)
        except TyperError as error:
            ended.code = _report(_usage_error(error))
        except (OSError, MemoryError) as error:  # what no layer below gave a better name
            place = getattr(error, "filename", None) or "input or output"
            ended.code = _report(storage_error(error, place))
        except (KeyboardInterrupt, typer.Abort):
            ended.code = INTERRUPTED.code
    unwritten = sys.stdout.drain() if isinstance(sys.stdout, Stream) else None
    if unwritten is None or isinstance(
        unwritten, BrokenPipeError
    ):  # the reader has left, as `head` does
        return ended.code
    code = _report(storage_error(unwritten, "standard output"))
    return ended.code or code


class _Ended:
    """How an invocation ended; a crash is a failure."""

    code = FAILED.code


@contextmanager
def _quiet_where_scheduled(arguments: Sequence[str]) -> Iterator[_Ended]:
    """Keep what is printed, and print it on stderr if something went wrong, for a job with --scheduled."""
    ended = _Ended()
    if SCHEDULED not in arguments or not _JOB_COMMANDS.intersection(arguments):
        yield ended
        return
    said = StringIO()
    stdout = nullcontext() if "--json" in arguments else redirect_stdout(said)
    try:
        with stdout, redirect_stderr(said):
            yield ended
    finally:
        if ended.code not in (OK.code, SKIPPED.code):
            sys.stderr.write(said.getvalue())


def _complete(app: typer.Typer) -> int:
    """Print what a shell may offer for the line that it has put into the environment, and do nothing else."""
    sys.modules["rich"] = None  # type: ignore[assignment]  # it doubles the time of a TAB
    program = get_command(app)
    program.params = [one for one in program.params if one.name not in _INSTALLERS]
    return int(program.main(args=[], prog_name="memtool", standalone_mode=False) or 0)


def _refuse_within(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    """Raise SkippedError if memtool itself has started this program: it would summarize its own calls."""
    if environ.get(WITHIN) and not {"--help", "--version"} & set(arguments):
        raise SkippedError(
            "this runs within a summarizer that memtool has started: nothing is done",
            hint=f"if it does not, unset {WITHIN}",
        )


def _report(error: MemtoolError) -> int:
    priority = NOTICE if isinstance(error, SkippedError) else ERROR
    note(f"memtool: {error.message}", priority)
    if error.hint:
        note(f"hint: {error.hint}", priority)
    return error.exit_code.code


def _usage_error(error: Any) -> UsageError:
    command = getattr(getattr(error, "ctx", None), "command_path", "memtool")
    return UsageError(error.format_message(), hint=f'"{command} --help" shows what it takes')
