"""What of `tests/release` needs no fresh system: the choice of parts, lists of files, and the README that it reads."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.release_parts.files import difference
from tests.release_parts.parts import all_parts
from tests.release_parts.readme import blocks
from tests.release_parts.ways import INSTALL, READ, REMOVE

REPOSITORY = Path(__file__).resolve().parents[2]
LISTED = {"/bin/a": "f 755 0 0  3", "/etc": "d 755 0 0 ", "/etc/b": "f 644 0 0  9"}


def release(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(REPOSITORY / "tests/release"), "--list", *words],
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )


def test_the_readme_has_a_way_to_remove_for_each_way_to_install() -> None:
    found = blocks()
    assert len(found) == 3
    for word in ("install.sh", "pipx", "uv tool", "venv"):
        for block in (INSTALL, REMOVE):
            assert len([line for line in found[block] if word in line]) == 1
    assert len(found[INSTALL]) == len(found[REMOVE]) == 4
    assert found[READ] == ["memtool toc"]


def test_parts_are_chosen_by_words() -> None:
    names = [part.name for part in all_parts()]
    assert len(names) == len(set(names))
    done = release("debian13", "pipx")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines == [["debian13", name] for name in names if "pipx" in name]
    unknown = release("debian99")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "no part matches" in unknown.stderr


@pytest.mark.parametrize(
    ("after", "line"),
    [
        ({**LISTED, "/etc/c": "f 644 0 0  1"}, "+ /etc/c"),
        ({name: LISTED[name] for name in ("/bin/a", "/etc")}, "- /etc/b"),
        ({**LISTED, "/etc/b": "f 600 0 0  9"}, "~ /etc/b: f 644 0 0  9 → f 600 0 0  9"),
    ],
)
def test_lists_of_files_differ_in_what_is_new_gone_or_changed(
    after: dict[str, str], line: str
) -> None:
    assert difference(LISTED, LISTED) == []
    assert difference(LISTED, after) == [line]
    assert difference(LISTED, after, allowed=[r"/etc/"]) == []
    assert difference(LISTED, after, allowed=[r"/etc$"]) == [line]
