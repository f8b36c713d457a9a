"""Actions survive their way through an event's metadata, and never spoil it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.model import actions
from memtool.model.actions import (
    AnyAction,
    Asked,
    Commit,
    Edit,
    Issue,
    Item,
    Plan,
    PullRequest,
    Question,
    Read,
    Rejection,
    Run,
    Search,
    Subagent,
    Todo,
)

EXAMPLES: tuple[AnyAction, ...] = (
    Read(paths=("a.py",)),
    Edit(paths=("a.py", "b.py")),
    Search(query="retry", paths=("src",)),
    Run(command="go test ./...", purpose="test"),
    Commit(subject="tax: Use Decimal", amend=True),
    PullRequest(verb="opened", number=99, title="Use Decimal in tax"),
    Issue(verb="commented", number=7),
    Todo(items=(Item("Backfill", "started"), Item("Switch reads"))),
    Plan(heading="Move orders to Postgres", steps=("Backfill",), verdict="approved"),
    Question(asked=(Asked("Which registry?", ("npm", "GitHub"), "GitHub"),)),
    Rejection(subject="rm -r build"),
    Subagent(stage="launched", task="Find the leak", id="a1"),
)


def test_every_action_has_an_example() -> None:
    assert {type(example) for example in EXAMPLES} == set(AnyAction.__args__)


@pytest.mark.parametrize("action", EXAMPLES, ids=lambda action: type(action).__name__)
def test_an_action_is_read_as_it_was_written(action: AnyAction) -> None:
    assert actions.decode({"actions": actions.encode([action])}) == (action,)


@given(st.lists(st.text(max_size=900), max_size=60))
def test_a_list_never_outgrows_its_field(texts: list[str]) -> None:
    todo = Todo(items=tuple(Item(text) for text in texts))
    line = actions.encode([todo, *(Run(command=text) for text in texts)])
    assert len(line.encode()) <= actions.MOST_BYTES
    assert isinstance(actions.decode({"actions": line}), tuple)


@pytest.mark.parametrize("line", ["", "[", "{}", '[{"do":"fly"}]', '[{"do":"read","paths":3}]'])
def test_what_is_no_list_of_actions_is_none(line: str) -> None:
    assert actions.decode({"actions": line}) == ()
