"""A backup is the store of one moment, whole and proven; restoring it puts all of it in place, or nothing."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from memtool.context import Limits
from memtool.errors import StorageError
from memtool.jobs.backup import (
    MANIFEST,
    Report,
    backup,
    copy_file,
    read_manifest,
    write_manifest,
)
from memtool.jobs.restore import Report as RestoreReport
from memtool.jobs.restore import restore
from memtool.jobs.runner import Outcome, run_job
from memtool.ledger.reading import look
from memtool.locks import Holder, job_lock_path, try_lock
from memtool.store import access as access_module
from memtool.store import keys
from memtool.store.access import OLDEST
from memtool.store.engine import open_writer
from memtool.store.store import Store
from memtool.systemd.jobs import runnable_named
from tests.cli.history import NOW_US, remember
from tests.crash import history
from tests.crash.checks import everything
from tests.crash.events import an_event
from tests.crash.tasks import ENVIRON, program
from tests.memory import Memory

NO_WAIT = Limits(lock_wait_s=0)


def backed_up(root: Path, directory: Path, *, verifies: bool = True) -> tuple[Outcome, Report]:
    report = Report()
    outcome = run_job(
        runnable_named("backup"),
        lambda context: backup(context, directory, report, verifies=verifies),
        root=root,
        clock=lambda: NOW_US,
    )
    return outcome, report


def place_of(root: Path, directory: Path) -> Path:
    outcome, report = backed_up(root, directory)
    assert outcome.error is None
    assert report.place is not None
    return report.place


def restored(
    root: Path,
    place: Path,
    *,
    replaces: bool = False,
    verifies: bool = True,
    limits: Limits = NO_WAIT,
) -> tuple[Outcome, RestoreReport]:
    report = RestoreReport()
    outcome = run_job(
        runnable_named("restore"),
        lambda context: restore(context, place, report, replaces=replaces, verifies=verifies),
        root=root,
        limits=limits,
        clock=lambda: NOW_US,
    )
    return outcome, report


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a store with all that a store can have, and a backup of it; nobody writes to either."""
    place = tmp_path_factory.mktemp("origin")
    root = remember(place / "memory").root
    return root, place_of(root, place / "backups")


@pytest.fixture
def copy(origin: tuple[Path, Path], tmp_path: Path) -> Path:
    """Return a copy of the backup, to be damaged."""
    return Path(shutil.copytree(origin[1], tmp_path / "copy"))


def test_a_backup_restored_elsewhere_is_the_same_store(
    origin: tuple[Path, Path], tmp_path: Path
) -> None:
    root, place = origin
    outcome, report = restored(tmp_path / "new", place)
    assert outcome.error is None
    assert report.verified is True
    assert everything(tmp_path / "new") == everything(root)


def test_a_backup_that_nobody_walked_is_walked_before_it_is_restored(
    origin: tuple[Path, Path], tmp_path: Path
) -> None:
    _, made = backed_up(origin[0], tmp_path / "backups", verifies=False)
    assert made.place is not None
    assert made.manifest is not None
    proven = read_manifest(origin[1])
    assert (made.manifest.events, made.manifest.nodes) == (proven.events, proven.nodes)
    assert restored(tmp_path / "new", made.place)[1].verified is True
    assert restored(tmp_path / "unseen", made.place, verifies=False)[1].verified is None


def test_a_backup_says_what_it_is_and_reads_like_a_store(origin: tuple[Path, Path]) -> None:
    root, place = origin
    manifest = read_manifest(place)
    rows = everything(root)
    assert (manifest.events, manifest.nodes) == (
        len(rows[keys.EVENTS]),
        len(rows[keys.NODES]),
    )
    assert manifest.verified is True
    assert everything(place) == rows
    listed = {entry.path for entry in manifest.files} | {MANIFEST}
    assert listed == {str(file.relative_to(place)) for file in place.rglob("*") if file.is_file()}


