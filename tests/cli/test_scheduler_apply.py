"""`memtool scheduler apply`: what the settings say becomes what systemd does, and nothing else is touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from memtool.cli.app import run as memtool
from memtool.systemd.dropins import COMMAND_DROP_IN, DROP_IN, NETWORK_DROP_IN
from memtool.systemd.jobs import JOBS
from memtool.systemd.units import SANDBOX, Installation, unit_files
from tests.scheduler.fakes import FakeSystemd, install_units, show_text

NOW_US = 1_795_521_600_000_000
Apply = Callable[..., int]


@pytest.fixture
def systemd(tmp_path: Path) -> FakeSystemd:
    fake = FakeSystemd(tmp_path)
    fake.shows(show_text())
    return fake


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Install the units for the user, and return where."""
    directory = tmp_path / ".config/systemd/user"
    install_units(directory, installation(tmp_path))
    return directory


def installation(home: Path) -> Installation:
    return Installation("user", home / ".local/bin/memtool", home=home)


@pytest.fixture
def apply(tmp_path: Path, units: Path) -> Apply:
    """Return a function that applies this configuration."""
    environ = {"HOME": str(tmp_path), "PATH": f"{tmp_path}/bin"}

    def run(text: str, *arguments: str) -> int:
        config = tmp_path / ".config/memtool/config.toml"
        config.parent.mkdir(exist_ok=True)
        config.write_text(text)
        assert units.is_dir()
        return memtool(["scheduler", "apply", *arguments], environ, NOW_US)

    return run


def files(units: Path) -> dict[str, str]:
    """Return what is there beside the unit files that were installed."""
    shipped = unit_files(installation(units.parents[2]))
    found = {str(path.relative_to(units)): path for path in units.rglob("*") if path.is_file()}
    texts = {name: path.read_text() for name, path in found.items()}
    return {name: text for name, text in texts.items() if shipped.get(name) != text}


WEEKLY = '[week_rollup]\nschedule = "Sat 20:00 UTC"\n'
TIMER = f"memtool-week-rollup.timer.d/{DROP_IN}"


