"""Users in the password database, whose a file is, and acting as one of them, which only root can."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, NoReturn

from memtool.errors import StorageError, UsageError
from memtool.paths import home_directory, name_of

# These describe the terminal and the language, not the user.
_SHARED = ("PATH", "TERM", "COLORTERM", "NO_COLOR", "COLUMNS", "LANG", "LC_ALL", "TZ")


PEOPLE = range(1000, 60_000)
"""The user numbers that distributions keep for people."""


BY_ROOT = "MEMTOOL_BY_ROOT"
"""An environment variable: set where root has begun this command, which goes on as another user."""


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


def person_of(uid: int) -> Person | None:
    """Return the user of this number, or None if there is none."""
    import pwd

    try:
        row = pwd.getpwuid(uid)
    except KeyError:
        return None
    return Person(row.pw_name, row.pw_uid, row.pw_gid, Path(row.pw_dir))


def owner_uid(path: Path) -> int:
    """Return whose the file or directory is, or would be: that of the nearest directory above it that exists."""
    for place in (path, *path.absolute().parents):
        try:
            return place.stat().st_uid
        except (OSError, ValueError):  # a name that the locale cannot encode
            continue
    return 0


def this_person(environ: Mapping[str, str]) -> Person:
    """Return the user of this process. The environment may name another home."""
    uid = os.getuid()
    return Person(name_of(uid), uid, os.getgid(), home_directory(environ))


class BecomeUser(Exception):  # noqa: N818 - no error: the program goes on as this user
    """Root is to run this command as another user, in this environment."""

    def __init__(self, person: Person, environ: Mapping[str, str]) -> None:
        super().__init__(person.name)
        self.person = person
        self.environ = environ

    def run_again(self) -> NoReturn:
        """Replace this process by the same command, run by the user. Raise StorageError if they cannot run it."""
        person, package = self.person, Path(__file__).parent
        try:
            os.initgroups(person.name, person.gid)
            os.setgid(person.gid)
            os.setuid(person.uid)
        except OSError as error:
            raise StorageError(
                f"root may not become {person.name}, whose memory this is: {error.strerror}",
                hint=f"run it as {person.name}",
            ) from error
        for path in (Path(sys.executable), package):
            if not os.access(path, os.R_OK | os.X_OK):
                raise StorageError(
                    f"{person.name}, whose memory this is, cannot run memtool: {path} is closed to them",
                    hint="install memtool where everybody can read it: see docs/install.md",
                )
        argv = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, argv, {**self.environ, BY_ROOT: "1"})  # noqa: S606 - it is this very program


@contextmanager
def as_owner(path: Path) -> Iterator[None]:
    """Within the block, root reads and makes files as the owner of the path. For other users it changes nothing.

    So nothing of root's is left in a user's store, and a link that the user put there leads no further than the user
    can go. Start no program within it.
    """
    uid = owner_uid(path)
    person = person_of(uid)
    if os.geteuid() != 0 or uid == 0:
        yield
        return
    groups, gid = os.getgroups(), os.getegid()
    own = person.gid if person else uid
    os.setgroups(os.getgrouplist(person.name, own) if person else [own])
    os.setegid(own)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)


def as_person(person: Person, act: Callable[[], int]) -> int:
    """Call the function in a child process as this user, and return its result, 0 to 255.

    The child keeps the terminal and runs no exit handlers. It shows an exception, which gives 1.
    """
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
