"""Programs that start others: all of them end with the call, however it ends, and what they write is bounded."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from memtool.process import MISSING, TIMED_OUT, Finished
from memtool.process_group import Bounds, run_family
from tests.waiting import HUNG_S, wait_until

PATH = {"PATH": os.environ["PATH"]}
BOUNDS = Bounds(HUNG_S, 1 << 20, grace_s=0.3)
# For a program that is to begin its work and then be too late: the first that lets it begin counts.
SHORT_S = (0.3, 3, 30, 300)
# Forks a child and a grandchild, all deaf to SIGTERM, says who they are, and hangs.
FAMILY = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(2):
    if os.fork():
        break
with open("pids", "a") as pids:
    pids.write(f"{os.getpid()}\\n")
time.sleep(3600)
"""


def family(directory: Path, *argv: str, stdin: bytes = b"", bounds: Bounds = BOUNDS) -> Finished:
    return asyncio.run(run_family(argv, PATH, directory=directory, stdin=stdin, bounds=bounds))


def shell(directory: Path, script: str, *, stdin: bytes = b"") -> Finished:
    return family(directory, "sh", "-c", script, stdin=stdin)


def pids(directory: Path) -> list[int]:
    path = directory / "pids"
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def is_alive(pid: int) -> bool:
    """Return whether the process runs: a dead one that nobody has reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def all_dead(directory: Path, count: int = 3) -> bool:
    return len(pids(directory)) == count and not any(map(is_alive, pids(directory)))


def test_input_output_and_code_are_as_of_any_program(tmp_path: Path) -> None:
    done = shell(tmp_path, "pwd; tr a-z A-Z; echo talk >&2; exit 3", stdin="täg".encode())
    assert (done.code, done.stdout, done.stderr) == (3, f"{tmp_path}\nTäG", "talk\n")


def test_it_has_a_session_of_its_own_and_a_plain_environment(tmp_path: Path) -> None:
    done = shell(tmp_path, 'cut -d" " -f 6 /proc/$$/stat; echo "$$ $TERM $NO_COLOR $LC_ALL"')
    session, rest = done.stdout.splitlines()
    assert rest == f"{session.strip()} dumb 1 C.UTF-8"


def test_a_big_input_that_is_not_read_does_not_hang(tmp_path: Path) -> None:
    assert shell(tmp_path, "echo answer", stdin=b"x" * 10_000_000).stdout == "answer\n"


def test_a_big_input_arrives_whole(tmp_path: Path) -> None:
    assert shell(tmp_path, "wc -c", stdin=b"x" * 3_000_000).stdout.strip() == "3000000"


@pytest.mark.parametrize("kind", ["absent", "not executable", "no program"])
def test_what_cannot_be_started_is_a_result(tmp_path: Path, kind: str) -> None:
    program = tmp_path / "program"
    if kind != "absent":
        program.write_bytes(b"\x7fELF no program")
        program.chmod(0o755 if kind == "no program" else 0o644)
    done = family(tmp_path, str(program))
    assert (done.is_missing, done.code) == (True, MISSING)
    assert done.said.startswith(str(program))


def too_late(call: Callable[[float], Finished], has_begun: Callable[[Finished], bool]) -> Finished:
    """Return the end of a call whose time was over, but not before its program had begun."""
    return next(done for seconds in SHORT_S if has_begun(done := call(seconds)))


def test_one_that_hangs_is_ended_with_all_its_family(tmp_path: Path) -> None:
    def call(seconds: float) -> Finished:
        (tmp_path / "pids").unlink(missing_ok=True)
        bounds = Bounds(seconds, 1 << 20, grace_s=0.2)
        return family(tmp_path, sys.executable, "-c", FAMILY, bounds=bounds)

    done = too_late(call, lambda _: len(pids(tmp_path)) == 3)
    assert (done.is_timed_out, done.code) == (True, TIMED_OUT)
    assert re.search(r"did not answer within [\d.]+ s$", done.said)
    wait_until(lambda: all_dead(tmp_path))


def test_one_that_is_told_to_end_may_do_so_in_its_own_way(tmp_path: Path) -> None:
    script = 'trap "echo bye; exit 0" TERM; echo so far; while :; do sleep 0.05; done'

    def call(seconds: float) -> Finished:
        return family(tmp_path, "sh", "-c", script, bounds=Bounds(seconds, 1 << 20, grace_s=HUNG_S))

    done = too_late(call, lambda done: bool(done.stdout))
    assert (done.is_timed_out, done.stdout) == (True, "so far\nbye\n")


def test_what_it_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    """A child that still holds the output does not make the call wait, and does not live on."""
    done = shell(tmp_path, "sleep 3600 & echo $! >pids; echo answer")
    assert (done.is_timed_out, done.code, done.stdout) == (False, 0, "answer\n")
    wait_until(lambda: not is_alive(pids(tmp_path)[0]))


def test_a_flood_is_stopped_at_the_bound(tmp_path: Path) -> None:
    done = family(tmp_path, "yes", bounds=Bounds(HUNG_S, 1000, grace_s=5))
    assert (done.is_flooded, done.is_timed_out, len(done.stdout)) == (True, False, 1000)
    assert done.said == "yes wrote more than 1000 bytes"


def test_a_flood_of_talk_is_dropped_and_does_no_harm(tmp_path: Path) -> None:
    done = shell(tmp_path, "yes talk | head -c 10000000 >&2; echo answer")
    assert (done.code, done.stdout, len(done.stderr)) == (0, "answer\n", 65536)


def test_a_signal_is_a_negative_code(tmp_path: Path) -> None:
    assert shell(tmp_path, "kill -9 $$").code == -signal.SIGKILL


def test_a_cancelled_call_ends_the_family_first(tmp_path: Path) -> None:
    async def cancel() -> None:
        argv = (sys.executable, "-c", FAMILY)
        call = run_family(argv, PATH, directory=tmp_path, stdin=b"", bounds=BOUNDS)
        task = asyncio.create_task(call)
        while len(pids(tmp_path)) < 3:  # noqa: ASYNC110 - other processes do it
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    wait_until(lambda: all_dead(tmp_path))


def test_who_does_not_wait_for_the_grace_leaves_nobody_behind_either(tmp_path: Path) -> None:
    async def cancel_twice() -> None:
        argv = (sys.executable, "-c", FAMILY)
        bounds = Bounds(3600, 1 << 20, grace_s=3600)
        task = asyncio.create_task(
            run_family(argv, PATH, directory=tmp_path, stdin=b"", bounds=bounds)
        )
        while len(pids(tmp_path)) < 3:  # noqa: ASYNC110 - other processes do it
            await asyncio.sleep(0.02)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0.1)
        assert task.cancelled()

    asyncio.run(cancel_twice())
    wait_until(lambda: all_dead(tmp_path))


def is_running(argument: str) -> bool:
    """Return whether any process was given this argument."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if argument.encode() in words:
            return True
    return False


