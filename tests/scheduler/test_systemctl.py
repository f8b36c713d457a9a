"""Asking systemd: one call, the right manager, and its errors in plain words: recorded from 252, or as 257 has them."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from memtool.errors import FAILED, UNAVAILABLE
from memtool.process import Finished
from memtool.systemd.jobs import JOBS
from memtool.systemd.systemctl import (
    NOT_BOOTED,
    Manager,
    ask,
    config_directory,
    default_scope,
    failure,
    installed_in,
    is_booted,
    lacks_linger,
    machine_zone,
    manager_of,
    meaning,
)
from tests.scheduler.fakes import FakeSystemd, show_text

DENIED = "systemd does not allow this"


def said(text: str, code: int = 1, **more: bool) -> Finished:
    return Finished(("systemctl",), code, "", text, **more)


SAID = """
not-booted  System has not been booted with systemd as init system (PID 1). Can't operate.
not-booted  Failed to connect to bus: Host is down
no-bus      Failed to connect to bus: No medium found
no-bus      Failed to connect to bus: No such file or directory
no-bus      Failed to connect to user scope bus: $DBUS_SESSION_BUS_ADDRESS and $XDG_RUNTIME_DIR not defined
no-bus      Failed to connect to user scope bus via local transport: No such file or directory
of-another  Failed to connect to bus: Permission denied
denied      Failed to start memtool-ingest.service: Interactive authentication required.
denied      Reload daemon failed: Interactive authentication required.
denied      Failed to start memtool-ingest.service: Access denied
missing     Failed to start nosuch.service: Unit nosuch.service not found.
masked      Failed to start x.service: Unit x.service is masked.
broken      Failed to restart x.timer: Unit x.timer has a bad unit file setting.
too-often   Job for x.service failed because start of the service was attempted too often.
no-record   Job for x.service failed because the control process exited with error code.
"""
MEANS = {
    "not-booted": NOT_BOOTED,
    "no-bus": "no systemd runs for this user",
    "of-another": "systemd does not let this user ask it",
    "denied": DENIED,
    "missing": "the unit is not installed",
    "masked": "the unit is masked",
    "broken": "a drop-in of the unit is broken",
    "too-often": "it was started too often in a short time",
    "no-record": "it failed before it could record a run",
}


@pytest.mark.parametrize("line", SAID.strip().splitlines())
def test_what_systemctl_says_is_put_in_plain_words(line: str) -> None:
    kind, _, text = line.partition("  ")
    assert meaning(said(text.strip()), Manager("user", {}))[0] == MEANS[kind.strip()]


def test_what_is_not_known_is_told_as_it_was_said() -> None:
    assert meaning(said("Something new\nand more"), Manager("system", {})) == ("Something new", "")


def test_the_user_who_lacks_a_manager_is_named_in_what_helps() -> None:
    _, hint = meaning(said("Failed to connect to bus: No medium found"), Manager("user", {}))
    assert f"loginctl enable-linger {pwd.getpwuid(os.getuid()).pw_name}" in hint


def test_where_no_systemd_was_booted_a_users_is_not_missed() -> None:
    manager = Manager("user", {}, is_booted=False)
    assert meaning(said("Failed to connect to bus: No medium found"), manager)[0] == NOT_BOOTED


def test_only_a_systemd_that_does_not_answer_is_worth_a_retry() -> None:
    manager = Manager("system", {})
    late = said("systemctl did not answer within 15 s", 124, is_timed_out=True)
    assert failure(late, manager, "x").exit_code == UNAVAILABLE
    assert failure(said("Access denied", 4), manager, "it did not run").exit_code == FAILED
    assert failure(said("Access denied", 4), manager, "x").message == f"x: {DENIED}"


def test_a_machine_without_systemctl_is_told(tmp_path: Path) -> None:
    timers = ask(Manager("system", {"PATH": str(tmp_path)}))
    assert (timers.is_known, timers.problem) == (False, "systemd is not on this machine")


def test_all_timers_are_asked_for_by_one_call(tmp_path: Path) -> None:
    fake = FakeSystemd(tmp_path)
    fake.shows(show_text())
    timers = ask(Manager("user", {"PATH": str(fake.bin)}))
    assert timers.is_known
    assert [timer.state for timer in timers.states.values()] == ["armed"] * len(JOBS)
    (line,) = (fake.here / "calls").read_text().splitlines()
    assert line.startswith("systemctl --user --no-ask-password show -p Id,")
    assert all(job.timer in line and job.unit in line for job in JOBS)


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("etc/systemd/system", "system"),
        ("usr/local/lib/systemd/system", "system"),
        ("lib/systemd/system", "system"),
        ("home/.config/systemd/user", "user"),
        ("home/.local/share/systemd/user", "user"),
        ("usr/lib/systemd/user", "user"),
    ],
)
def test_the_manager_that_has_the_units_is_found_by_their_files(
    tmp_path: Path, path: str, scope: str
) -> None:
    environ = {"HOME": str(tmp_path / "home")}
    assert installed_in(environ, tmp_path) == ()
    (tmp_path / path).mkdir(parents=True)
    (tmp_path / path / "memtool-ingest.timer").symlink_to("/dev/null")
    assert installed_in(environ, tmp_path) == (scope,)


def test_a_users_units_are_where_xdg_says(tmp_path: Path) -> None:
    environ = {"HOME": "/home/me", "XDG_CONFIG_HOME": str(tmp_path)}
    assert config_directory(environ) == tmp_path / "systemd/user"
    assert config_directory({"HOME": "/h", "XDG_CONFIG_HOME": "relative"}) == Path(
        "/h/.config/systemd/user"
    )


def test_of_both_managers_one_is_the_default() -> None:
    assert default_scope((), prefers_system=True) is None
    assert default_scope(("user",), prefers_system=True) == "user"
    assert default_scope(("system", "user"), prefers_system=True) == "system"
    assert default_scope(("system", "user"), prefers_system=False) == "user"


def test_a_runtime_directory_of_ones_own_is_kept(tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path), "DBUS_SESSION_BUS_ADDRESS": "x"}
    assert manager_of("user", environ, os.getuid()).environ == environ
    assert manager_of("system", {}, os.getuid()).environ == {}


@pytest.mark.parametrize("named", ["", "relative", "{}/missing", "/", "{}/file"])
def test_one_that_is_missing_or_of_another_user_gives_way_to_ones_own(
    tmp_path: Path, named: str
) -> None:
    uid = os.getuid()
    stranger = uid + 1 if named == "/" else uid
    own = tmp_path / f"run/user/{stranger}"
    environ = {
        "HOME": "/h",
        "XDG_RUNTIME_DIR": named.format(tmp_path),
        "DBUS_SESSION_BUS_ADDRESS": "x",
    }
    assert manager_of("user", environ, stranger, tmp_path).environ == {"HOME": "/h"}
    own.mkdir(parents=True)
    if stranger == uid:
        found = manager_of("user", environ, uid, tmp_path).environ
        assert found == {"HOME": "/h", "XDG_RUNTIME_DIR": str(own)}


def test_who_lingers_already_is_not_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memtool.systemd.systemctl.lacks_linger", lambda _: "")
    _, hint = meaning(said("Failed to connect to bus: No medium found"), Manager("user", {}))
    assert hint == f"sudo systemctl start user@{os.getuid()}.service"


def test_a_booted_systemd_is_seen_by_its_directory(tmp_path: Path) -> None:
    assert not is_booted(tmp_path)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert is_booted(tmp_path)


def test_lingering_is_seen_by_its_file(tmp_path: Path) -> None:
    name = pwd.getpwuid(os.getuid()).pw_name
    assert lacks_linger(os.getuid(), tmp_path) == name
    (tmp_path / "var/lib/systemd/linger").mkdir(parents=True)
    (tmp_path / "var/lib/systemd/linger" / name).touch()
    assert lacks_linger(os.getuid(), tmp_path) == ""
    assert lacks_linger(2**31 - 7, tmp_path) == ""


def test_the_machines_zone_is_the_name_that_its_link_has(tmp_path: Path) -> None:
    assert machine_zone(tmp_path) == "UTC"
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/localtime").symlink_to("../usr/share/zoneinfo/Europe/Berlin")
    assert machine_zone(tmp_path) == "Europe/Berlin"
    (tmp_path / "etc/localtime").unlink()
    (tmp_path / "etc/localtime").write_text("TZif")
    assert machine_zone(tmp_path) == ""
