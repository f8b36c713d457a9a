"""An event of Claude Code before it is sealed, and the blocks that a message's content falls into."""

from __future__ import annotations

from dataclasses import dataclass, field

from memtool.agents.values import JsonObject

MAX_BLOCKS = 10_000


@dataclass(frozen=True, slots=True)
class Draft:
    """What one block says. `typed` is what a person entered, where one did; `redactions` were made on the way."""

    block: int
    kind: str
    text: str
    metadata: dict[str, str] = field(default_factory=dict)
    group: str = ""
    typed: str = ""
    redactions: int = 0


def blocks_of(content: object) -> list[tuple[int, JsonObject]]:
    """Return the numbered blocks of a message's content, from 1; a plain string is one block of text."""
    if isinstance(content, str):
        return [(1, {"type": "text", "text": content})]
    blocks = content if isinstance(content, list) else []
    numbered = enumerate(blocks[:MAX_BLOCKS], start=1)
    return [
        (number, {"type": "text", "text": block} if isinstance(block, str) else block)
        for number, block in numbered
        if isinstance(block, (dict, str))
    ]


def filled(metadata: dict[str, str]) -> dict[str, str]:
    """Return the metadata without what is empty."""
    return {name: value for name, value in metadata.items() if value}
