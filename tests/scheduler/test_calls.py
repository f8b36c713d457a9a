"""The account of calls: every call is on record, a torn line costs only itself, and the file stays small."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.base.errors import StorageError
from memtool.base.lock import LEDGER, Holder, is_free, lock_path
from memtool.scheduler import calls as module
from memtool.scheduler.calls import (
    CallRecord,
    Spent,
    calls_path,
    read_calls,
    record_call,
    spent,
)

ME = Holder(os.getpid(), "test", 0, "me")
CALL = CallRecord(
    time_us=1_000_000,
    run="r1",
    node="day:2026-11-22",
    summarizer="openai",
    model="a-model",
    duration_ms=1500,
    input_tokens=700,
    output_tokens=40,
    result="ok",
)

texts = st.text(st.characters(codec="utf-8"), max_size=30)
counts = st.integers(0, 1 << 40)
records = st.builds(CallRecord, counts, *[texts] * 4, *[counts] * 3, texts)


def record(root: Path, *records: CallRecord) -> None:
    for one in records:
        record_call(root, one, ME)


def line(call: CallRecord) -> bytes:
    return json.dumps({"type": "call", **asdict(call)}).encode() + b"\n"


def test_a_call_is_read_back_as_it_was_recorded(tmp_path: Path) -> None:
    other = replace(CALL, time_us=2_000_000, result="ä \u2028 \U0001f642 cut off")
    record(tmp_path, CALL, other)
    assert read_calls(tmp_path) == [CALL, other]
    lines = calls_path(tmp_path).read_bytes().splitlines()
    assert [json.loads(one)["type"] for one in lines] == ["call", "call"]


def test_a_store_without_calls_has_none_and_gets_no_file(tmp_path: Path) -> None:
    assert read_calls(tmp_path / "none") == []
    assert list(tmp_path.iterdir()) == []


def test_the_account_is_private_and_stands_beside_the_ledger(tmp_path: Path) -> None:
    record(tmp_path, CALL)
    assert calls_path(tmp_path) == tmp_path / "ledger" / "calls.jsonl"
    assert calls_path(tmp_path).stat().st_mode & 0o777 == 0o600
    assert calls_path(tmp_path).parent.stat().st_mode & 0o777 == 0o700


def test_the_lock_is_let_go_after_each_call(tmp_path: Path) -> None:
    record(tmp_path, CALL)
    assert is_free(lock_path(tmp_path, LEDGER))


def test_an_account_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """Without a record no budget would hold."""
    calls_path(tmp_path).mkdir(parents=True)
    with pytest.raises(StorageError, match=r"calls\.jsonl"):
        record(tmp_path, CALL)


def test_a_torn_line_is_ended_by_the_next_call_and_passed_over(tmp_path: Path) -> None:
    record(tmp_path, CALL)
    with calls_path(tmp_path).open("ab") as file:
        file.write(b'{"type":"call","time_us":17')
    assert read_calls(tmp_path) == [CALL]
    later = replace(CALL, time_us=2_000_000)
    record(tmp_path, later)
    assert read_calls(tmp_path) == [CALL, later]


@pytest.mark.parametrize(
    "damage",
    [
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"type":"call","time_us":"soon"}',
        line(CALL).rstrip().replace(b"1500", b"1e999"),
        b"[" * 100_000,
    ],
    ids=lambda damage: repr(damage[:20]),
)
def test_damage_costs_only_its_own_line(tmp_path: Path, damage: bytes) -> None:
    calls_path(tmp_path).parent.mkdir()
    calls_path(tmp_path).write_bytes(line(CALL) + damage + b"\n" + line(CALL))
    assert read_calls(tmp_path) == [CALL, CALL]


@given(st.lists(records, max_size=6), st.data())
def test_an_account_cut_at_any_byte_keeps_every_whole_line(
    tmp_path_factory: pytest.TempPathFactory, kept: list[CallRecord], data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("account")
    calls_path(root).parent.mkdir()
    whole = b"".join(map(line, kept))
    size = data.draw(st.integers(0, len(whole)))
    calls_path(root).write_bytes(whole[:size])
    complete = whole[:size].count(b"\n")
    assert read_calls(root)[:complete] == kept[:complete]
    assert len(read_calls(root)) <= complete + 1


def test_the_file_is_trimmed_to_the_newest_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIMIT_BYTES", 20 * len(line(CALL)))
    several = [replace(CALL, time_us=1_000_000 + number) for number in range(45)]
    sizes = []
    for call in several:
        record(tmp_path, call)
        sizes.append(len(read_calls(tmp_path)))
    assert 15 <= max(sizes) <= 22
    kept = read_calls(tmp_path)
    assert kept == several[-len(kept) :]
    assert len(kept) >= 9


def test_spent_sums_the_calls_since_an_instant_whatever_became_of_them(tmp_path: Path) -> None:
    cut_off = replace(CALL, time_us=3_000_000, input_tokens=0, output_tokens=0, result="cut off")
    record(tmp_path, CALL, replace(CALL, time_us=2_000_000, run="r2"), cut_off)
    found = read_calls(tmp_path)
    assert spent(found, 0) == Spent(3, 2 * 740)
    assert spent(found, 2_000_000) == Spent(2, 740)  # the instant itself is in it
    assert spent(found, 3_000_000) == Spent(1, 0)
    assert spent(found, 3_000_001) == Spent()


@given(st.builds(Spent, counts, counts), st.builds(Spent, counts, counts))
def test_sums_can_be_taken_back(one: Spent, other: Spent) -> None:
    assert one.plus(other).minus(other) == one
    assert one.plus(other) == other.plus(one)
