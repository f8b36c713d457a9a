"""`memtool rollup` as a person or a timer calls it: what it does, says and refuses."""

from __future__ import annotations

import json
import random
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from memtool.store.engine import Engine

Call = Callable[..., tuple[int, str, str]]
MAX_FRAMES = 12


@pytest.fixture
def call(call: Call, tmp_path: Path) -> Call:
    """Return what runs a command, on a store with two days of work."""
    times = ("2026-03-02T10:00:00Z", "2026-03-03T10:00:00Z")
    events = [
        {"agent": "pi", "session": "s", "time": time, "kind": "prompt", "text": f"fix {time}"}
        for time in times
    ]
    file = tmp_path / "work.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    call("ingest", str(file))
    return call


def test_all_levels_are_brought_up_to_date_and_told(call: Call) -> None:
    code, out, _ = call("rollup", "all")
    assert code == 0
    assert out.splitlines() == [
        "day-rollup: done, wrote 2 segments, 2 days, 1 week, 1 month",
        "week-rollup: done, nothing to write: day-rollup wrote the weeks",
        "month-rollup: done, nothing to write: day-rollup wrote the months",
        "year-rollup: done, nothing to write",
    ]
    assert call("rollup", "all")[1].count("done, nothing to write\n") == 4


def test_what_waits_is_known_right_after_an_ingest(call: Call) -> None:
    waits = {row["job"]: row["left"] for row in status(call)["jobs"] if row["left"]}
    assert waits == {
        "day-rollup": {"day": {"stale": 2}},
        "week-rollup": {"week": {"stale": 1}},
        "month-rollup": {"month": {"stale": 1}},
    }
    call("rollup", "day")
    assert not any(row["left"] for row in status(call)["jobs"])


def test_weeks_that_another_job_wrote_are_not_never(call: Call) -> None:
    call("rollup", "day")
    rows = {row["job"]: row for row in status(call)["jobs"]}
    assert rows["week-rollup"]["written_by"]["job"] == "day-rollup"
    assert rows["year-rollup"]["written_by"] is None
    _, out, _ = call("scheduler", "status")
    cells = {line.split()[0]: line for line in out.splitlines() if "-rollup" in line}
    assert re.search(r"[a-z]\* +done ", cells["week-rollup"])
    assert " never " in cells["year-rollup"]
    assert "* day-rollup wrote the weeks and months that have ended" in " ".join(out.split())


def status(call: Call) -> Any:
    return json.loads(call("scheduler", "status", "--json")[1])


def test_a_dry_run_tells_and_does_nothing(call: Call) -> None:
    code, out, _ = call("rollup", "all", "--dry-run", "--json")
    assert code == 0
    forecast = json.loads(out)
    assert (forecast["segments"], forecast["calls"]) == (2, 6)
    assert "day:2026-03-02" in forecast["periods"]
    assert "not summarized yet" in call("toc")[1]


def test_a_forced_period_is_written_again(call: Call) -> None:
    call("rollup", "all")
    code, out, _ = call("rollup", "day", "--force", "2026-03-02", "--json")
    assert code == 0
    assert json.loads(out)["runs"][0]["nodes"] == 2


def test_a_forced_period_of_another_level_is_refused(call: Call) -> None:
    code, _, err = call("rollup", "day", "--force", "2026-03")
    assert code == 2
    assert "memtool rollup month --force 2026-03" in err


@pytest.mark.parametrize("option", ["--since", "--force"])
def test_a_period_that_is_none_is_refused_with_the_forms_there_are(call: Call, option: str) -> None:
    code, _, err = call("rollup", "day", option, "soon")
    assert code == 2
    assert "2026-W47" in err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MEMTOOL_CALENDAR__TIMEZONE", "Asia/Tokyo"),
        ("MEMTOOL_CALENDAR__WEEK_STARTS_ON", "monday"),
        ("MEMTOOL_CALENDAR__DAY_STARTS_AT", "04:00"),
    ],
)
def test_another_calendar_stops_the_run_at_once(call: Call, name: str, value: str) -> None:
    code, out, err = call("rollup", "all", **{name: value})
    assert code == 78
    assert out.count("rollup:") == 1
    assert "memtool rebuild --calendar" in err


def test_a_laptop_that_travels_changes_nothing(call: Call) -> None:
    call("rollup", "all")
    code, out, _ = call("rollup", "all", MEMTOOL_CALENDAR__TIMEZONE="auto")
    assert code == 0
    assert out.count("nothing to write") == 4


def test_compaction_tells_sizes_and_all_families(call: Call) -> None:
    call("rollup", "all")
    code, out, _ = call("compact", "--json")
    told = json.loads(out)
    assert code == 0
    assert len(told["families"]) == 14
    assert told["bytes_before"] > 0
    assert call("verify")[0] == 0


@pytest.mark.parametrize("part", [0.1, 0.5])
def test_a_compaction_that_reads_damage_fails_and_says_so(
    call: Call, tmp_path: Path, part: float
) -> None:
    """Also where only the search index, which it keeps afterwards, reads it."""
    for number in range(2):
        file = tmp_path / f"more{number}.jsonl"
        text = random.Random(number).randbytes(4000).hex()  # nothing that can be compressed
        events = [
            {"agent": "pi", "session": "s", "time": f"2026-03-{day:02}T10:00:00Z", "kind": "prompt", "text": text}
            for day in range(1, 20)
        ]  # fmt: skip
        file.write_text("".join(json.dumps(event) + "\n" for event in events))
        call("ingest", str(file))
    call("compact")
    tables = sorted((tmp_path / "memory/store").glob("*.sst"), key=lambda path: path.stat().st_size)
    whole = bytearray(tables[-1].read_bytes())
    at = int(len(whole) * part)
    whole[at : at + 8] = bytes(byte ^ 0xFF for byte in whole[at : at + 8])
    tables[-1].write_bytes(whole)
    shutil.rmtree(tmp_path / "memory/index", ignore_errors=True)
    code, out, err = call("compact")
    assert code == 74, out + err
    assert "is damaged" in err
    run = json.loads(call("scheduler", "history", "compaction", "--limit", "1", "--json")[1])[
        "runs"
    ][0]
    assert (run["result"], run["exit_code"]) == ("failed", 74)
    assert run["hint"] in err


def own_frames(frame: FrameType | None) -> list[str]:
    """Return the functions of memtool that are being called, the innermost first."""
    names: list[str] = []
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if module.partition(".")[0] == "memtool":
            names.append(f"{module}.{frame.f_code.co_name}")
        frame = frame.f_back
    return names


def test_the_first_batch_is_written_a_few_calls_down(call: Call) -> None:
    """Who reads the code from the command finds the work soon."""
    stacks: list[list[str]] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is Engine.write.__code__:
            stacks.append(own_frames(frame))

    sys.setprofile(profile)
    try:
        code, _, errors = call("rollup", "day")
    finally:
        sys.setprofile(None)
    assert code == 0, errors
    assert len(stacks[0]) <= MAX_FRAMES, "\n".join(stacks[0])
