"""A damaged or foreign store gets its documented exit code, one line and a hint; not a byte of it is overwritten."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash import history
from tests.crash.checks import everything
from tests.crash.forks import Ended, Forks
from tests.crash.tasks import program, programs

GARBAGE = b"This was a disk once. \x00\xff" * 20
COMMANDS = (("ingest",), ("rollup", "all"), ("compact",), ("toc",), ("verify",))
# What RocksDB and rocksdict write at every opening, whatever they find: messages, options, the lock.
OWN = ("LOG", "LOCK", "OPTIONS-", "rocksdict-config.json")


def names_of(root: Path, pattern: str) -> list[Path]:
    found = sorted((root / "store").glob(pattern))
    assert found, pattern
    return found


def no_current(root: Path) -> None:
    (root / "store" / "CURRENT").unlink()


def empty_current(root: Path) -> None:
    (root / "store" / "CURRENT").write_bytes(b"")


def overwrite(pattern: str) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        for file in names_of(root, pattern):
            file.write_bytes(GARBAGE)

    return damage


def shorten(pattern: str) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        for file in names_of(root, pattern):
            file.write_bytes(file.read_bytes()[:-20])

    return damage


def vanish(pattern: str) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        for file in names_of(root, pattern):
            file.unlink()

    return damage


def write_format(text: bytes) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        (root / "FORMAT").write_bytes(text)

    return damage


def directory_as_format(root: Path) -> None:
    (root / "FORMAT").unlink()
    (root / "FORMAT").mkdir()


def file_as_store(root: Path) -> None:
    shutil.rmtree(root / "store")
    (root / "store").write_bytes(GARBAGE)


def directory_as_current(root: Path) -> None:
    (root / "store" / "CURRENT").unlink()
    (root / "store" / "CURRENT").mkdir()


DAMAGES: dict[str, tuple[Callable[[Path], None], int, str]] = {
    "no CURRENT": (no_current, 74, "damaged"),
    "CURRENT is garbage": (overwrite("CURRENT"), 74, "damaged"),
    "CURRENT is empty": (empty_current, 74, "damaged"),
    "CURRENT is a directory": (directory_as_current, 74, ""),
    "the manifest is garbage": (overwrite("MANIFEST-*"), 74, "damaged"),
    "the manifest is gone": (vanish("MANIFEST-*"), 74, "damaged"),
    "tables are garbage": (overwrite("*.sst"), 74, "damaged"),
    "tables are cut short": (shorten("*.sst"), 74, "damaged"),
    "tables are gone": (vanish("*.sst"), 74, "damaged"),
    "a newer format": (write_format(b"memtool store\nformat 27\n"), 78, "format 27"),
    "FORMAT is garbage": (write_format(GARBAGE), 74, "not the format file"),
    "FORMAT is empty": (write_format(b""), 74, "not the format file"),
    "FORMAT is a directory": (directory_as_format, 74, "FORMAT"),
    "a file in the store's place": (file_as_store, 74, "not a directory"),
}


@pytest.fixture(scope="module")
def sound(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a store with all there is in it, and its transcripts."""
    place = tmp_path_factory.mktemp("sound")
    transcripts = history.early(place / "transcripts")
    commands = (("ingest", transcripts), ("rollup", "all"), ("compact",))
    assert forks.run(programs, place / "memory", *commands).value == [0, 0, 0]
    return place / "memory", transcripts


def contents(root: Path) -> dict[str, bytes]:
    """Return all files of the store by name, without what is written whatever is found."""
    files = [
        file for part in ("store", "FORMAT") for file in [root / part, *(root / part).rglob("*")]
    ]
    return {
        str(file.relative_to(root)): file.read_bytes()
        for file in files
        if file.is_file() and not file.name.startswith(OWN)
    }


def assert_error(ended: Ended[int], code: int, words: str) -> None:
    """Check the exit code, and that a line with these words and a hint is all that was said."""
    assert ended.value == code, (ended.output, ended.errors)
    said = ended.errors.splitlines()
    assert [line.split(":")[0] for line in said] == ["memtool", "hint"], ended.errors
    assert words in said[0]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named_and_left_as_it_is(
    forks: Forks, sound: tuple[Path, Path], tmp_path: Path, name: str, command: tuple[str, ...]
) -> None:
    source, transcripts = sound
    root = tmp_path / "memory"
    shutil.copytree(source, root)
    damage, code, words = DAMAGES[name]
    damage(root)
    before = contents(root)
    given = (*command, transcripts) if command == ("ingest",) else command
    assert_error(forks.run(program, root, *given), code, words)
    assert contents(root) == before


def test_a_torn_file_of_the_library_is_no_damage(
    forks: Forks, sound: tuple[Path, Path], tmp_path: Path
) -> None:
    """It is written at every opening and never synced; what it holds, we state at every opening."""
    source, transcripts = sound
    root = tmp_path / "memory"
    shutil.copytree(source, root)
    for text in (b"", GARBAGE):
        (root / "store" / "rocksdict-config.json").write_bytes(text)
        assert everything(root) == everything(source)
        assert forks.run(program, root, "ingest", transcripts).value == 0
