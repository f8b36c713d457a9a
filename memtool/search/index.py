"""The index on disk (docs/search.md): kept by jobs, opened by readers, deleted and rebuilt without loss."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from memtool.errors import DamagedError, MemtoolError, StorageError, UnavailableError
from memtool.files import (
    atomic_write,
    links_to,
    private_directory,
    reporting,
    sync_directory,
)
from memtool.locks import INDEX, lock_path, try_lock, wait_for
from memtool.model.calendar import Calendar
from memtool.search.documents import Document, documents_of_day
from memtool.search.words import VERSION as WORDS_VERSION
from memtool.store.access import Access
from memtool.store.store import Store

if TYPE_CHECKING:
    import tantivy

    from memtool.context import RunContext

FORMAT = 2
DIRECTORY = "index"
MANIFEST = "manifest.json"
TEXT_FIELDS = ("prose", "data", "summary")
NUMBERS = ("time", "end", "kind", "session", "turn", "size", "shape", "check")
_SEGMENT_FILE = re.compile(r"[0-9a-f]{32}\.[a-z]+")
_MOST_SEGMENTS = 12
_MOST_DELETED = 10
"""A compaction makes an index again of which more than one document in so many was replaced."""
_HEAP_BYTES = 64 << 20


class BrokenIndexError(StorageError):
    """The index cannot be read, or not be written. What it holds is in the store."""


class Manifest(msgspec.Struct, frozen=True):
    """What an index was made from, and how far. `name` is its directory; `files` are those in it, with their sizes."""

    format: int
    words: int
    store: str
    generation: int
    sequence: int
    name: str
    documents: int
    files: dict[str, int]


class _Deletes(msgspec.Struct):
    num_deleted_docs: int = 0


class _Segment(msgspec.Struct):
    deletes: _Deletes | None = None


class _Commit(msgspec.Struct):
    """tantivy's meta.json, as far as it is read here."""

    segments: list[_Segment]


class Report(msgspec.Struct, frozen=True):
    """What an update did. `is_busy`: another process was at it, and will do the work."""

    days: int = 0
    documents: int = 0
    is_rebuilt: bool = False
    is_busy: bool = False


