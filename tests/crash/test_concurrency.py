"""Many processes on one store: nothing is lost, nothing is there twice, readers never fail."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tests.crash import history
from tests.crash.checks import assert_sound, closed_part, event_ids
from tests.crash.crowd import Codes, commanding, counters, flushing, reading
from tests.crash.forks import Child, Forks
from tests.crash.tasks import program, programs

DAYS = ("2024-12-28", "2024-12-30", "2024-12-31", "2025-01-01", "2025-01-05")
SESSIONS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")
ALLOWED = {"ingest": {0}, "rollup": {0, 75}, "compact": {0, 75}, "toc": {0}}


def transcripts(directory: Path) -> list[Path]:
    """Write one transcript a session, each over several days."""
    for number, session in enumerate(SESSIONS):
        days = DAYS[number % 2 :: 2]
        exchanges = [history.exchange(session, day, 9 + number) for day in days]
        history.write(directory / f"{session}.jsonl", [one for pair in exchanges for one in pair])
    return sorted(directory.iterdir())


def start_crowd(forks: Forks, root: Path, files: list[Path]) -> list[Child[Codes]]:
    """Start sixteen processes: overlapping ingests, rollups of every level, compactions and readers."""
    ingests = [[("ingest", *files[n : n + 2]), ("ingest", files[-n])] for n in range(1, 6)]
    levels = ("day", "week", "month", "year", "all")
    rollups = [[("rollup", level), ("rollup", level)] for level in levels]
    work = [*ingests, *rollups, [("compact",)], [("compact",)]]
    writers = [forks.start(commanding, root, commands) for commands in work]
    return writers + [forks.start(reading, root, 12) for _ in range(4)]


def codes(crowd: Iterable[Child[Codes]]) -> list[tuple[str, int, str]]:
    """Return what was not allowed, after all have ended."""
    ended = [child.wait() for child in crowd]
    return [
        (name, code, one.errors)
        for one in ended
        for name, code in one.value
        if code not in ALLOWED[name]
    ]


def test_sixteen_processes_lose_nothing_and_do_nothing_twice(forks: Forks, tmp_path: Path) -> None:
    root = tmp_path / "memory"
    files = transcripts(tmp_path / "transcripts")
    assert forks.run(program, root, "ingest", files[0]).value == 0
    crowd = start_crowd(forks, root, files)
    assert len(crowd) == 16
    assert codes(crowd) == []
    accepted = history.ids(files)
    assert event_ids(root) == accepted
    assert_sound(root, accepted)
    assert forks.run(programs, root, ("rollup", "all")).value == [0]
    assert_sound(root, accepted)
    everything = (("ingest", *files), ("rollup", "all"))
    assert forks.run(programs, tmp_path / "rebuilt", *everything).value == [0, 0]
    assert closed_part(root) == closed_part(tmp_path / "rebuilt")


def test_many_first_ingests_at_once_make_one_store(forks: Forks, tmp_path: Path) -> None:
    root = tmp_path / "memory"
    files = transcripts(tmp_path / "transcripts")
    crowd = [forks.start(commanding, root, [("ingest", file)]) for file in files]
    assert codes(crowd) == []
    assert event_ids(root) == history.ids(files)


def test_readers_see_whole_batches_while_a_writer_flushes_without_rest(
    forks: Forks, tmp_path: Path
) -> None:
    """RocksDB reads the list of files and the log one after the other: a flush in between must not show."""
    root = tmp_path / "memory"
    files = transcripts(tmp_path / "transcripts")
    assert forks.run(program, root, "ingest", *files).value == 0
    writer = forks.start(flushing, root / "store", 12)
    last, opened = 0, 0
    while _is_alive(writer.pid):
        (seen,) = counters(root / "store")
        assert seen >= last
        last, opened = seen, opened + 1
    assert counters(root / "store") == {writer.wait().value}
    assert opened


def _is_alive(pid: int) -> bool:
    """Return whether the child runs; one that ended waits as a zombie for its server to look."""
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z" and os.path.exists(f"/proc/{pid}")  # noqa: PTH110
