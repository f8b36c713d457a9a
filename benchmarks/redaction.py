"""Which share of made secrets is masked, and what is masked in real sessions.

    [MEMTOOL_TEST_DATA=FOLDER] PYTHON benchmarks/redaction.py [--seed N] [--held-back] [--show]

`--show` prints what went wrong: each form that is not masked (of the kinds held back only with `--held-back`), and each
mask in FOLDER/sessions with what surrounds it, to be judged by a person. A secret counts as masked where no six
characters of it in a row remain.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from secret_kinds import KINDS, Example, examples, held_back

from memtool.agents.reading import read_chunks
from memtool.model.records import Event, EventId
from memtool.redact import redact

_MASK = re.compile(r"\[redacted:[a-z0-9-]+\]")

_SHORTEST = 4
"""Pieces that are shorter say nothing."""


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--held-back", action="store_true")
    parser.add_argument("--show", action="store_true")
    asked = parser.parse_args(arguments)
    hidden = held_back()
    parts = {"shown": {kind.name for kind in KINDS} - hidden}
    if asked.held_back:
        parts["held back"] = set(hidden)
    for part, names in parts.items():
        made = [example for example in examples(asked.seed) if example.kind in names]
        missed = [example for example in made if not _is_masked(example)]
        rate = 1 - len(missed) / len(made)
        print(f"{part}: {len(names)} kinds, {len(made)} examples, {rate:.1%} masked")
        for example in missed if asked.show else ():
            print(f"    {example.kind}: {example.text!r} → {redact(example.text).text!r}")
    folder = os.environ.get("MEMTOOL_TEST_DATA")
    if folder:
        _look_at_sessions(Path(folder) / "sessions", is_shown=asked.show)


def _is_masked(example: Example) -> bool:
    left = _MASK.sub("", redact(example.text).text)
    pieces = (piece for piece in example.made if len(piece) >= _SHORTEST)
    return not any(
        piece[at : at + 6] in left for piece in pieces for at in range(max(1, len(piece) - 5))
    )


def _look_at_sessions(folder: Path, *, is_shown: bool) -> None:
    events, masks = 0, Counter[str]()
    for event in _events(folder):
        events += 1
        for field in (event.text, *event.metadata.values()):
            for mask in _MASK.finditer(field):
                masks[mask[0]] += 1
                if is_shown:
                    print(
                        f"    {mask[0]} in {field[max(0, mask.start() - 60) : mask.end() + 20]!r}"
                    )
    print(f"sessions: {events} events, {sum(masks.values())} masks: {dict(masks)}")


def _events(folder: Path) -> Iterator[Event]:
    """Yield each event once."""
    seen = set[EventId]()
    for path in sorted(folder.rglob("*.jsonl")):
        for chunk in read_chunks(path):
            for record in chunk.records:
                if isinstance(record, Event) and record.id not in seen:
                    seen.add(record.id)
                    yield record


if __name__ == "__main__":
    main(sys.argv[1:])
