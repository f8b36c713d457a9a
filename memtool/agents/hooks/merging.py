"""Enters memtool's hooks and MCP server in the text of an agent's settings, and takes them out. Pure.

Each result is parsed again and compared with what was meant: a text that cannot be changed safely is refused.
"""

from __future__ import annotations

import copy
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from memtool.agents.hooks import SCRIPT, SERVER, Hooks, Server, jsonc, toml
from memtool.agents.hooks.jsonc import BrokenError, Value

_HOOKS = "hooks"


class Entered(NamedTuple):
    """One entry of memtool that a text has: the path to it, and its command."""

    path: tuple[str | int, ...]
    command: str
    data: object


# --- Hooks -----------------------------------------------------------------------------------


def with_hooks(text: str, hooks: Hooks, commands: Mapping[str, str]) -> str:
    """Return the text with a hook for each event that has a command, no other byte changed. Raise BrokenError.

    An entry of memtool that says something else is replaced; hooks of other events stay.
    """
    made = text if text.strip() else "{}\n"
    for key, data in hooks.top.items():
        if jsonc.at(_root(made), [key]) is None:
            made = jsonc.inserted(made, (), key, data)
    for event, command in commands.items():
        made = _with_hook(made, hooks, event, command)
    return made


def _with_hook(text: str, hooks: Hooks, event: str, command: str) -> str:
    wanted = _entry(hooks, command)
    there = [one for one in hooks_in(text, hooks) if one.path[1] == event]
    if [one.data for one in there] == [wanted]:
        return text
    for one in reversed(there[1:]):
        text = jsonc.removed(text, one.path)
    if there:
        return jsonc.replaced(text, there[0].path, wanted)
    item = {_HOOKS: [wanted]} if hooks.is_grouped else wanted
    root = _root(text)
    if _checked(text, root, (_HOOKS,), dict) is None:
        return jsonc.inserted(text, (), _HOOKS, {event: [item]})
    if _checked(text, root, (_HOOKS, event), list) is None:
        return jsonc.inserted(text, (_HOOKS,), event, [item])
    return jsonc.inserted(text, (_HOOKS, event), "", item)


def _entry(hooks: Hooks, command: str) -> dict[str, object]:
    return {"type": "command", hooks.command_key: command, **hooks.options}


def hooks_in(text: str, hooks: Hooks) -> list[Entered]:
    """Return memtool's entries. Raise BrokenError if the text, or its part with hooks, is not what it has to be."""
    if not text.strip():
        return []
    root = _root(text)
    found = _checked(text, root, (_HOOKS,), dict)
    entries: list[Entered] = []
    for event in {part.key: part for part in found.parts} if found is not None else ():
        for path, value in _entries(text, root, (_HOOKS, event), hooks):
            data = value.data
            command = data.get(hooks.command_key) if isinstance(data, dict) else None
            if isinstance(command, str) and _is_ours(command):
                entries.append(Entered(path, command, data))
    return entries


def _entries(
    text: str, root: Value, path: tuple[str | int, ...], hooks: Hooks
) -> Iterator[tuple[tuple[str | int, ...], Value]]:
    groups = _checked(text, root, path, list)
    assert groups is not None
    for group in groups.parts:
        if not hooks.is_grouped:
            yield (*path, group.key), group.value
            continue
        inner = jsonc.at(group.value, [_HOOKS])
        for part in inner.parts if inner is not None and isinstance(inner.data, list) else ():
            yield (*path, group.key, _HOOKS, part.key), part.value


def _is_ours(command: str) -> bool:
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    return any(PurePosixPath(word).name == SCRIPT for word in words[:1])


def without_hooks(text: str, hooks: Hooks) -> str:
    """Return the text without memtool's hooks, and without the lists and objects that are empty then."""
    while entries := hooks_in(text, hooks):
        path = entries[-1].path
        # The outermost holder that has nothing else: item, group, event, hooks.
        while len(path) > 1 and _is_alone(_root(text), path):
            path = path[:-1]
        text = jsonc.removed(text, path)
    return text


def _is_alone(root: Value, path: Sequence[str | int]) -> bool:
    """Return whether the part is all that its holder has; a group's matcher goes with its last hook."""
    holder = jsonc.at(root, path[:-1])
    assert holder is not None
    if path[-1] == _HOOKS and len(path) > 1:
        return True
    return len(holder.parts) == 1


def is_off(text: str, hooks: Hooks) -> bool:
    """Return whether the text turns all hooks off."""
    found = jsonc.at(_root(text), hooks.off) if hooks.off and text.strip() else None
    return found is not None and found.data is True


