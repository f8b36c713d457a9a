"""Finding: what a query means, the documents that may answer it, from the index and from what it does not hold yet."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from memtool.model.levels import Level
from memtool.search.dates import span_named
from memtool.search.documents import KINDS, documents_of_day
from memtool.search.index import (
    BrokenIndexError,
    add,
    all_days,
    behind,
    manifest_of,
    reading,
    schema,
)
from memtool.search.ranking import Candidate, Question, Ranked, Summary, ranked
from memtool.search.words import STOP_WORDS, expanded, terms
from memtool.store.access import Access
from memtool.store.store import Store

if TYPE_CHECKING:
    import tantivy

MOST_SCANNED = 20_000
"""How many events are searched that the index does not hold."""
MOST_CHARACTERS = 10_000
_MOST_TERMS = 22
"""A score is a 32-bit float: whole up to 24 bits, and it carries one for each term."""
_MOST_PROSE, _MOST_DATA, _MOST_SUMMARIES = 500, 100, 60
_MOST_BASES = 200
"""How many of the best bring their neighbours along."""
_FEWEST_OF_A_QUESTION = 3
"""Fewer terms, and no stop word, are keywords: then only what holds one is found, not what was said beside it."""
_COMMON = 0.25
"""A term that more than this share of the documents holds is common."""
_QUOTED = re.compile(r'"([^"]+)"')
_MUST = re.compile(r"#\d+|[a-z]{2,10}-\d+|(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7}")
"""Terms that must match where any document holds them: tickets and the first digits of hashes."""
_HEAP_BYTES = 16 << 20


class Wanted(msgspec.Struct, frozen=True):
    """What is searched for. Each of `phrases` must be found as it stands; each group of `tags` must have one match."""

    text: str
    phrases: tuple[str, ...] = ()
    tags: tuple[tuple[str, ...], ...] = ()
    since_us: int | None = None
    until_us: int | None = None
    levels: tuple[Level, ...] = ()
    without_session: str = ""


class Found(msgspec.Struct, frozen=True):
    """What was found, the best first, and what the answer lacks, in words for a person."""

    ranked: tuple[Ranked, ...]
    terms: dict[str, float]
    lacks: tuple[str, ...] = ()


class _Terms(msgspec.Struct, frozen=True):
    """The terms of a query: those that count with their weights, the common ones, and those that must match."""

    weights: dict[str, float]
    common: tuple[str, ...]
    must: tuple[str, ...]
    is_question: bool


def wanted_of(words: Sequence[str], **rest: object) -> Wanted:
    """Return what the words of a command line ask for. Of several arguments, those with spaces were quoted."""
    text = " ".join(words)[:MOST_CHARACTERS]
    phrases = tuple(_QUOTED.findall(text))
    if len(words) > 1:
        phrases += tuple(word for word in words if " " in word.strip() and '"' not in word)
    return msgspec.convert({"text": text.replace('"', " "), "phrases": phrases, **rest}, Wanted)


def find(root: Path, store: Store, wanted: Wanted, now_us: int) -> Found:
    """Return the documents that answer best. Reads what the index lacks by a scan; never fails because of the index."""
    manifest = manifest_of(root)
    stale = behind(manifest, Access(root), store)
    dated = span_named(wanted.text, store.calendar, now_us)
    lacks: list[str] = []
    if manifest is not None and stale is not None:
        try:
            with reading(root, manifest) as searcher:
                hidden = [f"day:{day}" for day in sorted(stale)]
                looks = [(searcher, hidden), *_scanned(store, sorted(stale, reverse=True), lacks)]
                return _answer(wanted, dated, looks, lacks)
        except BrokenIndexError:
            lacks = ["the search index cannot be read; `memtool ingest` makes it again"]
    else:
        lacks = ["there is no search index of this memory; `memtool ingest` makes it"]
    looks = list(_scanned(store, sorted(all_days(store), reverse=True), lacks))
    return _answer(wanted, dated, looks, lacks)


def _scanned(
    store: Store, days: Sequence[int], lacks: list[str]
) -> Iterator[tuple[tantivy.Searcher, list[str]]]:
    """Yield a look at the documents of these days, read into memory: the newest days, as far as the bound goes."""
    if not days:
        return
    import tantivy

    index = tantivy.Index(schema())
    writer = index.writer(_HEAP_BYTES, 1)
    count = 0
    for number, day in enumerate(days):
        if count >= MOST_SCANNED:
            lacks.append(f"{len(days) - number} older days were not searched")
            break
        count += add(writer, documents_of_day(store, day))
    writer.commit()
    index.reload()
    yield index.searcher(), []


def _answer(
    wanted: Wanted,
    dated: tuple[int, int] | None,
    looks: Sequence[tuple[tantivy.Searcher, list[str]]],
    lacks: Sequence[str],
) -> Found:
    asked = _terms_of(wanted, [searcher for searcher, _ in looks])
    question = Question(wanted.text, tuple(asked.weights.values()), len(asked.common), dated)
    candidates: list[Candidate] = []
    summaries: list[Summary] = []
    for searcher, hidden in looks:
        look = _Look(searcher, asked, wanted, hidden)
        candidates += look.nodes() if wanted.levels else look.events()
        summaries += [] if wanted.levels else look.summaries()
    return Found(tuple(ranked(question, candidates, summaries)), asked.weights, tuple(lacks))


def _terms_of(wanted: Wanted, searchers: Sequence[tantivy.Searcher]) -> _Terms:
    """Weigh the terms by how few documents hold them. Stop words and common terms count where nothing else is left."""
    found = list(dict.fromkeys(terms(wanted.text)))
    stop = {term for word in STOP_WORDS for term in expanded(word)}
    kept = [term for term in found if term not in stop] or found
    total = sum(searcher.num_docs for searcher in searchers) or 1
    held = {
        term: sum(s.doc_freq("prose", term) + s.doc_freq("data", term) for s in searchers)
        for term in kept
    }
    rare = [term for term in kept if held[term] <= _COMMON * total] or kept
    weights = {
        term: math.log(1 + (total - min(total, held[term]) + 0.5) / (held[term] + 0.5))
        for term in rare
    }
    chosen = sorted(weights, key=weights.__getitem__)[-_MOST_TERMS:]
    must = [term for term in kept if _MUST.fullmatch(term) and held[term]]
    phrase_terms = [term for phrase in wanted.phrases for term in terms(phrase)]
    return _Terms(
        {term: weights[term] for term in chosen},
        tuple(term for term in kept if term not in rare)[:_MOST_TERMS],
        tuple(dict.fromkeys([*must, *phrase_terms])),
        len(kept) < len(found) or len(kept) >= _FEWEST_OF_A_QUESTION,
    )


class _Look:
    """One look into one index, for one query."""

    def __init__(
        self, searcher: tantivy.Searcher, asked: _Terms, wanted: Wanted, hidden: Sequence[str]
    ) -> None:
        import tantivy

        self._tantivy = tantivy
        self._schema = schema()
        self._searcher = searcher
        self._asked = asked
        self._filters = self._filters_of(wanted, hidden)

    def _filters_of(
        self, wanted: Wanted, hidden: Sequence[str]
    ) -> list[tuple[tantivy.Occur, tantivy.Query]]:
        query, must, never = (
            self._tantivy.Query,
            self._tantivy.Occur.Must,
            self._tantivy.Occur.MustNot,
        )
        found = [(must, self._any_tag(tags)) for tags in wanted.tags]
        if hidden:
            found.append((never, self._any_tag(hidden)))
        if wanted.without_session:
            found.append((never, self._any_tag([f"session:{wanted.without_session}"])))
        if wanted.since_us is not None or wanted.until_us is not None:
            kind = self._tantivy.FieldType.Unsigned
            span = query.range_query(
                self._schema, "time", kind, wanted.since_us, wanted.until_us, include_upper=False
            )
            found.append((must, query.const_score_query(span, 0)))
        levels = [f"level:{level.word}" for level in wanted.levels]
        if levels:
            found.append((must, self._any_tag(levels)))
        return found

    def _any_tag(self, tags: Iterable[str]) -> tantivy.Query:
        query = self._tantivy.Query
        return query.const_score_query(query.term_set_query(self._schema, "tag", list(tags)), 0)

    def _term(self, field: str, term: str) -> tantivy.Query:
        return self._tantivy.Query.term_query(self._schema, field, term, "freq")

    def _run(self, field: str, limit: int) -> list[tuple[float, tantivy.DocAddress]]:
        """Return the best documents of a field, with their scores."""
        query, occur = self._tantivy.Query, self._tantivy.Occur
        any_of = query.boolean_query(
            [(occur.Should, self._term(field, term)) for term in self._asked.weights]
        )
        must = [
            (occur.Must, query.const_score_query(self._term(field, term), 0))
            for term in self._asked.must
        ]
        both = query.boolean_query([(occur.Must, any_of), *must, *self._filters])
        return self._searcher.search(both, limit, count=False).hits

    def _bits(self, field: str, names: Sequence[str], places: Sequence[int]) -> dict[int, int]:
        """Return which of the terms the documents at these places hold, a bit each."""
        if not names or not places:
            return {}
        query, occur = self._tantivy.Query, self._tantivy.Occur
        each = [
            (occur.Should, query.const_score_query(self._term(field, term), float(1 << bit)))
            for bit, term in enumerate(names)
        ]
        at = query.const_score_query(query.term_set_query(self._schema, "place", list(places)), 0)
        both = query.boolean_query([(occur.Must, at), (occur.Must, query.boolean_query(each))])
        hits = self._searcher.search(both, len(places), count=False).hits
        found = self._values("place", [address for _, address in hits])
        return {place: int(score) for place, (score, _) in zip(found, hits, strict=True)}

    def _values(self, name: str, addresses: Sequence[tantivy.DocAddress]) -> list[int]:
        values = self._searcher.fast_field_values(name, list(addresses)) if addresses else []
        return [int(value or 0) for value in values]

    def _candidates(self, addresses: Sequence[tantivy.DocAddress]) -> list[Candidate]:
        names = ("time", "kind", "session", "turn", "place", "size", "shape")
        rows = zip(*(self._values(name, addresses) for name in names), strict=True)
        ids = [str(self._searcher.doc(address)["id"][0]) for address in addresses]
        return [Candidate(one, *row) for one, row in zip(ids, rows, strict=True)]

    def events(self) -> list[Candidate]:
        """Return the events that may answer: by what was said, by what surrounds it, and by the data of tools."""
        prose, data = self._run("prose", _MOST_PROSE), self._run("data", _MOST_DATA)
        hits = [*prose, *data]
        addresses = [address for _, address in hits]
        places = self._values("place", addresses)
        scores = {place: score for place, (score, _) in zip(places, hits, strict=True)}
        bases = places[: min(len(prose), _MOST_BASES)]
        beside = {place + step for place in bases for step in (-1, 1, 2)} - scores.keys()
        if self._asked.is_question and not self._asked.must:
            addresses += self._at(beside)
        found = self._candidates(addresses)
        held = [one.place for one in found]
        names, common = list(self._asked.weights), list(self._asked.common)
        bits = self._bits("prose", names, held) | self._bits("data", names, held)
        common_bits = self._bits("prose", common, held) | self._bits("data", common, held)
        for one in found:
            one.text = scores.get(one.place, 0.0)
            one.terms = bits.get(one.place, 0)
            one.common = common_bits.get(one.place, 0)
        return [one for one in found if one.kind < len(KINDS)]

    def _at(self, places: Iterable[int]) -> list[tantivy.DocAddress]:
        """Return the documents at these places that pass the filters."""
        query, wanted = self._tantivy.Query, list(places)
        if not wanted:
            return []
        at = query.term_set_query(self._schema, "place", wanted)
        both = query.boolean_query([(self._tantivy.Occur.Must, at), *self._filters])
        hits = self._searcher.search(both, len(wanted), count=False).hits
        return [address for _, address in hits]

    def summaries(self) -> list[Summary]:
        """Return the segments whose summaries the query finds."""
        hits = self._run("summary", _MOST_SUMMARIES)
        columns = [
            self._values(name, [address for _, address in hits])
            for name in ("session", "time", "end")
        ]
        rows = zip(*columns, (score for score, _ in hits), strict=True)
        return [Summary(*row) for row in rows if row[0]]

    def nodes(self) -> list[Candidate]:
        """Return the nodes that may answer."""
        hits = self._run("summary", _MOST_PROSE)
        found = self._candidates([address for _, address in hits])
        for one, (score, _) in zip(found, hits, strict=True):
            one.text = score
        return found