def test_it_holds_neither_locks_nor_pauses_and_is_the_users_alone(
    origin: tuple[Path, Path], tmp_path: Path
) -> None:
    root = tmp_path / "memory"
    shutil.copytree(origin[0], root)
    (root / "pause").mkdir()
    (root / "pause" / "all").touch()
    place = place_of(root, tmp_path / "deep" / "backups")
    assert {file.name for file in place.iterdir()} == {"FORMAT", "ledger", "store", MANIFEST}
    modes = {stat.S_IMODE(file.stat().st_mode) for file in (place, *place.rglob("*"))}
    assert modes == {0o600, 0o700}
    assert list(place.parent.iterdir()) == [place]
    assert {file.name for file in root.iterdir()} == {
        "FORMAT",
        "index",
        "ledger",
        "locks",
        "pause",
        "store",
    }


def test_no_file_of_a_backup_shares_its_blocks_with_the_store(origin: tuple[Path, Path]) -> None:
    """Else a bad block would be bad in both."""
    assert {file.stat().st_nlink for file in origin[1].rglob("*") if file.is_file()} == {1}


def test_nothing_is_ever_overwritten(origin: tuple[Path, Path], tmp_path: Path) -> None:
    """Two in the same second."""
    first, second = (place_of(origin[0], tmp_path) for _ in range(2))
    assert first != second
    assert read_manifest(first).store == read_manifest(second).store


def test_what_a_killed_backup_left_is_removed_when_it_is_old(
    origin: tuple[Path, Path], tmp_path: Path
) -> None:
    name = read_manifest(origin[1]).store[:8]
    old, new, other = (
        tmp_path / f".memtool-{word}.partial" for word in (f"{name}-1", f"{name}-2", "other-1")
    )
    for directory in (old, new, other):
        directory.mkdir()
    second = NOW_US // 1_000_000
    os.utime(old, (second - 25 * 3600,) * 2)
    os.utime(new, (second,) * 2)
    place_of(origin[0], tmp_path)
    assert [directory.exists() for directory in (old, new, other)] == [False, True, True]


