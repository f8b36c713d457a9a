"""The ledger loses no run, survives torn lines, kills and full disks, stays small, and forgets no count."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.base.errors import StorageError
from memtool.base.lock import Holder, job_lock_path, try_lock
from memtool.scheduler.history import (
    KEEP_OF_JOB,
    KEEP_RUNS,
    LIMIT_LINES,
    History,
    header_line,
    parse,
    trimmed,
)
from memtool.scheduler.ledger import ledger_path, look, read, record_end, record_start
from memtool.scheduler.run import RESULTS, Run, as_json, end_line, first_line, start_line
from memtool.scheduler.status import status_of
from tests.scheduler.children import finish, start, start_ready

ME = Holder(os.getpid(), "test", 0, "me")


def begun(name: str = "r1", job: str = "ingest") -> Run:
    """Return a run that has begun."""
    return Run(name, job, "manual", 1_000_000, 42, "0.1.0")


def ended(name: str = "r1", job: str = "ingest", result: str = "done") -> Run:
    """Return a run that has ended."""
    return replace(begun(name, job), ended_us=3_000_000, result=result, exit_code=0)


FULL = replace(
    ended(),
    nodes=1,
    events=2,
    calls=3,
    tokens=4,
    periods=("day:2026-11-22",),
    periods_count=1,
    error="ä\u2028 \ud800 \U0001f642",
    reason="why",
    left={"week": {"stale": 2}},
    details={"bytes before": 10},
)

names = st.integers(0, 8).map(lambda number: f"r{number}")
runs = st.builds(
    ended,
    names,
    st.sampled_from(["ingest", "day-rollup"]),
    st.sampled_from(RESULTS),
)
lines = st.lists(
    st.one_of(runs.map(end_line), st.builds(lambda name: start_line(begun(name)), names)), max_size=12
)  # fmt: skip


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    record_start(tmp_path, begun(), ME)
    assert read(tmp_path).runs == (begun(),)
    record_end(tmp_path, FULL, ME)
    (run,) = read(tmp_path).runs
    assert run == replace(FULL, error=run.error)
    assert run.duration_us == 2_000_000
    assert "\n" not in run.error


def test_an_end_tells_the_whole_run_where_its_start_is_missing(tmp_path: Path) -> None:
    record_end(tmp_path, ended(), ME)
    assert read(tmp_path).runs == (ended(),)


def test_a_store_without_a_ledger_has_no_runs_and_gets_no_file(tmp_path: Path) -> None:
    assert look(tmp_path / "none") == History()
    assert list(tmp_path.iterdir()) == []


def test_the_ledger_is_private(tmp_path: Path) -> None:
    record_end(tmp_path, ended(), ME)
    assert ledger_path(tmp_path).stat().st_mode & 0o777 == 0o600
    assert ledger_path(tmp_path).parent.stat().st_mode & 0o777 == 0o700


@given(lines, st.data())
def test_a_ledger_cut_at_any_byte_keeps_every_whole_line(
    kept: list[bytes], data: st.DataObject
) -> None:
    whole = header_line({}) + b"".join(kept)
    size = data.draw(st.integers(0, len(whole)))
    cut = parse(whole[:size])
    complete = parse(whole[: whole.rfind(b"\n", 0, size) + 1])
    assert cut.damaged_lines <= 1
    # A last line that lacks nothing but its end counts.
    assert cut.runs[: len(complete.runs)] == complete.runs or cut == parse(whole[:size] + b"\n")


@given(st.binary(max_size=200), st.integers(0, 3))
def test_damage_is_counted_and_passed_over(junk: bytes, place: int) -> None:
    good = [end_line(ended(f"r{number}")) for number in range(3)]
    good.insert(place, junk.replace(b"\n", b"") + b"\n")
    history = parse(b"".join(good))
    assert [run.run for run in history.runs] == ["r0", "r1", "r2"]
    assert history.damaged_lines <= 1


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"{}",
        b'{"type":"start"}',
        b'{"type":"other","run":"r","job":"j","trigger":"manual","started_us":1,"pid":1,"version":"1"}',
        start_line(begun()).replace(b"1000000", b'"soon"'),
        end_line(ended()).replace(b'"done"', b'"great"'),
        b'{"type":"counters","jobs":[]}',
        b"[" * 100_000,
    ],
)
def test_a_line_that_is_no_run_is_damage(line: bytes) -> None:
    assert parse(line + b"\n") == History(damaged_lines=1)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from([row.name for row in fields(Run)]), json_values, max_size=4))
def test_no_value_of_any_field_breaks_status(changed: dict[str, object]) -> None:
    record = {"type": "end", **as_json(FULL), **changed}
    history = parse(json.dumps(record).encode())
    assert len(history.runs) + history.damaged_lines == 1
    status = status_of(history)
    assert sum(row.waits for row in status.jobs) is not None
    for run in history.runs:
        assert time.localtime(run.started_us / 1_000_000)


def test_fields_of_a_later_version_are_ignored() -> None:
    line = end_line(ended()).replace(b'"nodes"', b'"colour":"red","nodes"')
    assert parse(line) == History((ended(),))


def test_a_torn_last_line_does_not_swallow_the_next_one(tmp_path: Path) -> None:
    record_end(tmp_path, ended("r1"), ME)
    with ledger_path(tmp_path).open("ab") as file:
        file.write(end_line(ended("torn"))[:50])
    assert [run.run for run in read(tmp_path).runs] == ["r1"]
    record_end(tmp_path, ended("r2"), ME)
    assert [run.run for run in read(tmp_path).runs] == ["r1", "r2"]
    assert read(tmp_path).damaged_lines == 1


APPEND = """
from memtool.scheduler.run import Run
from dataclasses import fields, replace
for number in range(int(sys.argv[3])):
    run = Run(f"{sys.argv[2]}-{number}", "job" + sys.argv[2], "manual", number, 1, "1")
    record_start(root, run, holder, patience)
    ended = replace(run, result="done", ended_us=number, periods=("x" * 500,))
    record_end(root, ended, holder, patience)
