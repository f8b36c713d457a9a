"""The promises of every summarizer in the table, whatever it is given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.errors import ConfigError
from memtool.model.levels import Level
from memtool.model.summary import Request, Section
from memtool.summarize import SUMMARIZERS, Options, SummaryFailed, check_draft, make, row
from tests.summarize.requests import (
    ODD_TEXTS,
    SCOPE,
    cited_sections,
    period,
    period_requests,
    requests,
    segment,
    written,
)
from tests.waiting import HUNG_S

REPOSITORY = Path(__file__).resolve().parents[2]
OFFLINE = [each.name for each in SUMMARIZERS if not each.waits]
every_offline = pytest.mark.parametrize("name", OFFLINE)


@every_offline
@given(request_=requests, most=st.integers(1, 14))
def test_every_request_gets_a_valid_draft(name: str, request_: Request, most: int) -> None:
    draft = written(make(name, Options(max_bullets=most)), request_)
    assert check_draft(request_, draft) is draft


@every_offline
@given(request_=requests)
def test_the_same_request_gives_the_same_draft(name: str, request_: Request) -> None:
    one, other = make(name, Options(max_bullets=5)), make(name, Options(max_bullets=5))
    assert written(one, request_) == written(other, request_)


# The threads of a period are weighed; what is lighter is counted, not told.
@pytest.mark.parametrize("name", [name for name in OFFLINE if name != "extractive"])
@given(request_=period_requests())
def test_no_child_is_left_out(name: str, request_: Request) -> None:
    draft = written(make(name, Options(max_bullets=5)), request_)
    assert cited_sections(request_, draft) == set(range(len(request_.sections)))


@every_offline
@pytest.mark.parametrize("text", ODD_TEXTS)
@pytest.mark.parametrize("kind", ["prompt", "answer", "tool_call", "session_start"])
def test_one_odd_text_is_enough(name: str, text: str, kind: str) -> None:
    request = segment((kind, text))
    check_draft(request, written(make(name, Options(max_bullets=5)), request))


@every_offline
def test_a_request_without_items_fails_by_itself(name: str) -> None:
    with pytest.raises(SummaryFailed, match="nothing to summarize"):
        written(make(name, Options(max_bullets=5)), Request(Level.DAY, SCOPE, (Section("x", ()),)))


@every_offline
def test_the_recipe_names_what_shapes_the_text(name: str) -> None:
    few, many = make(name, Options(max_bullets=3)).recipe, make(name, Options(max_bullets=9)).recipe
    assert few.summarizer == name
    assert few.prompt.startswith(f"{name}-")
    assert few.settings != many.settings
    assert not make(name, Options(max_bullets=3)).waits


@every_offline
def test_a_huge_segment_is_read_in_bounded_time(name: str) -> None:
    """Two megabytes take well under the ten seconds that a slip into quadratic time would cost."""
    said = [("prompt", "Fix the parser. " * 40_000), ("answer", "Fixed the lexer too.\n" * 60_000)]
    request = segment(*said, *[("answer", "I changed one more file.")] * 5_000)
    check_draft(request, written(make(name, Options(max_bullets=5)), request))


@every_offline
def test_a_day_of_a_thousand_segments_is_read_in_bounded_time(name: str) -> None:
    bullets = tuple(
        f"Add the {word} to the store → Added it" for word in ("cache", "index", "lock")
    )
    children = [(f"/src/p{at % 7}/x{at}", f"Work on part {at}", bullets) for at in range(1000)]
    request = period(*children)
    draft = check_draft(request, written(make(name, Options(max_bullets=5)), request))
    if name != "extractive":
        assert cited_sections(request, draft) == set(range(1000))


_DIGEST = """
from hashlib import blake2b
from memtool.summarize import Options, make
from tests.summarize.requests import ODD_TEXTS, period, segment, written
kinds = ("prompt", "answer", "tool_call", "answer", "error")
said = [(kinds[at % 5], text) for at, text in enumerate(ODD_TEXTS * 2)]
told = [(f"/src/{at % 3}/x", text, (text[:200] or "x", "Fix the lock")) for at, text in enumerate(ODD_TEXTS)]
drafts = [written(make(NAME, Options(max_bullets=5)), one) for one in (segment(*said), period(*told))]
print(blake2b(repr(drafts).encode()).hexdigest())
"""


@every_offline
def test_drafts_do_not_depend_on_the_order_of_hashes(name: str) -> None:
    digests = set()
    for seed in ("0", "1", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(REPOSITORY)}
        program = f"NAME = {name!r}\n{_DIGEST}"
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            capture_output=True,
            check=True,
            timeout=HUNG_S,
        )
        digests.add(done.stdout)
    assert len(digests) == 1


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="extractiv") as caught:
        make("extractiv", Options(max_bullets=5))
    assert "extractive" in caught.value.hint
    with pytest.raises(ConfigError) as caught:
        row("zzz")
    assert "extractive" in caught.value.hint


def test_less_than_one_bullet_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigError, match="max_bullets is 0"):
        make("extractive", Options(max_bullets=0))


def test_the_table_imports_nothing_until_it_is_asked() -> None:
    program = "import sys, memtool.summarize; print([m for m in sys.modules if 'extractive' in m])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        cwd=REPOSITORY,
        timeout=HUNG_S,
    )
    assert done.stdout.strip() == b"[]"


def test_names_are_unique() -> None:
    assert len({each.name for each in SUMMARIZERS}) == len(SUMMARIZERS)
