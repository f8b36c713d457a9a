"""The doctor's checks, on real directories with real modes: each verdict it can come to, and what it says to do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from memtool.agents.claude.retention import retention_of
from memtool.agents.registry import AGENTS, Root
from memtool.errors import StorageError
from memtool.ledger.file import Run
from memtool.ledger.reading import History, record_end
from memtool.model.calendar import Calendar
from memtool.paths import ConfigFile, Role, StoreChoice
from memtool.query import doctor
from memtool.query.doctor import agents, days, disk, timers
from memtool.query.doctor.disk import UNFIT, Mount, mount_of, parse_mounts, unfit
from memtool.query.doctor.scene import Advice, CannotCheckError, Finding, Scene, ok
from memtool.settings import Config, load_config
from memtool.store import codec, keys
from memtool.systemd.jobs import JOBS, SETTINGS
from memtool.systemd.problems import Look
from memtool.systemd.states import ServiceState, TimerState
from memtool.systemd.status import Status, status_of
from memtool.systemd.systemctl import Manager, Timers, ask
from tests.cli.history import event
from tests.memory import Memory
from tests.scheduler.fakes import FakeSystemd, show_text

DAY_US = 86_400_000_000


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


NOW_US = us("2026-11-24T12:00")
EVERY_15_MIN = TimerState(
    "armed",
    enabled="enabled",
    schedule=("*-*-* *:00/15:00 UTC",),
    service=ServiceState("inactive", "success"),
)


def status(ingest: TimerState | None = EVERY_15_MIN, **more: object) -> Status:
    """Return the state of jobs whose timers are armed; of the ingest's it is given."""
    if ingest is None:
        return status_of(History(), Look(NOW_US, Timers(problem="systemd does not run here")))
    states = {job.name: EVERY_15_MIN._replace(schedule=job.schedule) for job in JOBS}
    timers_found = Timers("user", {**states, "ingest": ingest}, **more)  # type: ignore[arg-type]
    return status_of(History(), Look(NOW_US, timers_found))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Return a machine in a directory, with nothing on it."""
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "machine/etc").mkdir(parents=True)
    root = home / ".local/state/memtool"
    return Scene(
        environ={"HOME": str(home), "LANG": "C.UTF-8"},
        now_us=NOW_US,
        uid=os.getuid(),
        config=load_config({}, [], SETTINGS, options={"calendar.timezone": "UTC"}),
        config_files=(ConfigFile(home / ".config/memtool/config.toml", Role.USER),),
        store=StoreChoice(root, "a test"),
        roots=(Root(AGENTS[0], home / ".claude"),),
        look=status,
        machine=tmp_path / "machine",
    )


def stored(scene: Scene, *times: str, zone: str = "UTC") -> Memory:
    """Return the memory at the scene's root, with an event at each time."""
    memory = Memory(scene.root, Calendar(zone))
    events = [
        event(n, time, "prompt", "Hi") for n, time in enumerate(times or ("2026-11-20T08:00:00",))
    ]
    memory.take_in(events, now_us=NOW_US)
    return memory


def transcript(scene: Scene, name: str, *, age_days: float = 0, text: str = "{}\n") -> Path:
    path = scene.roots[0].path / "projects/p" / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    then_s = NOW_US / 1e6 - age_days * 86_400
    os.utime(path, (then_s, then_s))
    return path


def ingested(
    scene: Scene, *ages_days: float, version: str = "0.1.0", trigger: str = "timer"
) -> None:
    for age in ages_days:
        at_us = NOW_US - int(age * DAY_US)
        row = Run(
            f"i{age}", "ingest", trigger, at_us, 7, version, ended_us=at_us + 9, result="done"
        )
        record_end(scene.root, row)


def advice(check: Callable[[Scene], Advice], scene: Scene) -> Finding:
    """Return what the doctor says of one check."""
    (found,) = doctor.examine(scene, (("one", check),)).checks
    return found


