"""How well `memtool search` answers, beside BM25 as it comes.

    DATA PYTHON -m benchmarks.recall FOLDER [--every N] [--fit]

The stores are made in FOLDER once. The figures are those of the shipped command. `--fit` fits the weights of
memtool/search/ranking.py again (it needs numpy) and says how they do on what they were not fitted to.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import tantivy

from benchmarks.recall.corpora import Question, coding, locomo, memtool
from memtool.search import index
from memtool.search.words import STOP_WORDS, expanded, terms

AT = (5, 10)
_STOP = {term for word in STOP_WORDS for term in expanded(word)}


class Table:
    """Shares of questions: of LoCoMo's evidence turns, of coding questions with a hit; of the right sessions."""

    def __init__(self) -> None:
        self.sums: dict[tuple[str, str], list[float]] = defaultdict(list)

    def add(self, question: Question, ids: Sequence[str], sessions: Sequence[str]) -> None:
        """Count one answer."""
        for limit in AT:
            held = {one for one in question.answers if any(i.startswith(one) for i in ids[:limit])}
            share = len(held) / len(question.answers)
            self.sums[question.corpus, f"@{limit}"].append(
                share if question.corpus == "locomo" else float(bool(held))
            )
        found = list(dict.fromkeys(sessions))
        for limit in (1, 5):
            held = question.sessions & set(found[:limit])
            share = len(held) / len(question.sessions)
            self.sums[question.corpus, f"session@{limit}"].append(share)

    def show(self, name: str) -> None:
        """Print one line for each corpus."""
        for corpus in ("locomo", "coding"):
            row = {what: rows for (of, what), rows in self.sums.items() if of == corpus}
            told = "  ".join(f"{what} {sum(rows) / len(rows):.3f}" for what, rows in row.items())
            print(f"{name:32} {corpus:7} {told}")


def shipped(questions: Iterable[Question]) -> None:
    """Ask the command, as a person or an agent does."""
    table, characters = Table(), []
    for number, one in enumerate(questions):
        text = memtool(one.store, "search", "--no-ingest", "--json", "--tokens", "9000", one.text)
        hits = json.loads(text)["hits"]
        table.add(one, [hit["id"] for hit in hits], [hit["session"] for hit in hits])
        if number % 10 == 0:
            characters.append(len(memtool(one.store, "search", "--no-ingest", one.text)))
    table.show("memtool search")
    print(f"ten hits: {sum(characters) / len(characters) / 4:.0f} tokens (characters ÷ 4), mean")


def bm25(questions: Sequence[Question], fields: Sequence[str], *, all_words: bool) -> None:
    """Ask tantivy alone, of the same index."""
    table = Table()
    with ExitStack() as held:
        searchers: dict[Path, tantivy.Searcher] = {}
        for one in questions:
            if one.store not in searchers:
                manifest = index.manifest_of(one.store)
                assert manifest is not None
                searchers[one.store] = held.enter_context(index.reading(one.store, manifest))
            words = list(dict.fromkeys(terms(one.text)))
            kept = words if all_words else [word for word in words if word not in _STOP] or words
            query = tantivy.Query.boolean_query(
                [
                    (
                        tantivy.Occur.Should,
                        tantivy.Query.term_query(index.schema(), field, term, "freq"),
                    )
                    for field in fields
                    for term in kept
                ]
            )
            searcher = searchers[one.store]
            hits = searcher.search(query, max(AT), count=False).hits
            ids = [str(searcher.doc(address)["id"][0]) for _, address in hits]
            table.add(one, ids, [])
    words = "all words" if all_words else "no stop words"
    table.show(f"BM25, {'+'.join(fields)}, {words}")


def main() -> None:
    """Make the stores and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="ask every Nth question of LoCoMo"
    )
    parser.add_argument("--fit", action="store_true")
    given = parser.parse_args()
    data = Path(os.environ["MEMTOOL_TEST_DATA"])
    given.folder.mkdir(parents=True, exist_ok=True)
    talks = [*locomo(data, given.folder)][:: given.every]
    questions = [*talks, *coding(data, given.folder)]
    if given.fit:
        from benchmarks.recall.fit import fit  # noqa: PLC0415 - it needs numpy

        fit(questions)
        return
    for fields in (["prose", "data"], ["prose"]):
        for all_words in (True, False):
            bm25(questions, fields, all_words=all_words)
    shipped(questions)


if __name__ == "__main__":
    main()
