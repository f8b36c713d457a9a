"""The subprocess wrapper: whatever a program does, the caller gets a result, soon, in plain English and UTC."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from memtool.process import MISSING, TIMED_OUT, Finished, run, stream

PATH = {"PATH": os.environ["PATH"]}


def shell(script: str, **options: float | bytes) -> Finished:
    return run(["sh", "-c", script], PATH, **options)  # type: ignore[arg-type] # one helper for all


def test_code_and_output_are_told_apart() -> None:
    done = shell("echo data; echo talk >&2; exit 3")
    assert (done.code, done.stdout, done.stderr, done.is_ok) == (3, "data\n", "talk\n", False)
    assert done.said == "talk"


def test_stdin_is_empty_unless_it_is_given() -> None:
    assert shell("cat").stdout == ""
    assert shell("cat", stdin="täglich".encode()).stdout == "täglich"


def test_the_environment_is_the_one_given_made_plain() -> None:
    environ = {**PATH, "LC_ALL": "de_DE.UTF-8", "TZ": "Asia/Tokyo", "OWN": "kept", "SYSTEMD_PAGER": "less"}  # fmt: skip
    told = run(["env"], environ).stdout.splitlines()
    assert {"LC_ALL=C.UTF-8", "TZ=UTC", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=", "OWN=kept"} <= set(
        told
    )
    assert not any(line.startswith("HOME=") for line in told)


def test_a_program_that_is_not_there_is_a_result(tmp_path: Path) -> None:
    done = run(["systemctl"], {"PATH": str(tmp_path)})
    assert (done.is_missing, done.code, done.said) == (True, MISSING, "systemctl is not installed")


def test_a_program_that_may_not_be_run_is_a_result(tmp_path: Path) -> None:
    (tmp_path / "systemctl").write_text("#!/bin/sh\n")
    done = run([str(tmp_path / "systemctl")], PATH)
    assert done.is_missing
    assert done.said.endswith("systemctl may not be run here")


def test_a_program_that_takes_too_long_is_killed_and_is_a_result() -> None:
    done = run(["sleep", "infinity"], PATH, timeout_s=0.2)
    assert (done.is_timed_out, done.code) == (True, TIMED_OUT)
    assert done.said == "sleep did not answer within 0.2 s"


def test_what_it_wrote_before_it_took_too_long_is_kept() -> None:
    command = ["sh", "-c", "echo so far; exec sleep infinity"]
    tries = (run(command, PATH, timeout_s=seconds) for seconds in (0.5, 5, 50, 500))
    # The first that gave it the time to begin.
    done = next(done for done in tries if done.stdout)
    assert (done.is_timed_out, done.stdout) == (True, "so far\n")


def test_a_signal_is_a_negative_code() -> None:
    assert shell("kill -9 $$").code == -signal.SIGKILL


def test_output_that_is_no_text_does_not_fail() -> None:
    assert shell(r"printf '\377ok'").stdout == "\ufffdok"


def test_a_silent_failure_is_put_in_words() -> None:
    assert shell("exit 4").said == "sh ended with 4 and said nothing"


def test_a_stream_is_handed_on_line_by_line() -> None:
    told: list[str] = []
    done = stream(["sh", "-c", "echo one; echo two; echo talk >&2; exit 3"], PATH, told.append)
    assert told == ["one", "two"]
    assert (done.code, done.stdout, done.stderr) == (3, "", "talk\n")


def test_what_interrupts_a_stream_ends_the_program() -> None:
    told: list[int] = []

    def stop(line: str) -> None:
        told.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stream(["sh", "-c", "echo $$; exec sleep infinity"], PATH, stop)
    with pytest.raises(ProcessLookupError):
        os.kill(told[0], 0)


def test_a_stream_of_a_program_that_is_not_there_is_a_result(tmp_path: Path) -> None:
    assert stream([str(tmp_path / "journalctl")], PATH, print).is_missing
