"""The kernel's view of an acknowledgement: what is called stored was synced before the first byte that says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.crash import history
from tests.crash.traces import RENAMES, SYNCS, WRITES, Call, trace, unsynced

pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None, reason="NO STRACE: the order of sync and answer is not proven"
)


def before_the_answer(calls: list[Call]) -> list[Call]:
    """Return the calls before the first byte on stdout."""
    answer = next(number for number, call in enumerate(calls) if call.is_result)
    return calls[:answer]


@pytest.fixture
def transcripts(tmp_path: Path) -> Path:
    """Return a directory of several transcripts."""
    return history.early(tmp_path / "transcripts")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return where the store is to be."""
    return tmp_path / "memory"


def test_ingest_syncs_the_log_before_it_answers(
    root: Path, transcripts: Path, tmp_path: Path
) -> None:
    stream = tmp_path / "stream"
    stream.write_text("".join(file.read_text() for file in sorted(transcripts.iterdir())))
    calls = before_the_answer(trace(root, "ingest", "-", stdin=stream))
    assert [call for call in calls if call.is_log and call.name in WRITES]
    assert unsynced(calls, ".log") == set()
    assert unsynced(calls, "/ledger/") == set()


def test_ingest_syncs_each_batch_before_the_next(root: Path, transcripts: Path) -> None:
    """A batch is accepted when its write returns, not when the command ends."""
    trace(root, "ingest", next(transcripts.iterdir()))
    calls = before_the_answer(trace(root, "ingest", transcripts))
    steps = "".join(
        "w" if call.name in WRITES else "s" for call in calls if call.is_log and call.rest
    )
    assert steps.count("ws") == 2, steps
    assert "ww" not in steps


def test_a_new_store_is_whole_on_the_disk_before_it_gets_its_name(
    root: Path, transcripts: Path
) -> None:
    calls = before_the_answer(trace(root, "ingest", transcripts))
    (named,) = [
        number
        for number, call in enumerate(calls)
        if call.name in RENAMES and f'{root}/store"' in call.rest
    ]
    not_needed = {f"{root}/store.new/{name}" for name in ("LOG", "rocksdict-config.json")}
    assert unsynced(calls[:named], "/store.new/") - not_needed == set()
    assert unsynced(calls[:named], "/.FORMAT") == set()
    assert any(call.name in SYNCS and call.path == str(root) for call in calls[named:])


def test_a_rollup_syncs_the_log_before_it_answers_or_records_its_end(
    root: Path, transcripts: Path
) -> None:
    trace(root, "ingest", transcripts)
    calls = before_the_answer(trace(root, "rollup", "day"))
    ledger = [
        (number, call.name in SYNCS)
        for number, call in enumerate(calls)
        if call.path.endswith("ledger.sqlite3")
    ]
    started, ended = (number for number, is_sync in ledger if is_sync)
    end = next(number for number, _ in ledger if started < number < ended)
    assert len([call for call in calls[:end] if call.is_log and call.name in WRITES]) > 10
    assert unsynced(calls[:end], ".log") == set()
    assert unsynced(calls, "/ledger/") == set()
