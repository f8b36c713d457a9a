"""install.sh and its siblings: their words, their refusals, and what they never do. Nothing is downloaded here."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = ("install.sh", "tests/run", ".ci/run", "demo/run")
USAGE = 2


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout that has only what install.sh looks at, in a place with a blank in its name."""
    folder = tmp_path / "a checkout"
    folder.mkdir()
    for name in ("install.sh", "pyproject.toml"):
        shutil.copy2(REPOSITORY / name, folder)
    return folder


def install(
    checkout: Path, *arguments: str, script: str | None = None, path: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run install.sh, or a piece of bash that sources it."""
    command = [str(checkout / "install.sh"), *arguments]
    if script is not None:
        command = ["bash", "-c", f". ./install.sh\n{script}"]
    return subprocess.run(
        command,
        cwd=checkout,
        env=os.environ | ({"PATH": path} if path else {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def fake(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def tools(folder: Path) -> str:
    """Return a PATH with the ordinary tools of a small system, without any Python."""
    folder.mkdir(exist_ok=True)
    for name in ("bash", "cat", "cut", "dirname", "env", "flock", "mkdir", "rm", "sha256sum"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return str(folder)


def made(checkout: Path, stamp: str) -> Path:
    """Make a folder that looks like a finished environment, whose Python says 3.11."""
    environment = checkout / ".venv"
    fake(environment / "bin", "python", "echo 3.11")
    (environment / ".memtool-made").touch()
    (environment / ".memtool-runtime").write_text(stamp, encoding="utf-8")
    return environment


def test_help_names_every_option(checkout: Path) -> None:
    done = install(checkout, "--help")
    assert done.returncode == 0
    for option in (
        "--user",
        "--system",
        "--run-as",
        "--with",
        "--prefix",
        "--no-enable",
        "--uninstall",
        "--purge",
    ):
        assert option in done.stdout
    assert "--demo" in done.stdout
    assert "--help" in done.stdout
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("arguments", [["--dmeo"], ["demo"], ["--demo", "--help"]])
def test_wrong_usage_does_nothing(checkout: Path, arguments: list[str]) -> None:
    done = install(checkout, *arguments)
    assert done.returncode == USAGE
    assert "--help" in done.stderr
    assert not (checkout / ".venv").exists()


def test_an_environment_that_somebody_else_made_is_left_alone(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv/precious").touch()
    done = install(checkout, "--demo")
    assert done.returncode == 1
    assert "left alone" in done.stderr
    assert (checkout / ".venv/precious").exists()


def test_an_old_python_is_refused_with_its_version(checkout: Path, tmp_path: Path) -> None:
    path = tools(tmp_path / "tools")
    fake(
        tmp_path / "tools",
        "python3",
        'case $2 in *exit*) exit 1;; *) echo "  /usr/bin/python3 3.9.2";; esac',
    )
    done = install(checkout, "--demo", path=path)
    assert done.returncode == 1
    assert "3.11 or newer" in done.stderr
    assert "3.9.2" in done.stderr


def test_a_newer_python_beside_an_old_one_is_found(checkout: Path, tmp_path: Path) -> None:
    path = tools(tmp_path / "tools")
    fake(tmp_path / "tools", "python3", "exit 1")
    fake(tmp_path / "tools", "python3.13", "exit 0")
    done = install(checkout, script="find_python", path=path)
    assert done.stdout.strip() == str(tmp_path / "tools/python3.13")


def test_a_missing_venv_package_is_named_where_it_cannot_be_installed(
    checkout: Path, tmp_path: Path
) -> None:
    path = tools(tmp_path / "tools")
    answers = "case $2 in *ensurepip*) exit 1;; *print*) echo 3.11;; esac"
    fake(tmp_path / "tools", "python3", answers)
    fake(tmp_path / "tools", "apt-get", "exit 1")
    done = install(checkout, "--demo", path=path)
    assert done.returncode == 1
    assert "then run this again: python3.11-venv" in done.stderr
    assert not (checkout / ".venv").exists()


def stamp_of(checkout: Path) -> str:
    digest = hashlib.sha256((REPOSITORY / "pyproject.toml").read_bytes()).hexdigest()
    return f"3.11 {checkout}\n{digest}  -\n"


CURRENT = "environment_is_current .venv runtime && echo current; environment_is_sound .venv && echo sound; :"


def test_a_finished_environment_is_trusted(checkout: Path) -> None:
    made(checkout, stamp_of(checkout))
    assert install(checkout, script=CURRENT).stdout.split() == ["current", "sound"]


def test_other_requirements_bring_it_up_to_date_where_it_is(checkout: Path) -> None:
    made(checkout, stamp_of(checkout))
    with (checkout / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert install(checkout, script=CURRENT).stdout.split() == ["sound"]


@pytest.mark.parametrize("damage", ["half made", "moved", "other python", "broken python"])
def test_a_broken_environment_is_not_trusted(checkout: Path, damage: str) -> None:
    environment = made(checkout, stamp_of(checkout))
    match damage:
        case "half made":
            (environment / ".memtool-runtime").unlink()
        case "moved":
            (environment / ".memtool-runtime").write_text(
                f"/elsewhere{stamp_of(checkout)}\n", encoding="utf-8"
            )
        case "other python":
            fake(environment / "bin", "python", "echo 3.12")
        case _:
            fake(environment / "bin", "python", "exit 127")
    assert install(checkout, script=CURRENT).stdout.split() == []


def test_the_development_requirements_are_those_of_pyproject(checkout: Path) -> None:
    fake(checkout / "bin", "python", f'exec {sys.executable} "$@"')
    done = install(checkout, script="group_requirements . dev")
    assert any(line.startswith("pytest") for line in done.stdout.splitlines())


def test_sourcing_does_nothing(checkout: Path) -> None:
    done = install(checkout, script=":")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_executable(name: str) -> None:
    assert os.access(REPOSITORY / name, os.X_OK)


@pytest.mark.parametrize("name", [*SCRIPTS, "completions/memtool.bash"])
def test_scripts_pass_shellcheck(name: str) -> None:
    program = shutil.which("shellcheck")
    if program is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(
        [program, name],
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.stdout == ""