"""


@pytest.mark.slow
def test_sixteen_writers_lose_nothing_and_readers_see_no_damage(tmp_path: Path) -> None:
    children = [start(tmp_path, APPEND, writer, 20) for writer in range(16)]
    while any(child.poll() is None for child in children):
        assert read(tmp_path).damaged_lines <= 1  # a line on its way
    for child in children:
        finish(child)
    history = read(tmp_path)
    assert history.damaged_lines == 0
    expected = {f"{writer}-{number}" for writer in range(16) for number in range(20)}
    assert {run.run for run in history.runs if run.result == "done"} == expected


@pytest.mark.slow
def test_writers_over_a_trim_lose_no_count(tmp_path: Path) -> None:
    filler = (end_line(ended(f"f{number}")) for number in range(LIMIT_LINES - 20))
    ledger_path(tmp_path).parent.mkdir()
    ledger_path(tmp_path).write_bytes(header_line({}) + b"".join(filler))
    children = [start(tmp_path, APPEND, writer, 10) for writer in range(8)]
    for child in children:
        finish(child)
    history = read(tmp_path)
    assert sum(results["done"] for results in history.counts().values()) == LIMIT_LINES - 20 + 80
    assert len(history.runs) < LIMIT_LINES - 20
    assert all(history.counts()[f"job{writer}"] == {"done": 10} for writer in range(8))


@given(
    st.lists(runs, max_size=30),
    st.dictionaries(st.sampled_from(["ingest", "x"]), st.just({"done": 7})),
)
def test_trimming_changes_no_count(kept: list[Run], folded: dict[str, dict[str, int]]) -> None:
    history = parse(header_line(folded) + b"".join(end_line(run) for run in kept))
    assert parse(trimmed(history)).counts() == history.counts()


def test_trimming_keeps_the_newest_some_of_each_job_and_what_has_no_end() -> None:
    old = [ended(f"y{number}", "year-rollup") for number in range(KEEP_OF_JOB + 5)]
    new = [ended(f"i{number}") for number in range(KEEP_RUNS + 50)]
    kept = parse(trimmed(History((begun("open", "compaction"), *old, *new))))
    by_job = Counter(run.job for run in kept.runs)
    assert by_job == {"ingest": KEEP_RUNS, "year-rollup": KEEP_OF_JOB, "compaction": 1}
    assert kept.runs[-1] == new[-1]
    assert kept.counts() == {
        "ingest": {"done": KEEP_RUNS + 50},
        "year-rollup": {"done": KEEP_OF_JOB + 5},
    }
    assert trimmed(kept) == trimmed(parse(trimmed(kept)))


def test_the_file_is_trimmed_when_it_has_grown_too_long(tmp_path: Path) -> None:
    filler = b"".join(end_line(ended(f"f{number}")) for number in range(LIMIT_LINES))
    ledger_path(tmp_path).parent.mkdir()
    ledger_path(tmp_path).write_bytes(filler)
    record_end(tmp_path, ended("last"), ME)
    assert ledger_path(tmp_path).read_bytes().count(b"\n") == KEEP_RUNS + 1
    assert read(tmp_path).counts() == {"ingest": {"done": LIMIT_LINES + 1}}
    assert read(tmp_path).runs[-1].run == "last"


HOLD = """
lock = try_lock(job_lock_path(root, "ingest"), Holder(os.getpid(), "ingest", 0, "r1"))
from memtool.scheduler.run import Run
record_start(root, Run("r1", "ingest", "timer", 0, os.getpid(), "1"), lock.holder)
ready()
sys.stdin.readline()
"""


def test_a_killed_run_died_and_the_next_start_makes_it_permanent(tmp_path: Path) -> None:
    child = start_ready(tmp_path, HOLD)
    assert [run.result for run in look(tmp_path).runs] == [None]
    child.kill()
    finish(child, -signal.SIGKILL)
    assert [run.result for run in look(tmp_path).runs] == ["died"]
    assert [run.result for run in read(tmp_path).runs] == [None]
    with try_lock(job_lock_path(tmp_path, "ingest"), ME) or pytest.fail("held"):
        record_start(tmp_path, begun("me"), ME)
        assert [(run.run, run.result) for run in look(tmp_path).runs] == [
            ("r1", "died"),
            ("me", None),
        ]
    assert read(tmp_path).counts() == {"ingest": {"died": 1}}


def test_a_dead_run_is_not_taken_for_the_one_that_holds_its_lock_now(tmp_path: Path) -> None:
    """The new one could not record its start: its disk is full."""
    record_start(tmp_path, begun("dead"), ME)
    with try_lock(job_lock_path(tmp_path, "ingest"), ME) or pytest.fail("held"):
        assert [run.result for run in look(tmp_path).runs] == ["died"]


def test_another_jobs_start_buries_nobody(tmp_path: Path) -> None:
    record_start(tmp_path, begun("r1", "ingest"), ME)
    record_start(tmp_path, begun("r2", "compaction"), ME)
    assert [run.result for run in read(tmp_path).runs] == [None, None]


def test_a_run_that_ends_while_it_is_looked_at_did_not_die(tmp_path: Path) -> None:
    """Runs come and go as fast as they can; no look ever sees one dead."""
    code = """
    ready()
    for number in range(150):
        run_job(JOBS[0], lambda context: None, root=root)
    """
    child = start_ready(tmp_path, code)
    while child.poll() is None:
        assert "died" not in look(tmp_path).counts().get("ingest", {})
    finish(child)
    assert look(tmp_path).counts() == {"ingest": {"done": 150}}


def test_what_a_full_disk_cuts_short_is_taken_back(tmp_path: Path) -> None:
    """The file-size limit stands for the full disk: a write is cut short, the next one fails."""
    code = """
    import resource, signal
    from memtool.scheduler.run import Run
    from dataclasses import fields, replace
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    run = Run("r1", "ingest", "manual", 0, 1, "1")
    record_start(root, run, holder)
    size = ledger_path(root).stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, size + 100))
    try:
        record_end(root, replace(run, result="done", ended_us=1), holder)
    except StorageError as error:
        assert str(ledger_path(root)) in error.message
        assert ledger_path(root).stat().st_size == size
        sys.exit(7)
    """
    finish(start(tmp_path, code), 7)
    assert read(tmp_path).damaged_lines == 0
    record_end(tmp_path, ended(), ME)
    assert read(tmp_path).runs == (ended(),)


def test_a_ledger_that_is_no_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    ledger_path(tmp_path).mkdir(parents=True)
    for act in (lambda: read(tmp_path), lambda: record_end(tmp_path, ended(), ME)):
        with pytest.raises(StorageError, match=r"runs\.jsonl"):
            act()


@given(st.text())
def test_a_first_line_is_one_short_printable_line(text: str) -> None:
    line = first_line(text)
    assert len(line) <= 300
    assert line == "" or line.isprintable()


def test_a_first_line_is_the_first_that_says_something() -> None:
    assert first_line("\n  \n Bad \x1b[31mkey\nmore") == "Bad ?[31mkey"
    assert first_line("x" * 400) == "x" * 299 + "…"


def test_a_clock_that_went_back_gives_no_duration() -> None:
    assert replace(ended(), ended_us=1).duration_us is None
    assert begun().duration_us is None


def test_lines_are_json_with_their_type() -> None:
    assert json.loads(start_line(begun()))["type"] == "start"
    assert json.loads(end_line(FULL))["left"] == {"week": {"stale": 2}}
