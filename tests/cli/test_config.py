"""`memtool config`, run as a person runs it."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import pytest

from memtool.systemd.jobs import SETTINGS
from tests.conftest import Program


@pytest.fixture
def path(home: Path) -> Path:
    """Return where the user's file is looked for; the test makes it."""
    return home / ".config/memtool/config.toml"


@pytest.fixture
def written(path: Path) -> Path:
    """Return the user's file with a comment, two settings and a key that it keeps."""
    path.parent.mkdir(parents=True)
    path.write_text('# mine\n[locks]\nwait_s = 10\n[calendar]\ntimezone = "UTC"\n')
    path.chmod(0o640)
    return path


def test_path_names_each_file_its_state_and_the_one_that_set_writes(
    memtool: Program, path: Path
) -> None:
    assert f"user     absent       {path}\n" in memtool("config", "path").stdout
    memtool("config", "set", "locks.wait_s", "5")
    lines = memtool("config", "path").stdout.splitlines()
    assert lines[-2:] == [f"user     read         {path}", f"set      writes       {path}"]


def test_path_as_json(memtool: Program, home: Path) -> None:
    named = home / "mine.toml"
    shown = json.loads(memtool("--config", named, "config", "path", "--json").stdout)
    assert (shown["kind"], shown["version"], shown["written"]) == ("config-path", 1, str(named))
    assert shown["files"][-1] == {"path": str(named), "role": "named", "state": "absent"}


def test_show_has_every_setting_its_value_and_its_origin(memtool: Program, written: Path) -> None:
    done = memtool("config", "show", env={"MEMTOOL_JOBS__DEADLINE_S": "60"})
    assert done.returncode == 0
    lines = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line}
    assert {row.key for row in SETTINGS.values()} <= set(lines)
    assert lines["locks.wait_s"][1:] == ["10", "~/.config/memtool/config.toml"]
    assert lines["jobs.deadline_s"][1:] == ["60", "environment", "MEMTOOL_JOBS__DEADLINE_S"]
    assert lines["summarizer.name"][1:] == ['"extractive"', "default"]
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert written.exists()


def test_show_says_which_store_and_why(memtool: Program, home: Path) -> None:
    done = memtool("--store", home / "s", "config", "show")
    assert "store        ~/s (store.path is set (option --store))" in done.stdout


def test_show_one_setting_in_full(memtool: Program) -> None:
    done = memtool("config", "show", "calendar.week_starts_on")
    assert done.stdout.startswith('calendar.week_starts_on = "sunday"\n  from      default\n')
    assert "MEMTOOL_CALENDAR__WEEK_STARTS_ON" in done.stdout


def test_show_as_json_is_complete(memtool: Program, written: Path) -> None:
    shown = json.loads(memtool("config", "show", "--json").stdout)
    assert (shown["kind"], shown["version"]) == ("config", 1)
    assert [row["key"] for row in shown["settings"]] == [row.key for row in SETTINGS.values()]
    wait = next(row for row in shown["settings"] if row["key"] == "locks.wait_s")
    assert (wait["value"], wait["default"]) == (10, 300)
    assert wait["origin"] == {"kind": "file", "name": str(written)}
    assert shown["store"]["why"] == "the user's own store" or "installed" in shown["store"]["why"]


@pytest.mark.parametrize("verb", [("show",), ("set", "5")])
def test_an_unknown_key_names_the_nearest(memtool: Program, verb: tuple[str, ...]) -> None:
    done = memtool("config", verb[0], "locks.wait", *verb[1:])
    assert done.returncode == 2
    assert 'did you mean "locks.wait_s"?' in done.stderr


def test_set_writes_the_value_and_the_way_back(memtool: Program, path: Path) -> None:
    done = memtool("config", "set", "calendar.week_starts_on", "monday")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        f'calendar.week_starts_on: not set → "monday" in {path}',
        "undo: memtool config set calendar.week_starts_on --unset",
    ]
    assert "a store that exists keeps the calendar" in done.stderr
    assert tomllib.loads(path.read_text()) == {"calendar": {"week_starts_on": "monday"}}
    assert not path.with_name("config.toml.bak").exists()


