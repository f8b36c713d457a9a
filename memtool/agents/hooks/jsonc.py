"""Changes JSON with comments as text, so that every byte that is not changed stays as it was. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_PLAIN = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_DEEPEST = 100
_MARK = "\ufeff"


class BrokenError(Exception):
    """The text is not what it has to be: where, and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


class Value(NamedTuple):
    """A value of the text: where it begins and ends. `parts` are the members of an object, or the items of a list."""

    start: int
    end: int
    data: object
    parts: tuple[Part, ...] = ()


class Part(NamedTuple):
    """A member or an item: its key or number, where it begins, and its value."""

    key: str | int
    start: int
    value: Value


def parse(text: str) -> Value:
    """Return the value that the text holds. Comments and commas at the end are allowed. Raise BrokenError."""
    start = _after_blank(text, 1 if text[:1] == _MARK else 0)
    found = _value(text, start, 0)
    end = _after_blank(text, found.end)
    if end != len(text):
        raise BrokenError(line_of(text, end), "something follows the end")
    return found


def line_of(text: str, position: int) -> int:
    """Return the number of the line."""
    return text.count("\n", 0, position) + 1


def at(value: Value, path: Sequence[str | int]) -> Value | None:
    """Return the value at the path; of a key that comes twice, the last, as JSON has it."""
    for key in path:
        found = [part.value for part in value.parts if part.key == key]
        if not found:
            return None
        value = found[-1]
    return value


