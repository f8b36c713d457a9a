"""What `memtool setup` may not do, and how it says what works instead."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

import pytest

from memtool.errors import MemtoolError
from memtool.person import Person, as_person, this_person
from memtool.program import Way
from memtool.systemd.setup import check_owner, check_visible, lasting_command

STORE = Path("/var/lib/memtool")


@pytest.mark.parametrize(
    ("owner", "run_as", "take_over"),
    [("", "bob", ""), ("bob", "bob", ""), ("alice", "bob", "alice"), ("root", "bob", "root")],
)
def test_a_memory_that_is_new_one_s_own_or_taken_over_by_name_is_allowed(
    owner: str, run_as: str, take_over: str
) -> None:
    check_owner(STORE, owner, run_as, take_over)


@pytest.mark.parametrize(
    ("owner", "run_as", "take_over", "hint"),
    [
        ("alice", "bob", "", "--run-as bob --take-over alice"),
        ("alice", "bob", "carol", "--take-over alice"),
        ("", "bob", "alice", "leave --take-over out"),
        ("bob", "bob", "alice", "leave --take-over out"),
    ],
)
def test_another_s_memory_is_refused_with_what_would_work(
    owner: str, run_as: str, take_over: str, hint: str
) -> None:
    with pytest.raises(MemtoolError) as refused:
        check_owner(STORE, owner, run_as, take_over)
    assert hint in refused.value.hint


def test_a_program_in_a_home_is_refused_with_links_resolved(tmp_path: Path) -> None:
    link = tmp_path / "memtool"
    check_visible([tmp_path, Path("/usr/bin/python3")], "COMMAND")
    for target in ("/root/.local/bin/memtool", "/home/mira/.local/bin/memtool", "/run/user/1/m"):
        link.symlink_to(target)
        with pytest.raises(MemtoolError, match="cannot see home") as refused:
            check_visible([link], "COMMAND")
        assert "COMMAND" in refused.value.hint
        link.unlink()


@pytest.mark.parametrize("way", get_args(Way))
def test_every_way_has_a_command_that_installs_outside_of_homes(way: Way) -> None:
    command = lasting_command(way, "mira")
    assert command.startswith("sudo ")
    assert "/home" not in command
    if way == "pipx":
        assert "PIPX_HOME=/opt/pipx PIPX_BIN_DIR=/usr/local/bin pipx install" in command
    if way == "uv tool":
        assert "UV_PYTHON_INSTALL_DIR=/opt/uv/python" in command


def test_a_function_runs_as_a_person_in_a_child_and_gives_its_code(tmp_path: Path) -> None:
    person = this_person({"HOME": str(tmp_path)})
    assert person.uid == os.getuid()
    assert as_person(person, lambda: 7) == 7

    def fail() -> int:
        raise ValueError

    assert as_person(person, fail) == 1


def test_a_person_s_environment_has_the_terminal_s_part_of_the_caller_s(tmp_path: Path) -> None:
    person = Person("mira", 2**20, 2**20, tmp_path)
    own = person.environ(
        {"HOME": "/root", "TERM": "xterm", "XDG_CONFIG_HOME": "/root/c", "PATH": "/bin"}
    )
    assert own == {
        "HOME": str(tmp_path),
        "USER": "mira",
        "LOGNAME": "mira",
        "TERM": "xterm",
        "PATH": "/bin",
    }
