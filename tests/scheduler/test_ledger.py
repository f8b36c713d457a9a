"""The ledger loses no run and no call, survives kills and damage, stays small, and forgets no count."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.errors import ConfigError, DamagedError, StorageError, UnavailableError
from memtool.ledger import reading as module
from memtool.ledger.file import (
    RESULTS,
    CallRecord,
    Run,
    adopt,
    copy_ended,
    ledger_path,
    put_run,
    write,
)
from memtool.ledger.reading import (
    KEEP_OF_JOB,
    KEEP_RUNS,
    LIMIT_RUNS,
    History,
    Spent,
    blank,
    look,
    look_newest,
    read,
    record_call,
    record_end,
    record_start,
    spent_since,
)
from memtool.locks import Holder, job_lock_path, try_lock
from memtool.systemd.status import status_of
from memtool.text import first_line
from tests.scheduler.children import finish, start, start_ready
from tests.scheduler.ledgers import (
    START,
    call_line,
    calls,
    change,
    counters_line,
    end_line,
    old_ledger,
    rows,
    start_line,
)

ME = Holder(os.getpid(), "test", 0, "me")


def begun(name: str = "r1", job: str = "ingest") -> Run:
    """Return a run that has begun."""
    return Run(name, job, "manual", 1_000_000, 42, "0.1.0")


def ended(name: str = "r1", job: str = "ingest", result: str = "done") -> Run:
    """Return a run that has ended."""
    return begun(name, job)._replace(ended_us=3_000_000, result=result, exit_code=0)


FULL = ended()._replace(
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
CALL = CallRecord(1_000_000, "r1", "day:2026-11-22", "openai", "a-model", 1500, 700, 40, "ok")


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    record_start(tmp_path, begun())
    assert read(tmp_path).runs == (begun(),)
    record_end(tmp_path, FULL)
    (run,) = read(tmp_path).runs
    assert run == FULL._replace(error=FULL.error.replace("\ud800", "?"))
    assert run.duration_us == 2_000_000


def test_an_end_tells_the_whole_run_where_its_start_is_missing(tmp_path: Path) -> None:
    record_end(tmp_path, ended())
    assert read(tmp_path).runs == (ended(),)


def test_a_store_without_a_ledger_has_no_runs_and_gets_no_file(tmp_path: Path) -> None:
    assert look(tmp_path / "none") == look_newest(tmp_path / "none") == History()
    assert spent_since(tmp_path / "none", 0) == Spent()
    assert list(tmp_path.iterdir()) == []


def test_the_ledger_is_private_and_one_file(tmp_path: Path) -> None:
    record_end(tmp_path, ended())
    record_call(tmp_path, CALL)
    assert stat.S_IMODE(ledger_path(tmp_path).stat().st_mode) == 0o600
    assert stat.S_IMODE(ledger_path(tmp_path).parent.stat().st_mode) == 0o700
    assert list(ledger_path(tmp_path).parent.iterdir()) == [ledger_path(tmp_path)]


def test_runs_are_asked_for_by_job_and_number(tmp_path: Path) -> None:
    for number in range(6):
        record_end(tmp_path, ended(f"r{number}", ("ingest", "compaction")[number % 2]))
    assert [run.run for run in look(tmp_path, job="ingest", limit=2).runs] == ["r2", "r4"]
    assert [run.run for run in look(tmp_path, limit=2).runs] == ["r4", "r5"]


def test_calls_are_read_back_and_what_they_took_is_summed(tmp_path: Path) -> None:
    cut_off = CALL._replace(time_us=3_000_000, input_tokens=0, output_tokens=0, result="cut off")
    several = [CALL, CALL._replace(time_us=2_000_000, run="r2", model="\udcff ä"), cut_off]
    for call in several:
        record_call(tmp_path, call)
    assert calls(tmp_path) == [CALL, several[1]._replace(model="? ä"), cut_off]
    assert spent_since(tmp_path, 0) == Spent(3, 2 * 740, 1)
    assert spent_since(tmp_path, 2_000_000) == Spent(2, 740, 1)  # the instant itself is in it
    assert spent_since(tmp_path, 3_000_001) == Spent()


def test_the_newest_calls_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEEP_CALLS", 5)
    several = [CALL._replace(time_us=number) for number in range(9)]
    for call in several:
        record_call(tmp_path, call)
    assert calls(tmp_path) == several[-5:]


# Trimming


def fill(root: Path, *runs: Run) -> None:
    """Put runs into a new ledger all at once."""
    old_ledger(root, [end_line(run) if run.result else start_line(run) for run in runs])


def test_trimming_keeps_the_newest_some_of_each_job_what_has_no_end_and_every_count(
    tmp_path: Path,
) -> None:
    old = [ended(f"y{number}", "year-rollup") for number in range(KEEP_OF_JOB + 5)]
    new = [ended(f"i{number}") for number in range(LIMIT_RUNS - KEEP_OF_JOB - 7)]
    fill(tmp_path, begun("open", "compaction"), *old, *new)
    record_end(tmp_path, ended("last but one"))
    assert len(read(tmp_path).runs) == LIMIT_RUNS
    record_end(tmp_path, ended("last"))
    kept = read(tmp_path)
    by_job = Counter(run.job for run in kept.runs)
    assert by_job == {"ingest": KEEP_RUNS, "year-rollup": KEEP_OF_JOB, "compaction": 1}
    assert kept.runs[-1] == ended("last")
    assert kept.counts == {
        "ingest": {"done": len(new) + 2},
        "year-rollup": {"done": KEEP_OF_JOB + 5},
    }
    record_end(tmp_path, ended("one more"))
    assert read(tmp_path).counts["ingest"] == {"done": len(new) + 3}


results = st.lists(
    st.tuples(st.sampled_from(["ingest", "x"]), st.sampled_from([*RESULTS, None])), max_size=25
)


@given(results, st.integers(0, 6), st.integers(0, 3))
def test_trimming_changes_no_count_and_nothing_that_status_shows(
    tmp_path_factory: pytest.TempPathFactory,
    kinds: list[tuple[str, str | None]],
    keep: int,
    of_job: int,
) -> None:
    root = tmp_path_factory.mktemp("ledger")
    runs = [
        ended(f"r{number}", job)._replace(result=result)
        for number, (job, result) in enumerate(kinds)
    ]
    fill(root, *runs)
    record_end(root, ended("last"))
    before = read(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LIMIT_RUNS", 0)
        patch.setattr(module, "KEEP_RUNS", keep)
        patch.setattr(module, "KEEP_OF_JOB", of_job + 1)
        record_end(root, ended("last"))
    after = read(root)
    assert after.counts == before.counts
    assert after.open_runs() == before.open_runs()
    assert all(run in before.runs for run in after.runs)
    assert after.runs[-1:] == before.runs[-1:]


@given(results, st.data())
def test_the_newest_runs_tell_status_what_all_of_them_would(
    tmp_path_factory: pytest.TempPathFactory,
    kinds: list[tuple[str, str | None]],
    data: st.DataObject,
) -> None:
    root = tmp_path_factory.mktemp("ledger")
    jobs = {"ingest": "ingest", "x": "forget"}
    runs = [
        ended(f"r{number}", jobs[job])._replace(
            result=result,
            trigger=data.draw(st.sampled_from(["timer", "manual"])),
            ended_us=3_000_000 + number,
            left=data.draw(st.sampled_from([None, {"day": {"stale": number}}])),
        )
        for number, (job, result) in enumerate(kinds)
    ]
    fill(root, *runs)
    assert status_of(look_newest(root)) == status_of(look(root))


# Who died


HOLD = """
lock = try_lock(job_lock_path(root, "ingest"), Holder(os.getpid(), "ingest", 0, "r1"))
from memtool.ledger.file import Run
record_start(root, Run("r1", "ingest", "timer", 0, os.getpid(), "1"))
ready()
sys.stdin.readline()
"""


def test_a_killed_run_died_and_the_next_start_makes_it_permanent(tmp_path: Path) -> None:
    child = start_ready(tmp_path, HOLD)
    assert [run.result for run in look(tmp_path).runs] == [None]
    child.kill()
    finish(child, -signal.SIGKILL)
    assert [run.result for run in look(tmp_path).runs] == ["died"]
    assert look(tmp_path).counts == {"ingest": {"died": 1}}
    assert [run.result for run in read(tmp_path).runs] == [None]
    with try_lock(job_lock_path(tmp_path, "ingest"), ME) or pytest.fail("held"):
        record_start(tmp_path, begun("me"))
        assert [(run.run, run.result) for run in look(tmp_path).runs] == [
            ("r1", "died"),
            ("me", None),
        ]
    assert read(tmp_path).counts == {"ingest": {"died": 1}}


def test_a_dead_run_is_not_taken_for_the_one_that_holds_its_lock_now(tmp_path: Path) -> None:
    """The new one could not record its start: its disk is full."""
    record_start(tmp_path, begun("dead"))
    with try_lock(job_lock_path(tmp_path, "ingest"), ME) or pytest.fail("held"):
        assert [run.result for run in look(tmp_path).runs] == ["died"]


def test_another_jobs_start_buries_nobody(tmp_path: Path) -> None:
    record_start(tmp_path, begun("r1", "ingest"))
    record_start(tmp_path, begun("r2", "compaction"))
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
        assert "died" not in look(tmp_path).counts.get("ingest", {})
    finish(child)
    assert look(tmp_path).counts == {"ingest": {"done": 150}}


# Many processes


APPEND = """
from memtool.ledger.file import CallRecord, Run
for number in range(int(sys.argv[3])):
    run = Run(f"{sys.argv[2]}-{number}", "job" + sys.argv[2], "manual", number, 1, "1")
    record_start(root, run, wait_s=600)
    record_call(root, CallRecord(number, run.run, "n", "s", "m", 1, 1, 1, "ok"), wait_s=600)
    ended = run._replace(result="done", ended_us=number, periods=("x" * 500,))
    record_end(root, ended, wait_s=600)
