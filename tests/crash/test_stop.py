"""SIGTERM, SIGINT and a deadline: a job ends after its step, says so, and a rerun finishes to the same end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from memtool.ledger.reading import look
from memtool.locks import TREE, Holder, lock_path, try_lock
from tests.crash import history
from tests.crash.checks import assert_sound, closed_part, event_ids, results
from tests.crash.forks import REPOSITORY, Forks
from tests.crash.tasks import ENVIRON, Command, program, programs, signalled, slow
from tests.memory import Memory
from tests.waiting import HUNG_S, wait_until

SIGNALS = {signal.SIGTERM: 143, signal.SIGINT: 130}
COMMANDS: tuple[Command, ...] = (("ingest",), ("rollup", "all"), ("compact",))
MAX_STEPS = 200
MOST_BATCHES = 2
"""How many batches may follow a signal: the step that it fell into, and the ledger's lines."""


@pytest.fixture
def transcripts(tmp_path: Path) -> Path:
    """Return transcripts."""
    return history.late(history.early(tmp_path / "transcripts"))


def with_paths(command: Command, transcripts: Path) -> Command:
    """Return the command with what it reads."""
    return (*command, transcripts) if command == ("ingest",) else command


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_at_any_step_stops_after_it(
    forks: Forks, tmp_path: Path, transcripts: Path, command: Command, number: signal.Signals
) -> None:
    """Stopped again and again, a little later each time, on what the run before it left."""
    root = tmp_path / "memory"
    everything = [with_paths(one, transcripts) for one in COMMANDS]
    assert set(forks.run(programs, tmp_path / "undisturbed", *everything).value) == {0}
    assert not any(forks.run(programs, root, *everything[: COMMANDS.index(command)]).value)
    stops = 0
    for step in range(2, MAX_STEPS, 11 if command == ("compact",) else 4):
        ended = forks.run(signalled, root, with_paths(command, transcripts), step, int(number))
        code, batches_after = ended.value
        assert code in (0, SIGNALS[number])
        assert batches_after <= MOST_BATCHES
        if code == 0:
            break
        stops += 1
        assert f"stopped by {number.name} after its step" in ended.errors
        assert look(root).runs[-1].result == "stopped"
        if Memory(root).access.exists():
            assert_sound(root)
    assert stops
    assert forks.run(programs, root, *everything).value == [0, 0, 0]
    assert closed_part(root) == closed_part(tmp_path / "undisturbed")


def started(root: Path, *arguments: str | Path) -> subprocess.Popen[bytes]:
    """Start the real program, with a pipe to its stdin."""
    return subprocess.Popen(
        [sys.executable, "-m", "memtool", "--store", root, *arguments],
        env={**os.environ, **ENVIRON, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_the_real_program_that_waits_for_a_lock_is_stopped(
    forks: Forks, tmp_path: Path, transcripts: Path, number: signal.Signals
) -> None:
    root = tmp_path / "memory"
    assert forks.run(program, root, "ingest", transcripts).value == 0
    held = try_lock(lock_path(root, TREE), Holder(os.getpid(), "test", 0))
    assert held is not None
    with held:
        process = started(root, "rollup", "all")
        wait_until(lambda: results(root, "day-rollup") == [None])
        process.send_signal(number)
        errors = process.communicate(timeout=HUNG_S)[1].decode()
    assert process.returncode == SIGNALS[number]
    assert f"stopped by {number.name} after its step" in errors
    assert [run.result for run in look(root).runs[1:]] == ["stopped"]
    assert forks.run(program, root, "rollup", "all").value == 0
    assert Memory(root).marks() == {}


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_the_real_ingest_of_a_stream_is_stopped_and_keeps_what_it_took(
    forks: Forks, tmp_path: Path, number: signal.Signals
) -> None:
    """A thousand records make a batch; the stream goes on after it."""
    root = tmp_path / "memory"
    records = tmp_path / "stream"
    history.write(
        records,
        (history.line("long", "2024-12-31T10:00:00Z", f"No. {n}", number=n) for n in range(2100)),
    )
    process = started(root, "ingest", "-")
    assert process.stdin is not None
    lines = records.read_bytes().splitlines(keepends=True)
    process.stdin.writelines(lines[:1050])
    process.stdin.flush()
    wait_until(lambda: (root / "store").exists() and len(event_ids(root)) == 1000)
    process.send_signal(number)
    process.communicate(b"".join(lines[1050:]), timeout=HUNG_S)
    assert process.returncode == SIGNALS[number]
    assert results(root, "ingest") == ["stopped"]
    assert_sound(root, history.ids([records]) & event_ids(root))
    assert forks.run(program, root, "ingest", records).value == 0
    assert event_ids(root) == history.ids([records])


def test_a_deadline_leaves_the_rest_and_says_what_is_left(
    forks: Forks, tmp_path: Path, transcripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "memory"
    assert forks.run(program, root, "ingest", transcripts).value == 0
    monkeypatch.setenv("MEMTOOL_JOBS__DEADLINE_S", "1")
    ended = forks.run(slow, root, ("rollup", "day"), 0.3)
    assert ended.value == 0
    assert "the deadline of 1 s was reached" in ended.errors
    last = look(root).runs[-1]
    assert (last.result, last.exit_code) == ("partial", 0)
    assert last.left is not None
    assert last.left["day"]["stale"] > 0
    monkeypatch.delenv("MEMTOOL_JOBS__DEADLINE_S")
    assert forks.run(program, root, "rollup", "all").value == 0
    assert Memory(root).marks() == {}
    assert_sound(root, history.ids(transcripts.iterdir()))