@pytest.mark.parametrize("rounds", range(6))
def test_a_call_that_is_cancelled_while_it_begins_leaves_nobody_behind(
    tmp_path: Path, rounds: int
) -> None:
    """The loop is busy meanwhile: the program is at work before its start has been told of."""

    async def cancel() -> None:
        argv = (sys.executable, "-c", FAMILY, str(tmp_path))
        call = run_family(argv, PATH, directory=tmp_path, stdin=b"", bounds=BOUNDS)
        task = asyncio.create_task(call)
        for _ in range(rounds):
            await asyncio.sleep(0)
        time.sleep(0.3)  # noqa: ASYNC251 - as a step that writes to the store does
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    wait_until(lambda: not is_running(str(tmp_path)))


def test_an_interrupt_ends_the_family(tmp_path: Path) -> None:
    """Ctrl-C as a real process gets it."""
    program = f"""
import asyncio
from pathlib import Path
from memtool.process_group import Bounds, run_family
bounds = Bounds(3600, 1000, grace_s=0.2)
argv = {(sys.executable, "-c", FAMILY)!r}
asyncio.run(run_family(argv, {PATH!r}, directory=Path.cwd(), stdin=b"", bounds=bounds))
"""
    source = str(Path(__file__).resolve().parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": source},
        stderr=subprocess.DEVNULL,
    ) as caller:
        wait_until(lambda: len(pids(tmp_path)) == 3)
        caller.send_signal(signal.SIGINT)
        assert caller.wait(timeout=HUNG_S) != 0
    wait_until(lambda: all_dead(tmp_path))


def test_many_run_beside_each_other(tmp_path: Path) -> None:
    """Each waits until all of them have begun."""

    async def all_of_them() -> list[Finished]:
        script = "touch begun-$$; until set -- begun-*; [ $# -eq 16 ]; do sleep 0.05; done; cat"
        argv = ("sh", "-c", script)
        calls = (
            run_family(argv, PATH, directory=tmp_path, stdin=str(at).encode(), bounds=BOUNDS)
            for at in range(16)
        )
        return await asyncio.gather(*calls)

    assert [done.stdout for done in asyncio.run(all_of_them())] == [str(at) for at in range(16)]
