"""install.sh with the real pip, into a home that is thrown away: what it makes, and what can no longer go wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from memtool import __version__
from memtool.systemd.jobs import JOBS
from tests.checkout import copy_checkout, fetch_wheels
from tests.waiting import HUNG_S

pytestmark = pytest.mark.slow

TIMEOUT_S = 600
Done = subprocess.CompletedProcess[str]
Install = Callable[..., Done]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all that memtool needs, fetched once."""
    folder = tmp_path_factory.mktemp("wheels")
    fetch_wheels(folder)
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of this checkout, in a place with a blank in its name."""
    folder = tmp_path / "a checkout"
    copy_checkout(folder)
    return folder


@pytest.fixture
def install(checkout: Path, wheels: Path, tmp_path: Path) -> Install:
    """Return a function that runs install.sh for a user, with Python of the tests, and without a systemd."""
    python = tmp_path / "programs"
    python.mkdir()
    (python / "python3").symlink_to(sys.executable)

    def run(*arguments: str, env: Mapping[str, str] | None = None) -> Done:
        environ = {
            **os.environ,
            "PATH": f"{python}:/usr/local/bin:/usr/bin:/bin",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "XDG_RUNTIME_DIR": str(tmp_path / "run"),  # with no manager in it
            **(env or {}),
        }
        return subprocess.run(
            [str(checkout / "install.sh"), "--user", *arguments],
            cwd=tmp_path,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT_S,
            check=False,
        )

    return run


def must(done: Done) -> Done:
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def files(folder: Path) -> set[str]:
    """Return what is in a folder, but for temporary files."""
    paths = (path.relative_to(folder) for path in folder.rglob("*"))
    return {str(path) for path in paths if path.parts[0] != "tmp"}


def runs(home: Path) -> str:
    """Return what the installed program says of its version, with an ordinary environment."""
    done = subprocess.run(
        [str(home / ".local/bin/memtool"), "--version"],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        encoding="utf-8",
        timeout=HUNG_S,
        check=False,
    )
    return must(done).stdout


def slot(home: Path) -> str:
    """Return which environment the program is in, `a` or `b`."""
    target = (home / ".local/bin/memtool").readlink()
    assert target.is_relative_to(home / ".local/lib/memtool")
    return target.parts[-3]


def listing(folder: Path) -> dict[str, int]:
    return {name: (folder / name).lstat().st_mtime_ns for name in files(folder)}


def test_it_installs_upgrades_and_removes(install: Install, checkout: Path, home: Path) -> None:
    (home / ".local/share").mkdir(parents=True)
    before, sources = files(home), files(checkout)
    must(install())
    assert __version__ in runs(home)
    assert slot(home) == "a"
    units = home / ".config/systemd/user"
    for job in JOBS:
        text = (units / job.unit).read_text(encoding="utf-8")
        assert f"ExecStart=%h/.local/bin/memtool {' '.join(job.command)}" in text
    assert files(checkout) == sources  # pip and Python leave nothing in it

    installed = listing(home)
    must(install())
    assert listing(home) == installed  # the same again changes nothing

    (checkout / "memtool/extra.py").touch()
    refused = install(env={"PIP_FIND_LINKS": "/nowhere"})
    assert refused.returncode == 1
    assert "What was installed before is unchanged" in refused.stderr
    assert __version__ in runs(home)
    assert slot(home) == "a"

    site = next((home / ".local/lib/memtool/a/lib").glob("python3*/site-packages"))
    (site / "openai").mkdir()  # as if it had been installed with --with openai
    must(install())
    assert slot(home) == "b"
    (sdk,) = (home / ".local/lib/memtool/b/lib").glob("python3*/site-packages/openai/__init__.py")
    assert sdk.exists()

    memory = home / ".local/state/memtool"
    (memory / "FORMAT").write_text("2\n", encoding="utf-8")
    must(install("--uninstall"))
    kept = {
        ".local/state",
        *(f".local/state/memtool{name}" for name in ("", "/FORMAT", "/setup.json")),
    }
    assert files(home) == before | kept


HOSTILE = {
    "CDPATH": "/usr:/",
    "PIP_USER": "1",
    "PIP_PREFIX": "/nowhere",
    "PIP_TARGET": "/nowhere",
    "PIP_ROOT": "/nowhere",
    "BASH_FUNC_cd%%": "() { echo a function of the environment; }",
}


@pytest.mark.parametrize("setting", ["target = /nowhere\nuser = true", "prefix = /nowhere"])
def test_settings_of_python_pip_and_bash_lead_nowhere_else(
    install: Install, home: Path, tmp_path: Path, wheels: Path, setting: str
) -> None:
    """pip.conf says where packages come from, and not where they go."""
    ends_bash = tmp_path / "bash-env"
    ends_bash.write_text("echo BASH_ENV was read; exit 9\n", encoding="utf-8")
    pip = home / ".config/pip/pip.conf"
    pip.parent.mkdir(parents=True)
    index = f"[global]\nno-index = true\nfind-links = {wheels}\n"
    pip.write_text(f"{index}[install]\n{setting}\n", encoding="utf-8")
    by_file = {"PIP_NO_INDEX": "", "PIP_FIND_LINKS": ""}
    must(install(env={**HOSTILE, **by_file, "BASH_ENV": str(ends_bash)}))
    assert __version__ in runs(home)
    assert not Path("/nowhere").exists()


def test_where_memtool_would_not_run_in_this_shell_nothing_is_installed(
    install: Install, home: Path
) -> None:
    """With this PYTHONHOME no program in Python starts: nor does Python, unless install.sh leaves it out."""
    done = install(env={"PYTHONHOME": str(home), "PYTHONPATH": str(home)})
    assert done.returncode == 1
    assert "bin/memtool does not run" in done.stderr
    assert not (home / ".local/bin/memtool").is_symlink()
    assert not (home / ".config/systemd").exists()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_a_home_on_which_nothing_may_run_is_told_and_nothing_is_installed(
    install: Install, home: Path
) -> None:
    place = home / ".local"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "noexec,size=300m", "none", str(place)]
    if subprocess.run(mount, check=False, timeout=HUNG_S).returncode != 0:
        pytest.skip("no mounts allowed here")
    try:
        done = install()
        assert done.returncode == 1
        assert "does not run" in done.stderr
        assert not (place / "bin/memtool").is_symlink()
        assert not (home / ".config/systemd").exists()
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True, timeout=HUNG_S)
