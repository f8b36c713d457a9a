"""The zone of a new memory is the one in which the clock of this process is; it is said, and never guessed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memtool.systemd.systemctl import machine_zone
from tests.cli.test_ingest import line

Call = Callable[..., tuple[int, str, str]]
ELSEWHERE = "<+0530>-5:30" if time.timezone != -19_800 else "<-0330>3:30"
"""A rule for TZ of a zone in which this machine is not."""


@pytest.fixture
def first(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str | None], tuple[int, str, str]]]:
    """Return what makes a memory with this TZ."""
    (tmp_path / "a.jsonl").write_text(line("one"))

    def making(tz: str | None) -> tuple[int, str, str]:
        if tz is None:
            monkeypatch.delenv("TZ", raising=False)
        else:
            monkeypatch.setenv("TZ", tz)
        time.tzset()
        environ = {name: value for name, value in os.environ.items() if name == "TZ"}
        return call(
            "ingest", str(tmp_path / "a.jsonl"), MEMTOOL_CALENDAR__TIMEZONE="auto", **environ
        )

    yield making
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("tz", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (":America/New_York", "America/New_York"),
        ("/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo"),
        ("posix/Asia/Tokyo", "Asia/Tokyo"),
        ("EST5EDT", "EST5EDT"),
        (None, machine_zone()),
        (":/etc/localtime", machine_zone()),
    ],
)
def test_a_zone_with_a_name_is_taken_and_said(
    first: Callable[[str | None], tuple[int, str, str]], call: Call, tz: str | None, zone: str
) -> None:
    code, _, err = first(tz)
    assert code == 0
    assert f"Its time zone is {zone}, a day starts at 00:00, and a week on Sunday." in err
    assert "memtool rebuild --calendar" in err
    assert json.loads(call("events", "--json")[1])["zone"] == zone
    assert "time zone" not in first(tz)[2]  # it is said once


@pytest.mark.parametrize(
    ("tz", "said"),
    [
        (ELSEWHERE, f"the machine's zone is {machine_zone()}, but the clock is at UTC"),
        ("XXX3YYY,M3.2.0,M11.1.0", "which is no IANA time zone"),
        ("Europe/Nowhere", "which is no time zone"),
        ("right/Europe/Berlin", "which is no time zone"),
        ("nonsense", "which is no time zone"),
    ],
)
def test_another_zone_is_refused_and_named(
    first: Callable[[str | None], tuple[int, str, str]], call: Call, tz: str, said: str
) -> None:
    code, _, err = first(tz)
    assert code == 78
    assert tz in err
    assert said in err
    assert "hint: name the zone: memtool config set calendar.timezone" in err
    _, out, _ = call("doctor", MEMTOOL_CALENDAR__TIMEZONE="auto", TZ=tz)
    assert "problem  calendar: " in out


@pytest.mark.skipif(machine_zone() not in ("UTC", "Etc/UTC"), reason="this machine is not in UTC")
@pytest.mark.parametrize("tz", ["", "UTC0", "XYZ-0"])
def test_a_rule_that_agrees_with_the_machine_is_the_machines_zone(
    first: Callable[[str | None], tuple[int, str, str]], tz: str
) -> None:
    assert f"Its time zone is {machine_zone()}," in first(tz)[2]
