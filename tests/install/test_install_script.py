"""install.sh and its siblings: their words, their refusals, and what they never do. Nothing is downloaded here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.waiting import HUNG_S

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = ("install.sh", "tests/run", "tests/release", ".ci/run", "demo/run")
MOST_LINES = 120
USAGE = 2
Done = subprocess.CompletedProcess[str]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout that has only what install.sh looks at, in a place with a blank in its name."""
    folder = tmp_path / "a checkout"
    folder.mkdir()
    for name in ("install.sh", "pyproject.toml"):
        shutil.copy2(REPOSITORY / name, folder)
    return folder


def install(checkout: Path, *arguments: str, env: dict[str, str] | None = None) -> Done:
    """Run install.sh, and let it ask nothing."""
    return subprocess.run(
        [str(checkout / "install.sh"), *arguments],
        cwd=checkout.parent,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=HUNG_S,
        check=False,
    )


def fake(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Return a folder for PATH with the ordinary tools of a small system, without any Python."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("bash", "cat", "dirname", "env", "mkdir", "readlink", "realpath", "rm", "sed"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def test_it_is_short() -> None:
    lines = (REPOSITORY / "install.sh").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MOST_LINES


def test_help_names_every_option(checkout: Path) -> None:
    done = install(checkout, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    script = (checkout / "install.sh").read_text(encoding="utf-8")
    cases = script[script.index("  case $1 in") : script.index("  esac")]
    options = {word for word in cases.replace(")", " ").split() if word.startswith("--")}
    for option in options - {"--*=*", "--remove"}:
        assert option in done.stdout
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--dmeo"], "unknown option: --dmeo"),
        (["demo"], "unknown option: demo"),
        (["--user", "--system"], "say for whom"),
        (["--user", "--prefix"], "needs a value"),
        (["--user", "--purge"], "--purge goes with --uninstall"),
        (["--user", "--dry-run"], "unknown option"),
    ],
)
def test_wrong_usage_changes_nothing(
    checkout: Path, home: Path, arguments: list[str], says: str
) -> None:
    before = sorted(home.rglob("*"))
    done = install(checkout, *arguments)
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert says in done.stderr
    assert "--help" in done.stderr
    assert sorted(home.rglob("*")) == before
    assert not (checkout / ".venv").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="asks what root has to say")
def test_root_is_asked_for_whom(checkout: Path) -> None:
    done = install(checkout, env={"SUDO_USER": "mira"})
    assert done.returncode == USAGE
    assert "--system --run-as mira" in done.stderr


def test_an_environment_that_somebody_else_made_is_left_alone(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv/precious").touch()
    done = install(checkout, "--demo")
    assert done.returncode == 1
    assert "not made by memtool" in done.stderr
    assert (checkout / ".venv/precious").exists()


def test_a_program_of_somebody_else_is_left_alone(checkout: Path, home: Path) -> None:
    other = home / ".local/bin/memtool"
    fake(other.parent, "memtool", "echo mine")
    for arguments in ([], ["--uninstall"]):
        done = install(checkout, "--user", *arguments)
        assert done.returncode == 1
        assert "left alone" in done.stderr
    assert other.read_text(encoding="utf-8").endswith("echo mine\n")


def test_removing_what_is_not_there_is_not_a_failure(checkout: Path, home: Path) -> None:
    before = sorted(home.rglob("*"))
    done = install(checkout, "--user", "--uninstall")
    assert done.returncode == 0
    assert f"not installed in {home}/.local" in done.stderr
    assert sorted(home.rglob("*")) == before


def test_an_old_python_is_refused_with_its_version(checkout: Path, tools: Path) -> None:
    fake(tools, "python3", "echo /usr/bin/python3 3.9.2; exit 1")
    done = install(checkout, "--user", env={"PATH": str(tools)})
    assert done.returncode == 1
    assert "3.11 or newer" in done.stderr
    assert "/usr/bin/python3 3.9.2" in done.stderr


def test_a_newer_python_beside_an_old_one_is_taken(checkout: Path, tools: Path) -> None:
    fake(tools, "python3", "exit 1")
    answers = 'case $* in *venv\\ */*) exit 1;; esac; echo "$0 3.13.1"'
    fake(tools, "python3.13", answers)
    done = install(checkout, "--user", env={"PATH": str(tools)})
    assert done.returncode == 1
    assert f"with {tools}/python3.13" in done.stderr
    assert "could not make" in done.stderr


def test_a_missing_venv_package_is_named_where_it_cannot_be_installed(
    checkout: Path, home: Path, tools: Path
) -> None:
    answers = 'case $* in *ensurepip*) echo python3.11-venv; exit 1;; esac; echo "$0 3.11.2"'
    fake(tools, "python3", answers)
    fake(tools, "apt-get", "exit 1")
    done = install(checkout, "--user", env={"PATH": str(tools)})
    assert done.returncode == 1
    assert "install python3.11-venv; then run this again" in done.stderr
    assert not list(home.rglob("pyvenv.cfg"))


def test_a_place_that_cannot_be_written_to_is_named(checkout: Path, home: Path) -> None:
    (home / ".local").write_text("not a directory", encoding="utf-8")
    done = install(checkout, "--user")
    assert done.returncode == 1
    assert f"cannot write below {home}/.local" in done.stderr


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
        timeout=HUNG_S,
        check=False,
    )
    assert done.stdout == ""
