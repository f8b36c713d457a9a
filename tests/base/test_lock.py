"""Locks between real processes: they exclude, name their holder, end with the process, can be looked at in peace."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from memtool.errors import StorageError, UnavailableError
from memtool.locks import (
    TREE,
    WRITER,
    WRITER_QUEUE,
    Holder,
    LockWait,
    _seen_free,
    holder_of,
    is_free,
    job_lock_path,
    lock_path,
    tree,
    try_lock,
    wait_for,
    writer,
)
from tests.scheduler.children import finish, start, start_ready
from tests.waiting import HUNG_S, wait_until

ME = Holder(os.getpid(), "test", 5, "r1")
UNKNOWN_COMMAND = 99_999
HOLD = "lock = try_lock(root, holder); ready(); sys.stdin.readline()"


def test_a_held_lock_is_refused_to_others_and_free_again_after_its_release(tmp_path: Path) -> None:
    path = lock_path(tmp_path / "store", TREE)
    first = try_lock(path, ME)
    assert first is not None
    assert try_lock(path, Holder(1, "other", 0)) is None
    first.release()
    first.release()  # twice does nothing
    again = try_lock(path, ME)
    assert again is not None
    again.release()


def test_a_lock_names_its_holder_while_it_is_held(tmp_path: Path) -> None:
    path = job_lock_path(tmp_path, "ingest")
    with try_lock(path, ME) or pytest.fail("held"):
        assert json.loads(path.read_text()) == {
            "pid": os.getpid(),
            "job": "test",
            "started_us": 5,
            "run": "r1",
        }
        assert holder_of(path) == ME
    assert path.read_bytes() == b""
    assert holder_of(path) is None


def test_the_name_of_a_killed_holder_is_replaced_whole(tmp_path: Path) -> None:
    path = lock_path(tmp_path, TREE)
    path.parent.mkdir()
    path.write_text(json.dumps({"pid": 123456789, "job": "x" * 300, "started_us": 1, "run": ""}))
    with try_lock(path, ME) or pytest.fail("held"):
        assert holder_of(path) == ME


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"pid": 1, "more": 2}', b"\xff\n", b"9" * 5000]
)
def test_a_lock_file_that_names_nobody_is_no_error(tmp_path: Path, text: bytes) -> None:
    path = lock_path(tmp_path, TREE)
    path.parent.mkdir()
    path.write_bytes(text)
    assert holder_of(path) is None


def test_lock_files_and_their_directory_are_private(tmp_path: Path) -> None:
    path = lock_path(tmp_path / "store", TREE)
    with try_lock(path, ME) or pytest.fail("held"):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_killed_process_lets_go(tmp_path: Path) -> None:
    path = lock_path(tmp_path, TREE)
    child = start_ready(path, HOLD)
    assert try_lock(path, ME) is None
    assert not is_free(path)
    assert (holder_of(path) or ME).pid == child.pid
    child.kill()
    finish(child, -signal.SIGKILL)
    assert is_free(path)
    with try_lock(path, ME) or pytest.fail("held"):
        assert holder_of(path) == ME


LEAVE_A_CHILD = """
import subprocess
lock = try_lock(root, holder)
sleeper = subprocess.Popen(["sleep", "60"], stdout=2, close_fds=False)
ready()
sys.stdin.readline()
print(sleeper.pid, flush=True)
os._exit(0)
"""


def test_a_program_that_a_holder_starts_does_not_keep_the_lock(tmp_path: Path) -> None:
    path = lock_path(tmp_path, TREE)
    child = start_ready(path, LEAVE_A_CHILD)
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write("\n")
    child.stdin.flush()
    sleeper = int(child.stdout.readline())
    child.wait()
    try:
        assert is_free(path)
        assert try_lock(path, ME) is not None
    finally:
        os.kill(sleeper, signal.SIGKILL)
        finish(child)


def test_a_wait_that_finds_no_end_names_the_holder_and_exits_69(tmp_path: Path) -> None:
    path = lock_path(tmp_path, TREE)
    told: list[Holder | None] = []
    with (
        try_lock(path, Holder(4711, "week-rollup", 0)) or pytest.fail("held"),
        pytest.raises(UnavailableError, match=r"tree.*0\.2 s.*week-rollup \(pid 4711\)") as caught,
    ):
        wait_for(path, ME, LockWait(0.2, on_wait=told.append))
    assert caught.value.exit_code.code == 69
    assert told == [Holder(4711, "week-rollup", 0)]


def test_a_checkpoint_breaks_a_wait(tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    path = lock_path(tmp_path, TREE)
    with (
        try_lock(path, Holder(1, "other", 0)) or pytest.fail("held"),
        pytest.raises(KeyboardInterrupt),
    ):
        wait_for(path, ME, LockWait(HUNG_S, checkpoint=stop))


def test_a_waiter_gets_the_lock_after_its_release(tmp_path: Path) -> None:
    path = lock_path(tmp_path, TREE)
    child = start_ready(path, HOLD)
    told: list[Holder | None] = []

    def release(holder: Holder | None) -> None:
        told.append(holder)
        finish(child)

    with wait_for(path, ME, LockWait(HUNG_S, on_wait=release)):
        assert holder_of(path) == ME
    assert [holder.pid for holder in told if holder] == [child.pid]


def test_locks_of_one_run_are_taken_in_one_order_only(tmp_path: Path) -> None:
    wait = LockWait(0)
    with tree(tmp_path, ME, wait), writer(tmp_path, ME, wait):
        assert is_free(lock_path(tmp_path, WRITER_QUEUE))
        assert not is_free(lock_path(tmp_path, WRITER))
    with writer(tmp_path, ME, wait), pytest.raises(AssertionError, match="tree after"):
        try_lock(lock_path(tmp_path, TREE), ME)
    with writer(tmp_path, ME, wait), tree(tmp_path / "another", ME, wait):
        pass  # another store's locks are no part of it


def test_what_cannot_be_locked_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("a file")
    with pytest.raises(StorageError, match=str(tmp_path / "locks")):
        try_lock(lock_path(tmp_path, TREE), ME)
    with pytest.raises(StorageError, match="tree"):
        is_free(lock_path(tmp_path, TREE))
    (tmp_path / "locks").unlink()
    lock_path(tmp_path, TREE).mkdir(parents=True)
    with pytest.raises(StorageError, match="tree"):
        try_lock(lock_path(tmp_path, TREE), ME)


def test_looking_at_a_lock_makes_no_file(tmp_path: Path) -> None:
    assert is_free(lock_path(tmp_path, TREE))
    assert list(tmp_path.iterdir()) == []


def test_the_second_best_look_tells_held_from_free(tmp_path: Path) -> None:
    """Kernels without F_OFD_GETLK are looked at by a shared flock."""
    path = lock_path(tmp_path, TREE)
    with try_lock(path, ME) or pytest.fail("held"), path.open("rb") as file:
        assert not _seen_free(file.fileno(), UNKNOWN_COMMAND)
    with path.open("rb") as file:
        assert _seen_free(file.fileno(), UNKNOWN_COMMAND)
    with try_lock(path, ME) or pytest.fail("held"):
        pass


@pytest.mark.slow
def test_looking_never_makes_a_job_skip(tmp_path: Path) -> None:
    """Four probes look as fast as they can while a lock is taken and let go: it is never found held."""
    path = lock_path(tmp_path, TREE)
    with try_lock(path, ME) or pytest.fail("held"):
        pass
    probes = [start_ready(path, "ready()\nwhile True: is_free(root)") for _ in range(4)]
    try:
        for _ in range(3000):
            lock = try_lock(path, ME)
            assert lock is not None
            lock.release()
    finally:
        for probe in probes:
            probe.kill()
            finish(probe, -signal.SIGKILL)


COUNT_UP = """
from memtool.locks import lock_path
for _ in range(int(sys.argv[2])):
    with writer(root, holder, wait):
        number = int((root / "number").read_text())
        (root / "number").write_text(str(number + 1))
