"""What is in the wheel and the sdist, and that each of them, installed, finds what memtool ships."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from memtool import __version__
from tests.conftest import REPOSITORY
from tests.package.conftest import Bench, files_in

pytestmark = pytest.mark.slow

SHIPPED = ("completions", "hooks", "man", "systemd")
CODE = ("memtool",)
_GITLEAKS = "licenses/memtool/redact/LICENSE.gitleaks"


@pytest.fixture(scope="session")
def metadata(bench: Bench) -> Message:
    """Return the wheel's metadata."""
    with zipfile.ZipFile(bench.wheel) as archive:
        name = f"agent_memtool-{__version__}.dist-info/METADATA"
        return Parser().parsestr(archive.read(name).decode())


def test_the_wheel_holds_the_code_and_what_is_shipped_and_nothing_else(bench: Bench) -> None:
    with zipfile.ZipFile(bench.wheel) as archive:
        names = set(archive.namelist())
    info = f"agent_memtool-{__version__}.dist-info"
    about = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", _GITLEAKS)
    shared = {f"memtool/share/{name}" for name in files_in(REPOSITORY, SHIPPED)}
    assert "memtool/py.typed" in names
    assert names == {
        *files_in(REPOSITORY, CODE),
        *shared,
        *(f"{info}/{name}" for name in about),
    }


def test_the_sdist_holds_all_that_a_distribution_needs(bench: Bench) -> None:
    with tarfile.open(bench.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    folders = (*CODE, *SHIPPED, "benchmarks", "demo", "docs", "tests")
    files = {path.name for path in REPOSITORY.glob("*.md")}
    files |= {"LICENSE", "install.sh", "pyproject.toml"}
    missing = (files_in(REPOSITORY, folders) | files) - names
    assert {name for name in missing if not name.startswith("demo/.work")} == set()
    assert not {name for name in names if "__pycache__" in name or name.startswith(".venv")}


def test_the_metadata_is_whole(bench: Bench, metadata: Message) -> None:
    assert (metadata["Name"], metadata["Version"]) == ("agent-memtool", __version__)
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata.get_all("Provides-Extra") == ["anthropic", "mcp", "openai"]
    bench.run(
        bench.tools / "twine", "check", "--strict", bench.wheel, bench.sdist, home=bench.folder
    )


def by_pip(bench: Bench, place: Path) -> Path:
    bench.run("/usr/bin/env", "python3", "-m", "venv", place / "venv", home=place)
    python = place / "venv/bin/python"
    bench.run(python, "-m", "pip", "install", "-q", bench.wheel, home=place)
    return python


def from_the_sdist(bench: Bench, place: Path) -> Path:
    return bench.venv(place / "venv", bench.sdist)


def editable(bench: Bench, place: Path) -> Path:
    return bench.venv(place / "venv", "-e", bench.checkout)


INSTALLS = (by_pip, from_the_sdist, editable)
Install = Callable[[Bench, Path], Path]


def what_is_shipped(bench: Bench, python: Path, home: Path, **env: str) -> set[str]:
    """Return the files that `shipped` finds."""
    found = bench.ask(python, f"[str(paths.shipped(name)) for name in {SHIPPED}]", home=home, **env)
    return {name for folder in found for name in files_in(Path(folder).parent, [Path(folder).name])}


@pytest.mark.parametrize("install", INSTALLS, ids=lambda install: str(install.__name__))
def test_each_installation_starts_and_finds_what_is_shipped(
    bench: Bench, tmp_path: Path, install: Install
) -> None:
    place = tmp_path / "a place"
    place.mkdir()
    python = install(bench, place)
    version = bench.run(python.with_name("memtool"), "--version", home=place).stdout
    assert version == f"memtool {__version__}\n"
    assert what_is_shipped(bench, python, place) == files_in(REPOSITORY, SHIPPED)


def test_a_checkout_that_is_not_installed_finds_what_is_shipped(
    bench: Bench, tmp_path: Path
) -> None:
    python = bench.venv(tmp_path / "venv")
    path = {"PYTHONPATH": str(bench.checkout)}
    assert what_is_shipped(bench, python, tmp_path, **path) == files_in(REPOSITORY, SHIPPED)


def test_the_wheel_of_the_sdist_is_the_wheel_of_the_checkout(bench: Bench, tmp_path: Path) -> None:
    bench.run("uv", "build", "-q", "--wheel", "-o", tmp_path / "out", bench.sdist, home=tmp_path)
    (built,) = (tmp_path / "out").glob("*.whl")
    with zipfile.ZipFile(built) as one, zipfile.ZipFile(bench.wheel) as other:
        assert {item.filename: item.CRC for item in one.infolist()} == {
            item.filename: item.CRC for item in other.infolist()
        }
