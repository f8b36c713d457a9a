"""People in the password database, and doing something as one of them. Only root can be another."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from memtool.errors import UsageError
from memtool.paths import home_directory, name_of

# What describes the terminal and the language, not the person.
_SHARED = ("PATH", "TERM", "COLORTERM", "NO_COLOR", "COLUMNS", "LANG", "LC_ALL", "TZ")


class Person(NamedTuple):
    """A user of this machine."""

    name: str
    uid: int
    gid: int
    home: Path

    def environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment to start this person's programs with; of the given one, the terminal's part."""
        shared = {name: environ[name] for name in _SHARED if name in environ}
        own = {"HOME": str(self.home), "USER": self.name, "LOGNAME": self.name}
        runtime = Path(f"/run/user/{self.uid}")
        return {**shared, **own, **({"XDG_RUNTIME_DIR": str(runtime)} if runtime.is_dir() else {})}


def person_named(name: str) -> Person:
    """Return the user of this name. Raise UsageError where there is none."""
    import pwd

    try:
        row = pwd.getpwnam(name)
    except KeyError:
        raise UsageError(f"there is no user named {name!r}", hint="see: getent passwd") from None
    return Person(row.pw_name, row.pw_uid, row.pw_gid, Path(row.pw_dir))


def this_person(environ: Mapping[str, str]) -> Person:
    """Return the user that this process runs as, with the home that the environment names if it names one."""
    uid = os.getuid()
    return Person(name_of(uid), uid, os.getgid(), home_directory(environ))


def as_person(person: Person, act: Callable[[], int]) -> int:
    """Return what the function returns, called in a child process that is this person; 0 to 255.

    The child keeps the terminal and runs no exit handlers. An exception is shown there, and gives 1.
    """
    import sys

    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        os.chdir("/")
        if os.getuid() != person.uid:
            os.initgroups(person.name, person.gid)
            os.setgid(person.gid)
            os.setuid(person.uid)
        code = act()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - the edge of a process
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)
