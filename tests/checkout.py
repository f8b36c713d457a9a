"""This checkout as others get it: a copy of its files, and the packages that installing it needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
CACHES = ("__pycache__", ".venv*", ".*_cache", ".hypothesis", ".coverage*", ".git")


def copy_checkout(target: Path) -> None:
    """Copy the files that git tracks, or would track; outside a repository, all but caches."""
    git = ["git", "-C", str(REPOSITORY), "ls-files", "-z", "-co", "--exclude-standard"]
    done = subprocess.run(git, capture_output=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        ignored = shutil.ignore_patterns(*CACHES)
        shutil.copytree(REPOSITORY, target, ignore=ignored, dirs_exist_ok=True)
        return
    for name in filter(None, done.stdout.split("\0")):
        source, place = REPOSITORY / name, target / name
        if source.is_file():  # not deleted meanwhile
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, place)


def fetch_wheels(folder: Path, *, python: str = sys.executable) -> None:
    """Fetch into the folder all that installing memtool with openai needs, for this Python."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    extra = project["project"]["optional-dependencies"]["openai"]
    needed = [*project["build-system"]["requires"], *project["project"]["dependencies"], *extra]
    pip = [sys.executable, "-m", "pip", "--python", python, "wheel", "--quiet", "--wheel-dir"]
    done = subprocess.run(
        [*pip, str(folder), *needed], capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
