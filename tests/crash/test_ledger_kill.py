"""The ledger's file: killed at every step of the kernel, read where nothing may be written, and by another user."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from memtool.errors import StorageError
from memtool.ledger.file import CallRecord, Run, ledger_path
from memtool.ledger.reading import (
    History,
    Spent,
    blank,
    look,
    record_call,
    record_end,
    record_start,
    spent_since,
)
from tests.crash.disk import read_only, small_disk
from tests.crash.forks import REPOSITORY, Forks
from tests.scheduler.ledgers import call_line, counters_line, end_line, old_ledger, rows
from tests.waiting import HUNG_S

STEPS = "pwrite64,write,fsync,fdatasync,unlink,ftruncate"
MAX_STEPS = 80
_NEW_MOUNTS = 0x20000
RUN = Run("new", "ingest", "timer", 5, 7, "0.1.0")
ENDED = RUN._replace(result="failed", ended_us=9, error="needle " * 40)
CALL = CallRecord(1, "new", "day:2026-11-22", "openai", "m", 1, 2, 3, "ok")
HEAD = """
import sys
from pathlib import Path
from memtool.ledger.reading import *
from memtool.ledger.file import *
from tests.crash.test_ledger_kill import *
root = Path(sys.argv[1])
"""
ACTS = {
    "start": "record_start(root, RUN)",
    "end": "record_end(root, ENDED)",
    "call": "record_call(root, CALL)",
    "forget": "blank(root, lambda text: 'needle' in text)",
}

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="NO STRACE: a kill within SQLite is not proven"
)
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="NOT ROOT: no mount, no other user")


def killed(root: Path, act: str, step: int) -> bool:
    """Record something and be killed at the Nth step of the kernel; return False where there are fewer."""
    inject = f"inject={STEPS}:signal=SIGKILL:when={step}"
    program = [sys.executable, "-c", HEAD + ACTS[act], str(root)]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    environ.pop("COVERAGE_PROCESS_START", None)  # or the steps would be those of coverage, too
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={STEPS}", "-e", inject, *program],
        env=environ,
        capture_output=True,
        timeout=HUNG_S,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL, 128 + signal.SIGKILL), done.stderr
    return done.returncode != 0


def before(act: str, root: Path) -> None:
    """Make the ledger in which it happens: for a start one that has yet to be taken over."""
    if act == "start":
        ends = [end_line(ENDED._replace(run=f"old{number}")) for number in range(9)]
        calls = [call_line(CALL._replace(time_us=number)) for number in range(9)]
        old_ledger(root, [counters_line({"ingest": {"done": 100}}), *ends], calls)
        return
    for number in range(9):
        record_end(root, ENDED._replace(run=f"old{number}"))
        record_call(root, CALL._replace(time_us=number))
    record_start(root, RUN)


@needs_strace
@pytest.mark.slow
@pytest.mark.parametrize("act", ACTS)
def test_a_kill_at_any_step_leaves_whole_records(tmp_path: Path, act: str) -> None:
    """None twice, none lost, none half; readers and the next writer go on whatever was left."""
    made = tmp_path / "made"
    before(act, made)
    sound, spent = look(made), spent_since(made, 0)
    seen = Counter[str]()
    for step in range(1, MAX_STEPS):
        root = tmp_path / "memory"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(made, root)
        was_killed = killed(root, act, step)
        seen["hot journal"] += bool(list((root / "ledger").glob("*-journal")))
        files = sorted((file.name, file.read_bytes()) for file in (root / "ledger").iterdir())
        found = look(root)
        kind = kind_of(found, sound, spent_since(root, 0), spent)
        seen[kind] += 1
        now = sorted((file.name, file.read_bytes()) for file in (root / "ledger").iterdir())
        assert now == files  # a reader has left everything as it was
        if not was_killed:
            assert kind == ("before" if act == "forget" else "after")
            break
        record_end(root, ENDED._replace(error=""))
        blank(root, lambda text: "needle" in text)
        after = look(root)
        assert Counter(run.run for run in after.runs) == {f"old{n}": 1 for n in range(9)} | {"new": 1}  # fmt: skip
        assert sum(sum(row.values()) for row in after.counts.values()) - 1 == sum(
            number for job, row in sound.counts.items() for number in row.values()
        ) - (act != "start")
        assert rows(root, "PRAGMA integrity_check") == [("ok",)]
        assert [file.name for file in (root / "ledger").iterdir()] == [ledger_path(root).name]
        assert b"needle" not in ledger_path(root).read_bytes()
    else:
        pytest.fail(f"more than {MAX_STEPS} steps")
    assert seen["before"] > 3
    assert act == "forget" or seen["after"] > 0
    assert seen["hot journal"] > 0


def kind_of(found: History, sound: History, spent_now: Spent, spent: Spent) -> str:
    """Return whether a ledger is as it was before or after the record; it must be one of them."""
    texts = {"error": ""}
    old = [run._replace(**texts) for run in found.runs if run.run != "new"]  # type: ignore[arg-type]
    assert old == [run._replace(**texts) for run in sound.runs if run.run != "new"]  # type: ignore[arg-type]
    assert (spent_now.calls - spent.calls) in (0, 1)
    new = [run.result for run in found.runs if run.run == "new"]
    was = [run.result for run in sound.runs if run.run == "new"]
    return "before" if new == was and spent_now == spent else "after"


def hot(root: Path) -> None:
    """Leave the ledger as a writer does that is killed when it has written half of its pages."""
    before("end", root)
    for step in range(1, MAX_STEPS):
        copy = root.with_name("copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(root, copy)
        sound = ledger_path(copy).read_bytes()
        assert killed(copy, "end", step)
        if ledger_path(copy).read_bytes() != sound:
            break
    shutil.rmtree(root)
    copy.rename(root)
    assert list((root / "ledger").glob("*-journal"))


@needs_strace
@needs_root
@pytest.mark.root
def test_a_read_only_disk_is_read_and_what_was_half_done_is_not_shown(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 32 << 20) as disk:
        root = disk / "memory"
        hot(root)
        with read_only(disk):
            found = look(root)
            assert [run.result for run in found.runs] == ["failed"] * 9 + ["died"]
            assert spent_since(root, 0) == Spent(9, 45)
            with pytest.raises(StorageError, match="read-only file system"):
                record_end(root, ENDED)
        record_end(root, ENDED)
        assert look(root).runs[-1] == ENDED


def as_another(root: Path) -> list[str | None]:
    """Read as a user who may read and nothing else."""
    here = Path("/mnt")  # the directories above are closed to others, so it is mounted there
    assert ctypes.CDLL(None).unshare(_NEW_MOUNTS) == 0
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "--bind", root, here], check=True)
    tempfile.tempdir = str(here / "tmp")
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    found = [run.result for run in look(here).runs]
    with pytest.raises(StorageError, match="permission denied"):
        record_end(here, ENDED)
    return found


@needs_strace
@needs_root
@pytest.mark.root
@pytest.mark.parametrize("is_hot", [False, True])
def test_another_user_with_leave_to_read_reads_and_changes_nothing(
    forks: Forks, tmp_path: Path, is_hot: bool
) -> None:
    root = tmp_path / "memory"
    if is_hot:
        hot(root)
    else:
        before("end", root)
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o777)
    files = {path: path.read_bytes() for path in (root / "ledger").iterdir()}
    assert forks.run(as_another, root).value == ["failed"] * 9 + ["died"]
    assert {path: path.read_bytes() for path in (root / "ledger").iterdir()} == files
    assert list((root / "tmp").iterdir()) == []


@needs_strace
def test_a_journal_is_as_private_as_the_ledger(tmp_path: Path) -> None:
    root = tmp_path / "memory"
    umask = os.umask(0)
    try:
        hot(root)
    finally:
        os.umask(umask)
    (journal,) = (root / "ledger").glob("*-journal")
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
