"""One contract for every row of the table of agents."""

from __future__ import annotations

import pytest

from memtool.agents import registry
from memtool.agents.outcomes import Disposition
from memtool.agents.registry import AGENTS, Agent, File, agent_named
from memtool.agents.values import JsonObject
from memtool.settings import load_config
from memtool.systemd.jobs import SETTINGS

SAMPLES: dict[str, JsonObject] = {
    "claude-code": {"type": "x", "sessionId": "s"},
    "codex": {"type": "event_msg", "payload": {"type": "x"}},
    "gemini": {"$rewindTo": "m"},
    "qwen": {"type": "user", "sessionId": "s", "message": {"parts": []}},
    "copilot": {"type": "user.message", "data": {}, "parentId": None},
    "pi": {"type": "session", "id": "s", "cwd": "/w"},
    "cursor": {"role": "user", "message": {"content": []}},
    "jsonl": {"agent": "a", "session": "s", "time": 1, "kind": "note"},
}
OWN_SOURCES = {"opencode"}
"""Agents that keep no lines: their formats open their sources themselves."""
HOME = {"HOME": "/home/ann"}


@pytest.mark.parametrize("agent", AGENTS, ids=lambda one: str(one.name))
def test_a_format_knows_its_own_and_leaves_the_others(agent: Agent) -> None:
    known = agent.format
    assert agent_named(agent.name) is agent
    own = [name for name, sample in SAMPLES.items() if known.recognises(sample)]
    assert own == ([] if agent.name in OWN_SOURCES else [agent.name])
    outcome = known.parser(File("", lambda _: iter(()))).parse({})
    assert outcome.disposition in (Disposition.UNKNOWN, Disposition.DAMAGED)


def test_names_differ_and_each_has_a_sample() -> None:
    assert len({agent.name for agent in AGENTS}) == len(AGENTS)
    assert {*SAMPLES, *OWN_SOURCES} == {agent.name for agent in AGENTS}
    assert agent_named("nothing") is None


@pytest.mark.parametrize(
    ("environ", "settings", "expected"),
    [
        ({}, {}, ["/home/ann/.claude"]),
        ({"CLAUDE_CONFIG_DIR": "/c"}, {}, ["/c"]),
        ({"CLAUDE_CONFIG_DIR": "/c"}, {"ingest.claude_root": "~/x"}, ["/home/ann/x"]),
        ({}, {"ingest.claude_root": "/x", "agents.claude-code.roots": "/a:~/b"}, ["/a", "/home/ann/b"]),
    ],
)  # fmt: skip
def test_roots_are_set_or_in_the_variable_or_the_default(
    environ: dict[str, str], settings: dict[str, str], expected: list[str]
) -> None:
    config = load_config({}, [], SETTINGS, options=settings)
    roots = registry.roots_of(HOME | environ, config)
    assert [str(root.path) for root in roots if root.agent.name == "claude-code"] == expected
    assert {root.agent.name for root in roots} == {one.name for one in AGENTS if one.roots}