"""


@pytest.mark.slow
def test_sixteen_processes_never_hold_the_writer_together(tmp_path: Path) -> None:
    (tmp_path / "number").write_text("0")
    children = [start(tmp_path, COUNT_UP, 20) for _ in range(16)]
    for child in children:
        finish(child)
    assert (tmp_path / "number").read_text() == "320"


GREEDY = """
ready()
while True:
    with writer(root, holder, wait):
        (root / "turns").open("a").write("x")
        time.sleep(0.005)
"""


@pytest.mark.slow
def test_one_that_lets_go_and_wants_it_again_lets_a_waiter_in_between(tmp_path: Path) -> None:
    greedy = start_ready(tmp_path, GREEDY)
    turns = tmp_path / "turns"
    try:
        wait_until(turns.exists)
        at_wait: list[int] = []
        wait = LockWait(HUNG_S, on_wait=lambda _: at_wait.append(turns.stat().st_size))
        taken: list[int] = []
        while len(taken) < 20:
            at_wait.clear()
            with writer(tmp_path, ME, wait):
                taken += [turns.stat().st_size - size for size in at_wait[-1:]]
        # From the last wait on, the greedy one has its turn, and at most a few more.
        assert sorted(taken)[len(taken) // 2] <= 5
    finally:
        greedy.kill()
        finish(greedy, -signal.SIGKILL)