def test_set_keeps_other_settings_the_mode_and_the_previous_file(
    memtool: Program, written: Path
) -> None:
    before = written.read_text()
    done = memtool("config", "set", "locks.wait_s", "20")
    assert "locks.wait_s: 10 → 20" in done.stdout
    assert "undo: memtool config set locks.wait_s 10" in done.stdout
    assert "comments are kept only in" in done.stderr
    assert tomllib.loads(written.read_text()) == {
        "locks": {"wait_s": 20},
        "calendar": {"timezone": "UTC"},
    }
    backup = written.with_name("config.toml.bak")
    assert backup.read_text() == before
    assert (written.stat().st_mode & 0o777, backup.stat().st_mode & 0o777) == (0o640, 0o640)


def test_what_undo_says_undoes(memtool: Program, written: Path) -> None:
    before = tomllib.loads(written.read_text())
    done = memtool("config", "set", "calendar.timezone", "Asia/Tokyo")
    words = done.stdout.partition("undo: memtool ")[2].split()
    assert memtool(*words).returncode == 0
    assert tomllib.loads(written.read_text()) == before


def test_unset_takes_a_setting_and_an_empty_section_out(memtool: Program, written: Path) -> None:
    done = memtool("config", "set", "locks.wait_s", "--unset")
    assert "locks.wait_s: 10 → not set" in done.stdout
    assert tomllib.loads(written.read_text()) == {"calendar": {"timezone": "UTC"}}


def test_unset_mends_a_file_with_an_unknown_key(memtool: Program, written: Path) -> None:
    written.write_text("[locks]\nwiat_s = 5\n")
    assert memtool("config", "check").returncode == 78
    assert memtool("config", "set", "locks.wiat_s", "--unset").returncode == 0
    assert memtool("config", "check").returncode == 0


