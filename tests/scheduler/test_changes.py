"""Changes to unit files: only what differs is written, whole, and in an order in which no job is less confined."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memtool.errors import StorageError
from memtool.systemd.changes import Change, changes, diff, timers_in, write
from memtool.systemd.dropins import DROP_IN

TIMER = f"memtool-week-rollup.timer.d/{DROP_IN}"
SERVICE = f"memtool-week-rollup.service.d/{DROP_IN}"


def test_only_what_differs_is_changed(tmp_path: Path) -> None:
    (tmp_path / TIMER).parent.mkdir()
    (tmp_path / TIMER).write_text("old")
    (tmp_path / TIMER).with_name("admin.conf").write_text("theirs")
    timer = tmp_path / TIMER
    assert changes({timer: "old"}, [timer, tmp_path / SERVICE]) == []
    assert changes({timer: "new"}, [timer]) == [Change(timer, "old", "new")]
    assert changes({timer: "new"}, []) == [Change(timer, "old", "new")]
    assert changes({}, [timer]) == [Change(timer, "old", None)]


def test_at_no_time_is_a_unit_without_its_drop_ins(tmp_path: Path) -> None:
    unit, drop_in, old = (
        tmp_path / name for name in ("a.service", "a.service.d/1", "b.service.d/1")
    )
    write(Change(old, None, "x"))
    made = changes({unit: "x", drop_in: "x"}, [unit, drop_in, old])
    assert [change.path for change in made] == [drop_in, unit, old]
    for change in made:
        write(change)
    assert [change.path for change in changes({}, [drop_in, unit])] == [unit, drop_in]


def test_what_somebody_has_masked_stays_so_until_it_is_removed(tmp_path: Path) -> None:
    unit, linked = tmp_path / "a.timer", tmp_path / "b.timer"
    unit.symlink_to("/dev/null")
    linked.symlink_to("/dev/zero/not/there")
    assert changes({unit: "x"}, [unit]) == []
    assert changes({linked: "x"}, []) == [Change(linked, None, "x")]
    (change,) = changes({}, [unit])
    write(change)
    assert not unit.is_symlink()


def test_a_change_is_written_whole_and_readable_by_all(tmp_path: Path) -> None:
    change = Change(tmp_path / "below" / TIMER, None, "[Timer]\n")
    before = os.umask(0o077)
    write(change)
    os.umask(before)
    assert change.path.read_text() == "[Timer]\n"
    assert (change.path.stat().st_mode & 0o777, change.path.parent.stat().st_mode & 0o777) == (
        0o644,
        0o755,
    )


def test_what_is_removed_takes_its_directory_unless_others_use_it(tmp_path: Path) -> None:
    for name in (TIMER, SERVICE):
        write(Change(tmp_path / name, None, "x"))
    (tmp_path / SERVICE).with_name("admin.conf").write_text("theirs")
    for name in (TIMER, SERVICE):
        write(Change(tmp_path / name, "x", None))
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")} == {
        "memtool-week-rollup.service.d",
        "memtool-week-rollup.service.d/admin.conf",
    }


def test_a_place_that_may_not_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="memtool-week-rollup"):
        write(Change(tmp_path / "file" / TIMER, None, "x"))


def test_a_diff_is_what_patch_would_take(tmp_path: Path) -> None:
    path = tmp_path / TIMER
    assert list(diff(Change(path, "a\nb\n", "a\nc\n"))) == [
        f"--- {path}", f"+++ {path}", "@@ -1,2 +1,2 @@", " a", "-b", "+c",
    ]  # fmt: skip
    assert list(diff(Change(path, "a\n", None)))[:2] == [f"--- {path}", "+++ /dev/null"]


def test_the_timers_that_changed_are_known_by_their_jobs(tmp_path: Path) -> None:
    made = [Change(tmp_path / TIMER, None, "x"), Change(tmp_path / SERVICE, None, "x")]
    assert timers_in(made) == {"week-rollup"}
    assert timers_in(made[1:]) == set()
    assert timers_in([Change(tmp_path / "memtool-ingest.timer", "x", "y")]) == {"ingest"}