def test_a_setting_becomes_a_drop_in_a_reload_and_a_restart_of_that_timer(
    apply: Apply, units: Path, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    assert apply(WEEKLY) == 0
    assert list(files(units)) == [TIMER]
    assert "OnCalendar=\nOnCalendar=Sat 20:00 UTC\n" in files(units)[TIMER]
    assert capsys.readouterr().out.splitlines() == [
        f"wrote {units / TIMER}",
        "restarted memtool-week-rollup.timer",
    ]
    assert [line for line in systemd.calls if line.startswith("systemctl")] == [
        "systemctl --user --no-ask-password daemon-reload",
        "systemctl --user --no-ask-password restart memtool-week-rollup.timer",
    ]


def test_applying_again_does_nothing(
    apply: Apply, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    apply(WEEKLY)
    (systemd.here / "calls").unlink()
    capsys.readouterr()
    assert apply(WEEKLY) == 0
    assert capsys.readouterr().out == "Nothing to change.\n"
    assert not any(line.startswith("systemctl") for line in systemd.calls)


@pytest.mark.usefixtures("systemd")
def test_a_default_again_takes_the_drop_in_away(
    apply: Apply, units: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apply(WEEKLY)
    capsys.readouterr()
    assert apply("") == 0
    assert files(units) == {}
    assert not (units / TIMER).parent.exists()
    assert f"removed {units / TIMER}" in capsys.readouterr().out


def test_a_dry_run_shows_the_difference_and_writes_nothing(
    apply: Apply, units: Path, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    assert apply(WEEKLY, "--dry-run") == 0
    told = capsys.readouterr().out
    assert f"+++ {units / TIMER}" in told
    assert "+OnCalendar=Sat 20:00 UTC" in told
    assert files(units) == {}
    assert not any(line.startswith("systemctl") for line in systemd.calls)
    assert apply("", "--dry-run") == 0
    assert capsys.readouterr().out == "Nothing to change.\n"


def test_a_bad_schedule_is_refused_with_systemds_own_words_and_nothing_is_written(
    apply: Apply, units: Path, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "Failed to parse calendar specification 'Sun 2:00:30': Invalid argument"
    systemd.answer(
        "systemd-analyze", "calendar", f'case "$*" in *2:00:30*) echo "{said}" >&2; exit 1 ;; esac'
    )
    assert apply('[week_rollup]\nschedule = "Sun 2:00:30"\n') == 78
    assert f"memtool: week_rollup.schedule: {said}" in capsys.readouterr().err
    assert files(units) == {}


@pytest.mark.parametrize(
    ("properties", "restarted"),
    [
        ({"ActiveState": "inactive", "UnitFileState": "disabled"}, False),
        ({"ActiveState": "inactive", "UnitFileState": "enabled"}, False),
        ({"LoadState": "masked", "ActiveState": "inactive"}, False),
        ({"SubState": "elapsed"}, True),
        ({"SubState": "running"}, True),
    ],
)
def test_a_timer_that_does_not_run_is_not_started(
    apply: Apply, systemd: FakeSystemd, properties: dict[str, str], restarted: bool
) -> None:
    systemd.shows(show_text({"week-rollup": properties}))
    assert apply(WEEKLY) == 0
    assert any(" restart " in line for line in systemd.calls) == restarted
    assert not any(word in line for line in systemd.calls for word in (" enable", " start "))


def test_a_timer_that_died_is_revived_though_its_drop_in_is_right_by_now(
    apply: Apply, systemd: FakeSystemd
) -> None:
    systemd.shows(show_text({"ingest": {"SubState": "elapsed", "NextElapseUSecRealtime": ""}}))
    assert apply("") == 0
    assert "systemctl --user --no-ask-password restart memtool-ingest.timer" in systemd.calls


def test_a_named_zone_and_day_start_move_the_defaults(
    apply: Apply, units: Path, systemd: FakeSystemd
) -> None:
    config = '[calendar]\ntimezone = "Europe/Berlin"\nday_starts_at = "04:00"\nweek_starts_on = "monday"\n'
    assert apply(config) == 0
    assert "OnCalendar=Mon *-*-* 06:00:00 Europe/Berlin" in files(units)[TIMER]
    assert len(files(units)) == len(JOBS) - 1
    assert any(" calendar " in line for line in systemd.calls)


def test_the_stores_pinned_calendar_outranks_the_settings(
    apply: Apply, units: Path, tmp_path: Path, systemd: FakeSystemd
) -> None:
    environ = {
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
        "MEMTOOL_CALENDAR__TIMEZONE": "Asia/Tokyo",
    }
    source = tmp_path / ".claude/projects/p/s.jsonl"
    source.parent.mkdir(parents=True)
    source.write_text(
        '{"type":"user","uuid":"u1","sessionId":"s","timestamp":"2026-11-20T10:00:00Z","cwd":"/p",'
        '"message":{"role":"user","content":"Make it work"}}\n'
    )
    assert memtool(["ingest"], environ, NOW_US) == 0
    assert (systemd.bin / "systemctl").exists()
    assert apply("") == 0
    assert "OnCalendar=Sun *-*-* 02:00:00 Asia/Tokyo" in files(units)[TIMER]


def test_a_command_for_failures_gets_its_unit(
    apply: Apply, units: Path, systemd: FakeSystemd
) -> None:
    systemd.answer("systemctl", "", "echo 'systemd 257 (257.13-1)'")
    assert apply("[scheduler]\non_failure = 'mail -s \"memtool $MEMTOOL_JOB\" me'\n") == 0
    assert "on-memtool-failure@.service" in files(units)
    service = files(units)[f"memtool-ingest.service.d/{DROP_IN}"]
    assert "OnFailure=on-memtool-failure@ingest.service" in service
    assert "RestartMode=direct" in service


def test_unit_files_of_another_version_are_renewed_and_keep_their_program(
    apply: Apply, units: Path, systemd: FakeSystemd
) -> None:
    elsewhere = Installation("user", Path("/opt/memtool/bin/memtool"))
    install_units(units, elsewhere)
    (units / "memtool-week-rollup.timer").write_text("[Timer]\nOnCalendar=weekly\n")
    old = {
        "memtool-week-rollup.service.d/10-sandbox.conf": "[Service]\nPrivateUsers=yes\n",
        "memtool-ingest.service.d/10-sandbox.conf": "[Service]\nPrivateUsers=yes\n",
        "memtool-on-failure@.service": "[Service]\nExecStart=/bin/true\n",
    }
    theirs = units / "memtool-week-rollup.service.d/override.conf"
    for name, text in old.items():
        (units / name).parent.mkdir(exist_ok=True)
        (units / name).write_text(text)
    theirs.write_text("[Service]\nNice=0\n")
    assert apply("", "--dry-run") == 0
    assert (units / "memtool-on-failure@.service").exists()
    assert apply("") == 0
    wanted = unit_files(elsewhere._replace(has_sandbox=True))
    found = {str(path.relative_to(units)): path for path in units.rglob("*") if path.is_file()}
    assert set(found) == {*wanted, str(theirs.relative_to(units))}
    assert {name: found[name].read_text() for name in wanted} == wanted
    asked = [line for line in systemd.calls if line.startswith("systemctl --user")]
    assert [line.rpartition("password ")[2] for line in asked] == [
        "daemon-reload",
        "restart memtool-week-rollup.timer",
    ]


def test_the_sandbox_is_put_in_place_where_a_trial_succeeds(
    apply: Apply, units: Path, systemd: FakeSystemd
) -> None:
    systemd.add("systemd-run", "exit 0")
    assert apply("") == 0
    assert (units / SANDBOX).exists()
    (trial,) = [line for line in systemd.calls if line.startswith("systemd-run")]
    assert "--user" in trial
    assert "--property=PrivateUsers=yes" in trial
    assert trial.endswith(".local/bin/memtool --version")


@pytest.mark.parametrize(
    ("script", "stays"),
    [('case "$*" in *PrivateUsers*) exit 217 ;; esac', False), ("exit 203", True)],
    ids=["no user namespaces", "no program"],
)
def test_the_sandbox_goes_where_it_is_what_keeps_the_program_from_starting(
    apply: Apply, units: Path, systemd: FakeSystemd, script: str, stays: bool
) -> None:
    install_units(units, installation(units.parents[2])._replace(has_sandbox=True))
    systemd.add("systemd-run", script)
    assert apply("") == 0
    assert ("PrivateUsers=yes" in (units / SANDBOX).read_text()) == stays


@pytest.mark.usefixtures("systemd")
def test_timers_without_a_service_tell_no_program(
    apply: Apply, units: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for job in JOBS:
        (units / job.unit).unlink()
    assert apply("") == 1
    assert "has timers and no service" in capsys.readouterr().err


@pytest.mark.usefixtures("systemd")
def test_what_is_set_to_its_default_writes_no_file(
    apply: Apply, units: Path, tmp_path: Path
) -> None:
    defaults = "".join(
        f'[{job.section}]\nschedule = "{"; ".join(job.schedule)}"\n'
        f"jitter_s = {job.settings.jitter_s}\ntimeout_s = {job.settings.timeout_s}\n"
        for job in JOBS
    )
    store = f'[store]\npath = "{tmp_path}/.local/state/memtool/"\n'
    assert (
        apply(f'{defaults}{store}[scheduler]\non_failure = ""\nrollups_on_battery = "run"\n') == 0
    )
    assert files(units) == {}


@pytest.mark.usefixtures("systemd")
def test_a_rollup_that_is_not_to_run_on_battery_gets_its_condition(
    apply: Apply, units: Path
) -> None:
    assert apply('[scheduler]\nrollups_on_battery = "skip"\n') == 0
    assert len(files(units)) == 4
    assert all("ConditionACPower=true" in text for text in files(units).values())


def test_without_timers_nothing_is_written(
    apply: Apply, units: Path, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    systemd.fails("Failed to connect to bus: Permission denied")
    assert apply(WEEKLY) == 1
    assert "nothing is applied: systemd does not let this user ask it" in capsys.readouterr().err
    assert files(units) == {}


def test_a_reload_that_fails_is_told(
    apply: Apply, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    systemd.fails("Access denied", 4, verb="daemon-reload")
    assert apply(WEEKLY) == 1
    assert "the files are written, but systemd's daemon-reload failed" in capsys.readouterr().err


def by_command(command: str, writes: str = "") -> str:
    return f'[summarizer]\nname = "command"\ncommand = "{command}"\ncommand_writes = "{writes}"\n'


@pytest.mark.usefixtures("systemd")
def test_a_program_as_summarizer_is_found_and_let_do_what_it_needs(
    apply: Apply, units: Path, tmp_path: Path
) -> None:
    ask = tmp_path / ".local/bin/ask"
    ask.parent.mkdir(parents=True)
    ask.write_text("#!/bin/sh\n")
    ask.chmod(0o755)
    (tmp_path / ".ask").mkdir()
    assert apply(by_command("ask -p", "~/.ask")) == 0
    made = files(units)
    assert set(made) == {
        f"memtool-{level}-rollup.service.d/{name}"
        for level in ("day", "week", "month", "year")
        for name in (COMMAND_DROP_IN, NETWORK_DROP_IN)
    }
    service = made[f"memtool-day-rollup.service.d/{COMMAND_DROP_IN}"]
    assert f'Environment="PATH={ask.parent}:/usr/local/sbin:' in service
    assert f'ReadWritePaths="-{tmp_path}/.ask"' in service
    assert apply("") == 0
    assert files(units) == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (by_command(""), "summarizer.command is not set"),
        (by_command("no-such-program -p"), "no such program: no-such-program"),
        (by_command("sh", "/no/such/directory"), "/no/such/directory is not a directory"),
    ],
)
@pytest.mark.usefixtures("systemd")
def test_a_program_that_could_not_run_is_refused_and_nothing_is_written(
    apply: Apply, units: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    assert apply(text + WEEKLY) == 78
    assert says in capsys.readouterr().err
    assert files(units) == {}


UNAPPLIED = {
    WEEKLY: ["week_rollup.schedule"],
    "[ingest]\njitter_s = 7\ntimeout_s = 77\n": ["ingest.jitter_s", "ingest.timeout_s"],
    "[day_rollup]\nschedule = '*-*-* 05:00'\n[calendar]\ntimezone = 'Asia/Tokyo'\n": ["day_rollup.schedule"],
    "[scheduler]\nrollups_on_battery = 'skip'\n": ["scheduler.rollups_on_battery"],
    "[scheduler]\non_failure = 'mail x'\n": ["scheduler.on_failure"],
    "[summarizer]\nname = 'openai'\nmodel = 'm'\n": ["summarizer.name"],
    "[summarizer]\nname = 'command'\ncommand = 'cat'\n": ["summarizer.name", "summarizer.command"],
    "[summarizer]\nname = 'command'\ncommand = 'cat -'\nconcurrency = 3\n": ["summarizer.name", "summarizer.command"],
    "[store]\npath = '~/elsewhere'\n": ["store.path"],
}  # fmt: skip


@pytest.fixture
def told(
    tmp_path: Path, apply: Apply, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[str]]:
    """Return a function that writes this configuration, and says which settings status says are not applied."""

    def run(text: str) -> list[str]:
        apply(text, "--dry-run")
        capsys.readouterr()
        environ = {"HOME": str(tmp_path), "PATH": f"{tmp_path}/bin"}
        memtool(["scheduler", "status", "--json"], environ, NOW_US)
        warnings = json.loads(capsys.readouterr().out)["warnings"]
        found = [row["text"] for row in warnings if row["kind"] == "settings"]
        return found[0].partition(": ")[2].split(", ") if found else []

    return run


@pytest.mark.usefixtures("systemd")
@pytest.mark.parametrize("text", UNAPPLIED, ids=lambda text: " ".join(text.split()))
def test_settings_that_are_not_applied_are_named_until_they_are(
    apply: Apply, told: Callable[..., list[str]], text: str
) -> None:
    assert told("") == []
    assert told(text) == UNAPPLIED[text]
    assert apply(text) == 0
    assert told(text) == []
    assert set(UNAPPLIED[text]) - {"summarizer.name"} <= {*told(""), "summarizer.command"}
    assert apply("") == 0
    assert told("") == []


@pytest.mark.usefixtures("systemd")
def test_a_drop_in_that_was_changed_by_hand_is_named(
    apply: Apply, told: Callable[..., list[str]], units: Path
) -> None:
    apply(WEEKLY)
    (units / TIMER).write_text((units / TIMER).read_text() + "AccuracySec=1h\n")
    assert told(WEEKLY) == [TIMER]
    (units / TIMER).write_text((units / TIMER).read_text().replace("20:00", "21:00"))
    assert told(WEEKLY) == ["week_rollup.schedule"]
    apply(WEEKLY)
    assert told(WEEKLY) == []


@pytest.mark.usefixtures("systemd")
def test_another_command_is_not_applied_and_its_text_is_in_no_unit(
    apply: Apply, told: Callable[..., list[str]], units: Path
) -> None:
    text = "[summarizer]\nname = 'command'\ncommand = 'cat --key geheim'\n"
    apply(text)
    assert told(text) == []
    assert told(text.replace("geheim", "anders")) == ["summarizer.command"]
    assert not any("geheim" in made for made in files(units).values())


def test_a_path_unit_that_an_older_memtool_did_not_have_is_written_and_enabled(
    apply: Apply, units: Path, systemd: FakeSystemd, capsys: pytest.CaptureFixture[str]
) -> None:
    path = units / "memtool-spool.path"
    path.unlink()
    assert apply("") == 0
    assert path.is_file()
    assert "enabled memtool-spool.path" in capsys.readouterr().out
    assert systemd.calls[-1].endswith("enable --now memtool-spool.path")
    path.write_text(path.read_text().replace("PathChanged", "PathModified"))
    assert apply("") == 0
    assert systemd.calls[-1].endswith("try-restart memtool-spool.path")


def test_a_store_elsewhere_is_watched_for_hooks(
    apply: Apply, units: Path, systemd: FakeSystemd, tmp_path: Path
) -> None:
    store = tmp_path / "else where"
    assert apply(f'[store]\npath = "{store}"\n') == 0
    assert systemd.calls
    text = files(units)[f"memtool-spool.path.d/{DROP_IN}"]
    assert f"[Path]\nPathChanged=\nPathChanged={store}/spool/ring\n" in text
