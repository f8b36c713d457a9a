"""Directories: each rule of the search, in its order, and why a store was chosen."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from memtool.errors import ConfigError
from memtool.paths import Role, choose_store, config_files, expand, home_directory

HOME = {"HOME": "/home/ann"}
UID = os.getuid()


def store(
    environ: dict[str, str], root: Path, *, configured: str = "", uid: int = UID
) -> tuple[str, str]:
    choice = choose_store(environ, configured=configured, origin="file /c", uid=uid, root=root)
    return str(choice.root), choice.why


def files(environ: dict[str, str], named: Path | None = None) -> list[tuple[str, Role]]:
    return [(str(file.path), file.role) for file in config_files(environ, named)]


SYSTEM = ("/etc/memtool/config.toml", Role.SYSTEM)


def test_config_comes_from_the_system_then_the_user() -> None:
    assert files(HOME) == [SYSTEM, ("/home/ann/.config/memtool/config.toml", Role.USER)]
    assert files({**HOME, "XDG_CONFIG_HOME": "/x"})[1] == ("/x/memtool/config.toml", Role.USER)


@pytest.mark.parametrize("value", ["", "relative/dir", "~/.config"])
def test_a_relative_xdg_directory_is_ignored(value: str, tmp_path: Path) -> None:
    environ = {**HOME, "XDG_CONFIG_HOME": value, "XDG_STATE_HOME": value}
    assert files(environ)[1][0] == "/home/ann/.config/memtool/config.toml"
    assert store(environ, tmp_path)[0] == "/home/ann/.local/state/memtool"


def test_a_service_reads_its_configuration_directory_in_place_of_the_users() -> None:
    environ = {**HOME, "CONFIGURATION_DIRECTORY": "/srv/a:/srv/b"}
    assert files(environ) == [
        SYSTEM,
        ("/srv/a/config.toml", Role.SERVICE),
        ("/srv/b/config.toml", Role.SERVICE),
    ]
    assert files({**HOME, "CONFIGURATION_DIRECTORY": "/etc/memtool"}) == [
        ("/etc/memtool/config.toml", Role.SERVICE)
    ]


def test_a_named_file_comes_last_and_the_option_beats_the_variable() -> None:
    environ = {**HOME, "MEMTOOL_CONFIG": "~/mine.toml"}
    assert files(environ)[-1] == ("/home/ann/mine.toml", Role.NAMED)
    assert files(environ, Path("/option.toml"))[2:] == [("/option.toml", Role.NAMED)]


def test_naming_a_file_that_is_read_anyway_moves_it_to_the_end() -> None:
    assert files(HOME, Path(SYSTEM[0])) == [
        ("/home/ann/.config/memtool/config.toml", Role.USER),
        (SYSTEM[0], Role.NAMED),
    ]


def test_the_store_is_found_by_each_rule_in_turn(tmp_path: Path) -> None:
    environ = {**HOME, "STATE_DIRECTORY": "/srv/state:/srv/other", "XDG_STATE_HOME": "/x"}
    assert store(environ, tmp_path, configured="~/mem") == (
        "/home/ann/mem",
        "store.path is set (file /c)",
    )
    assert store(environ, tmp_path)[0] == "/srv/state"
    del environ["STATE_DIRECTORY"]
    installed = tmp_path / "var/lib/memtool"
    installed.mkdir(parents=True)
    path, why = store(environ, tmp_path)
    assert (path, "installed" in why) == (str(installed), True)
    assert store(environ, tmp_path, uid=UID + 1) == ("/x/memtool", "the user's own store")


def test_an_installed_store_has_to_be_a_directory_that_can_be_seen(tmp_path: Path) -> None:
    (tmp_path / "var/lib").mkdir(parents=True)
    (tmp_path / "var/lib/memtool").write_text("")
    assert store(HOME, tmp_path)[0] == "/home/ann/.local/state/memtool"
    (tmp_path / "var/lib/memtool").unlink()
    (tmp_path / "var/lib/memtool").symlink_to("memtool")  # a loop: any look at it fails
    assert store(HOME, tmp_path)[0] == "/home/ann/.local/state/memtool"


def test_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert expand(Path("a"), HOME) == tmp_path / "a"
    assert expand(Path("~"), HOME) == Path("/home/ann")
    assert expand(Path("/~/a"), HOME) == Path("/~/a")


def test_without_home_the_password_database_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert home_directory({}) == Path(pwd.getpwuid(UID).pw_dir)
    assert home_directory({"HOME": "relative"}) == Path(pwd.getpwuid(UID).pw_dir)

    def unknown(_uid: int) -> pwd.struct_passwd:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(ConfigError, match="no home directory"):
        home_directory({})
