"""Stores of older formats: read as they are, migrated once by the first writer, and whole whenever that is killed."""

from __future__ import annotations

import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from memtool.errors import ConfigError
from memtool.model.levels import Level
from memtool.store import access, keys
from memtool.store.access import (
    FORMAT,
    MIGRATIONS,
    OLDEST,
    Access,
    migrate,
    recorded_format,
    write_format,
)
from memtool.store.engine import Engine
from tests.crash import history
from tests.crash.checks import closed_part, event_ids, everything, problems, stale
from tests.crash.forks import Forks
from tests.crash.tasks import killed, program
from tests.memory import UTC_CALENDAR, Memory

FIXTURES = Path(__file__).with_name("fixtures")
MAX_STEPS = 100


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    server = Forks(tmp_path_factory.mktemp("forks"))
    yield server
    server.close()


def unpacked(place: Path, name: str = "store-1") -> Path:
    """Return a store as the code of its time left it."""
    with tarfile.open(FIXTURES / f"{name}.tar.xz") as archive:
        # The name that Python 3.11.4 brought: with an older one all is unpacked as it stands.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(place)
    return place / name


def open_once(root: Path) -> None:
    Access(root).open_for_writing(None).close()


def test_every_format_has_a_step_that_leads_to_it() -> None:
    assert list(MIGRATIONS) == list(range(OLDEST + 1, FORMAT + 1))


def test_an_older_store_is_read_as_it_is(tmp_path: Path) -> None:
    root = unpacked(tmp_path)
    assert recorded_format(root) == 1
    assert problems(root) == []
    memory = Memory(root)
    counts = [len(memory.nodes(level)) for level in Level]
    assert counts == [5, 3, 2, 2, 2]
    assert len(event_ids(root)) == 14
    assert recorded_format(root) == 1


def memory_of(root: Path) -> dict[str, dict[bytes, bytes]]:
    """Return all rows but marks and their number, which the step to format 4 sets."""
    return {
        name: rows for name, rows in everything(root).items() if name not in {keys.MARKS, keys.META}
    }


def test_the_first_writer_migrates_it_once_and_the_memory_stays(tmp_path: Path) -> None:
    root = unpacked(tmp_path)
    before = memory_of(root)
    open_once(root)
    assert recorded_format(root) == FORMAT
    assert memory_of(root) == before
    days = {period for period in stale(root) if period.startswith("day:")}
    assert len(days) == 3
    file = (root / "FORMAT").stat()
    open_once(root)
    assert (root / "FORMAT").stat() == file


def test_what_waited_in_it_is_rolled_up_as_in_a_new_store(forks: Forks, tmp_path: Path) -> None:
    root = unpacked(tmp_path)
    assert stale(root)
    assert forks.run(program, root, "rollup", "all").value == 0
    assert (stale(root), problems(root)) == (set(), [])
    transcripts = history.late(history.early(tmp_path / "transcripts"))
    for words in (("ingest", transcripts), ("rollup", "all")):
        assert forks.run(program, tmp_path / "new", *words).value == 0
    assert closed_part(root) == closed_part(tmp_path / "new")


def test_a_migration_killed_at_every_step_is_whole_and_goes_on(
    forks: Forks, tmp_path: Path
) -> None:
    expected = memory_of(unpacked(tmp_path / "undisturbed"))
    formats = set()
    for step in range(MAX_STEPS):
        root = unpacked(tmp_path / str(step))
        acknowledged = str(tmp_path / "acknowledged")
        ended = forks.run(killed, root, ("compact",), step, acknowledged)
        formats.add(recorded_format(root))
        assert memory_of(root) == expected
        if recorded_format(root) == FORMAT:
            break
        assert ended.status == -signal.SIGKILL
        open_once(root)
        assert recorded_format(root) == FORMAT
        assert memory_of(root) == expected
    assert formats == set(range(OLDEST, FORMAT + 1))


def test_a_store_without_its_format_file_gets_one_back(tmp_path: Path) -> None:
    root = unpacked(tmp_path)
    (root / "FORMAT").unlink()
    open_once(root)
    assert recorded_format(root) == FORMAT


def test_each_step_is_on_the_disk_before_the_number_that_says_so(tmp_path: Path) -> None:
    """Steps of formats to come, killed between any two and run again."""
    root = unpacked(tmp_path)
    engine = Access(root).open_for_writing(None).engine
    steps = {number: a_step(number) for number in (2, 3, 4)}
    recorded: list[int] = []

    def record(number: int) -> None:
        assert engine.get(keys.META, b"step%d" % number) == b"done"
        recorded.append(number)

    migrate(engine, 2, record, steps)
    assert recorded == [3, 4]
    assert engine.get(keys.META, b"step2") is None
    migrate(engine, 3, record, steps)
    assert recorded == [3, 4, 4]
    migrate(engine, 4, record, steps)
    assert recorded == [3, 4, 4]
    engine.close()


def a_step(number: int) -> access.Step:
    def step(engine: Engine) -> None:
        batch = engine.batch()
        batch.put(keys.META, b"step%d" % number, b"done")
        engine.write(batch, sync=False)

    return step


def test_a_step_that_fails_leaves_the_older_number_and_the_store_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = unpacked(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "sync", full)
        with pytest.raises(OSError, match="No space"):
            open_once(root)
    assert recorded_format(root) == 1
    open_once(root)
    assert recorded_format(root) == FORMAT


def test_a_newer_store_is_refused_by_readers_and_writers(tmp_path: Path) -> None:
    root = unpacked(tmp_path)
    write_format(root, FORMAT + 1)
    for act in (lambda: open_once(root), lambda: everything(root)):
        with pytest.raises(ConfigError, match=f"has format {FORMAT + 1}"):
            act()


def test_a_new_store_has_the_newest_format(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    Access(tmp_path / "memory").open_for_writing(UTC_CALENDAR).close()
    assert recorded_format(tmp_path / "memory") == FORMAT
