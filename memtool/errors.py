"""The exit codes and the errors that carry them. Nothing here prints or exits: `cli.app` alone does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class ExitCode:
    """One row of the exit-code table that docs/exit-codes.md is held to."""

    code: int
    name: str
    meaning: str


OK = ExitCode(0, "ok", "done, or nothing to do")
FAILED = ExitCode(
    1, "failed", "some of the work failed; `status`, `verify` and `doctor`: not healthy"
)
USAGE = ExitCode(2, "usage", "the command line, or a node, grip or period in it, is not understood")
BAD_DATA = ExitCode(65, "bad-data", "the input holds nothing that memtool can read")
UNAVAILABLE = ExitCode(
    69, "unavailable", "an endpoint is down or a lock was not free in time; worth a retry"
)
IO_ERROR = ExitCode(
    74, "io-error", "reading or writing failed: permission, full disk, a limit, damaged store"
)
SKIPPED = ExitCode(75, "skipped", "the same job is already running, or it is paused for a time")
CONFIG = ExitCode(
    78, "config", "a setting, key, model, calendar or store version must be mended first"
)
INTERRUPTED = ExitCode(130, "interrupted", "stopped by SIGINT after its step, recorded as stopped")
TERMINATED = ExitCode(143, "terminated", "stopped by SIGTERM after its step, recorded as stopped")

EXIT_CODES = (
    OK,
    FAILED,
    USAGE,
    BAD_DATA,
    UNAVAILABLE,
    IO_ERROR,
    SKIPPED,
    CONFIG,
    INTERRUPTED,
    TERMINATED,
)


class MemtoolError(Exception):
    """An operating error: one line of what happened, one hint of what to do, one exit code."""

    exit_code: ClassVar[ExitCode] = FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(MemtoolError):
    """What the person typed does not name anything."""

    exit_code = USAGE


class BadDataError(MemtoolError):
    """The input as a whole cannot be read as what it claims to be."""

    exit_code = BAD_DATA


class UnavailableError(MemtoolError):
    """Something outside is down or busy; a later try may work."""

    exit_code = UNAVAILABLE


class StorageError(MemtoolError):
    """A file, directory or the store itself could not be read or written."""

    exit_code = IO_ERROR


class DamagedError(StorageError):
    """What a file holds is not what was written there: RocksDB says corruption, a digest or a form does not fit."""


class SkippedError(MemtoolError):
    """The job must not run now; that is no failure."""

    exit_code = SKIPPED


class ConfigError(MemtoolError):
    """A person has to change a setting before this can work."""

    exit_code = CONFIG