"""


@pytest.mark.slow
def test_sixteen_writers_lose_nothing_and_readers_never_fail(tmp_path: Path) -> None:
    children = [start(tmp_path, APPEND, writer, 20) for writer in range(16)]
    while any(child.poll() is None for child in children):
        found = look_newest(tmp_path)
        assert found.damaged_lines == 0
        assert sum(row.get("done", 0) for row in found.counts.values()) <= 16 * 20
    for child in children:
        finish(child)
    expected = {f"{writer}-{number}" for writer in range(16) for number in range(20)}
    assert {run.run for run in read(tmp_path).runs if run.result == "done"} == expected
    assert {call.run for call in calls(tmp_path)} == expected
    assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.slow
def test_writers_over_a_trim_and_a_take_over_lose_no_count(tmp_path: Path) -> None:
    before = LIMIT_RUNS - 20
    fill(tmp_path, *(ended(f"f{number}") for number in range(before)))
    children = [start(tmp_path, APPEND, writer, 10) for writer in range(8)]
    for child in children:
        finish(child)
    history = read(tmp_path)
    assert sum(results["done"] for results in history.counts.values()) == before + 80
    assert len(history.runs) < before
    assert all(history.counts[f"job{writer}"] == {"done": 10} for writer in range(8))


def test_a_writer_that_finds_no_turn_says_so(tmp_path: Path) -> None:
    record_start(tmp_path, begun())
    with closing(sqlite3.connect(ledger_path(tmp_path), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="not free within"):
            record_end(tmp_path, ended(), wait_s=0.01)
        assert read(tmp_path).runs == (begun(),)  # a reader does not wait for one that only began


# What cannot be written or read


def test_what_a_limit_cuts_short_is_taken_back(tmp_path: Path) -> None:
    """The file-size limit stands for the full disk: a write is cut short, the next one fails."""
    code = """
    import resource, signal
    from memtool.ledger.file import Run
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    run = Run("r1", "ingest", "manual", 0, 1, "1")
    record_start(root, run)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
    try:
        record_end(root, run._replace(result="done", ended_us=1))
    except StorageError as error:
        assert str(ledger_path(root)) in error.message and "too large" in error.message
        sys.exit(7)
    """
    finish(start(tmp_path, code), 7)
    assert [run.run for run in read(tmp_path).runs] == ["r1"]
    record_end(tmp_path, ended())
    assert read(tmp_path).runs == (ended(),)


def test_a_ledger_that_is_not_a_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    ledger_path(tmp_path).mkdir(parents=True)
    acts: tuple[Callable[[], object], ...] = (
        lambda: read(tmp_path),
        lambda: record_end(tmp_path, ended()),
        lambda: record_call(tmp_path, CALL),
    )
    for act in acts:
        with pytest.raises(StorageError, match=r"ledger\.sqlite3: is a directory") as found:
            act()
        assert not isinstance(found.value, DamagedError)


def test_the_ledger_of_a_newer_memtool_is_refused(tmp_path: Path) -> None:
    record_start(tmp_path, begun())
    change(tmp_path, "PRAGMA user_version = 99")
    for act in (lambda: read(tmp_path), lambda: record_end(tmp_path, ended())):
        with pytest.raises(ConfigError, match="has format 99"):
            act()


HEAD, TABLES, CUT = 0, 4096, -1


@pytest.mark.parametrize("place", [HEAD, TABLES, CUT])
def test_a_damaged_database_is_told_and_set_aside_by_the_next_writer(
    tmp_path: Path, place: int
) -> None:
    for number in range(40):
        record_end(tmp_path, FULL._replace(run=f"r{number}"))
    path = ledger_path(tmp_path)
    data = path.read_bytes()
    damaged = data[:5000] if place == CUT else data[:place] + b"\xa5" * 3000 + data[place + 3000 :]
    path.write_bytes(damaged)
    for look_at in (look, look_newest):
        with pytest.raises(DamagedError, match="is damaged") as found:
            look_at(tmp_path)
        assert "sets it aside" in found.value.hint
    assert path.read_bytes() == damaged
    said: list[str] = []
    record_start(tmp_path, begun("new"), talk=said.append)
    record_end(tmp_path, ended("new"), talk=said.append)
    assert look(tmp_path).runs == (ended("new"),)
    (aside,) = path.parent.glob("ledger.damaged-*")
    assert aside.read_bytes() == damaged
    assert len(said) == 1
    assert str(aside) in said[0]
    assert "budgets count from here on" in said[0]


def test_a_database_is_set_aside_once_though_many_find_it_damaged(tmp_path: Path) -> None:
    ledger_path(tmp_path).parent.mkdir()
    ledger_path(tmp_path).write_bytes(b"no database" * 1000)
    children = [start(tmp_path, APPEND, writer, 3) for writer in range(6)]
    for child in children:
        finish(child)
    assert len(list(ledger_path(tmp_path).parent.glob("ledger.damaged-*"))) == 1
    assert len(read(tmp_path).runs) == 18


def test_a_record_goes_to_the_new_database_if_another_process_renames_the_old_one(
    tmp_path: Path,
) -> None:
    record_start(tmp_path, begun("r1"))
    path = ledger_path(tmp_path)
    renamed: list[Path] = []

    def act(db: sqlite3.Connection) -> None:
        if not renamed:
            renamed.append(path.rename(path.with_name("ledger.damaged-of-another")))
        put_run(db, begun("r2"))

    write(tmp_path, act)
    assert [run.run for run in read(tmp_path).runs] == ["r2"]


@pytest.mark.parametrize(
    "value",
    ["\"left\" = '{'", "\"left\" = '[1]'", "result = 'great'", "periods = NULL, nodes = 'x'",
     "started_us = -1", "details = '{\"a\": 1.5}'", "error = x'ff00'", "job = 7"],
)  # fmt: skip
def test_a_record_that_makes_no_sense_is_counted_and_passed_over(
    tmp_path: Path, value: str
) -> None:
    for name in ("r1", "r2"):
        record_end(tmp_path, FULL._replace(run=name))
    change(tmp_path, f"UPDATE runs SET {value} WHERE run = 'r1'")
    found = look(tmp_path)
    assert [run.run for run in found.runs] == ["r2"]
    assert found.damaged_lines == 1
    status_of(look_newest(tmp_path))


# Forgetting


def test_blanked_texts_are_in_no_byte_of_the_files(tmp_path: Path) -> None:
    for number in range(60):  # some grew, and were moved to other pages, when they ended
        run = begun(f"r{number}", f"job{number}")
        record_start(tmp_path, run)
        long = f"needle-{number} " * 40
        record_end(tmp_path, run._replace(result="failed", error=long[:300], reason=long))
        record_call(tmp_path, CALL._replace(node="day:2024-12-29", result="needle-call"))
    record_end(tmp_path, ended("other")._replace(error="kept"))
    (ledger_path(tmp_path).parent / "ledger.damaged-20260101T000000Z").write_text("needle")
    assert blank(tmp_path, lambda text: "needle" in text) == 120
    for file in ledger_path(tmp_path).parent.iterdir():
        assert b"needle" not in file.read_bytes()
    assert {run.error for run in read(tmp_path).runs} == {"(forgotten)", "kept"}
    assert {call.result for call in calls(tmp_path)} == {"(forgotten)"}
    assert blank(tmp_path, lambda _: True) == 1


# Copies


@pytest.mark.parametrize("is_old", [True, False])
def test_a_copy_lacks_what_has_not_ended_and_is_adopted_where_nothing_else_ran(
    tmp_path: Path, is_old: bool
) -> None:
    source, copy, root = (tmp_path / name for name in ("source", "copy", "root"))
    old_ledger(source, OLD_RUNS, OLD_CALLS)
    if not is_old:
        record_call(source, CALL._replace(time_us=7))
    copy_ended(source, copy)
    assert stat.S_IMODE(ledger_path(copy).stat().st_mode) == 0o600
    assert [run.run for run in read(copy).runs] == ["a", "b"]
    record_start(root, begun("own", "restore"))
    for _ in range(2):
        adopt(root, copy, "own")
        assert [run.run for run in read(root).runs] == ["a", "b", "own"]
        assert read(root).counts == read(copy).counts
        assert spent_since(root, 0) == spent_since(source, 0)
    record_end(root, ended("later"))
    before = read(root)
    adopt(root, copy, "own")
    assert read(root) == before


def test_a_store_without_a_ledger_has_none_to_copy(tmp_path: Path) -> None:
    copy_ended(tmp_path, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


# What an older memtool has left


OLD_RUNS = (
    counters_line({"ingest": {"done": 7}, "x": {"died": 2}}),
    start_line(begun("a")),
    end_line(FULL._replace(run="a", error="ä")),
    b"torn {\n",
    end_line(ended("b", "compaction", "skipped")),
    start_line(begun("c", "day-rollup")),
)
OLD_CALLS = (call_line(CALL), b'{"type":"call"\n', call_line(CALL._replace(time_us=9)))


def test_an_old_ledger_is_read_before_and_after_it_is_taken_over(tmp_path: Path) -> None:
    old_ledger(tmp_path, OLD_RUNS, OLD_CALLS)
    left = tmp_path / "ledger" / ".runs.jsonl.abc.tmp"
    left.write_text("half")
    before, spent = look(tmp_path), spent_since(tmp_path, 0)
    assert [run.run for run in before.runs] == ["a", "b", "c"]
    assert [run.result for run in before.runs] == ["done", "skipped", "died"]
    assert before.counts == {
        "ingest": {"done": 8},
        "x": {"died": 2},
        "compaction": {"skipped": 1},
        "day-rollup": {"died": 1},
    }
    assert spent == Spent(2, 2 * 740)
    assert not ledger_path(tmp_path).exists()
    record_end(tmp_path, ended("new", "y"))
    assert list(ledger_path(tmp_path).parent.iterdir()) == [ledger_path(tmp_path)]
    after = look(tmp_path)
    assert after.runs == (*before.runs, ended("new", "y"))
    assert after.counts == {**before.counts, "y": {"done": 1}}
    assert spent_since(tmp_path, 0) == spent


def test_what_an_old_process_still_writes_is_taken_over_too(tmp_path: Path) -> None:
    """It began before the upgrade, and records its end in a new file."""
    old_ledger(tmp_path, OLD_RUNS[:2])
    record_end(tmp_path, ended("new", "y"))
    old_ledger(tmp_path, [counters_line({}), end_line(ended("a"))], OLD_CALLS)
    assert [run.result for run in read(tmp_path).runs] == ["done", "done"]
    record_end(tmp_path, ended("newer", "y"))
    assert [run.run for run in read(tmp_path).runs] == ["a", "new", "newer"]
    assert read(tmp_path).counts == {"ingest": {"done": 8}, "x": {"died": 2}, "y": {"done": 2}}
    assert spent_since(tmp_path, 0).calls == 2


@given(st.data())
def test_an_old_ledger_cut_at_any_byte_gives_every_whole_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("old")
    lines = [end_line(ended(f"r{number}")) for number in range(4)]
    old_calls = [call_line(CALL._replace(time_us=number)) for number in range(4)]
    size = data.draw(st.integers(0, len(b"".join(lines))))
    old_ledger(root, [b"".join(lines)[:size]], [b"".join(old_calls)[: size // 2]])
    found = read(root).runs
    whole = b"".join(lines)[:size].count(b"\n")
    assert found[:whole] == tuple(ended(f"r{number}") for number in range(whole))
    assert len(found) <= whole + 1
    assert spent_since(root, 0).calls >= b"".join(old_calls)[: size // 2].count(b"\n")


@pytest.mark.parametrize(
    "line",
    [
        b"[]", b"{}", b'"text"', b"null", b"\xff\xfe\x00", b"[" * 100_000,
        b'{"type":"start"}',
        b'{"type":"other","run":"r","job":"j","trigger":"manual","started_us":1,"pid":1,"version":"1"}',
        start_line(begun("bad")).replace(b"1000000", b'"soon"'),
        start_line(begun("bad")).replace(b"1000000", b"1" * 30),
        end_line(ended("bad")).replace(b'"done"', b'"great"'),
        b'{"type":"counters","jobs":[]}',
        call_line(CALL).replace(b"1500", b"1e999"),
        call_line(CALL).replace(b"1500", b"9" * 30),
        call_line(CALL).replace(b"1500", b'"soon"'),
    ],
    ids=range(15),
)  # fmt: skip
def test_a_damaged_line_of_an_old_ledger_costs_only_itself(tmp_path: Path, line: bytes) -> None:
    ends = [end_line(ended("a")), end_line(ended("b"))]
    old_ledger(tmp_path, [ends[0], line, b"\n", ends[1]], [line, b"\n", call_line(CALL)])
    for _ in range(2):
        assert [run.run for run in read(tmp_path).runs if run.run != "c"] == ["a", "b"]
        assert spent_since(tmp_path, 0).calls == 1
        record_end(tmp_path, ended("c"))


def test_fields_of_a_later_version_are_ignored(tmp_path: Path) -> None:
    old_ledger(tmp_path, [end_line(ended()).replace(b'"nodes"', b'"colour":"red","nodes"')])
    assert read(tmp_path).runs == (ended(),)
    assert set(START) <= set(Run._fields)


# Values


@given(st.text())
def test_a_first_line_is_one_short_printable_line(text: str) -> None:
    line = first_line(text)
    assert len(line) <= 300
    assert line == "" or line.isprintable()


def test_a_first_line_is_the_first_that_says_something() -> None:
    assert first_line("\n  \n Bad \x1b[31mkey\nmore") == "Bad ?[31mkey"
    assert first_line("x" * 400) == "x" * 299 + "…"


def test_a_clock_that_went_back_gives_no_duration() -> None:
    assert ended()._replace(ended_us=1).duration_us is None
    assert begun().duration_us is None


def test_a_ledger_without_hints_is_read_and_gets_the_column_by_the_next_job(tmp_path: Path) -> None:
    failed = ended()._replace(result="failed", error="no key", hint="key: put it there")
    record_end(tmp_path, failed)
    change(tmp_path, "ALTER TABLE runs DROP COLUMN hint", "PRAGMA user_version = 2")
    before = ledger_path(tmp_path).read_bytes()
    (found,) = read(tmp_path).runs
    assert found == failed._replace(hint="")
    assert ledger_path(tmp_path).read_bytes() == before  # a reader writes nothing
    record_end(tmp_path, failed._replace(run="another"))
    assert [one.hint for one in read(tmp_path).runs] == ["", "key: put it there"]
    assert rows(tmp_path, "PRAGMA user_version") == [(3,)]
    assert blank(tmp_path, lambda text: "key" in text) == 2
    assert [(one.error, one.hint) for one in read(tmp_path).runs] == [
        ("(forgotten)", ""),
        ("(forgotten)", "(forgotten)"),
    ]
