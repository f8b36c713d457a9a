"""Print one table: `extractive` beside the classics, at five turns and 160 words.

Usage: MEMTOOL_TEST_DATA=FOLDER PYTHON -m benchmarks.summaries [--whole-path], from the repository's root, with
the Python of an installed memtool and benchmarks/summaries/requirements.txt. `--whole-path` reads our summaries
from a store (ingest, rollup, show --json) instead of asking the summarizer; it starts a process a session.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.summaries.classics import CLASSICS, ORACLE, SEEDS, Picker, drawn
from benchmarks.summaries.measure import MOST_TURNS, Figures, figures, mean, within_budget
from benchmarks.summaries.ours import MAPPINGS, Mapping, by_whole_path, direct
from benchmarks.summaries.talks import FILE, Talk, talks

_HEAD = "| text | method | coverage | of turns | ROUGE-1 | ROUGE-2 | ROUGE-L | words |"
_BARE, _NAMED = Mapping("", (), named=False), Mapping("", (), named=True)


def main(arguments: Sequence[str]) -> int:
    """Measure all and print the table. Return 1 when the gate does not hold."""
    data = os.environ.get("MEMTOOL_TEST_DATA", "")
    if not (Path(data) / FILE).is_file():
        print(f"skipped: MEMTOOL_TEST_DATA must name the folder that holds {FILE}")
        return 0
    read = talks(Path(data))
    print(f"{len(read)} sessions\n\n{_HEAD}\n|---|---|" + "---|" * 6)
    holds = True
    for style in (_BARE, _NAMED):
        best = [0.0, 0.0]
        for name, found in _classics(read, style):
            print(_row(style, name, found), flush=True)
            if name != _ORACLE_NAME:
                best = [max(best[0], found.coverage), max(best[1], found.rouge_1)]
        for mapping in (one for one in MAPPINGS if one.named == style.named):
            found = _ours(read, mapping, whole="--whole-path" in arguments)
            print(_row(style, f"**extractive** ({mapping.name})", found), flush=True)
            holds = holds and found.coverage > best[0] and found.rouge_1 > best[1]
    print(f"\ngate, better than every classic on coverage and ROUGE-1: {'yes' if holds else 'NO'}")
    return 0 if holds else 1


_ORACLE_NAME = "oracle (knows the questions)"


def _classics(read: list[Talk], style: Mapping) -> Iterator[tuple[str, Figures]]:
    several = [_picked(read, style, drawn(seed)) for seed in SEEDS]
    yield f"random, mean of {len(several)}", mean(several)
    for name, pick in CLASSICS.items():
        yield name, _picked(read, style, pick)
    yield _ORACLE_NAME, _picked(read, style, ORACLE)


def _picked(read: list[Talk], style: Mapping, pick: Picker) -> Figures:
    summaries = []
    for talk in read:
        texts = [style.text(talk, at) for at in range(len(talk.turns))]
        cited = pick(talk, texts, MOST_TURNS)
        summaries.append(within_budget(cited, [texts[at] for at in cited]))
    return figures(read, summaries)


def _ours(read: list[Talk], mapping: Mapping, *, whole: bool) -> Figures:
    if whole:
        return figures(read, by_whole_path(read, mapping))
    return figures(read, [direct(talk, mapping) for talk in read])


def _row(style: Mapping, name: str, found: Figures) -> str:
    shares = (found.coverage, found.turns, found.rouge_1, found.rouge_2, found.rouge_l)
    cells = " | ".join(f"{share:.3f}" for share in shares)
    return f"| {'Name: text' if style.named else 'text'} | {name} | {cells} | {found.words:.0f} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
