"""The events of transcripts, as the readers give them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from memtool.agents.reading import read_chunks
from memtool.model.records import Event, Rewind


def events_of(files: Iterable[Path]) -> list[Event]:
    """Return the current events of the transcripts, each once."""
    found: dict[str, Event] = {}
    rewound: set[str] = set()
    for path in files:
        for chunk in read_chunks(path):
            found |= {each.id: each for each in chunk.records if isinstance(each, Event)}
            rewound |= {each.id for each in chunk.records if isinstance(each, Rewind)}
    return [replace(each, rewound=True) if each.id in rewound else each for each in found.values()]