def settings(scene: Scene, days: object, *, name: str = "settings.json") -> Path:
    scene.roots[0].path.mkdir(exist_ok=True)
    path = scene.roots[0].path / name
    path.write_text(json.dumps({"theme": "dark", "cleanupPeriodDays": days}))
    return path


# The whole examination


def test_on_an_empty_machine_every_check_answers_and_nothing_is_made(
    scene: Scene, tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    found = doctor.examine(scene)
    assert [finding.name for finding in found.checks] == [name for name, _ in doctor.CHECKS]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_check_that_fails_says_so_and_hides_no_other(scene: Scene) -> None:
    gone = StorageError("the disk is gone", hint="look for it")

    def damaged(_: Scene) -> Advice:
        raise gone

    def nothing(_: Scene) -> Advice:
        raise CannotCheckError("nothing to see")

    checks = (("a", damaged), ("b", damaged), ("c", nothing), ("d", lambda _: ok("well")))
    found = doctor.examine(scene, checks).checks
    assert [one.verdict for one in found] == ["problem", "skipped", "skipped", "ok"]
    assert (found[0].found, found[0].todo) == ("the disk is gone", "look for it")
    assert found[1].found == "cannot be checked: see a"
    assert not doctor.examine(scene, checks).healthy
    assert doctor.examine(scene, checks[2:]).healthy


def test_whatever_is_wrong_has_something_to_do(scene: Scene) -> None:
    stored(scene)
    scene.root.chmod(0o777)
    transcript(scene, "old", age_days=29)
    found = doctor.examine(scene).checks
    bad = [one for one in found if one.verdict in ("problem", "warning")]
    assert {one.name for one in bad} >= {"permissions", "retention"}
    assert all(one.todo for one in bad)
    assert all("\n" not in one.found + one.todo for one in found)


# What memtool runs on


def test_a_clock_behind_the_ledger_or_an_event_is_told(scene: Scene) -> None:
    assert timers.check_clock(scene).verdict == "ok"
    assert timers.check_clock(replace(scene, now_us=0)).verdict == "problem"
    ingested(scene, 1)
    found = timers.check_clock(replace(scene, now_us=NOW_US - 3 * DAY_US))
    assert (found.verdict, found.found) == (
        "problem",
        "the clock is 2 days behind the newest run in the ledger",
    )
    stored(scene, "2030-01-01T00:00:00")
    assert timers.check_clock(replace(scene)).verdict == "warning"


# Configuration and store


def test_a_store_opens_or_says_why_not(scene: Scene) -> None:
    assert advice(doctor.check_store, scene).verdict == "skipped"
    stored(scene)
    assert advice(doctor.check_store, replace(scene)).verdict == "ok"
    (scene.root / "FORMAT").write_text("memtool store\nformat 99\n")
    found = advice(doctor.check_store, replace(scene))
    assert (found.verdict, "format 99" in found.found) == ("problem", True)


def test_a_damaged_store_is_told_once(scene: Scene) -> None:
    stored(scene)
    (scene.root / "store/CURRENT").unlink()
    found = {one.name: one for one in doctor.examine(replace(scene)).checks}
    assert found["store"].verdict == "problem"
    assert found["calendar"].found == found["clock"].found == "cannot be checked: see store"


def test_a_store_without_its_calendar_is_damage(scene: Scene) -> None:
    kept = stored(scene)
    _write(kept, lambda batch: batch.delete(keys.META, b"calendar"))
    found = advice(doctor.check_store, replace(scene))
    assert (found.verdict, "has no calendar" in found.found) == ("problem", True)


def _write(kept: Memory, change: Callable[..., None]) -> None:
    store = kept.access.open_for_writing(None)
    batch = store.engine.batch()
    change(batch)
    store.engine.write(batch, sync=True)
    store.close()


# Where it is


def test_a_store_that_others_may_read_or_write_is_told(scene: Scene) -> None:
    assert disk.check_permissions(scene).verdict == "skipped"
    stored(scene)
    assert disk.check_permissions(scene).verdict == "ok"
    scene.root.chmod(0o750)
    found = disk.check_permissions(scene)
    assert (found.verdict, found.todo) == ("warning", f"chmod 700 {scene.root}")
    scene.root.chmod(0o770)
    assert disk.check_permissions(scene).verdict == "problem"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_file_of_another_owner_is_told(scene: Scene) -> None:
    stored(scene)
    os.chown(scene.root / "locks/writer", 12345, -1)
    found = disk.check_permissions(scene)
    assert (found.verdict, "1 file of another owner" in found.found) == ("problem", True)
    found = disk.check_permissions(replace(scene, uid=12345))
    assert (found.verdict, "not yours" in found.found) == ("problem", True)


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [(0o600, "skipped"), (0o644, "skipped"), (0o664, "problem"), (0o602, "problem")],
)
def test_settings_that_others_may_change_are_a_problem(
    scene: Scene, mode: int, verdict: str
) -> None:
    assert disk.check_permissions(scene).verdict == "skipped"
    path = scene.config_files[0].path
    path.parent.mkdir(parents=True)
    path.touch()
    path.chmod(mode)
    assert disk.check_permissions(scene).verdict == verdict


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [(0o600, "skipped"), (0o400, "skipped"), (0o640, "problem"), (0o604, "problem")],
)
@pytest.mark.parametrize(
    "place", ["home/.config/memtool/llm-key", "machine/etc/credstore/memtool.llm-key"]
)
def test_a_key_that_others_may_read_is_a_problem(
    scene: Scene, tmp_path: Path, place: str, mode: int, verdict: str
) -> None:
    assert disk.check_permissions(scene).verdict == "skipped"
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.write_text("secret")
    path.chmod(mode)
    found = disk.check_permissions(scene)
    assert found.verdict == verdict
    assert "secret" not in found.found


