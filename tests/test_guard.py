"""The guard of conftest.py works: otherwise a test could damage the home of whoever runs it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import REAL_HOME, REPOSITORY

OUTSIDE = REPOSITORY / "no-test-writes-this"


def test_a_write_outside_is_refused() -> None:
    with pytest.raises(pytest.fail.Exception, match="may not write"):
        OUTSIDE.write_text("")
    with pytest.raises(pytest.fail.Exception, match="may not write"):
        os.open(OUTSIDE, os.O_CREAT | os.O_RDWR)
    assert not OUTSIDE.exists()


def test_changing_names_outside_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    changes = (
        OUTSIDE.mkdir,
        OUTSIDE.unlink,
        OUTSIDE.rmdir,
        lambda: (tmp_path / "file").rename(OUTSIDE),
        lambda: OUTSIDE.symlink_to(tmp_path),
        lambda: OUTSIDE.chmod(0o600),
    )
    for change in changes:
        with pytest.raises(pytest.fail.Exception, match="may not write"):
            change()


def test_the_real_home_is_not_read(home: Path) -> None:
    if REPOSITORY.is_relative_to(REAL_HOME) or home.is_relative_to(REAL_HOME):
        pytest.skip("the project lies in the home directory")
    for look in ((REAL_HOME / ".profile").read_text, lambda: list(REAL_HOME.iterdir())):
        with pytest.raises(pytest.fail.Exception, match="may not read"):
            look()


def test_a_test_has_a_home_of_its_own(home: Path, tmp_path: Path) -> None:
    assert Path.home() == home
    assert list(home.iterdir()) == [home / "tmp"]
    (tmp_path / "file").write_text("")
    (home / "file").write_text("")
