"""Schedules by their form: nonsense is refused with a reason, and nothing that systemd takes."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memtool.oncalendar import form_problem
from memtool.systemd.jobs import JOBS

YEAR = 2026
BAD = {
    "cron's syntax": ["0 3 * * *", "*/5 * * * *", "@daily", "@reboot", "0 3 * * Sun /bin/true"],
    "no time zone": ["03:00 Europe/Nowhere", "hourly Foo", "Sun 2:00 europe/berlin", "1:00 Mars"],
    "no calendar expression": ["", "invalid", "3am", "5", "reboot", "*", "Mon Tue 3:00", "3:00 Sun", "Sun 3"],
    "never comes": ["2020-01-01", "*-02-30", "*-2,4,6-31", "2001..2025-*-*", "19-1-1 4:00", "2020-01-01 UTC"],
    "no time of day": ["*-*-* 25:00", "12:60", "*:0/0", "1:2:3:4", "24:00", "*:*/15", "*:59/1", "*-*-*T03:00"],
    "no date": ["*-13-01", "*-*~0", "*-*-32", "99999-01-01", "1969-01-01", "*-*-*-*"],
    "not in order": ["Sat..Tue", "Sun-Mon 3:00"],
}  # fmt: skip
GOOD = """
daily|Weekly UTC|quarterly Europe/Berlin|semi-annually|@1395716396|Sun|Mon..Fri,Sun 3:00|Mon, 3:00|Mon-Fri 3:00
08:05:40..50/5|2099-03-05 05:40|*-*~1|*-2~03 1:00|*-2,3-30|9..17/2:00|12,14,13,12:20|*-02-29|02-29 3:00
mon *-*-1..7 4:5:6.5|3:00 utc|3:00 CET|Sunday *-*-* 2:00 America/Argentina/Buenos_Aires|82..53-*-10|*-*-25..32/3
""".replace("\n", "|").strip("|").split("|")  # fmt: skip


@pytest.mark.parametrize(("why", "text"), [(why, text) for why, row in BAD.items() for text in row])
def test_nonsense_is_refused_with_the_reason(why: str, text: str) -> None:
    assert why in form_problem(text, YEAR)


@pytest.mark.parametrize("text", [*GOOD, *(time for job in JOBS for time in job.schedule)])
def test_what_systemd_takes_is_taken(text: str) -> None:
    assert form_problem(text, YEAR) == ""


def test_without_a_year_nothing_is_past() -> None:
    assert form_problem("2020-01-01") == ""


def _field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high).map(str)
    span = st.tuples(number, number).map("..".join)
    start = number | span
    stepped = st.tuples(start, st.integers(0, 9).map(str)).map("/".join)
    return st.just("*") | st.lists(start | stepped, min_size=1, max_size=2).map(",".join)


WEEKDAY = st.sampled_from(
    [
        "Mon",
        "tue",
        "WED",
        "Thursday",
        "fri",
        "Sat",
        "sunday",
        "x",
        "Mon..Wed",
        "Fri,Sun",
        "Sat-Mon",
        "Tue,",
    ]
)
DATE = st.tuples(_field(1960, 2210) | _field(0, 110), _field(0, 14), _field(0, 33)).map("-".join)
SHORT_DATE = st.tuples(_field(0, 14), _field(0, 33)).map("-".join)
LAST_DAYS = st.tuples(_field(0, 14), _field(0, 33)).map(lambda two: "*-" + "~".join(two))
CLOCK = st.lists(st.one_of(_field(0, 25), _field(0, 61)), min_size=2, max_size=3).map(":".join)
ZONE = st.sampled_from(["UTC", "utc", "Europe/Berlin", "CET", "Foo", "europe/berlin", "Etc/GMT-1"])
WORDS = [st.just("") | part for part in (WEEKDAY, DATE | SHORT_DATE | LAST_DAYS, CLOCK, ZONE)]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@settings(max_examples=150, deadline=None)
@given(st.tuples(*WORDS).map(lambda words: " ".join(filter(None, words))).filter(bool))
def test_nothing_that_systemd_takes_is_refused(text: str) -> None:
    environ = {"TZ": "UTC", "PATH": os.environ["PATH"]}
    command = ["systemd-analyze", "calendar", text]
    done = subprocess.run(command, env=environ, capture_output=True, encoding="utf-8", check=False)
    if done.returncode == 0 and "elapse: never" not in done.stdout:
        assert form_problem(text, YEAR) == ""
