"""Pauses: they hold whatever happens in between, end when they should, and say since when, until when and why."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.context import Reports, RunContext
from memtool.errors import UsageError
from memtool.jobs.runner import run_job
from memtool.ledger.file import Trigger
from memtool.ledger.reading import look
from memtool.systemd.jobs import job_named
from memtool.systemd.pauses import (
    ALL,
    Pause,
    admit,
    described,
    directory,
    end_pause,
    ignoring,
    pause_of,
    paused,
    seconds_of,
    set_pause,
)

NOW_US = 1_795_521_600_000_000  # 2026-11-24 12:00 UTC
DAY_US = 86_400_000_000
JOB = job_named("day-rollup")
OPEN = Pause(JOB.name, NOW_US, None, "alice", "moving house")
TIMED = Pause(JOB.name, NOW_US, NOW_US + 2 * DAY_US, "alice", "holidays")
EVERYTHING = Pause(ALL, NOW_US, None, "root", "")


def files(root: Path) -> set[str]:
    return {path.name for path in directory(root).iterdir()}


def nothing(_: RunContext) -> None:
    """Do nothing, well."""


def run(root: Path, trigger: Trigger, now_us: int = NOW_US, told: list[str] | None = None) -> int:
    """Run the job and return its exit code."""
    reports = Reports(talk=(told if told is not None else []).append)
    outcome = run_job(
        JOB, nothing, root=root, trigger=trigger, reports=reports, clock=lambda: now_us
    )
    return outcome.exit_code


@pytest.mark.parametrize("pause", [OPEN, TIMED, EVERYTHING], ids=described)
def test_a_pause_is_told_as_it_was_made(tmp_path: Path, pause: Pause) -> None:
    set_pause(tmp_path, pause)
    assert pause_of(tmp_path, JOB.name, NOW_US + 1) == pause


def test_without_a_pause_nothing_is_made(tmp_path: Path) -> None:
    assert pause_of(tmp_path, JOB.name, NOW_US) is None
    assert admit(tmp_path, JOB.name, [JOB.name], NOW_US, may_ignore=True) == {}
    end_pause(tmp_path, ALL)
    assert list(tmp_path.iterdir()) == []


def test_the_names_of_the_files_are_the_ones_that_units_look_for(tmp_path: Path) -> None:
    set_pause(tmp_path, OPEN)
    set_pause(tmp_path, EVERYTHING)
    assert files(tmp_path) == {"day-rollup", "all"}
    set_pause(tmp_path, TIMED)
    assert files(tmp_path) == {"day-rollup.until", "all"}


def test_what_a_pause_holds_can_be_read_with_cat_and_by_its_owner_only(tmp_path: Path) -> None:
    set_pause(tmp_path, TIMED)
    path = directory(tmp_path) / "day-rollup.until"
    assert path.read_text() == (
        "since_us 1795521600000000 (2026-11-24 12:00 UTC)\n"
        "until_us 1795694400000000 (2026-11-26 12:00 UTC)\n"
        "by alice\nreason holidays\n"
    )
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_reason_cannot_forge_a_line_or_steer_a_terminal(tmp_path: Path) -> None:
    reason = "x\nuntil_us 5\n\x1b[2J"
    set_pause(tmp_path, Pause(JOB.name, NOW_US, NOW_US + 5, reason=reason))
    found = pause_of(tmp_path, JOB.name, NOW_US)
    assert found is not None
    assert (found.until_us, found.reason) == (NOW_US + 5, "x")


def test_an_empty_file_made_by_hand_pauses(tmp_path: Path) -> None:
    directory(tmp_path).mkdir()
    (directory(tmp_path) / "all").touch()
    os.utime(directory(tmp_path) / "all", (5, 5))
    assert pause_of(tmp_path, "ingest", NOW_US) == Pause(ALL, 5_000_000)


def test_an_end_that_cannot_be_read_never_comes(tmp_path: Path) -> None:
    directory(tmp_path).mkdir()
    (directory(tmp_path) / "ingest.until").write_text("until_us soon\n")
    found = pause_of(tmp_path, "ingest", NOW_US)
    assert found is not None
    assert found.until_us is None


def test_of_several_pauses_the_one_that_holds_longest_counts(tmp_path: Path) -> None:
    set_pause(tmp_path, TIMED)
    set_pause(tmp_path, Pause(ALL, NOW_US, NOW_US + DAY_US))
    assert pause_of(tmp_path, JOB.name, NOW_US) == TIMED
    set_pause(tmp_path, EVERYTHING)
    assert pause_of(tmp_path, JOB.name, NOW_US) == EVERYTHING


def test_paused_jobs_are_told_by_name(tmp_path: Path) -> None:
    set_pause(tmp_path, OPEN)
    assert paused(tmp_path, ("ingest", JOB.name), NOW_US) == {JOB.name: OPEN}


def test_resuming_a_job_leaves_the_others_and_resuming_all_leaves_none(tmp_path: Path) -> None:
    for pause in (OPEN, Pause("ingest", NOW_US), EVERYTHING):
        set_pause(tmp_path, pause)
    end_pause(tmp_path, JOB.name)
    assert files(tmp_path) == {"ingest", "all"}
    end_pause(tmp_path, ALL)
    assert files(tmp_path) == set()


@pytest.mark.parametrize("trigger", ["timer", "systemd", "cron"])
@pytest.mark.parametrize("pause", [OPEN, TIMED, EVERYTHING], ids=described)
def test_a_scheduled_run_is_skipped_and_recorded(
    tmp_path: Path, pause: Pause, trigger: Trigger
) -> None:
    set_pause(tmp_path, pause)
    assert run(tmp_path, trigger) == 75
    (recorded,) = look(tmp_path).runs
    assert (recorded.result, recorded.reason) == ("skipped", f"day-rollup is {described(pause)}")


def test_a_run_by_hand_is_told_and_goes_on(tmp_path: Path) -> None:
    set_pause(tmp_path, OPEN)
    told: list[str] = []
    assert run(tmp_path, "manual", told=told) == 0
    assert told == [
        "day-rollup is paused until resumed: moving house; running it by hand all the same"
    ]


def test_a_timed_pause_ends_by_itself_and_leaves_nothing(tmp_path: Path) -> None:
    set_pause(tmp_path, TIMED)
    assert run(tmp_path, "timer", NOW_US + 2 * DAY_US - 1) == 75
    assert files(tmp_path) == {"day-rollup.until"}
    assert run(tmp_path, "timer", NOW_US + 2 * DAY_US) == 0
    assert files(tmp_path) == set()


def test_other_jobs_are_not_touched_by_a_jobs_pause(tmp_path: Path) -> None:
    set_pause(tmp_path, Pause("ingest", NOW_US))
    assert run(tmp_path, "timer") == 0


@pytest.mark.parametrize("pause", [OPEN, TIMED, EVERYTHING], ids=described)
def test_one_run_by_hand_may_ignore_a_pause_which_holds_again_once_it_has_begun(
    tmp_path: Path, pause: Pause
) -> None:
    set_pause(tmp_path, pause)
    before = files(tmp_path)
    with ignoring(tmp_path, JOB.name):
        assert not files(tmp_path) & {"day-rollup", "all"}  # the unit's conditions let it pass
        assert run(tmp_path, "timer") == 75
        assert run(tmp_path, "systemd") == 0
        assert files(tmp_path) == before
        assert run(tmp_path, "systemd") == 75
    assert files(tmp_path) == before


def test_a_pause_that_was_lifted_by_a_process_that_died_still_holds(tmp_path: Path) -> None:
    set_pause(tmp_path, OPEN)
    directory(tmp_path).joinpath("day-rollup").rename(directory(tmp_path) / "day-rollup.lifted")
    assert pause_of(tmp_path, JOB.name, NOW_US) == OPEN
    assert run(tmp_path, "timer") == 75
    assert files(tmp_path) == {"day-rollup"}


def test_resuming_in_the_middle_of_such_a_run_is_not_undone(tmp_path: Path) -> None:
    set_pause(tmp_path, OPEN)
    with ignoring(tmp_path, JOB.name):
        end_pause(tmp_path, JOB.name)
    assert files(tmp_path) == set()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90min", 5400), ("90m", 5400), ("2h", 7200), ("2d", 172_800), ("1w", 604_800), ("1d12h", 129_600)],
)  # fmt: skip
def test_lengths_of_time_are_understood(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "0h", "h", "-2h", "2 h", "2y", "9999w", "٢h", "2h\n"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a duration"):
        seconds_of(text)


@given(st.text(max_size=30))
def test_a_length_of_time_is_positive_or_refused(text: str) -> None:
    with suppress(UsageError):
        assert seconds_of(text) > 0