def _after_blank(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    assert found is not None
    if text.startswith("/*", found.end()):
        raise BrokenError(line_of(text, found.end()), "a comment does not end")
    return found.end()


def _value(text: str, start: int, depth: int) -> Value:
    if depth > _DEEPEST:
        raise BrokenError(line_of(text, start), "too deeply nested")
    sign = text[start : start + 1]
    if sign in ("{", "["):
        return _container(text, start, depth)
    found = (_STRING if sign == '"' else _PLAIN).match(text, start)
    if found is None:
        what = f"unexpected {sign!r}" if sign else "the text ends too early"
        raise BrokenError(line_of(text, start), what)
    try:
        return Value(start, found.end(), json.loads(found[0]))
    except ValueError as error:
        raise BrokenError(line_of(text, start), str(error)) from None


def _container(text: str, start: int, depth: int) -> Value:
    is_object = text[start] == "{"
    closing = "}" if is_object else "]"
    parts: list[Part] = []
    position = _after_blank(text, start + 1)
    while text[position : position + 1] != closing:
        begin = position
        key: str | int = len(parts)
        if is_object:
            key, position = _key(text, position)
        value = _value(text, position, depth + 1)
        parts.append(Part(key, begin, value))
        position = _after_blank(text, value.end)
        if text[position : position + 1] == ",":
            position = _after_blank(text, position + 1)
        elif text[position : position + 1] != closing:
            sign = text[position : position + 1]
            what = f'"," or "{closing}" is missing before {sign!r}' if sign else "it does not end"
            raise BrokenError(line_of(text, position), what)
    values = [part.value.data for part in parts]
    data: object = (
        dict(zip((part.key for part in parts), values, strict=True)) if is_object else values
    )
    return Value(start, position + 1, data, tuple(parts))


def _key(text: str, position: int) -> tuple[str, int]:
    found = _STRING.match(text, position)
    if found is None:
        raise BrokenError(line_of(text, position), "a name in double quotes is missing")
    colon = _after_blank(text, found.end())
    if text[colon : colon + 1] != ":":
        raise BrokenError(line_of(text, colon), '":" is missing')
    try:
        return str(json.loads(found[0])), _after_blank(text, colon + 1)
    except ValueError as error:
        raise BrokenError(line_of(text, position), str(error)) from None


# --- Changes ---------------------------------------------------------------------------------


def inserted(text: str, path: Sequence[str | int], key: str, data: object) -> str:
    """Return the text with a member at the end of the object at the path; with key "", an item of the list there."""
    root = parse(text)
    holder = at(root, path)
    assert holder is not None, path
    inner = text[holder.start + 1 : holder.end - 1]
    outer = at(root, path[:-1]) if path else None
    is_tall = "\n" in inner or (
        not holder.parts and (outer is None or "\n" in text[outer.start : outer.end])
    )
    name = f"{json.dumps(key, ensure_ascii=False)}: " if key else ""
    if not is_tall:
        gap = " " if re.search(r'": ', text) or not holder.parts else ""
        flat = json.dumps(data, ensure_ascii=False, separators=(f",{gap}", f":{gap}"))
        added = f"{name.rstrip()}{gap}{flat}" if key else flat
        if not holder.parts:
            return text[: holder.start + 1] + added + text[holder.end - 1 :]
        last = holder.parts[-1].value.end
        return f"{text[:last]},{gap}{added}{text[last:]}"
    return _inserted_line(text, holder, name, data)


def _inserted_line(text: str, holder: Value, name: str, data: object) -> str:
    """Return the text with a part on lines of its own, after all that is in the container."""
    newline = "\r\n" if "\r\n" in text else "\n"
    base = _indent_at(text, holder.start)
    step = _step(text)
    indent = _indent_at(text, holder.parts[0].start) if holder.parts else base + step
    if holder.parts and "\n" not in text[holder.start : holder.parts[0].start]:
        indent = base + step
    tall = json.dumps(data, ensure_ascii=False, indent=step).replace("\n", f"{newline}{indent}")
    added = f"{newline}{indent}{name}{tall}"
    end = holder.end - 1
    content = holder.start + 1 + len(text[holder.start + 1 : end].rstrip(" \t\r\n"))
    tail = text[content:end]
    if content == holder.start + 1 and "\n" not in tail:
        tail = f"{newline}{base}"
    if not holder.parts:
        return text[:content] + added + tail + text[end:]
    last = holder.parts[-1].value.end
    if _has_comma(text, last):
        return f"{text[:content]}{added},{text[content:]}"
    return f"{text[:last]},{text[last:content]}{added}{tail}{text[end:]}"


def removed(text: str, path: Sequence[str | int]) -> str:
    """Return the text without the part at the path, with the blanks before it and one comma."""
    root = parse(text)
    holder = at(root, path[:-1])
    assert holder is not None, path
    index = max(at_ for at_, part in enumerate(holder.parts) if part.key == path[-1])
    part = holder.parts[index]
    start = len(text[: part.start].rstrip(" \t\r\n"))
    end = part.value.end
    if len(holder.parts) == 1 and not text[holder.start + 1 : start].strip():
        rest = text[end : holder.end - 1]
        if not rest.strip(" \t\r\n,"):
            return text[: holder.start + 1] + text[holder.end - 1 :]
    comma = _after_blank(text, end)
    if text[comma] == ",":
        return text[:start] + text[end:comma] + text[comma + 1 :]
    if index == 0:
        return text[:start] + text[end:]
    before = _after_blank(text, holder.parts[index - 1].value.end)
    return text[:before] + text[before + 1 : start] + text[end:]


def replaced(text: str, path: Sequence[str | int], data: object) -> str:
    """Return the text with another value at the path."""
    value = at(parse(text), path)
    assert value is not None, path
    newline = "\r\n" if "\r\n" in text else "\n"
    indent = _indent_at(text, value.start)
    is_tall = "\n" in text[value.start : value.end] or "\n" in text
    tall = json.dumps(data, ensure_ascii=False, indent=_step(text) if is_tall else None)
    tall = tall.replace("\n", f"{newline}{indent}")
    return text[: value.start] + tall + text[value.end :]


def _has_comma(text: str, position: int) -> bool:
    return text[_after_blank(text, position)] == ","


def _indent_at(text: str, position: int) -> str:
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _step(text: str) -> str:
    """Return by how much the text indents: as its first indented line, else two spaces."""
    return next(_indents(text), "  ")


def _indents(text: str) -> Iterator[str]:
    yield from (found[1] for found in re.finditer(r'^([ \t]+)["\[{]', text, re.MULTILINE))
