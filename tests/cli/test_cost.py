"""Tokens and cost: the last usage of each message counts, by day, project and model; no price is guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from memtool.model.threads import Usage, joined_usage
from memtool.query.cost import price_of, prices_in, spent
from memtool.signals.turns import turns_of
from memtool.summarize import Options, make
from tests.cli.history import at, call
from tests.cli.test_threads import DOCS, NOW_US, SHOP, read
from tests.memory import Memory
from tests.signals.talk import Talk

Output = pytest.CaptureFixture[str]
EXTRACTIVE = make("extractive", Options(max_bullets=5))
PRICES = "big=5/25/0.5/6.25; big-mini=1/5/0.1/1.25"


def tokens(taken: int, given: int, read: int = 0, written: int = 0) -> dict[str, str]:
    counts = {
        "input_tokens": taken,
        "output_tokens": given,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
    }
    return {name: str(count) for name, count in counts.items() if count}


def talk(day: str, model: str, project: str = SHOP) -> Talk:
    """Return a talk of two messages, the first of them in three records that grow."""
    made = Talk(f"{day}-{model}", "fix/vat", at(f"{day}T08:00:00"), project)
    made.prompt("Fix the rounding of the VAT on the printed invoice")
    for grown in (1, 20, 400):
        made.add("answer", "I look at it.", model=model, **tokens(100, grown, 9_000))
        made.events[-1] = replace(made.events[-1], group="message-1")
    made.edit("vat.py")
    return made.add("answer", "Rounded it.", model=model, **tokens(10, 100, 0, 2_000))


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    made = Memory(tmp_path / "store")
    talks = [
        talk("2026-12-07", "big-1"),
        talk("2026-12-08", "big-mini-2"),
        talk("2026-12-08", "unknown", DOCS),
        talk("2026-12-10", "big-1"),
    ]
    made.take_in([event for one in talks for event in one.events], now_us=NOW_US)
    made.roll_up_all(NOW_US, summarizer=EXTRACTIVE)
    return made


ONE = {"messages": 2, "input": 110, "output": 500, "cache_read": 9_000, "cache_write": 2_000}
BIG = (110 * 5 + 500 * 25 + 9_000 * 0.5 + 2_000 * 6.25) / 1e6
MINI = BIG / 5


def cost(memory: Memory, capsys: Output, *arguments: str) -> dict[str, Any]:
    import json

    assert (
        call(memory.root, "stats", "--cost", *arguments, "--json", MEMTOOL_COST__PRICES=PRICES) == 0
    )
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_last_usage_of_each_message_counts_by_day_project_and_model(
    memory: Memory, capsys: Output
) -> None:
    found = cost(memory, capsys)
    wanted = [
        ("day:2026-12-07", SHOP, "big-1", BIG),
        ("day:2026-12-08", DOCS, "unknown", None),
        ("day:2026-12-08", SHOP, "big-mini-2", MINI),
        ("day:2026-12-10", SHOP, "big-1", BIG),
    ]
    assert found["rows"] == [
        {
            "day": day,
            "project": project,
            "spent": {"model": model, **ONE, "cost": dollars and pytest.approx(dollars)},
        }
        for day, project, model, dollars in wanted
    ]
    assert found["total"] == pytest.approx(2 * BIG + MINI)
    assert found["unpriced"] == ["unknown"]
    assert cost(memory, capsys, "--year", "2025")["rows"] == []


def test_what_is_not_summarized_yet_counts_the_same(memory: Memory, capsys: Output) -> None:
    other = Memory(memory.root.parent / "other")
    with memory.access.reading() as store:
        other.take_in(list(store.events(0, NOW_US)), now_us=NOW_US)
    assert cost(other, capsys)["rows"] == cost(memory, capsys)["rows"]


def test_a_day_says_what_it_took(memory: Memory, capsys: Output) -> None:
    assert call(memory.root, "show", "2026-12-08", MEMTOOL_COST__PRICES=PRICES) == 0
    assert "4.2k tokens in, 18.0k cached, 1.0k out, $0.01+" in capsys.readouterr().out
    assert call(memory.root, "show", "2026-12-08") == 0
    assert "$" not in capsys.readouterr().out
    models = [one["model"] for one in read(memory, capsys, "show", "2026-12-08")["tokens"]]
    assert models == ["big-mini-2", "unknown"]
    assert read(memory, capsys, "show", "2026-12")["tokens"] == []


def test_without_prices_it_shows_tokens_and_how_to_set_one(memory: Memory, capsys: Output) -> None:
    assert call(memory.root, "stats", "--cost") == 0
    said = capsys.readouterr().out
    assert "$" not in said
    assert "memtool config set cost.prices 'big-1=INPUT/OUTPUT/READ/WRITE'" in said
    assert call(memory.root, "config", "set", "cost.prices", "big-1=5/25/0.5/6.25") == 0
    capsys.readouterr()
    assert call(memory.root, "stats", "--cost") == 0
    said = capsys.readouterr().out
    assert f"${2 * BIG:.2f}" in said
    assert "No price is set for big-mini-2, unknown" in said


def test_without_a_store_or_tokens_it_says_so(tmp_path: Path, capsys: Output) -> None:
    assert call(tmp_path / "none", "stats", "--cost") == 0
    assert "no memory yet" in capsys.readouterr().err
    made = Memory(tmp_path / "store")
    plain = Talk("s", "b", at("2026-12-08T08:00:00"), SHOP).prompt("Fix the VAT")
    made.take_in(plain.events, now_us=NOW_US)
    assert call(made.root, "stats", "--cost") == 0
    assert "No transcript says" in capsys.readouterr().out


def test_the_longest_name_gives_the_price() -> None:
    found = [price_of(name, prices_in(PRICES + ";")) for name in ("big-1", "big-mini-2", "bi")]
    assert [price.model if price else None for price in found] == ["big", "big-mini", None]


usages = st.builds(Usage, st.sampled_from(["a", "b", ""]), *[st.integers(0, 10**12)] * 5)


@given(st.lists(usages), st.lists(usages))
def test_sums_do_not_depend_on_order_or_grouping(some: list[Usage], others: list[Usage]) -> None:
    whole = joined_usage([*some, *others])
    assert whole == joined_usage([*others[::-1], *some])
    assert whole == joined_usage([*joined_usage(some), *joined_usage(others)])
    assert sum(one.tokens for one in spent(whole, ())) == sum(
        one.tokens for one in [*some, *others]
    )


@given(st.dictionaries(st.sampled_from([*tokens(1, 1, 1, 1), "model"]), st.text(max_size=20)))
def test_any_metadata_is_read(metadata: dict[str, str]) -> None:
    made = Talk().prompt("Fix it").add("answer", "Fixed.", **metadata)
    for turn in turns_of(made.events):
        assert all(usage.tokens >= 0 for usage in turn.usage)
