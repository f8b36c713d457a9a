"""A flipped bit in any file of a store: commands tell the truth, or say what is wrong and name the way back."""

from __future__ import annotations

import gc
import json
import random
import shutil
import signal
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

from memtool.store.engine import Engine, RawBatch
from tests.crash import history
from tests.crash.forks import Forks
from tests.crash.steps import kill_this_process
from tests.crash.tasks import program, programs

Said = dict[str, tuple[int, str, str]]
EVENTS = ("events", "--json", "--limit", "10000")
READS = (("toc", "--json"), ("show", "day:2024-12-31", "--json"), EVENTS, ("verify", "--json"))
WRITES = (("rollup", "all"), ("compact",))
FOOTER_BYTES = 53
LARGEST = 4
KINDS = {  # files, and at how many places of each a bit is flipped (of the largest tables only)
    "store/*.sst": 1,
    "store/*.log": 4,
    "store/MANIFEST-*": 2,
    "store/CURRENT": 2,
    "store/OPTIONS-*": 2,
    "store/IDENTITY": 1,
    "store/rocksdict-config.json": 1,
    "FORMAT": 2,
    "ledger/ledger.sqlite3": 6,
}


def heard(root: Path, *words: str | Path) -> tuple[int, str, str]:
    """Return the exit code of a command, and what it said."""
    out, errors = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(errors):
        code = program(root, *words)
    gc.collect()  # as the end of a process: what an error still refers to would keep the database open
    return code, out.getvalue(), errors.getvalue()


def all_heard(root: Path, more: Path) -> Said:
    """Return what readers say, then jobs, then a reader again."""
    commands = (*READS, ("ingest", more), *WRITES)
    said = {str(words[0]): heard(root, *words) for words in commands}
    return {**said, "events again": heard(root, *EVENTS)}


def cut_off(root: Path, transcripts: Path) -> None:
    """Ingest, and be killed when all is acknowledged: what came last is in the log alone."""
    real = Engine.write
    written: list[Engine] = []

    def write(engine: Engine, batch: RawBatch, *, sync: bool) -> None:
        real(engine, batch, sync=sync)
        written.append(engine)

    def close(engine: Engine) -> None:
        if engine in written:
            kill_this_process()

    setattr(Engine, "write", write)  # noqa: B010
    setattr(Engine, "close", close)  # noqa: B010
    program(root, "ingest", transcripts)


@dataclass(frozen=True, slots=True)
class Sound:
    """A store, what is to come in, and what all commands say of it while it is sound."""

    root: Path
    more: Path
    said: Said

    def events(self) -> list[object]:
        """Return all events that there ever are, as they are shown."""
        return shown(self.said["events again"][1])


def shown(text: str) -> list[object]:
    found: list[object] = json.loads(text)["events"]
    return found


@pytest.fixture(scope="module")
def sound(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Sound:
    """Return a store with tables of several blocks, and with a log that holds what came last."""
    place = tmp_path_factory.mktemp("sound")
    transcripts, root = history.early(place / "transcripts"), place / "memory"
    history.write(
        transcripts / "long.jsonl",
        (
            history.line("long", f"2024-12-{10 + n // 10:02}T10:00:00Z", f"{n} " * 50, number=n)
            for n in range(80)
        ),
    )
    commands = (("ingest", transcripts), ("rollup", "all"), ("compact",))
    assert forks.run(programs, root, *commands).value == [0, 0, 0]
    ended = forks.run(cut_off, root, history.late(transcripts))
    assert ended.status == -signal.SIGKILL, ended
    more = place / "more.jsonl"
    history.write(more, history.exchange("more", "2024-12-30", 9))
    shutil.copytree(root, place / "copy")
    said = forks.run(all_heard, place / "copy", more).value
    assert {code for code, _, _ in said.values()} == {0}
    return Sound(root, more, said)


def places(file: Path, count: int, chance: random.Random) -> Iterator[int]:
    """Yield bits of a file: spread over it, and one in the footer of a table."""
    bits = file.stat().st_size * 8
    for part in range(count):
        yield chance.randrange(bits * part // count, bits * (part + 1) // count)
    if file.suffix == ".sst":
        yield chance.randrange(bits - FOOTER_BYTES * 8, bits)


def assert_true_or_told(name: str, said: tuple[int, str, str], sound: Sound) -> None:
    """Check one command: what it shows is right, or it has failed as documented and names a way back."""
    code, out, errors = said
    assert "Traceback" not in errors
    if code == 0 and name in ("events", "events again"):
        assert [one for one in shown(out) if one not in sound.events()] == []
    elif code == 1 and name == "verify":
        assert json.loads(out)["problem_count"]
    elif code:
        assert code in (74, 78), (code, errors)
        assert "memtool restore" in errors


def flipped(sound: Sound, place: Path, file: Path, bit: int) -> Path:
    """Return a copy of the store with this one bit flipped."""
    root = place / "flipped"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(sound.root, root)
    target = root / file.relative_to(sound.root)
    data = bytearray(target.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    target.write_bytes(data)
    return root


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_is_told_and_never_served(
    forks: Forks, sound: Sound, tmp_path: Path, kind: str
) -> None:
    chance = random.Random(kind)
    found = sorted(sound.root.glob(kind), key=lambda file: (-file.stat().st_size, file))
    files = [file for file in found if file.stat().st_size][:LARGEST]
    assert files
    for file in files:
        for bit in places(file, KINDS[kind], chance):
            root = flipped(sound, tmp_path, file, bit)
            ended = forks.run(all_heard, root, sound.more)
            assert ended.status == 0, (file.name, bit, ended.errors)
            for name, said in ended.value.items():
                assert_true_or_told(name, said, sound)
            seen = {name: said for name, said in ended.value.items() if said[0] == 0}
            if (
                kind == "store/*.log"
            ):  # of a log, what lies behind damage is as if it had never been written
                continue
            for name in ("toc", "show", "events"):
                if name in seen:
                    assert seen[name][1] == sound.said[name][1], (file.name, bit, name)
            if "events again" in seen:  # no compaction has dropped what it could not read
                before, after = (shown(sound.said["events"][1]), shown(seen["events again"][1]))
                assert [one for one in before if one not in after] == [], (file.name, bit)