MOUNTS = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
40 27 0:50 / /home rw,relatime shared:1 master:2 - nfs4 server:/home rw,vers=4.2,local_lock=none
41 40 0:51 / /home/with\040space rw - tmpfs tmpfs rw
42 27 0:52 / /mnt rw - ext4 /dev/vdb rw
43 27 0:53 / /mnt rw - fuse.sshfs me@host: rw
44 27 0:54 / /old rw - nfs server:/old rw,nolock
45 27 0:55 / /over rw - overlay overlay rw,lowerdir=/a
torn line
"""


@pytest.mark.parametrize(
    ("path", "kind", "is_problem"),
    [
        ("/var/lib/memtool", "ext4", None),
        ("/home/mira/.local", "nfs4", False),
        ("/homestead", "ext4", None),
        ("/home/with space/x", "tmpfs", True),
        ("/mnt/store", "fuse.sshfs", True),
        ("/old/store", "nfs", True),
        ("/over/store", "overlay", None),
    ],
)
def test_the_mount_that_holds_a_path_is_found_and_judged(
    path: str, kind: str, *, is_problem: bool | None
) -> None:
    mount = mount_of(Path(path), MOUNTS)
    assert mount is not None
    assert mount.kind == kind
    found = unfit(mount)
    assert (None if found is None else found[1]) == is_problem


def test_no_type_of_file_system_is_judged_twice() -> None:
    kinds = [kind for row in UNFIT for kind in row.kinds]
    assert len(set(kinds)) == len(kinds)


@given(st.text())
def test_no_list_of_mounts_is_too_strange(text: str) -> None:
    assert all(isinstance(mount, Mount) for mount in parse_mounts(text))


def test_the_file_system_of_a_store_is_checked(scene: Scene) -> None:
    assert [
        one.verdict for one in doctor.examine(scene, (("fs", disk.check_file_system),)).checks
    ] == ["skipped"]
    (scene.machine / "proc/self").mkdir(parents=True)
    rows = "1 0 1:1 / / rw - ext4 /dev/a rw\n"
    (scene.machine / "proc/self/mountinfo").write_text(rows)
    assert disk.check_file_system(scene).verdict == "ok"
    home = str(Path(scene.environ["HOME"]).resolve())
    rows += f"2 1 1:2 / {PurePosixPath(home)} rw - cifs //server/home rw\n"
    (scene.machine / "proc/self/mountinfo").write_text(rows)
    found = disk.check_file_system(scene)
    assert (found.verdict, "//server/home" in found.found) == ("warning", True)


GIB = 1 << 30


@pytest.mark.parametrize(
    ("used", "free", "files", "verdict"),
    [
        (GIB, 2 * GIB, 10**6, "ok"),
        (GIB, 2 * GIB, None, "ok"),
        (GIB, GIB // 2, None, "warning"),
        (GIB, GIB // 20, None, "problem"),
        (0, 1 << 20, None, "problem"),
        (0, 2 * GIB, 10, "problem"),
    ],
)
def test_a_disk_needs_room_for_a_compaction(
    used: int, free: int, files: int | None, verdict: str
) -> None:
    assert disk.space_advice(used, free, files, "/x").verdict == verdict


# The calendar


def machine_is_in(scene: Scene, zone: str) -> None:
    (scene.machine / "etc/localtime").symlink_to(f"/usr/share/zoneinfo/{zone}")


def test_a_config_with_another_calendar_than_the_stores_is_a_problem(scene: Scene) -> None:
    assert days.check_calendar(scene).found == "a new store would have UTC's days"
    stored(scene, zone="Europe/Berlin")
    found = days.check_calendar(replace(scene))
    assert (found.verdict, "Europe/Berlin" in found.found) == ("problem", True)
    machine_is_in(scene, "Asia/Tokyo")
    automatic = replace(scene, config=Config(), look=lambda: status(None))
    assert days.check_calendar(automatic).verdict == "ok"


def test_timers_that_fire_by_another_zone_are_told(scene: Scene) -> None:
    stored(scene, zone="Europe/Berlin")
    machine_is_in(scene, "Asia/Tokyo")
    found = days.check_calendar(replace(scene, config=Config()))
    assert (found.verdict, found.todo) == ("warning", "memtool scheduler apply")
    (scene.machine / "etc/localtime").unlink()
    machine_is_in(scene, "Europe/Vienna")  # another name for the same clock
    assert days.check_calendar(replace(scene, config=Config())).verdict == "ok"


def test_old_zone_data_and_zone_data_that_moves_days_are_told(scene: Scene) -> None:
    place = scene.machine / "usr/share/zoneinfo"
    place.mkdir(parents=True)
    (place / "tzdata.zi").write_text("# version 2026a\n")
    assert days.check_zone_data(scene).found.startswith("zone data 2026a")
    (place / "tzdata.zi").write_text("# version 2020f\n")
    assert days.check_zone_data(scene).verdict == "warning"
    kept = stored(scene, zone="Europe/Berlin")
    table = codec.encode_json({"first_year": 2026, "last_year": 2026, "transitions": [[0, 0]]})
    _write(kept, lambda batch: batch.put(keys.META, b"zone", table))
    assert "moves the bounds of 1 day" in days.check_zone_data(replace(scene)).found


# What is taken in


def test_transcripts_are_found_and_can_be_read(scene: Scene) -> None:
    assert agents.check_transcripts(scene).verdict == "warning"
    path = transcript(scene, "a")
    assert agents.check_transcripts(replace(scene)).found.startswith("1 transcript below")
    if os.getuid():
        path.chmod(0)
        assert agents.check_transcripts(replace(scene)).verdict == "problem"


def test_an_ingest_is_missed_where_something_waits_for_it(scene: Scene) -> None:
    assert agents.check_ingest(scene).verdict == "skipped"
    transcript(scene, "a", age_days=0.1)
    assert (
        agents.check_ingest(replace(scene)).verdict,
        agents.check_ingest(replace(scene)).todo,
    ) == ("warning", "memtool ingest")
    ingested(scene, 3)
    assert agents.check_ingest(replace(scene)).verdict == "warning"
    ingested(scene, 0.01)
    assert agents.check_ingest(replace(scene)).verdict == "ok"


OWN, MANAGED = "home/.claude/settings.json", "machine/etc/claude-code"


@pytest.mark.parametrize(
    ("written", "days", "origin"),
    [
        ({}, 30, "its default"),
        ({OWN: 90}, 90, "settings.json"),
        ({OWN: 90, "home/.claude/settings.local.json": 20}, 20, "settings.local.json"),
        ({OWN: 9, f"{MANAGED}/managed-settings.json": 400}, 400, "managed-settings.json"),
        ({OWN: 9, f"{MANAGED}/managed-settings.d/10.json": 70}, 70, "10.json"),
        ({OWN: None}, 30, "its default"),
        ({OWN: "soon"}, 30, "its default"),
    ],
)
def test_what_is_in_force_of_claude_codes_settings(
    scene: Scene, tmp_path: Path, written: dict[str, object], days: int, origin: str
) -> None:
    for name, value in written.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"cleanupPeriodDays": value}))
    found = retention_of(scene.roots[0].path, scene.machine)
    assert found.days == days
    assert found.origin.endswith(origin)
    assert bool(found.unreadable) == ("soon" in written.values())


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"cleanupPeriodDays": true}', "[" * 99_999, "\xff"]
)
def test_no_settings_file_is_too_strange(scene: Scene, text: str) -> None:
    scene.roots[0].path.mkdir()
    (scene.roots[0].path / "settings.json").write_text(text, encoding="latin-1")
    assert retention_of(scene.roots[0].path, scene.machine).days == 30


def test_a_timer_that_takes_transcripts_in_before_they_go_is_well(scene: Scene) -> None:
    assert agents.check_retention(scene).verdict == "skipped"
    transcript(scene, "a", age_days=1)
    found = agents.check_retention(replace(scene))
    assert found.verdict == "ok"
    assert found.found == (
        "Claude Code deletes transcripts after 30 days (its default); ingest runs every 15 minutes"
    )


def test_a_transcript_that_is_about_to_go_is_a_problem(scene: Scene) -> None:
    path = transcript(scene, "old", age_days=28)
    found = agents.check_retention(scene)
    assert (found.verdict, found.todo) == ("problem", "memtool ingest")
    assert str(path) in found.found
    settings(scene, 3650)
    assert agents.check_retention(replace(scene)).verdict == "ok"


def rare() -> Status:
    return status(EVERY_15_MIN._replace(schedule=("*-*-01 03:00:00 UTC",)))


def disabled() -> Status:
    return status(EVERY_15_MIN._replace(state="disabled"))


def without_systemd() -> Status:
    return status(None)


@pytest.mark.parametrize("look", [rare, disabled, without_systemd])
def test_ingests_that_are_too_rare_are_told(scene: Scene, look: Callable[[], Status]) -> None:
    transcript(scene, "a", age_days=1)
    found = agents.check_retention(replace(scene, look=look))
    assert found.verdict == "warning"
    assert '"cleanupPeriodDays": 3650' in found.todo
    settings(scene, 3650)
    assert agents.check_retention(replace(scene, look=look)).verdict == "ok"


def test_cron_is_as_good_as_a_timer(scene: Scene) -> None:
    transcript(scene, "a", age_days=1)
    ingested(scene, 3, 2, 1, trigger="manual")
    assert agents.check_retention(replace(scene, look=without_systemd)).verdict == "ok"


def test_a_last_ingest_long_ago_is_told(scene: Scene) -> None:
    transcript(scene, "a", age_days=1)
    ingested(scene, 20)
    found = agents.check_retention(replace(scene))
    assert (found.verdict, "20 days ago" in found.found) == ("warning", True)


def test_a_retention_of_nothing_is_a_problem(scene: Scene) -> None:
    settings(scene, 0)
    assert agents.check_retention(scene).verdict == "problem"


# Timers


def test_timers_that_are_well_are_well(scene: Scene) -> None:
    found = timers.check_timers(scene)
    assert (found.verdict, "6 of 6 armed (user)" in found.found) == ("ok", True)


def test_what_is_wrong_with_timers_is_told_as_status_tells_it(scene: Scene) -> None:
    dead = replace(scene, look=lambda: status(EVERY_15_MIN._replace(state="dead")))
    assert timers.check_timers(dead).verdict == "problem"
    linger = replace(scene, look=lambda: status(lacks_linger="mira"))
    assert timers.check_timers(linger).todo == "loginctl enable-linger mira"
    both = replace(scene, look=lambda: status(elsewhere=frozenset({"ingest"})))
    assert timers.check_timers(both).verdict == "warning"
    off = replace(scene, look=lambda: status(EVERY_15_MIN._replace(state="disabled")))
    assert timers.check_timers(off).found.startswith("5 of 6 armed (user)")
    assert timers.check_timers(replace(scene, look=without_systemd)).verdict == "skipped"


def test_a_systemd_that_does_not_answer_is_a_warning(scene: Scene) -> None:
    silent = Timers("user", problem="systemd does not answer")
    found = timers.check_timers(
        replace(scene, look=lambda: status_of(History(), Look(NOW_US, silent)))
    )
    assert (found.verdict, found.found) == ("warning", "systemd does not answer")


@pytest.fixture
def systemd(tmp_path: Path) -> FakeSystemd:
    return FakeSystemd(tmp_path)


def units_of(scene: Scene, systemd: FakeSystemd, program: Path) -> Scene:
    """Return the scene with units that start this program, as systemd tells it."""
    line = f"{{ path={program} ; argv[]={program} ingest ; ignore_errors=no ; status=0/0 }}"
    systemd.shows(show_text(services={job.name: {"ExecStart": line} for job in JOBS}))
    manager = Manager("user", {**scene.environ, "PATH": str(systemd.bin)})
    return replace(
        scene,
        manager=manager,
        look=lambda: status_of(History(), Look(NOW_US, ask(manager))),
    )


def test_the_program_of_the_units_is_there_and_may_be_run(
    scene: Scene, systemd: FakeSystemd, tmp_path: Path
) -> None:
    program = tmp_path / "memtool"
    placed = units_of(scene, systemd, program)
    assert "is not there" in timers.check_program(placed).found
    program.touch(0o600)
    assert "may not be run" in timers.check_program(placed).found
    program.chmod(0o700)
    assert timers.check_program(placed).verdict == "ok"
    systemd.fails("Failed to connect to bus: No medium found")
    with pytest.raises(CannotCheckError):
        timers.check_program(replace(placed))


def test_timers_that_run_another_version_are_told(
    scene: Scene, systemd: FakeSystemd, tmp_path: Path
) -> None:
    (tmp_path / "memtool").touch(0o700)
    placed = units_of(scene, systemd, tmp_path / "memtool")
    ingested(scene, 2, version="0.0.9")
    found = timers.check_program(replace(placed))
    assert (found.verdict, "0.0.9" in found.found) == ("warning", True)
    ingested(scene, 1)
    assert timers.check_program(replace(placed)).verdict == "ok"


# Summaries


def with_settings(scene: Scene, **values: object) -> Scene:
    options = {name.replace("__", "."): value for name, value in values.items()}
    return replace(scene, config=load_config({}, [], SETTINGS, options=options))  # type: ignore[arg-type]


def test_a_summarizer_that_lacks_something_is_a_problem(scene: Scene) -> None:
    assert doctor.check_summarizer(scene).verdict == "ok"
    for lacking in ("", "no-such-program -p", "cat 'open"):
        asks = with_settings(scene, summarizer__name="command", summarizer__command=lacking)
        found = doctor.check_summarizer(asks)
        assert found.verdict == "problem"
        assert found.todo
    asks = with_settings(scene, summarizer__name="command", summarizer__command="cat")
    assert doctor.check_summarizer(asks).verdict == "ok"
