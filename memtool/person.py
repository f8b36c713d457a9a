"""Users in the password database, and acting as one of them, which only root can."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from memtool.errors import UsageError
from memtool.paths import home_directory, name_of

# These describe the terminal and the language, not the user.
_SHARED = ("PATH", "TERM", "COLORTERM", "NO_COLOR", "COLUMNS", "LANG", "LC_ALL", "TZ")


class Person(NamedTuple):
    """A user of this machine."""

    name: str
    uid: int
    gid: int
    home: Path

    def environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment for this user's programs, with the terminal's variables of the given one."""
        shared = {name: environ[name] for name in _SHARED if name in environ}
        own = {"HOME": str(self.home), "USER": self.name, "LOGNAME": self.name}
        runtime = Path(f"/run/user/{self.uid}")
        return {**shared, **own, **({"XDG_RUNTIME_DIR": str(runtime)} if runtime.is_dir() else {})}


def person_named(name: str) -> Person:
    """Return the user of this name. Raise UsageError if there is none."""
    import pwd

    try:
        row = pwd.getpwnam(name)
    except KeyError:
        raise UsageError(f"unknown user: {name}", hint="see: getent passwd") from None
    return Person(row.pw_name, row.pw_uid, row.pw_gid, Path(row.pw_dir))


def this_person(environ: Mapping[str, str]) -> Person:
    """Return the user of this process. The environment may name another home."""
    uid = os.getuid()
    return Person(name_of(uid), uid, os.getgid(), home_directory(environ))


def as_person(person: Person, act: Callable[[], int]) -> int:
    """Call the function in a child process as this user, and return its result, 0 to 255.

    The child keeps the terminal and runs no exit handlers. It shows an exception, which gives 1.
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
