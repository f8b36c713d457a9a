"""The endpoint that is a program: it reads the prompt on its standard input and prints the answer. No shell runs it."""

from __future__ import annotations

import re
import shlex
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

from memtool.errors import ConfigError, UnavailableError
from memtool.files import reporting
from memtool.model.segmenting import tokens_of
from memtool.paths import expand
from memtool.process import WITHIN, Finished
from memtool.summarize import Options, Reply
from memtool.summarize.check import SummaryFailed
from memtool.summarize.models.prompt import Prompt
from memtool.summarize.models.window import size_problem
from memtool.summarize.models.writer import Model, PromptTooLong, Writer, writer

NAME = "command"
_MOST_BYTES = 1 << 20
# As shells, sysexits.h and memtool itself mean them.
_CONFIGURATION = frozenset({77, 78, 126, 127})
_FOR_NOW = frozenset({69, 75})
# So many failures in a row are the program's, not the nodes': it has no network, is not logged in, its quota is
# used up. One that has answered in this process is given more credit, since nodes in a row may be bad, too.
_MOST_FAILURES = 3
_MOST_FAILURES_OF_A_PROVEN_ONE = 10
_LONGEST_SAID = 200
# No exit code says this.
_TOO_LONG = re.compile(r"(?:prompt|input) is too long|context (?:length|window)", re.IGNORECASE)

_SET = "such as: memtool config set summarizer.command 'claude -p'"
_FIND = 'name it with its whole path; for the timers, "memtool scheduler apply" looks for it again'
_TRY = 'try it by hand: echo "Say yes." | followed by your summarizer.command'


def make(options: Options) -> Writer:
    """Return the summarizer. Nothing is started yet."""
    return writer(NAME, options.command, options, Program(options).connect)


class Program:
    """A program that answers prompts, and how it has fared in this process."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._failures = 0
        self._is_proven = False

    def connect(self) -> AbstractAsyncContextManager[Model]:
        """Return itself; there is nothing to open. Raise ConfigError where a setting is missing or wrong."""
        argv_of(self.options)
        problem = size_problem(self.options)
        if problem is not None:
            raise problem
        return nullcontext(self.ask)

    async def ask(self, prompt: Prompt) -> Reply:
        """Return what the program prints, with its tokens estimated: programs count none. Raise as Model says."""
        text = text_of(prompt)
        done = await self._run(argv_of(self.options), text.encode())
        answer = done.stdout.strip()
        if done.is_ok and answer and not done.is_timed_out and not done.is_flooded:
            self._failures, self._is_proven = 0, True
            return Reply(answer, tokens_of(text), tokens_of(answer))
        raise self._failure(done)

    async def _run(self, argv: tuple[str, ...], stdin: bytes) -> Finished:
        from memtool.process_group import Bounds, run_family

        directory = self.options.directory
        assert directory is not None
        with reporting(directory):
            directory.mkdir(mode=0o700, exist_ok=True)
        try:
            return await run_family(
                argv,
                {**self.options.environ, WITHIN: "summarizer"},
                directory=directory,
                stdin=stdin,
                bounds=Bounds(self.options.timeout_s, _MOST_BYTES),
            )
        except OSError as error:
            reason = error.strerror or error
            raise UnavailableError(f"{argv[0]} could not be started: {reason}") from error

    def _failure(self, done: Finished) -> ConfigError | UnavailableError | SummaryFailed:
        said = done.said[:_LONGEST_SAID]
        if done.is_missing:
            return ConfigError(f"summarizer.command: {said}", hint=_FIND)
        ended = done.code if done.code in _CONFIGURATION | _FOR_NOW else 0
        if not done.is_timed_out and not done.is_flooded and ended:
            kind = ConfigError if ended in _CONFIGURATION else UnavailableError
            return kind(f"{done.argv[0]} ended with {ended}: {said}", hint=_TRY)
        if _TOO_LONG.search(said) and done.code > 0:
            return PromptTooLong(_what(done, said))
        self._failures += 1
        most = _MOST_FAILURES_OF_A_PROVEN_ONE if self._is_proven else _MOST_FAILURES
        if self._failures < most:
            return SummaryFailed(_what(done, said))
        text = f"{done.argv[0]} has failed {self._failures} times in a row: {_what(done, said)}"
        return UnavailableError(text, hint=_TRY)


def _what(done: Finished, said: str) -> str:
    if done.is_timed_out or done.is_flooded:
        return said
    if done.is_ok:
        return f"{done.argv[0]} answered nothing" + (f": {said}" if done.stderr.strip() else "")
    ended = f"was killed by signal {-done.code}" if done.code < 0 else f"ended with {done.code}"
    is_silent = not (done.stderr.strip() or done.stdout.strip())
    return f"{done.argv[0]} {ended}" + ("" if is_silent else f": {said}")


def text_of(prompt: Prompt) -> str:
    """Return the prompt as one text: what a program reads has no roles."""
    parts = [prompt.system]
    for number, turn in enumerate(prompt.turns):
        parts.append(f"Your answer was:\n\n{turn}" if number % 2 else turn)
    return "\n\n".join(parts) + "\n"


def argv_of(options: Options) -> tuple[str, ...]:
    """Return the program and its arguments. Raise ConfigError where none is set, or quotes are left open."""
    try:
        words = shlex.split(options.command)
    except ValueError as error:
        raise ConfigError(f"summarizer.command: {error}", hint=_SET) from error
    if not words or not words[0]:
        raise ConfigError("summarizer.command is not set", hint=_SET)
    return (
        str(expand(Path(words[0]), options.environ)) if words[0][0] == "~" else words[0],
        *words[1:],
    )
