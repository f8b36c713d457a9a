"""memtool's part of an agent's settings: entered and taken out, with every other byte as it was."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.agents.hooks import CLAUDE_HOOKS, CODEX_SERVER, Hooks, Server, jsonc, merging
from memtool.agents.registry import AGENTS

COMMAND = "'/home/u/a b/memtool-hook' capture x"
ARGV = ["/home/u/a b/bin/memtool", "mcp"]
WITH_HOOKS = [row for row in AGENTS if row.hooks is not None]
WITH_JSON = [
    row for row in AGENTS if row.server and not row.server.place.files[0].endswith(".toml")
]

PLAIN: list[Any] = [st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=6)]
VALUES = st.recursive(
    st.one_of(PLAIN),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
GROUPS = st.lists(
    st.fixed_dictionaries(
        {
            "hooks": st.lists(
                st.fixed_dictionaries({"type": st.just("command"), "command": st.text()})
            )
        },
        optional={"matcher": st.text(max_size=4)},
    ),
    min_size=1,
    max_size=2,
)
EVENTS = st.dictionaries(
    st.sampled_from(["Stop", "SessionStart", "PreToolUse"]), GROUPS, min_size=1, max_size=3
)
SETTINGS = st.dictionaries(st.text(max_size=6), VALUES, max_size=4).flatmap(
    lambda rest: st.fixed_dictionaries({}, optional={"hooks": EVENTS}).map(
        lambda hooks: (
            {key: value for key, value in rest.items() if key not in ("hooks", "mcpServers", "mcp")}
            | hooks
        )
    )
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Draw settings as people write them: any indentation, on one line or many, with comments and commas."""
    indent = draw(st.sampled_from([None, 2, 4, "\t"]))
    text = json.dumps(draw(SETTINGS), indent=indent, ensure_ascii=draw(st.booleans()))
    if indent is not None and draw(st.booleans()):
        text = re.sub(r"(?m)^(\s*)(?=\S)", r"\1/* é */ ", text)
        text = re.sub(r"([\]\}\d\"])(\n)", r"\1 // what, [ever] {\2", text)
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return draw(st.sampled_from(["", "\ufeff"])) + text + draw(st.sampled_from(["", "\n", "\n\n"]))


def pruned(data: Any) -> Any:
    """Return the data without what is empty: which lists and objects were there and empty is not kept."""
    if isinstance(data, dict):
        rows = {key: pruned(value) for key, value in data.items()}
        return {key: value for key, value in rows.items() if value not in ({}, [])}
    if isinstance(data, list):
        return [found for item in data if (found := pruned(item)) not in ({}, [])]
    return data


@pytest.mark.parametrize("row", WITH_HOOKS, ids=lambda row: row.name)
@given(text=texts())
def test_hooks_come_and_go_and_nothing_else_changes(row: Any, text: str) -> None:
    hooks: Hooks = row.hooks
    commands = dict.fromkeys(filter(None, (*hooks.events, hooks.start)), COMMAND)
    data = jsonc.parse(text).data
    if not hooks.is_grouped and isinstance(data, dict) and "hooks" in data:
        return  # groups are of others
    made = merging.with_hooks(text, hooks, commands)
    assert {one.path[1] for one in merging.hooks_in(made, hooks)} == set(commands)
    assert merging.with_hooks(made, hooks, commands) == made
    assert only_grew(text, made)
    back = merging.without_hooks(made, hooks)
    assert merging.hooks_in(back, hooks) == []
    if not hooks.top:
        assert pruned(jsonc.parse(back).data) == pruned(data)
        if pruned(data) == data:
            assert back == text


@pytest.mark.parametrize("row", WITH_JSON, ids=lambda row: row.name)
@given(text=texts())
def test_a_server_comes_and_goes_and_nothing_else_changes(row: Any, text: str) -> None:
    server: Server = row.server
    made = merging.with_server(text, server, ARGV, is_toml=False)
    assert merging.with_server(made, server, ARGV, is_toml=False) == made
    (entered,) = merging.servers_in(made, server, is_toml=False)
    assert entered.command == "'/home/u/a b/bin/memtool' mcp"
    assert only_grew(text, made)
    assert merging.without_server(made, server, is_toml=False) == text


def only_grew(before: str, after: str) -> bool:
    """Return whether the later text is the earlier one with characters put in, and none taken out."""
    rest = iter(after)
    return all(sign in rest for sign in before)


