"""`memtool redact --again`: what older rules let through is in no file afterwards, and the rest stays as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from memtool.agents.drafts import sanitized_again
from memtool.ledger.reading import look
from memtool.model.levels import Level
from memtool.model.records import Claim, Event, Record, Rewind
from memtool.redact.rules import RULESET_VERSION
from memtool.rollup.plan import Choices
from memtool.store.store import erasing
from tests.cli.conftest import NOW_US
from tests.forgetting import an_event, in_files, in_rows, plain_files, revised
from tests.memory import UTC_CALENDAR, Memory
from tests.strategies import DAY_US, HOUR_US

Call = Callable[..., tuple[int, str, str]]
PAGE = (Path(__file__).resolve().parents[2] / "docs/json.md").read_text(encoding="utf-8")
START_US = NOW_US - 400 * DAY_US
TOKEN = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6"
PASSWORD = "hunter2" + "Battery9Staple"
KEY = "AKIA" + "Q3EGT7ZP5LMN2WXK"
SLACK = "xoxb-17" + "3" * 12 + "-AbCdEf0123456789AbCdEf01"
PRIVATE = "the merger with Initech"
NEEDLES = [
    text.encode()
    for text in (TOKEN, PASSWORD, KEY, "merger with Initech", "xoxb-17", "revoked9Pass")
]
SHOP = Claim("session-1", "/home/u/shop")


def older() -> list[Record]:
    """Return events as an older memtool stored them, with secrets wherever text can be."""
    run = json.dumps([{"do": "run", "command": f"curl -H 'Authorization: Bearer {TOKEN}' x"}])
    moved = an_event(4, START_US + 4 * HOUR_US, f"export AWS_ACCESS_KEY_ID={KEY}", SHOP)
    return [
        an_event(1, START_US + HOUR_US, f"Push it with {TOKEN} please", SHOP),
        an_event(2, START_US + 2 * HOUR_US, f"DB_PASSWORD={PASSWORD}", SHOP, kind="tool_result"),
        an_event(3, START_US + 3 * HOUR_US, "Bash: curl", SHOP, kind="tool_call", actions=run),
        moved,
        an_event(5, START_US + 5 * HOUR_US, f"Plan <private>{PRIVATE}</private> it", SHOP),
        an_event(6, START_US + 70 * DAY_US, "See the log", SHOP, path=f"/x?token={SLACK}"),
        revised(moved, "export AWS_ACCESS_KEY_ID from the vault", later_us=2 * DAY_US),
        an_event(7, START_US + 6 * HOUR_US, "password: revoked9Pass!", SHOP),
        Rewind(an_event(7, 0, "").id, 0),
        *(an_event(20 + n, START_US + n * 9 * HOUR_US, f"Plain words {n}", SHOP) for n in range(9)),
    ]  # fmt: skip


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Memory:
    plain_files(monkeypatch)
    memory = Memory(tmp_path / "memory")
    memory.take_in(older(), now_us=NOW_US)
    memory.roll_up_all(NOW_US, choices=Choices(include_open=True))
    assert set(in_files(memory.root, NEEDLES)) == set(NEEDLES), "the search finds what is there"
    return memory


def ids(memory: Memory) -> set[str]:
    with memory.access.reading() as store:
        return {event_id for event_id, _ in store.times()}


def test_no_byte_of_a_secret_is_left_and_the_rest_is_as_if_it_had_been_masked_at_first(
    memory: Memory, call: Call, tmp_path: Path
) -> None:
    before = ids(memory)
    code, out, err = call("redact", "--again")
    assert (code, err) == (0, "")
    assert "16 events looked at" in out
    assert "masked in 7 events." in out
    assert "No file of the store holds what was masked." in out
    assert "memtool rollup all" in out
    assert in_files(memory.root, NEEDLES) == {}
    assert in_rows(memory.root, NEEDLES) == {}
    assert ids(memory) == before
    assert call("verify")[0] == 0
    memory.roll_up_all(NOW_US)
    assert call("verify")[0] == 0
    assert in_files(memory.root, NEEDLES) == {}
    masked = Memory(tmp_path / "other", UTC_CALENDAR)
    masked.take_in(
        [sanitized_again(one) if isinstance(one, Event) else one for one in older()],
        now_us=NOW_US,
    )
    masked.roll_up_all(NOW_US)
    assert memory.closed_part(NOW_US) == masked.closed_part(NOW_US)
    assert [run.result for run in look(memory.root).runs if run.job == "redact"] == ["done"]


def test_a_second_time_there_is_nothing_to_do(memory: Memory, call: Call) -> None:
    assert call("redact", "--again")[0] == 0
    before = memory.everything()
    assert "applied to every event already" in call("redact", "--again")[1]
    assert memory.everything() == before
    assert "Nothing to do" in call("redact", "--again", "--dry-run")[1]


def test_a_dry_run_shows_the_places_without_the_secrets_and_changes_nothing(
    memory: Memory, call: Call
) -> None:
    before = memory.everything()
    code, out, _ = call("redact", "--again", "--dry-run")
    assert code == 0
    assert "in 7 events of " in out
    assert "Push it with [redacted:" in out
    assert "… and 2 more" in out
    assert not any(needle.decode() in out for needle in NEEDLES)
    assert memory.everything() == before
    assert "redact" not in {run.job for run in look(memory.root).runs}


def test_days_without_a_secret_keep_their_summaries(memory: Memory, call: Call) -> None:
    with memory.access.reading() as store:
        days = {node.id: node for node in store.nodes(Level.DAY)}
    call("redact", "--again")
    with memory.access.reading() as store:
        left = {node.id: node for node in store.nodes(Level.DAY)}
    assert left
    assert set(left) < set(days)
    assert all(days[name] == node for name, node in left.items())


@pytest.mark.usefixtures("memory")
def test_verify_and_doctor_say_that_older_rules_were_applied(call: Call) -> None:
    out = call("verify")[1]
    assert "17 events masked by older rules only; memtool redact --again applies today's." in out
    call("redact", "--again")
    assert "redact --again" not in call("verify")[1]
    assert json.loads(call("verify", "--json")[1])["old_rules_count"] == 0


def test_events_of_an_unknown_future_version_are_left_alone(memory: Memory, call: Call) -> None:
    event = replace(an_event(9, START_US, "From the future", SHOP), redaction=RULESET_VERSION + 5)
    memory.take_in([event], now_us=NOW_US)
    call("redact", "--again")
    with memory.access.reading() as store:
        assert store.event(event.id) == event


def test_an_ingest_by_newer_rules_notes_that_files_may_hold_what_it_masked(
    memory: Memory, call: Call
) -> None:
    """Transcripts that still exist are read again after an upgrade: the old bytes must not stay behind."""
    again = [sanitized_again(one) if isinstance(one, Event) else one for one in older()]
    memory.take_in(again, now_us=NOW_US)
    with memory.access.reading() as store:
        assert erasing(store) is not None
    assert in_files(memory.root, NEEDLES) != {}
    code, out, _ = call("redact", "--again")
    assert code == 0
    assert "No file of the store holds what was masked." in out
    assert in_files(memory.root, NEEDLES) == {}


def test_without_again_it_does_nothing_and_says_what_to_type(call: Call) -> None:
    code, _, err = call("redact")
    assert code == 2
    assert "memtool redact --again --dry-run" in err


def test_without_a_store_there_is_nothing_to_mask(call: Call) -> None:
    assert call("redact", "--again")[0] == 0
    assert json.loads(call("redact", "--again", "--dry-run", "--json")[1])["exists"] is False


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("dry", [True, False])
def test_json_names_everything_and_the_page_describes_it(call: Call, dry: bool) -> None:
    code, out, _ = call("redact", "--again", "--json", *(["--dry-run"] if dry else []))
    found = json.loads(out)
    assert (code, found["kind"], found["dry_run"]) == (0, "redact", dry)
    assert not any(needle.decode() in out for needle in NEEDLES)
    assert found["events" if dry else "masked"] == 7
    part = PAGE.partition("\n## redact\n")[2].partition("\n## ")[0]
    assert {name for name in found if f"`{name}`" not in part} <= {
        *("kind", "version", "run", "job", "result", "exit_code", "error", "hint", "reason", "left")
    }
