"""The index: derived, incremental, never in a reader's way, and without what was forgotten."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from memtool.jobs.forget import Selector
from memtool.locks import INDEX, Holder, lock_path, try_lock
from memtool.model.calendar import Calendar
from memtool.model.levels import Level
from memtool.model.records import Record
from memtool.rollup.plan import Choices
from memtool.search import index
from memtool.search.index import DIRECTORY, MANIFEST, behind, differences, is_worn, manifest_of
from memtool.search.words import terms
from tests.cli.history import ALL, LATE, NOVEMBER, STATION, remember
from tests.forgetting import compacted, forgotten, in_files
from tests.jobs.test_convergence import a_memory, last_instant
from tests.memory import Memory
from tests.search.memory import context_of, directory, excerpts, found, indexed
from tests.strategies import calendars, histories

NOW_US = 1_800_000_000_000_000
LED = "The LED draws 4 mA all the time"


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return remember(tmp_path / "memory")


@settings(
    max_examples=max(6, settings().max_examples // 20),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(calendars, histories(max_size=12), st.data())
def test_an_index_brought_up_in_any_steps_holds_what_the_store_holds(
    calendar: Calendar, history: list[Record], data: st.DataObject
) -> None:
    now_us = last_instant(history)
    waiting = data.draw(st.permutations(history))
    with a_memory(calendar) as memory:
        while waiting:
            size = data.draw(st.integers(1, len(waiting)))
            batch, waiting = waiting[:size], waiting[size:]
            memory.take_in(batch)
            if data.draw(st.booleans()):
                memory.roll_up(Level.DAY, now_us, choices=Choices(include_open=True))
            if data.draw(st.booleans()):
                indexed(memory)
        indexed(memory)
        assert indexed(memory).days == 0


def test_a_job_keeps_it_and_only_changed_days_are_read_again(memory: Memory) -> None:
    indexed(memory)
    late = replace(LATE[0], id=LATE[0].id[:-4] + "0009", text="The quartz was out of tune")
    memory.take_in([late])
    assert excerpts(memory, "quartz") == [late.text]  # before any job has indexed it
    report = indexed(memory)
    assert (report.days, report.is_rebuilt) == (1, False)
    assert excerpts(memory, "quartz tune")[0] == late.text


def test_a_node_is_found_by_its_level_and_replaced_with_its_day(memory: Memory) -> None:
    indexed(memory)
    hits = found(memory, "battery", levels=("day", "week")).hits
    assert {hit.level for hit in hits} <= {"day", "week"}
    assert hits


def test_it_is_rebuilt_where_it_is_deleted(memory: Memory) -> None:
    indexed(memory)
    before = found(memory, "why do customers pay twice")
    shutil.rmtree(memory.root / DIRECTORY)
    without = found(memory, "why do customers pay twice")
    assert [hit.id for hit in without.hits][:3] == [hit.id for hit in before.hits][:3]
    assert "no search index" in without.lacks[0]
    indexed(memory)
    after = found(memory, "why do customers pay twice")
    assert [hit.id for hit in after.hits] == [hit.id for hit in before.hits]


@pytest.mark.parametrize("how", ["cut", "emptied", "removed", "flipped"])
def test_damage_of_any_file_ends_no_search_and_the_next_job_repairs_it(
    memory: Memory, how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    indexed(memory)
    files = [
        MANIFEST,
        *(f"{directory(memory).name}/{one.name}" for one in directory(memory).iterdir()),
    ]
    kept = memory.root / "kept"
    shutil.copytree(memory.root / DIRECTORY, kept)
    for name in files:
        shutil.rmtree(memory.root / DIRECTORY)
        shutil.copytree(kept, memory.root / DIRECTORY)
        damage(memory.root / DIRECTORY / name, how)
        answer = found(memory, "LED battery")
        assert how == "flipped" or answer.hits, name
        assert capfd.readouterr().err == ""
    indexed(memory, rebuild=True)
    assert LED in excerpts(memory, "LED draws")


def damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "removed":
        path.unlink()
    elif how == "flipped":
        path.write_bytes(bytes(byte ^ 0xFF for byte in data))
    else:
        path.write_bytes(data[: len(data) // 2] if how == "cut" else b"")


def test_another_version_another_store_and_one_that_is_ahead_are_not_used(memory: Memory) -> None:
    indexed(memory)
    path = memory.root / DIRECTORY / MANIFEST
    text = path.read_text()
    with memory.access.reading() as store:
        for old, new in (
            ('"format":2', '"format":9'),
            ('"words":1', '"words":0'),
            ('"store":"', '"store":"0'),
        ):
            path.write_text(text.replace(old, new))
            assert behind(manifest_of(memory.root), memory.access, store) is None
        path.write_text(text.replace('"sequence":', '"sequence":9'))
        assert behind(manifest_of(memory.root), memory.access, store) is None
    assert LED in excerpts(memory, "LED draws")


def test_one_that_another_process_keeps_is_left_to_it(memory: Memory) -> None:
    lock = try_lock(lock_path(memory.root, INDEX), Holder(os.getpid(), "other", 0))
    assert lock is not None
    with lock:
        assert index.update(context_of(memory), rebuild=True).is_busy
        assert LED in excerpts(memory, "LED draws")
    assert indexed(memory, rebuild=True).is_rebuilt


def test_a_job_that_is_stopped_leaves_the_index_as_it_was(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed(memory)
    before = manifest_of(memory.root)
    memory.take_in(
        [replace(one, text=f"{one.text} again", digest="0" * 32, revision=1) for one in ALL]
    )

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    for name in ("add", "_write_manifest"):
        with monkeypatch.context() as patch:
            patch.setattr(index, name, killed)
            with pytest.raises(Killed):
                index.update(context_of(memory))
        assert manifest_of(memory.root) == before
        assert f"{LED} again" in excerpts(memory, "LED draws")
    indexed(memory)
    assert f"{LED} again" in excerpts(memory, "LED draws")


def test_what_a_killed_job_left_is_swept(memory: Memory) -> None:
    indexed(memory)
    left = memory.root / DIRECTORY / "0123456789ab"
    left.mkdir()
    (left / "x").touch()
    indexed(memory, rebuild=True)
    assert not left.exists()
    assert len(list((memory.root / DIRECTORY).iterdir())) == 2


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_it_is_read_where_nothing_may_be_written(memory: Memory) -> None:
    indexed(memory)
    directory(memory).chmod(0o500)
    try:
        assert LED in excerpts(memory, "LED draws")
        assert found(memory, "LED draws").lacks == ()
    finally:
        directory(memory).chmod(0o700)


def test_it_is_read_through_links_where_no_lock_file_can_be_made(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed(memory)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert found(memory, "LED draws").lacks == ()
    assert LED in excerpts(memory, "LED draws")


def test_nothing_forgotten_is_left_in_any_file_of_it(memory: Memory) -> None:
    needle = "xylophonequartett"
    secret = replace(
        NOVEMBER[0], id=NOVEMBER[0].id[:-4] + "0009", text=f"The {needle} plays", claims=(STATION,)
    )
    memory.take_in([secret])
    indexed(memory)
    before = directory(memory)
    assert documents_with(memory, needle) == 1
    forgotten(memory, NOW_US, Selector(match=needle))
    with memory.access.reading() as store:
        assert manifest_of(memory.root) is not None
        assert behind(manifest_of(memory.root), memory.access, store) == {}
        assert list(differences(memory.root, store)) == []
    assert not before.exists()
    assert documents_with(memory, needle) == 0
    assert in_files(memory.root / DIRECTORY, [needle.encode()]) == {}
    assert needle not in " ".join(excerpts(memory, needle))


def documents_with(memory: Memory, term: str) -> int:
    manifest = manifest_of(memory.root)
    assert manifest is not None
    with index.reading(memory.root, manifest) as searcher:
        return searcher.doc_freq("prose", next(terms(term)))


def test_forgetting_removes_the_index_of_a_process_that_does_not_end(memory: Memory) -> None:
    indexed(memory)
    lock = try_lock(lock_path(memory.root, INDEX), Holder(os.getpid(), "other", 0))
    assert lock is not None
    with lock:
        index.remove(context_of(memory, lock_wait_s=0))
    assert not (memory.root / DIRECTORY).exists()


def test_compaction_makes_a_worn_index_again(memory: Memory) -> None:
    indexed(memory, rebuild=True)
    assert not is_worn(memory.root)
    for number in range(1, 4):
        memory.take_in(
            [
                replace(one, text=f"{number}", digest=f"{number:032x}", revision=number)
                for one in ALL
            ]
        )
        index.update(context_of(memory))
    assert is_worn(memory.root)
    before = directory(memory)
    compacted(memory, NOW_US)
    assert directory(memory) != before
    assert not is_worn(memory.root)
    indexed(memory)


def test_verify_names_what_differs(memory: Memory) -> None:
    indexed(memory)
    manifest = manifest_of(memory.root)
    assert manifest is not None
    memory.take_in([replace(LATE[0], text="changed", digest="1" * 32, revision=3)])
    with memory.access.reading() as store:
        index._write_manifest(memory.root, store, manifest.name, manifest.documents)
        wrong = list(differences(memory.root, store))
    assert wrong == [f"{LATE[0].id} differs"]