TABLES = st.dictionaries(
    st.text("klmn_", min_size=1, max_size=5),
    st.one_of(st.integers(0, 9), st.text("ab #[]\"'\\é", max_size=9)),
    max_size=3,
)


@given(
    top=TABLES,
    tables=st.dictionaries(st.sampled_from(["a", "b.c", "mcp_servers.other"]), TABLES, max_size=3),
    ends=st.sampled_from(["", "\n"]),
    after=st.sampled_from(["", "\n# mine\n[z]\nq = 1\n", "[z]\n"]),
)
def test_a_table_comes_and_goes_and_nothing_else_changes(
    top: dict[str, Any], tables: dict[str, dict[str, Any]], ends: str, after: str
) -> None:
    rows = [f"{key} = {json.dumps(value, ensure_ascii=False)}  # x" for key, value in top.items()]
    for name, table in tables.items():
        rows += ["", f"[ {name} ] # [y]"]
        rows += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items()]
    text = "\n".join([*rows, ""]) + ends if rows else ""
    made = merging.with_server(text, CODEX_SERVER, ARGV, is_toml=True)
    assert made.startswith(text)
    assert merging.with_server(made, CODEX_SERVER, ARGV, is_toml=True) == made
    entry = tomllib.loads(made)["mcp_servers"]["memtool"]
    assert (entry["command"], entry["args"]) == (ARGV[0], ARGV[1:])
    later = made + after
    back = merging.without_server(later, CODEX_SERVER, is_toml=True)
    assert tomllib.loads(back) == tomllib.loads(text + after) or "mcp_servers" not in text
    if not after:
        assert back == text
    else:
        assert back.endswith(after)


def test_a_table_that_an_agent_added_below_goes_too_and_an_inline_one_is_refused() -> None:
    below = '[mcp_servers.memtool.tools.search]\napproval = "auto"\n'
    made = merging.with_server("a = 1\n", CODEX_SERVER, ARGV, is_toml=True) + below
    assert merging.without_server(made, CODEX_SERVER, is_toml=True) == "a = 1\n"
    inline = (
        f"mcp_servers = {{ memtool = {{ command = {json.dumps(ARGV[0])}, args = ['mcp'] }} }}\n"
    )
    with pytest.raises(jsonc.BrokenError, match="another way"):
        merging.without_server(inline, CODEX_SERVER, is_toml=True)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{\n  "a": 1,\n  "b" 2\n}\n', 3),
        ('{"a": 1', 1),
        ("{\n'a': 1}", 2),
        ('{\n\n"a": nul}', 3),
        ("{}\n}", 2),
        ("[]", 1),
        ("{\n/* x", 2),
        ('{"a": "\n"}', 1),
        ('{\n"hooks": []\n}', 2),
        ('{\n"hooks": {\n"Stop": {}}\n}', 3),
        ("[" * 5000, 1),
    ],
)
def test_what_is_broken_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(jsonc.BrokenError) as told:
        merging.with_hooks(text, CLAUDE_HOOKS, {"Stop": COMMAND})
    assert told.value.line == line


@given(text=texts(), position=st.integers(0, 400), junk=st.text(max_size=3))
def test_a_mutated_text_is_read_as_json_does_or_refused(
    text: str, position: int, junk: str
) -> None:
    mutated = text[:position] + junk + text[position:]
    try:
        made = merging.with_hooks(mutated, CLAUDE_HOOKS, {"Stop": COMMAND})
    except jsonc.BrokenError:
        return
    jsonc.parse(made)


def test_a_hook_of_ours_is_renewed_in_its_place_and_one_of_others_stays() -> None:
    old = '{"type": "command", "command": "/old/memtool-hook capture claude-code"}'
    other = '{"type": "command", "command": "echo memtool-hook"}'
    text = f'{{\n  "hooks": {{\n    "Stop": [{{"matcher": "x", "hooks": [{other}, {old}]}}]\n  }}\n}}\n'
    made = merging.with_hooks(text, CLAUDE_HOOKS, {"Stop": COMMAND})
    (group,) = json.loads(made)["hooks"]["Stop"]
    assert [one["command"] for one in group["hooks"]] == ["echo memtool-hook", COMMAND]
    back = json.loads(merging.without_hooks(made, CLAUDE_HOOKS))
    assert back == {"hooks": {"Stop": [{"matcher": "x", "hooks": [json.loads(other)]}]}}
