"""Whose memory a command of root works on: for every command, and decided before anything is made."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import typer.main
from typer.core import TyperGroup

from memtool.cli import whose
from memtool.cli.app import COMMANDS, build, load, run
from memtool.person import BecomeUser, as_owner, owner_uid, person_named

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

NOW_US = 1_795_521_600_000_000
UNKNOWN = 54_321
OTHER, SYSTEM = "daemon", "games"
"""Users that every Debian has."""


def commands() -> Iterator[tuple[str, ...]]:
    """Yield the words of every command, of groups those of each subcommand."""
    for row in COMMANDS:
        command = load(row)
        names = sorted(command.commands) if isinstance(command, TyperGroup) else []
        yield from ((row.name, name) for name in names)
        if not names:
            yield (row.name,)


EVERY = list(commands())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the home of another user than root."""
    made = tmp_path / "other"
    made.mkdir()
    give(made, OTHER)
    return made


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    """Return a home of root."""
    made = tmp_path / "root"
    made.mkdir()
    return made


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have timers of the system that run as somebody."""
    monkeypatch.setattr("memtool.systemd.systemctl.installed_in", lambda _: ("system",))
    monkeypatch.setattr("memtool.systemd.units.run_as_user", lambda: SYSTEM)


def give(path: Path, user: str) -> None:
    person = person_named(user)
    os.chown(path, person.uid, person.gid)


def becomes(words: Sequence[str], environ: dict[str, str]) -> BecomeUser | None:
    """Return whom root becomes for the command, None if it stays root. The command itself is not run."""
    from memtool.cli.options import Invocation

    options = ("--store", "--config")
    store = Path(words[1]) if words[0] in options else None
    call = Invocation(environ, NOW_US, store)
    try:
        whose.settle(call, words[2:] if store else words)
    except BecomeUser as other:
        return other
    return None


def files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_with_the_home_of_a_user_every_command_is_that_users(
    home: Path, words: tuple[str, ...]
) -> None:
    before = files(home.parent)
    with pytest.raises(BecomeUser) as raised:
        run([*words], {"HOME": str(home), "LC_ALL": "C", "XDG_RUNTIME_DIR": "/run/user/0"}, NOW_US)
    assert raised.value.person.name == OTHER
    assert raised.value.environ["HOME"] == str(home)
    assert raised.value.environ["LC_ALL"] == "C"
    assert raised.value.environ.get("XDG_RUNTIME_DIR") != "/run/user/0"
    assert files(home.parent) == before


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_beside_a_system_installation_only_its_administration_stays_root(
    roots: Path, words: tuple[str, ...]
) -> None:
    environ = {"HOME": str(roots), "XDG_CONFIG_HOME": "/root/.config", "LC_ALL": "C"}
    other = becomes(words, environ)
    stays = words[0] in ("setup", "config") or words in [
        ("scheduler", name) for name in ("apply", "run", "pause", "resume", "logs", "crontab")
    ]
    assert (other is None) == stays
    if other is not None:
        assert other.person.name == SYSTEM
        assert other.environ["HOME"] == str(other.person.home)
        assert "XDG_CONFIG_HOME" not in other.environ
        assert other.environ["LC_ALL"] == "C"


def test_what_stays_root_is_a_command_that_there_is() -> None:
    group = typer.main.get_command(build({}, NOW_US))
    assert isinstance(group, TyperGroup)
    for name, subcommands in whose.STAYS_ROOT.items():
        assert {(name, one) for one in subcommands} <= set(EVERY)
        assert name in group.commands


@pytest.mark.usefixtures("system")
def test_a_named_store_is_its_owners_and_a_new_one_is_roots(home: Path, roots: Path) -> None:
    environ = {"HOME": str(roots)}
    store = home / "store"
    store.mkdir()
    give(store, OTHER)
    other = becomes(("--store", str(store), "toc"), environ)
    assert other is not None
    assert other.person.name == OTHER
    assert becomes(("--store", str(roots / "second"), "toc"), environ) is None
    give(store, SYSTEM)
    assert becomes(("--store", str(store), "scheduler", "run", "ingest"), environ) is None
    other = becomes(("--store", str(store), "scheduler", "status"), environ)
    assert other is not None
    assert other.person.name == SYSTEM
    assert becomes(("toc",), {**environ, "MEMTOOL_STORE__PATH": str(store)}) is not None


def test_a_store_that_the_settings_or_a_variable_name_is_its_owners(
    home: Path, roots: Path
) -> None:
    environ = {"HOME": str(roots)}
    assert becomes(("ingest",), environ) is None
    other = becomes(("ingest",), {**environ, "XDG_STATE_HOME": str(home / "state")})
    assert other is not None  # a store that would be made in this home
    assert other.environ["HOME"] == str(other.person.home)
    config = roots / ".config/memtool/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[store]\npath = "{home}/new"\n')
    assert becomes(("ingest",), environ) is not None
    config.write_text("[store\n")  # the command itself says what is wrong
    assert becomes(("ingest",), environ) is None


def test_the_store_of_a_user_that_does_not_exist_is_left_alone(
    tmp_path: Path, roots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    os.chown(store, UNKNOWN, UNKNOWN)
    assert run(["--store", str(store), "ingest"], {"HOME": str(roots)}, NOW_US) == 74
    assert f"belongs to user {UNKNOWN}" in capsys.readouterr().err
    assert files(store) == set()


def test_a_home_of_nobody_does_not_keep_root_from_work(tmp_path: Path) -> None:
    """As in containers, whose HOME is mounted from elsewhere."""
    home = tmp_path / "mounted"
    home.mkdir()
    os.chown(home, UNKNOWN, UNKNOWN)
    assert becomes(("ingest",), {"HOME": str(home)}) is None


def test_help_asks_nobody(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["toc", "--help"], {"HOME": str(home)}, NOW_US) == 0
    assert "Usage: memtool toc" in capsys.readouterr().out


@pytest.mark.usefixtures("system")
def test_a_unit_of_roots_own_systemd_stays_roots(roots: Path) -> None:
    unit = {"MANAGERPID": "7", "SYSTEMD_EXEC_PID": str(os.getpid()), "HOME": str(roots)}
    assert becomes(("ingest",), unit) is None
    assert becomes(("ingest",), {**unit, "SYSTEMD_EXEC_PID": "1"}) is not None


def test_files_are_made_as_the_owner_and_root_is_root_again() -> None:
    before = (os.geteuid(), os.getegid(), os.getgroups())
    with TemporaryDirectory() as name:
        home = Path(name)
        give(home, OTHER)
        with as_owner(home / "a/b"):
            (home / "mine").touch()
            with pytest.raises(PermissionError):
                (home / "mine").rename("/etc/mine")
        assert owner_uid(home / "mine") == person_named(OTHER).uid
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before
