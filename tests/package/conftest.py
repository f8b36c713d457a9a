"""What memtool's packages are tried with: a built wheel and sdist, and the real pip, uv and pipx.

They are fetched from a package index once a session; without one, all of these tests are skipped.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests.conftest import REPOSITORY

TIMEOUT_S = 600
TOOLS = ("hatchling>=1.27", "pipx", "uv", "twine", "pip")


@dataclass(frozen=True)
class Bench:
    """The tools, and what was built with them."""

    folder: Path
    wheel: Path
    sdist: Path
    checkout: Path
    """The unpacked sdist: what somebody has who cloned the project."""

    @property
    def tools(self) -> Path:
        """Where uv, uvx and pipx are."""
        return self.folder / "tools/bin"

    def run(
        self,
        *argv: str | Path,
        home: Path,
        env: Mapping[str, str] = MappingProxyType({}),
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as somebody would who has this home and these tools on PATH."""
        environ = {
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PATH": f"{self.tools}:{home}/.local/bin:/usr/local/bin:/usr/bin:/bin",
            "PIP_CACHE_DIR": str(self.folder / "pip-cache"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "UV_CACHE_DIR": str(self.folder / "uv-cache"),
            "UV_LINK_MODE": "copy",
            "UV_PYTHON_DOWNLOADS": "never",
            **_network(),
        }
        done = subprocess.run(
            [str(word) for word in argv],
            env={**environ, **env},
            cwd=home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT_S,
            check=False,
        )
        assert not check or done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
        return done

    def venv(self, folder: Path, *requirements: str | Path) -> Path:
        """Make a virtual environment with uv, which has no pip, and return its Python."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        self.run("uv", "venv", "-q", "--python", sys.executable, folder, home=folder.parent)
        python = folder / "bin/python"
        if requirements:
            install = ("uv", "pip", "install", "-q", "--python", python)
            self.run(*install, *requirements, home=folder.parent)
        return python

    def ask(self, python: Path, code: str, *, home: Path, **env: str) -> Any:
        """Return what an expression is in an installed memtool, by way of JSON."""
        program = f"import json; from memtool import paths, program; print(json.dumps({code}))"
        return json.loads(self.run(python, "-c", program, home=home, env=env).stdout)


def _network() -> dict[str, str]:
    """Return the variables by which this machine reaches a package index."""
    wanted = ("PIP_INDEX_URL", "PIP_FIND_LINKS", "UV_DEFAULT_INDEX", "SSL_CERT_FILE")
    return {
        name: value
        for name, value in os.environ.items()
        if name in wanted or name.lower().endswith("_proxy")
    }


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Bench:
    """Return the tools with a wheel and an sdist of this checkout; skip where no index can be reached.

    The workers of one run share them: the first makes them, and the others wait for it.
    """
    base = tmp_path_factory.getbasetemp().resolve()
    folder = (base if worker_id == "master" else base.parent) / "bench"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "unpacked").exists():
            _make(folder)
    (checkout,) = (folder / "unpacked").iterdir()
    (wheel,) = (folder / "dist").glob("*.whl")
    (sdist,) = (folder / "dist").glob("*.tar.gz")
    return Bench(folder, wheel, sdist, checkout)


def _make(folder: Path) -> None:
    bench = Bench(folder, Path(), Path(), Path())
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder / "tools"], check=True)
    install = (bench.tools / "python", "-m", "pip", "install", "-q", *TOOLS)
    done = bench.run(*install, home=folder, check=False)
    if done.returncode != 0:
        pytest.skip(f"no package index: the packages are NOT tried: {done.stderr.splitlines()[-1]}")
    _build(bench, folder / "dist")
    with tarfile.open(next((folder / "dist").glob("*.tar.gz"))) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder / "unpacked")


def _build(bench: Bench, target: Path) -> None:
    script = (
        "import os, sys; from hatchling.build import build_sdist, build_wheel; "
        "os.chdir(sys.argv[1]); build_sdist(sys.argv[2]); build_wheel(sys.argv[2])"
    )
    target.mkdir()
    bench.run(bench.tools / "python", "-c", script, REPOSITORY, target, home=bench.folder)


def files_in(folder: Path, names: Sequence[str]) -> set[str]:
    """Return the files below some of the directories of a folder, as paths below the folder."""
    found = (path for name in names for path in (folder / name).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)) for path in found if "__pycache__" not in path.parts}