def manifest_of(root: Path) -> Manifest | None:
    """Return the manifest of the index, or None where there is none that this memtool can read."""
    try:
        found = msgspec.json.decode((root / DIRECTORY / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError):
        return None
    is_ours = (found.format, found.words) == (FORMAT, WORDS_VERSION) and found.name.isalnum()
    return found if is_ours else None


def incarnation(access: Access, store: Store) -> str:
    """Return what tells this store from a copy of it that a restore has put in its place."""
    return f"{store.id}-{access.path.stat().st_ino:x}"


def behind(manifest: Manifest | None, access: Access, store: Store) -> dict[int, int] | None:
    """Return the days that the index has to read again, each with its sequence number; None: all of them."""
    if (
        manifest is None
        or manifest.store != incarnation(access, store)
        or manifest.generation != store.generation
        or manifest.sequence > store.sequence()
    ):
        return None
    if manifest.sequence == store.sequence():
        return {}
    return store.index_marks(manifest.sequence)


def schema() -> tantivy.Schema:
    """Return the fields of a document. Only ids are stored; no text has positions."""
    import tantivy

    made = tantivy.SchemaBuilder()
    made.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    made.add_text_field("tag", tokenizer_name="raw", index_option="basic")
    for name in TEXT_FIELDS:
        made.add_text_field(name, tokenizer_name="whitespace", index_option="freq")
    for name in NUMBERS:
        made.add_unsigned_field(name, fast=True)
    made.add_unsigned_field("place", fast=True, indexed=True)
    return made.build()


def add(writer: tantivy.IndexWriter, documents: Iterable[Document]) -> int:
    """Add the documents; return how many there were."""
    import tantivy

    count = 0
    for document in documents:
        row = tantivy.Document()
        row.add_text("id", document.id)
        row.add_text(document.field, document.terms)
        for tag in document.tags:
            row.add_text("tag", tag)
        for name in (*NUMBERS, "place"):
            row.add_unsigned(name, getattr(document, name))
        writer.add_document(row)
        count += 1
    return count


# Keeping it


def keep(context: RunContext, *, rebuild: bool = False) -> Report:
    """Bring the index up to date at the end of a job. What goes wrong is said, and fails no job: it is derived.

    A store that is damaged is another matter. Raise DamagedError.
    """
    if not Access(context.root).exists():
        return Report()
    try:
        report = update(context, rebuild=rebuild)
    except DamagedError:
        raise
    except (MemtoolError, OSError, ImportError) as error:
        context.reports.talk(f"the search index was not updated, ignoring: {error}")
        return Report()
    if report.documents:
        context.tally.details["documents_indexed"] = report.documents
    return report


def update(context: RunContext, *, rebuild: bool = False) -> Report:
    """Read the days again that have changed, in one commit; all of them where the index is none, or not of this store.

    Another process that keeps the index is not waited for. A signal ends it between two days, with the index as it was.
    """
    root = context.root
    access = Access(root)
    with access.reading() as store:
        if not rebuild and behind(manifest_of(root), access, store) == {}:
            return Report()
        lock = try_lock(lock_path(root, INDEX), context.holder)
        if lock is None:
            return Report(is_busy=True)
        with lock:
            old = None if rebuild else manifest_of(root)
            days = behind(old, access, store)
            if old is not None and days is not None:
                try:
                    return _update_days(context, store, old, sorted(days))
                except BrokenIndexError as error:
                    context.reports.talk(f"the search index is made again: {error.message}")
            return _make(context, store)


def _update_days(context: RunContext, store: Store, old: Manifest, days: list[int]) -> Report:
    place = context.root / DIRECTORY / old.name
    count = 0
    with _writing(place, create=False) as (index, writer):
        for day in days:
            context.checkpoint()
            writer.delete_documents_by_term("tag", f"day:{day}")
            count += add(writer, documents_of_day(store, day))
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        held = index.searcher().num_docs
    _write_manifest(context.root, store, old.name, held)
    return Report(len(days), count)


def _make(context: RunContext, store: Store) -> Report:
    """Make the index beside the one that is there, and let the manifest name it."""
    root, name = context.root, os.urandom(6).hex()
    place = private_directory(root / DIRECTORY / name)
    sweep(root, name)
    days = all_days(store)
    count = 0
    with _writing(place, create=True) as (_, writer):
        for number, day in enumerate(days):
            context.checkpoint()
            context.progress(number, len(days), "days indexed")
            count += add(writer, documents_of_day(store, day))
        writer.commit()
        writer.wait_merging_threads()
    _write_manifest(root, store, name, count)
    sweep(root, name)
    return Report(len(days), count, is_rebuilt=True)


def all_days(store: Store) -> list[int]:
    """Return every day that has a document, in order."""
    events = set(store.days(Calendar("UTC", 0)))
    return sorted(events | {place.period.first for place in store.node_places()})


@contextmanager
def _writing(place: Path, *, create: bool) -> Iterator[tuple[tantivy.Index, tantivy.IndexWriter]]:
    import tantivy

    with translated(place):
        index = tantivy.Index(schema(), str(place)) if create else tantivy.Index.open(str(place))
        yield index, index.writer(_HEAP_BYTES, 1)


def _write_manifest(root: Path, store: Store, name: str, documents: int) -> None:
    made = Manifest(
        FORMAT,
        WORDS_VERSION,
        incarnation(Access(root), store),
        store.generation,
        store.sequence(),
        name,
        documents,
        {path.name: path.stat().st_size for path in sorted((root / DIRECTORY / name).iterdir())},
    )
    atomic_write(root / DIRECTORY / MANIFEST, msgspec.json.encode(made) + b"\n")


def sweep(root: Path, kept: str) -> None:
    """Remove the indexes that a killed job has left, and the one before this one. The caller holds the lock."""
    manifest = manifest_of(root)
    names = {MANIFEST, kept, manifest.name if manifest else ""}
    with reporting(root / DIRECTORY):
        for path in (root / DIRECTORY).iterdir():
            if path.name not in names:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def remove(context: RunContext) -> None:
    """Remove the index, so that no byte of it is left. Waits for another process that keeps it, within the bound.

    One that does not end in time finds its directory gone, and fails.
    """
    place = context.root / DIRECTORY
    with ExitStack() as held, reporting(place):
        if not place.is_dir():
            return
        try:
            wait = context.lock_wait("search index", context.limits.lock_wait_s)
            held.enter_context(wait_for(lock_path(context.root, INDEX), context.holder, wait))
        except UnavailableError as error:
            context.reports.talk(f"the search index is removed all the same: {error.message}")
        (place / MANIFEST).unlink(missing_ok=True)  # first, so that nobody begins to read it
        shutil.rmtree(place)
        sync_directory(context.root)


def is_worn(root: Path) -> bool:
    """Return whether so much was replaced, or so many commits left files, that a compaction should make it again."""
    manifest = manifest_of(root)
    if manifest is None:
        return False
    try:
        listed = msgspec.json.decode(
            (root / DIRECTORY / manifest.name / "meta.json").read_bytes(), type=_Commit
        ).segments
    except (OSError, msgspec.MsgspecError):
        return True
    deleted = sum(one.deletes.num_deleted_docs for one in listed if one.deletes)
    return len(listed) > _MOST_SEGMENTS or deleted * _MOST_DELETED > manifest.documents


# Reading it


@contextmanager
def reading(root: Path, manifest: Manifest) -> Iterator[tantivy.Searcher]:
    """Give the index to a reader. Raise BrokenIndexError where it cannot be read.

    tantivy makes a lock file where it opens an index: where that is not allowed, it is opened through a private
    directory of links.
    """
    place = root / DIRECTORY / manifest.name
    with ExitStack() as held:
        held.enter_context(translated(place))
        import tantivy

        _check_files(place, manifest)
        if not os.access(place, os.W_OK):
            place = held.enter_context(links_to(place, lambda name: not name.endswith(".lock")))
        held.enter_context(_quiet_stderr())
        yield tantivy.Index.open(str(place)).searcher()


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Drop what is written to stderr: where tantivy panics on damage, Rust prints a trace before we are told."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _check_files(place: Path, manifest: Manifest) -> None:
    """Raise where a file is cut short: tantivy would panic in the middle of a query.

    One that is gone may have been merged into another since: tantivy knows.
    """
    for name, size_bytes in manifest.files.items():
        path = place / name
        if _SEGMENT_FILE.fullmatch(name) and path.exists() and path.stat().st_size != size_bytes:
            raise BrokenIndexError(f"{path} does not have the size that it was written with")


@contextmanager
def translated(place: Path) -> Iterator[None]:
    """Raise BrokenIndexError for what tantivy raises. On damage it panics."""
    try:
        yield
    except (MemtoolError, AssertionError, TypeError):
        raise
    except (ValueError, OSError, RuntimeError) as error:
        raise BrokenIndexError(f"{place}: {error}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise BrokenIndexError(f"{place}: {error}") from error


def differences(
    root: Path, store: Store, checkpoint: Callable[[], None] = lambda: None
) -> Iterator[str]:
    """Yield in words where the index does not hold what the store holds. One that is behind has no days to compare."""
    manifest = manifest_of(root)
    if manifest is None or behind(manifest, Access(root), store) != {}:
        return
    try:
        with reading(root, manifest) as searcher:
            named = searcher.terms_with_prefix("tag", "day:")
            days = {int(tag.partition(":")[2]) for tag, _ in named} | set(all_days(store))
            for day in sorted(days):
                checkpoint()
                held = _held_on(searcher, day)
                wanted = {one.id: one.check for one in documents_of_day(store, day)}
                for what, ids in (
                    ("is missing", wanted.keys() - held.keys()),
                    ("is not in the store", held.keys() - wanted.keys()),
                    ("differs", {one for one in held.keys() & wanted if held[one] != wanted[one]}),
                ):
                    yield from (f"{one} {what}" for one in sorted(ids))
    except BrokenIndexError as error:
        yield error.message


def _held_on(searcher: tantivy.Searcher, day: int) -> dict[str, int]:
    import tantivy

    query = tantivy.Query.term_query(schema(), "tag", f"day:{day}", "basic")
    count = max(1, searcher.doc_freq("tag", f"day:{day}"))
    addresses = [address for _, address in searcher.search(query, count, count=False).hits]
    checks = searcher.fast_field_values("check", addresses) if addresses else []
    ids = [str(searcher.doc(address)["id"][0]) for address in addresses]
    return {one: int(check or 0) for one, check in zip(ids, checks, strict=True)}
