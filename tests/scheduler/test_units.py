"""What `systemctl show` prints becomes states: recorded from a booted systemd 252, whole, and from the notes on others.

records/252-*.txt were recorded. What systemd 247 and 257 print otherwise (another order of the rows, `n/a` where there
is no time, microseconds where 258 was told to) is made from these by the functions below.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.systemd.jobs import JOBS
from memtool.systemd.states import PROPERTIES, TimerState, parse_show, span_s, time_us, timers_of

RECORDS = Path(__file__).parent / "records"


def recorded(name: str) -> str:
    return (RECORDS / f"{name}.txt").read_text(encoding="utf-8")


def as_252(text: str) -> str:
    return text


def as_247(text: str) -> str:
    """Another order, no time written out."""
    return re.sub(
        r"^(\w+(?:Timestamp|USec\w*|Trigger\w*))=$", r"\1=n/a", as_257(text), flags=re.MULTILINE
    )


def as_257(text: str) -> str:
    """Another order of the rows, which no version promises."""
    blocks = [block.splitlines() for block in text.split("\n\n")]
    for rows in blocks:
        random.Random(4).shuffle(rows)
    return "\n\n".join("\n".join(rows) for rows in blocks)


def as_258_with_microseconds(text: str) -> str:
    return re.sub(r"(=\w{3} \S+ \d\d:\d\d:\d\d) UTC", r"\1.000000 UTC", text)


VERSIONS = (as_252, as_247, as_257, as_258_with_microseconds)


# Of these jobs systemd was asked. Others come to the job table.
RECORDED = ["ingest", "day-rollup", "week-rollup", "month-rollup", "year-rollup", "compaction"]


def states(name: str, version: Callable[[str], str] = as_252) -> dict[str, TimerState]:
    found = timers_of(parse_show(version(recorded(name))))
    assert list(found) == [job.name for job in JOBS]
    return {job: found[job] for job in RECORDED}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("252-missing", ["missing", "missing", "missing", "missing", "missing", "missing"]),
        ("252-never", ["armed", "armed", "armed", "armed", "armed", "armed"]),
        ("252-odd", ["armed", "armed", "armed", "broken", "stopped", "armed"]),
        ("252-queued", ["running", "armed", "armed", "broken", "masked", "disabled"]),
    ],
)
def test_timers_are_told_apart(
    name: str, expected: list[str], version: Callable[[str], str]
) -> None:
    found = states(name, version)
    assert [timer.state for timer in found.values()] == expected
    assert found == states(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("252-missing", ["missing", "missing", "missing", "missing", "missing", "missing"]),
        ("252-never", ["inactive", "inactive", "inactive", "inactive", "inactive", "inactive"]),
        ("252-odd", ["inactive", "failed", "failed", "inactive", "inactive", "running"]),
        ("252-queued", ["running", "queued", "inactive", "inactive", "inactive", "running"]),
    ],
)
def test_services_are_told_apart(name: str, expected: list[str]) -> None:
    assert [timer.service.state for timer in states(name).values()] == expected


def test_an_armed_timer_has_its_next_time_and_its_schedule() -> None:
    week = states("252-odd")["week-rollup"]
    assert week.next_us == 1_795_914_014_000_000  # 2026-11-29 01:00:14 UTC
    assert set(week.schedule) == {
        "Sun *-*-* 02:00:00 Europe/Berlin",
        "Sun *-*-* 03:00:00 Europe/Berlin",
    }
    assert week.randomized_delay_s == 300
    assert week.drop_ins == ("/etc/systemd/system/memtool-week-rollup.timer.d/50-memtool.conf",)


def test_a_failed_service_tells_how() -> None:
    day, week = states("252-odd")["day-rollup"].service, states("252-odd")["week-rollup"].service
    assert (day.result, day.exit_code, day.user) == ("exit-code", 1, "memtool")
    assert (week.result, week.exit_code) == ("timeout", -15)
    assert day.started_us is not None


def test_one_that_never_ran_has_no_exit_code_though_systemd_prints_0() -> None:
    service = states("252-never")["ingest"].service
    assert (service.started_us, service.exit_code) == (None, None)


def test_a_timer_without_a_next_time_has_none() -> None:
    assert states("252-odd")["month-rollup"].next_us is None
    assert states("252-queued")["ingest"].next_us is None
    assert states("252-odd")["month-rollup"].needs_reload


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("LoadState=bad-setting\nActiveState=inactive\nUnitFileState=enabled", "broken"),
        ("LoadState=loaded\nActiveState=failed\nSubState=failed", "failed"),
        ("LoadState=loaded\nActiveState=inactive\nUnitFileState=enabled-runtime", "stopped"),
        ("LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled", "disabled"),
        ("LoadState=masked\nActiveState=inactive\nUnitFileState=masked-runtime", "masked"),
        ("LoadState=not-found\nActiveState=failed\nUnitFileState=", "missing"),
        ("LoadState=error\nActiveState=active\nSubState=waiting", "broken"),
        ("LoadState=loaded\nActiveState=active\nSubState=elapsed", "dead"),
    ],
)
def test_states_that_were_not_recorded(rows: str, expected: str) -> None:
    text = f"Id=memtool-ingest.timer\n{rows}\n"
    assert timers_of(parse_show(text))["ingest"].state == expected


def test_a_service_between_two_tries_is_told_with_the_time_of_the_next() -> None:
    text = "Id=memtool-ingest.service\nLoadState=loaded\nActiveState=activating\nSubState=auto-restart\n"
    text += "RestartUSec=5min\nStateChangeTimestamp=Tue 2026-11-24 12:00:00 UTC\n"
    service = timers_of(parse_show(text))["ingest"].service
    assert (service.state, service.retry_us) == ("retrying", 1_795_521_900_000_000)


@pytest.mark.parametrize(
    ("load", "state"),
    [
        ("masked", "masked"),
        ("not-found", "missing"),
        ("bad-setting", "broken"),
        ("error", "broken"),
    ],
)
def test_a_service_that_systemd_cannot_use_is_told_with_why(load: str, state: str) -> None:
    text = f'Id=memtool-ingest.service\nLoadState={load}\nLoadError=org.x.Bad "It is "bad"."\n'
    service = timers_of(parse_show(text))["ingest"].service
    assert (service.state, service.load_error) == (state, 'It is "bad".')


def test_all_that_is_read_was_asked_for() -> None:
    source = Path(parse_show.__code__.co_filename).read_text()
    assert set(PROPERTIES) == set(re.findall(r'\.get\("([A-Z][a-z]\w*)"', source))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tue 2026-11-24 12:00:00 UTC", 1_795_521_600_000_000),
        ("2026-11-24 12:00:00.25 UTC", 1_795_521_600_250_000),
        ("@1795521600", 1_795_521_600_000_000),
        ("@1795521600.000007", 1_795_521_600_000_007),
        ("", None),
        ("n/a", None),
        ("infinity", None),
        ("0", None),
        ("Tue 2026-11-24 12:00:00 CET", None),
    ],
)
def test_times_are_instants(text: str, expected: int | None) -> None:
    assert time_us(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("5min", 300), ("1min 30s", 90), ("1h 500ms", 3600.5), ("0", 0), ("", 0), ("infinity", 0)]
)  # fmt: skip
def test_spans_are_seconds(text: str, expected: float) -> None:
    assert span_s(text) == expected


@given(st.text())
def test_no_text_crashes_the_parser(text: str) -> None:
    assert len(timers_of(parse_show(text))) == len(JOBS)
    time_us(text)
    span_s(text)
