"""What every test stands on: a home of its own, and a guard that lets no test write outside its directory."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import memtool as package
from tests.waiting import HUNG_S

settings.register_profile("dev", max_examples=50, deadline=None, print_blob=True)
settings.register_profile("ci", max_examples=200, deadline=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

SOURCE = Path(package.__file__).resolve().parents[1]
REPOSITORY = Path(__file__).resolve().parents[1]
REAL_HOME = Path(pwd.getpwuid(os.getuid()).pw_dir)

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Which arguments of an audit event are paths that it changes. https://docs.python.org/3/library/audit_events.html
_CHANGES = {
    "os.mkdir": (0,),
    "os.rename": (0, 1),
    "os.remove": (0,),
    "os.rmdir": (0,),
    "os.link": (1,),
    "os.symlink": (1,),
    "os.truncate": (0,),
    "os.chmod": (0,),
    "os.chown": (0,),
    "os.utime": (0,),
}
_READS = {"os.listdir": (0,), "os.scandir": (0,)}
_CACHES = tuple(REPOSITORY / name for name in (".pytest_cache", ".hypothesis", ".coverage"))
_DEVICES = (Path("/dev"), Path("/proc"))


# The folders whose tests all have a marker of the same name.
MARKED_FOLDERS = ("crash", "systemd")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests by their folder, before `-m` selects."""
    for item in items:
        for name in MARKED_FOLDERS:
            if item.path.is_relative_to(REPOSITORY / "tests" / name):
                item.add_marker(name)


class FailuresAsTheyCome:
    """Print each failure when it happens: pytest shows them at the end, and xdist only an F until then."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Print what pytest will show again at its end."""
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal is not None:
            terminal.write_line("")
            terminal.section(f"failed: {report.nodeid}", sep="-", red=True)
            terminal.write_line(report.longreprtext)


def pytest_configure(config: pytest.Config) -> None:
    """Show failures at once, in the process that has the terminal; let programs be interrupted."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # A shell's background job ignores it, and so would the programs that tests interrupt.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(FailuresAsTheyCome(config))


class Guard:
    """Raise where a test writes outside its directories or reads the home of whoever runs it."""

    def __init__(self) -> None:
        self.writable: tuple[str, ...] | None = None  # None: no test is running
        installed = (
            REPOSITORY,
            SOURCE,
            Path(sys.prefix),
            Path(sys.base_prefix),
            *map(Path, sys.path),
        )
        self._readable = tuple(str(path) for path in installed if path != REAL_HOME)

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        """Look at one audit event."""
        if self.writable is None:
            return
        if event == "open":
            is_writing = isinstance(arguments[2], int) and bool(arguments[2] & _WRITING)
            self._check(arguments[0], is_writing=is_writing)
        elif event in _CHANGES and not _is_relative_to_a_descriptor(arguments):
            for index in _CHANGES[event]:
                self._check(arguments[index], is_writing=True)
        elif event in _READS:
            self._check(arguments[0], is_writing=False)

    def _check(self, target: object, *, is_writing: bool) -> None:
        if not isinstance(target, str | bytes | os.PathLike):
            return  # a descriptor, or the current directory
        path = os.path.abspath(os.fsdecode(target))  # noqa: PTH100 - pathlib would be far slower
        assert self.writable is not None
        if _is_under(path, self.writable) or "__pycache__" in path:
            return
        if is_writing or (
            _is_under(path, (str(REAL_HOME),)) and not _is_under(path, self._readable)
        ):
            pytest.fail(f"a test may not {'write' if is_writing else 'read'} {path}")


def _is_relative_to_a_descriptor(arguments: tuple[object, ...]) -> bool:
    path, descriptor = (
        os.fspath(arguments[0]) if isinstance(arguments[0], os.PathLike) else arguments[0],
        arguments[-1],
    )
    is_relative = isinstance(path, str | bytes) and not os.path.isabs(path)  # noqa: PTH117
    return is_relative and isinstance(descriptor, int) and descriptor >= 0


def _is_under(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith((f"{root}/", f"{root}.")) for root in roots)


GUARD = Guard()
sys.addaudithook(GUARD)


@pytest.fixture(autouse=True)
def home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Return an empty home directory that the whole test, and what it starts, takes for its own."""
    base = tmp_path_factory.getbasetemp().resolve()
    directory = tmp_path_factory.mktemp("home").resolve()
    _isolate(monkeypatch, directory)
    GUARD.writable = tuple(map(str, (base, *_CACHES, *_DEVICES)))
    yield directory
    GUARD.writable = None


def _isolate(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    ours = ("MEMTOOL_", "XDG_", "CLAUDE_")
    theirs = (
        "STATE_DIRECTORY",
        "CONFIGURATION_DIRECTORY",
        "NO_COLOR",
        "FORCE_COLOR",
        "COLUMNS",
        "LINES",
    )
    for name in list(os.environ):
        if (name.startswith(ours) and name != "MEMTOOL_TEST_DATA") or name in theirs:
            monkeypatch.delenv(name)
    temporary = directory / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("HOME", str(directory))
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))


Program = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def memtool(home: Path) -> Program:
    """Return a function that runs the real program: `memtool("toc", "--json", env={…}, stdin="…")`."""

    def run(
        *arguments: str | Path, env: dict[str, str] | None = None, stdin: str = "", cwd: Path = home
    ) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "PYTHONPATH": str(SOURCE), **(env or {})}
        return subprocess.run(
            [sys.executable, "-m", "memtool", *map(str, arguments)],
            env=environ,
            input=stdin,
            cwd=cwd,
            capture_output=True,
            encoding="utf-8",
            timeout=HUNG_S,
            check=False,
        )

    return run