def test_setting_what_is_set_writes_nothing(memtool: Program, written: Path) -> None:
    stamp = written.stat().st_mtime_ns
    done = memtool("config", "set", "locks.wait_s", "10")
    assert (done.returncode, "already" in done.stdout) == (0, True)
    assert written.stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["locks.wait_s", "soon"], "a whole number from 0"),
        (["calendar.week_starts_on", "sundy"], 'did you mean "sunday"?'),
        (["calendar.timezone", "Europe/Pariss"], 'did you mean "Europe/Paris"?'),
        (["store.path", "here"], "an absolute path"),
        (["locks.wait_s"], "needs a value or --unset"),
        (["locks.wait_s", "5", "--unset"], "needs a value or --unset"),
    ],
)
def test_set_refuses_what_it_would_not_read_back(
    memtool: Program, path: Path, arguments: list[str], said: str
) -> None:
    done = memtool("config", "set", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert not path.exists()


def test_set_says_when_something_stronger_overrides_it(memtool: Program) -> None:
    done = memtool("config", "set", "locks.wait_s", "5", env={"MEMTOOL_LOCKS__WAIT_S": "9"})
    assert "environment MEMTOOL_LOCKS__WAIT_S overrides it" in done.stderr


def test_set_writes_the_named_file_and_says_so_in_undo(
    memtool: Program, home: Path, path: Path
) -> None:
    named = home / "new/mine.toml"
    done = memtool("--config", named, "config", "set", "locks.wait_s", "5")
    assert f"undo: memtool --config {named} config set locks.wait_s --unset" in done.stdout
    assert named.exists()
    assert not path.exists()


def test_set_writes_through_a_link(memtool: Program, written: Path, home: Path) -> None:
    """Dotfile managers keep the file elsewhere; the link must stay one."""
    real = home / "dotfiles.toml"
    written.rename(real)
    written.symlink_to(real)
    assert memtool("config", "set", "locks.wait_s", "5").returncode == 0
    assert written.is_symlink()
    assert tomllib.loads(real.read_text())["locks"] == {"wait_s": 5}


def test_set_leaves_a_file_that_it_cannot_read_alone(memtool: Program, written: Path) -> None:
    for text in ("locks = 3\n", "= broken\n"):
        written.write_text(text)
        assert memtool("config", "set", "locks.wait_s", "5").returncode in (2, 78)
        assert written.read_text() == text


def test_check_names_all_that_is_wrong(memtool: Program, written: Path) -> None:
    done = memtool("config", "check")
    assert (done.returncode, done.stdout) == (0, "2 settings set, nothing wrong\n")
    written.write_text("[locks]\nwait = 10\nwait_s = -1\n")
    done = memtool("config", "check", env={"MEMTOOL_NO__SUCH": "1"})
    assert done.returncode == 78
    assert done.stderr.count("memtool: ") == 3
    assert f"{written}:2: locks.wait" in done.stderr
    done = memtool("config", "check", "--json")
    assert done.returncode == 78
    assert len(json.loads(done.stdout)["faults"]) == 2


def test_a_wrong_setting_stops_every_command_that_needs_it(memtool: Program, written: Path) -> None:
    written.write_text("[locks]\nwait = 10\n")
    done = memtool("config", "show")
    assert (done.returncode, done.stdout) == (78, "")
    assert "locks.wait" in done.stderr


def test_a_removed_setting_is_a_warning_and_stops_nothing(memtool: Program, written: Path) -> None:
    written.write_text("[locks]\nwait_s = 10\n[retention]\nevents_days = 90\n")
    done = memtool("config", "check")
    assert done.returncode == 0
    assert done.stderr.startswith(
        f"memtool: warning: {written}:4: retention.events_days was removed"
    )
    assert done.stderr.count("retention") == 1
    assert len(json.loads(memtool("config", "check", "--json").stdout)["warnings"]) == 1
    done = memtool("config", "show", "--json")
    assert done.returncode == 0
    assert done.stderr.count("retention.events_days was removed") == 1
    settings = {row["key"]: row["value"] for row in json.loads(done.stdout)["settings"]}
    assert settings["locks.wait_s"] == 10
    assert settings.keys() == {row.key for row in SETTINGS.values()}
    assert memtool("config", "set", "retention.events_days", "--unset").returncode == 0
    assert memtool("config", "check").stderr == ""


@pytest.mark.parametrize("value", ["90", "soon"])
def test_a_removed_setting_in_the_environment_is_a_warning_too(
    memtool: Program, value: str
) -> None:
    done = memtool("config", "show", env={"MEMTOOL_RETENTION__EVENTS_DAYS": value})
    assert done.returncode == 0
    assert done.stderr.startswith(
        "memtool: warning: MEMTOOL_RETENTION__EVENTS_DAYS: retention.events_days was removed"
    )


NONSENSE = [
    "invalid",
    "0 3 * * *",
    "*/5 * * * *",
    "03:00 Europe/Nowhere",
    "*-*-* 25:00",
    "daily; 3am",
]


@pytest.mark.parametrize("value", NONSENSE)
def test_a_nonsense_schedule_is_refused_where_it_is_set(
    memtool: Program, path: Path, value: str
) -> None:
    done = memtool("config", "set", "day_rollup.schedule", value)
    assert (done.returncode, path.exists()) == (2, False)
    assert "day_rollup.schedule cannot be" in done.stderr
    done = memtool("toc", env={"MEMTOOL_DAY_ROLLUP__SCHEDULE": value})
    assert done.returncode == 78
    assert "MEMTOOL_DAY_ROLLUP__SCHEDULE: day_rollup.schedule cannot be" in done.stderr
    path.parent.mkdir(parents=True)
    path.write_text(f'[week_rollup]\nschedule = "{value}"\n')
    for command in (("config", "check"), ("scheduler", "status"), ("ingest",)):
        done = memtool(*command)
        assert done.returncode == 78
        assert f"{path}:2: week_rollup.schedule cannot be" in done.stderr


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@pytest.mark.parametrize("value", ["2020-01-01", "*-02-30", "Mon 2031-08-05", "daily; 2020-01-01"])
def test_a_schedule_that_never_comes_is_refused(memtool: Program, path: Path, value: str) -> None:
    done = memtool("config", "set", "day_rollup.schedule", value)
    assert (done.returncode, path.exists()) == (2, False)
    assert "never comes" in done.stderr
    path.parent.mkdir(parents=True)
    path.write_text(f'[day_rollup]\nschedule = "{value}"\n')
    done = memtool("config", "check")
    assert done.returncode == 78
    assert f"{path}:2: day_rollup.schedule cannot be" in done.stderr
    found = json.loads(memtool("config", "check", "--json").stdout)["faults"][0]
    assert "never comes" in found["message"] + found["hint"]


def test_without_systemd_a_schedule_is_taken_and_said_to_be_unchecked(
    memtool: Program, path: Path, tmp_path: Path
) -> None:
    alone = {"PATH": str(tmp_path)}
    done = memtool("config", "set", "day_rollup.schedule", "Mon 2031-08-05", env=alone)
    assert done.returncode == 0
    assert "only the form was checked: systemd-analyze" in done.stderr
    done = memtool("config", "check", env=alone)
    assert done.returncode == 0
    assert f"{path}:2: day_rollup.schedule: only the form was checked" in done.stderr
    done = memtool("config", "set", "day_rollup.schedule", "2020-01-01", env=alone)
    assert done.returncode == 2
    assert "never comes" in done.stderr
