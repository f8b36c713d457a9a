"""One contract for every row of the table of agents."""

from __future__ import annotations

import pytest

from memtool.agents.outcomes import Disposition
from memtool.agents.registry import AGENTS, Agent, File, agent_named
from memtool.agents.values import JsonObject

SAMPLES: dict[str, JsonObject] = {
    "claude-code": {"type": "x", "sessionId": "s"},
    "jsonl": {"agent": "a", "session": "s", "time": 1, "kind": "note"},
}


@pytest.mark.parametrize("agent", AGENTS, ids=lambda one: str(one.name))
def test_a_format_knows_its_own_and_leaves_the_others(agent: Agent) -> None:
    known = agent.format
    assert agent_named(agent.name) is agent
    assert [name for name, sample in SAMPLES.items() if known.recognises(sample)] == [agent.name]
    outcome = known.parser(File("", lambda _: iter(()))).parse({})
    assert outcome.disposition in (Disposition.UNKNOWN, Disposition.DAMAGED)


def test_names_differ_and_each_has_a_sample() -> None:
    assert len({agent.name for agent in AGENTS}) == len(AGENTS)
    assert set(SAMPLES) == {agent.name for agent in AGENTS}
    assert agent_named("nothing") is None