# --- MCP servers -----------------------------------------------------------------------------


def with_server(text: str, server: Server, argv: Sequence[str], *, is_toml: bool) -> str:
    """Return the text with the MCP server, no other byte changed. Raise BrokenError."""
    wanted = server_entry(server, argv)
    there = servers_in(text, server, is_toml=is_toml)
    if there and all(_same(one.data, wanted) for one in there):
        return text
    if is_toml:
        return toml.with_table(
            without_server(text, server, is_toml=True), (*server.path, SERVER), wanted
        )
    made = text if text.strip() else "{}\n"
    if there:
        for one in there:
            assert isinstance(one.data, dict)
            made = jsonc.replaced(made, one.path, {**one.data, **wanted})
        return made
    root = _root(made)
    if _checked(made, root, server.path, dict) is None:
        return jsonc.inserted(made, (), server.path[0], {SERVER: wanted})
    return jsonc.inserted(made, server.path, SERVER, wanted)


def server_entry(server: Server, argv: Sequence[str]) -> dict[str, object]:
    """Return the entry as the agent takes it."""
    if server.is_one_list:
        return {**server.options, "command": list(argv)}
    return {**server.options, "command": argv[0], "args": list(argv[1:])}


def _same(data: object, wanted: Mapping[str, object]) -> bool:
    return isinstance(data, dict) and all(data.get(key) == value for key, value in wanted.items())


def servers_in(text: str, server: Server, *, is_toml: bool) -> list[Entered]:
    """Return the entries that start `memtool mcp`, under whichever name. Raise BrokenError."""
    if not text.strip():
        return []
    if is_toml:
        holder: Any = toml.parse(text)
        for key in server.path:
            holder = holder.get(key, {}) if isinstance(holder, dict) else {}
    else:
        found = _checked(text, _root(text), server.path, dict)
        holder = {} if found is None else found.data
    if not isinstance(holder, dict):
        raise BrokenError(1, f"{'.'.join(server.path)} is not a table")
    return [
        Entered((*server.path, name), shlex.join(argv), data)
        for name, data in holder.items()
        if (argv := _argv(data)) and argv[-1] == "mcp" and PurePosixPath(argv[0]).name == SERVER
    ]


def _argv(data: object) -> list[str]:
    """Return the program and its arguments, of either form."""
    if not isinstance(data, dict):
        return []
    command, arguments = data.get("command"), data.get("args", [])
    words = command if isinstance(command, list) else [command, *(arguments or [])]
    return words if all(isinstance(word, str) for word in words) else []


def without_server(text: str, server: Server, *, is_toml: bool) -> str:
    """Return the text without memtool's MCP server, and without an object that is empty then. Raise BrokenError."""
    for one in reversed(servers_in(text, server, is_toml=is_toml)):
        if is_toml:
            path = [str(key) for key in one.path]
            wanted = copy.deepcopy(toml.parse(text))
            holder: Any = wanted
            for key in path[:-1]:
                holder = holder[key]
            del holder[path[-1]]
            text = toml.without_table(text, path)
            if _filled(toml.parse(text)) != _filled(wanted):
                raise BrokenError(
                    1, f"{'.'.join(path)} cannot be taken out: it is written in another way"
                )
            continue
        holds_more = len(_holder(text, one.path).parts) > 1
        text = jsonc.removed(text, one.path if holds_more else one.path[:-1])
    return text


def _filled(data: Any) -> Any:
    """Return the document without empty tables: a header that went may have been all there was of one."""
    if not isinstance(data, dict):
        return data
    rows = {key: _filled(value) for key, value in data.items()}
    return {key: value for key, value in rows.items() if value != {}}


def _holder(text: str, path: Sequence[str | int]) -> Value:
    found = jsonc.at(_root(text), path[:-1])
    assert found is not None
    return found


def _root(text: str) -> Value:
    root = jsonc.parse(text)
    if not isinstance(root.data, dict):
        raise BrokenError(1, "it is not an object")
    return root


def _checked(text: str, root: Value, path: Sequence[str | int], kind: type) -> Value | None:
    """Return the value at the path, None if there is none. Raise BrokenError if it is of another kind."""
    found = jsonc.at(root, path)
    if found is not None and not isinstance(found.data, kind):
        name = ".".join(map(str, path))
        what = "an object" if kind is dict else "a list"
        raise BrokenError(jsonc.line_of(text, found.start), f"{name} is not {what}")
    return found