def test_within_the_store_is_no_place_for_its_backup(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory")
    memory.take_in([an_event(1)])
    (tmp_path / "link").symlink_to(memory.root)
    for place in (memory.root, memory.root / "store" / "x", tmp_path / "link" / "y"):
        outcome, _ = backed_up(memory.root, place)
        assert outcome.exit_code == 2
    outcome, _ = backed_up(tmp_path / "nothing", tmp_path / "backups")
    assert outcome.exit_code == 2
    assert not (tmp_path / "backups").exists()


def unprove(root: Path) -> None:
    """Let a node claim what no event says."""
    memory = Memory(root)
    store = Store(open_writer(memory.access.path))
    batch = store.engine.batch()
    key = next(key for key, _ in store.engine.scan(keys.GRIPS))
    batch.delete(keys.GRIPS, key)
    store.engine.write(batch, sync=True)
    store.close()


def test_a_backup_of_a_store_that_is_not_healthy_is_made_and_says_so(
    origin: tuple[Path, Path], tmp_path: Path
) -> None:
    root = tmp_path / "memory"
    shutil.copytree(origin[0], root)
    unprove(root)
    outcome, report = backed_up(root, tmp_path / "backups")
    assert outcome.exit_code == 1
    assert outcome.error is not None
    assert "not healthy" in outcome.error.message
    assert report.place is not None
    assert read_manifest(report.place).verified is False
    assert restored(tmp_path / "new", report.place)[0].exit_code == 1
    assert not (tmp_path / "new" / "store").exists()
    outcome, found = restored(tmp_path / "new", report.place, verifies=False)
    assert (outcome.exit_code, found.verified) == (0, False)
    unlooked, made = backed_up(root, tmp_path / "backups", verifies=False)
    assert unlooked.exit_code == 0
    assert made.manifest is not None
    assert made.manifest.verified is None
    outcome, _ = restored(tmp_path / "newer", made.place or root)
    assert outcome.exit_code == 1
    assert outcome.error is not None
    assert "the backup is not healthy" in outcome.error.message


def flip(file: Path, bit: int) -> None:
    data = bytearray(file.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    file.write_bytes(data)


def test_a_flipped_bit_in_any_file_is_named_and_nothing_is_restored(
    origin: tuple[Path, Path], copy: Path, tmp_path: Path
) -> None:
    memory = Memory(tmp_path / "memory")
    memory.take_in([an_event(1)])
    before = everything(memory.root)
    for entry in read_manifest(origin[1]).files:
        if not entry.size_bytes:
            continue
        flip(copy / entry.path, entry.size_bytes * 4)
        outcome, report = restored(memory.root, copy, replaces=True)
        flip(copy / entry.path, entry.size_bytes * 4)
        assert outcome.exit_code == 74
        assert outcome.error is not None
        assert f"{entry.path} is damaged" in outcome.error.message
        assert report.manifest is None
        assert everything(memory.root) == before
    assert {file.name for file in memory.root.iterdir()} == {"FORMAT", "ledger", "locks", "store"}


def test_every_flipped_bit_of_the_manifest_is_seen(copy: Path, tmp_path: Path) -> None:
    file = copy / MANIFEST
    sound = file.read_bytes()
    for bit in range(0, len(sound) * 8, 101):
        flip(file, bit)
        with pytest.raises(StorageError, match=r"manifest\.json is damaged"):
            read_manifest(copy)
        file.write_bytes(sound)
    flip(file, 1000)
    assert restored(tmp_path / "new", copy)[0].exit_code == 74


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize(("damage", "words"), [(Path.unlink, "is missing"), (cut, "is damaged")])
def test_all_files_that_are_missing_or_cut_short_are_named(
    copy: Path, tmp_path: Path, damage: Callable[[Path], None], words: str
) -> None:
    entries = [entry for entry in read_manifest(copy).files if entry.size_bytes][-3:]
    for entry in entries:
        damage(copy / entry.path)
    outcome, _ = restored(tmp_path / "new", copy)
    assert outcome.exit_code == 74
    assert outcome.error is not None
    assert all(f"{entry.path} {words}" in outcome.error.message for entry in entries)
    assert not (tmp_path / "new" / "store").exists()


def test_what_is_no_backup_is_refused(tmp_path: Path, copy: Path) -> None:
    assert restored(tmp_path / "new", tmp_path)[0].exit_code == 65
    (copy / MANIFEST).unlink()
    assert restored(tmp_path / "new", copy)[0].exit_code == 65


@pytest.mark.parametrize(
    "path", ["../outside", "/etc/outside", "store/../../x", "locks/x", ".", ""]
)
def test_a_manifest_leads_nowhere_else(copy: Path, tmp_path: Path, path: str) -> None:
    manifest = read_manifest(copy)
    first, *rest = manifest.files
    write_manifest(copy, replace(manifest, files=(replace(first, path=path), *rest)))
    assert restored(tmp_path / "new", copy)[0].exit_code == 65


def test_a_newer_format_is_refused_and_nothing_is_touched(copy: Path, tmp_path: Path) -> None:
    manifest = read_manifest(copy)
    write_manifest(copy, replace(manifest, format=access_module.FORMAT + 1))
    outcome, _ = restored(tmp_path / "new", copy)
    assert outcome.exit_code == 78
    assert not (tmp_path / "new" / "store").exists()


def test_an_older_format_takes_the_place_of_a_newer_one_and_is_migrated_by_the_next_writer(
    copy: Path, tmp_path: Path
) -> None:
    memory = Memory(tmp_path / "memory")
    memory.take_in([an_event(1)])
    manifest = read_manifest(copy)
    access_module.write_format(copy, OLDEST)
    format_file = copy_file(copy, tmp_path / "again", "FORMAT")
    files = [format_file if one.path == "FORMAT" else one for one in manifest.files]
    write_manifest(copy, replace(manifest, format=OLDEST, files=tuple(files)))
    outcome, report = restored(memory.root, copy, replaces=True)
    assert outcome.error is None
    assert report.aside is not None
    assert access_module.recorded_format(report.aside) == access_module.FORMAT
    assert access_module.recorded_format(memory.root) == OLDEST
    assert memory.take_in([an_event(2)]).new == 1
    assert access_module.recorded_format(memory.root) == access_module.FORMAT


def test_a_store_in_the_place_is_only_replaced_when_asked_and_kept(
    origin: tuple[Path, Path], tmp_path: Path
) -> None:
    root, place = origin
    memory = Memory(tmp_path / "memory")
    memory.take_in([an_event(1)])
    before = everything(memory.root)
    assert restored(memory.root, place)[0].exit_code == 2
    assert everything(memory.root) == before
    outcome, report = restored(memory.root, place, replaces=True)
    assert outcome.exit_code == 0
    assert report.aside is not None
    assert everything(memory.root) == everything(root)
    assert everything(report.aside) == before
    assert [run.job for run in look(memory.root).runs] == ["ingest", "restore", "restore"]


def test_where_names_cannot_be_exchanged_it_is_restored_all_the_same(
    origin: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memtool.jobs.restore.exchange", lambda *_: False)
    memory = Memory(tmp_path / "memory")
    memory.take_in([an_event(1)])
    before = everything(memory.root)
    _, report = restored(memory.root, origin[1], replaces=True)
    assert report.aside is not None
    assert everything(report.aside) == before
    assert everything(memory.root) == everything(origin[0])
    assert {file.name for file in report.aside.iterdir()} == {"FORMAT", "store"}


@pytest.mark.parametrize("job", ["ingest", "year-rollup", "rebuild"])
def test_no_store_is_replaced_under_a_job_that_runs(
    origin: tuple[Path, Path], tmp_path: Path, job: str
) -> None:
    """An ingest that has looked at the old store would go on where the new one is not yet."""
    memory = Memory(tmp_path / "memory")
    memory.take_in([an_event(1)])
    before = everything(memory.root)
    held = try_lock(job_lock_path(memory.root, job), Holder(1, job, 0))
    assert held is not None
    with held:
        assert restored(memory.root, origin[1], replaces=True)[0].exit_code == 69
        assert everything(memory.root) == before
    assert restored(memory.root, origin[1], replaces=True)[0].exit_code == 0


def test_a_new_machine_has_the_ledger_too_and_nothing_died(
    origin: tuple[Path, Path], tmp_path: Path
) -> None:
    """The backup itself was running when the ledger was copied."""
    root, place = origin
    new = tmp_path / "new"
    restored(new, place)
    *before, last = look(new).runs
    assert before == list(look(root).runs[: len(before)])
    assert before
    assert look(root).runs[len(before)].job == "backup"
    assert (last.job, last.result) == ("restore", "done")
    assert look(new).damaged_lines == 0


def test_after_an_older_backup_the_next_ingest_reads_what_is_newer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    root, transcripts = tmp_path / "memory", history.early(tmp_path / "transcripts")
    assert program(root, "ingest", transcripts) == 0
    place = place_of(root, tmp_path / "backups")
    history.late(transcripts)
    assert program(root, "ingest", transcripts) == 0
    newest = everything(root)
    restored(root, place, replaces=True)
    assert everything(root) != newest
    assert program(root, "ingest", transcripts) == 0
    for family in (keys.EVENTS, keys.IDS, keys.SOURCES, keys.SESSIONS):
        assert everything(root)[family] == newest[family]


def test_the_writer_is_held_for_a_moment_only(
    origin: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While files are copied, however slowly, any job can write."""
    root = tmp_path / "memory"
    shutil.copytree(origin[0], root)
    real = backup.__globals__["copy_file"]
    taken: list[int] = []

    def slowly(source: Path, target: Path, path: str) -> object:
        if target.name.endswith(".partial") and not taken:
            taken.append(Memory(root).take_in([an_event(1)]).new)
        return real(source, target, path)

    monkeypatch.setattr("memtool.jobs.backup.copy_file", slowly)
    before = everything(root)
    place = place_of(root, tmp_path / "backups")
    assert taken == [1]
    assert everything(place) == before
    assert json.loads((place / MANIFEST).read_text())["events"] == len(before[keys.EVENTS])
