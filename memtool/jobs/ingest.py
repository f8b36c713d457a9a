"""The body of the ingest job: find transcripts, read what is new, store it in synced batches, say what was wrong."""

from __future__ import annotations

import errno
import io
import math
import os
import select
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec.structs import replace

from memtool.agents.discover import (
    Discovered,
    discover,
    look,
    skip_reason,
    source_key,
    unchanged,
)
from memtool.agents.hooks import spool
from memtool.agents.outcomes import Counts, total
from memtool.agents.reading import FOREIGN, Chunk, Limits, read_chunks, read_stream
from memtool.agents.registry import Found, Root, agent_named
from memtool.context import RunContext
from memtool.errors import BadDataError, StorageError
from memtool.files import storage_error
from memtool.model.calendar import Calendar
from memtool.model.records import Source, session_stone
from memtool.process import SUMMARIZER_DIRECTORY
from memtool.rollup.job import report_left
from memtool.search import index
from memtool.store.access import Access, Lease
from memtool.store.capture import Captured, capture, drop_sources, note_unreadable
from memtool.store.store import Store

MAX_DAMAGE_LISTED = 20
_LOOK_EVERY_S = 0.2
_STALLED_AFTER_S = 1.0
_DAY_US = 86_400_000_000
STDIN = "-"


_OF_THE_MACHINE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors that say nothing about the file."""
_MOST_UNREADABLE = 1000
_LIMITS = Limits(own=SUMMARIZER_DIRECTORY)
_MOST_ROUNDS = 200
_LISTEN_EVERY_S = 0.1


class Order(msgspec.Struct, frozen=True):
    """What to read: named paths, else the agents' roots; or a stream. `calendar` is asked for a new store only."""

    paths: tuple[Path, ...]
    roots: tuple[Root, ...]
    calendar: Callable[[], Calendar]
    stream: BinaryIO | None = None
    listens_s: float = 0
    """For how long it waits for more payloads of hooks when all are read."""


class FileReport(msgspec.Struct):
    """What one source came to. `is_news` says that something is wrong with it that no earlier run has reported."""

    path: str
    counts: Counts = Counts()
    captured: Captured = msgspec.field(default_factory=Captured)
    damage: list[tuple[int, str]] = []
    waiting_bytes: int = 0
    problem: str = ""
    error: str = ""
    hint: str = ""
    number: int | None = None
    """The system's number of the error."""
    is_news: bool = False


class Report(msgspec.Struct):
    """What an ingest came to; nothing where it did not get as far as to look."""

    looked: bool = False
    is_first: bool = False
    """Whether there was no store yet."""
    files: list[FileReport] = []
    unchanged: int = 0
    known_damage: list[tuple[str, Source]] = []
    fatal: list[FileReport] = []
    """What could not be read and must be."""
    known_unreadable: list[str] = []
    """The errors of what an earlier ingest could not read either."""
    unread: tuple[tuple[Path, str], ...] = ()
    payloads: int = 0
    """How many payloads of hooks were taken."""
    rejected: list[tuple[str, str]] = []
    """Those that were not understood, with the reason."""
    stuck: list[str] = []
    """Those that could not be removed from the spool."""

    @property
    def counts(self) -> Counts:
        """The sum over all that was read."""
        return total(file.counts for file in self.files)

    @property
    def captured(self) -> Captured:
        """The sum of what was stored."""
        sums = Captured()
        for file in self.files:
            add_captured(sums, file.captured)
        return sums


def add_captured(sums: Captured, more: Captured) -> None:
    """Add to a sum in place."""
    sums.new += more.new
    sums.changed += more.changed
    sums.known += more.known
    sums.forgotten += more.forgotten
    sums.days |= more.days


def ingest(context: RunContext, order: Order, report: Report) -> None:
    """Read what is new; `report` is filled as it goes, so that it is right however the run ends."""
    access = Access(context.root)
    is_there = access.exists()
    report.is_first = not is_there
    calendar = None if is_there else order.calendar()
    hears = order.stream is None and not order.paths
    seen: set[str] = set()
    with access.lease(context.writer, calendar) as lease:
        if order.stream is not None:
            _take_stream(context, order.stream, lease, report)
        else:
            known = _known(context, access) if is_there else _Known()
            if hears:
                _take_spool(context, lease, report, known.sources, seen)
            _take_files(context, order, lease, report, known)
        if report.captured.new or report.captured.changed:
            report_left(context, lease.store())
    index.keep(context)
    for _ in range(_MOST_ROUNDS if hears else 0):
        if not _hears_more(context, seen, order.listens_s):
            break
        with access.lease(context.writer, calendar) as lease:
            known = _known(context, access) if access.exists() else _Known()
            _take_spool(context, lease, report, known.sources, seen)
            if report.captured.new or report.captured.changed:
                report_left(context, lease.store())
        index.keep(context)
    _conclude(context, report)


def _hears_more(context: RunContext, seen: set[str], listens_s: float) -> bool:
    """Return whether hooks have left more meanwhile, or do so soon: systemd hears none while this runs, or ends."""
    end_s = time.monotonic() + listens_s
    while seen.issuperset(spool.names(context.root)):
        if time.monotonic() >= end_s:
            return False
        context.checkpoint()
        time.sleep(_LISTEN_EVERY_S)
    return True


def _take_spool(
    context: RunContext, lease: Lease, report: Report, sources: dict[str, Source], seen: set[str]
) -> None:
    """Read the transcripts that hooks have named. The payloads go when that is on the disk."""
    read: list[tuple[spool.Payload, str]] = []
    spool.sweep(context.root, context.now_us)
    for payload in spool.payloads(context.root, seen):
        context.checkpoint()
        problem = payload.problem
        if not problem and agent_named(payload.agent) is None:
            problem = f"of an agent that memtool does not know: {payload.agent}"
        for path in () if problem else payload.transcripts:
            problem = problem or _take_named(
                context, path, lease, report, agent=payload.agent, sources=sources
            )
        read.append((payload, problem))
    lease.release()
    for payload, problem in read:
        if problem:
            report.rejected.append((payload.path.name, problem))
            is_gone = spool.reject(context.root, payload, problem, context.now_us)
        else:
            is_gone = spool.take(payload)
        report.payloads += is_gone
        if not is_gone:
            report.stuck.append(str(payload.path))


def _take_named(
    context: RunContext,
    path: Path,
    lease: Lease,
    report: Report,
    *,
    agent: str,
    sources: dict[str, Source],
) -> str:
    """Read a transcript that a hook of the agent has named; return why that is not possible, or ""."""
    if not path.exists() or skip_reason(path, filter(None, [agent_named(agent)])):
        return ""  # the agent makes it when there is something to write
    file = FileReport(source_key(path))
    source = sources.get(file.path)
    try:
        for chunk in _readable(read_chunks(path, source, limits=replace(_LIMITS, only=agent))):
            if chunk.source.problem:
                return f"{chunk.source.problem}: {path}"
            if chunk.source.format:
                _store(context, lease, file, chunk, is_file=True)
                _note(context, file, chunk)
                _judge(file, chunk.source, source)
                sources[file.path] = chunk.source
                context.checkpoint()
    except _Unreadable as unreadable:
        return f"the transcript that it names cannot be read: {unreadable.error.message}"
    if file.counts.taken or file.damage:
        report.files.append(file)
    return ""


class _Known(msgspec.Struct, frozen=True):
    """What the store has of the files."""

    sources: dict[str, Source] = {}
    unreadable: dict[str, str] = {}


def _known(context: RunContext, access: Access) -> _Known:
    with access.reading() as store:
        report_left(context, store)
        return _Known(store.sources(), store.unreadable())


def _take_stream(context: RunContext, stream: BinaryIO, lease: Lease, report: Report) -> None:
    file = FileReport(STDIN)
    report.looked = True
    report.files.append(file)
    for chunk in read_stream(_Waiting.on(stream, context, lease), limits=_LIMITS):
        _store(context, lease, file, chunk, is_file=False)
        _note(context, file, chunk)
        context.checkpoint()
    file.is_news = bool(file.counts.damaged or file.problem)


class _Waiting(io.RawIOBase):
    """Reads a pipe or a terminal. Where it has to wait, signals end the run, and other writers get the store.

    Where it has to wait for long, other ingests can run.
    """

    def __init__(self, descriptor: int, context: RunContext, lease: Lease) -> None:
        self._descriptor = descriptor
        self._context = context
        self._lease = lease

    @classmethod
    def on(cls, stream: BinaryIO, context: RunContext, lease: Lease) -> BinaryIO:
        """Return a stream that reads the same; one that is in memory is returned as it is."""
        try:
            return io.BufferedReader(cls(stream.fileno(), context, lease))
        except io.UnsupportedOperation:
            return stream

    def readable(self) -> bool:
        """Return true: io asks."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # what io gives it
        """Fill the buffer with what is there; wait where nothing is. Raise Stopped after a signal."""
        if not self._has_more(0):
            self._lease.release()
            if not self._comes_within(_STALLED_AFTER_S):
                with self._context.aside("the input has stalled"):
                    self._comes_within(math.inf)
        return os.readv(self._descriptor, [buffer])

    def _comes_within(self, time_s: float) -> bool:
        """Wait until there is something to read, or its end; return whether there is. Raise Stopped after a signal."""
        end_s = time.monotonic() + time_s
        while not self._has_more(_LOOK_EVERY_S):  # signals do not end it
            self._context.checkpoint()
            if time.monotonic() > end_s:
                return False
        return True

    def _has_more(self, time_s: float) -> bool:
        return bool(select.select([self._descriptor], [], [], time_s)[0])


def _take_files(
    context: RunContext, order: Order, lease: Lease, report: Report, known: _Known
) -> None:
    sources = known.sources
    found = discover(order.paths, roots=order.roots)
    report.looked = True
    report.unread = found.unread
    _note_failed(report, found)
    spans = [unread_span(path, sources.get(source_key(path))) for path in found.files]
    done_bytes, total_bytes = 0, sum(map(len, spans))
    for number, (path, span) in enumerate(zip(found.files, spans, strict=True), start=1):
        context.checkpoint()
        label = f"file {number:,} of {len(found.files):,}"

        def on_offset(offset: int) -> None:
            read_bytes = len(span[: max(0, offset - span.start)])  # noqa: B023 - called in this turn
            context.progress(done_bytes + read_bytes, total_bytes, label, is_bytes=True)  # noqa: B023

        on_offset(span.start)
        _take_file(context, path, lease, report, sources.get(source_key(path)), on_offset=on_offset)
        done_bytes += len(span)
    if order.paths:  # what a person names must be readable
        _pass_over_others(report, {source_key(path) for path in order.paths})
        report.fatal = [file for file in report.files if file.error]
        return
    if gone := _gone(order.roots, sources, found):
        drop_sources(lease.store(), gone)
    _note_unreadable(context, lease, report, known.unreadable)


_DOCUMENTS = (".json", ".db")


def _pass_over_others(report: Report, named: set[str]) -> None:
    """List the documents and databases in a directory that are no agent's: no person meant them."""

    def is_other(path: str, problem: str) -> bool:
        return problem == FOREIGN and path.endswith(_DOCUMENTS) and path not in named

    others = [file.path for file in report.files if is_other(file.path, file.problem)]
    others += [path for path, source in report.known_damage if is_other(path, source.problem)]
    report.files = [file for file in report.files if file.path not in others]
    report.known_damage = [row for row in report.known_damage if row[0] not in others]
    report.unread = (*report.unread, *((Path(path), FOREIGN) for path in others))


def _note_unreadable(
    context: RunContext, lease: Lease, report: Report, before: dict[str, str]
) -> None:
    """Report what cannot be read once; after that it is only listed, until it can be read or has another reason."""
    failed = [file for file in report.files if file.error]
    report.fatal = [file for file in failed if file.number in _OF_THE_MACHINE]
    now = {file.path: file.error for file in failed[:_MOST_UNREADABLE]}
    if now != before:
        note_unreadable(lease.store(), now)
    known = [file for file in failed if before.get(file.path) == file.error]
    report.files = [file for file in report.files if file not in known]
    report.known_unreadable = [file.error for file in known]
    for file in failed:
        if file not in known:
            why = file.error.removeprefix(f"{file.path}: ")
            context.tally.fail(f"cannot read {file.path}", why)
    if failed:
        context.tally.details["files_unreadable"] = len(failed)
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        context.tally.problem = f"cannot read {failed[0].error}{more}"


def _gone(roots: Iterable[Root], sources: Iterable[str], found: Discovered) -> list[str]:
    """Return the transcripts below the roots that were read once, and that nothing leads to any more."""
    there = {source_key(path) for path in found.files}
    places = [root.path for root in roots if any(map(os.path.exists, root.transcripts))]
    closed = [path.absolute() for path, _ in found.failed]
    return [
        source
        for source in sources
        if source not in there
        and any(Path(source).is_relative_to(place) for place in places)
        and not any(Path(source).is_relative_to(place) for place in closed)
        and not os.path.lexists(source)
    ]


def _is_covered(store: Store, session: str, time_us: int, now_us: int) -> bool:
    """Return whether a transcript tells, or may soon tell, what was said in the session at that time."""
    if time_us > now_us - _DAY_US or store.tombstone(session_stone(session)) is not None:
        return True
    known = store.session(session)
    return known is not None and any(
        event.metadata.get("source") != "history"
        for event in store.events(known.first_us, known.first_us + 1)
        if any(claim.session == session for claim in event.claims)
    )


def unread_span(path: Path, source: Source | None) -> range:
    """Return which bytes of the file this run is likely to read; only its progress is measured by them."""
    try:
        found = look(path, source)
    except OSError:
        return range(0)  # reading it says why
    if source is None or source.inode != found.inode or source.offset > found.size_bytes:
        return range(found.size_bytes)
    is_read = unchanged(found, source)
    return range(found.size_bytes if is_read else source.offset, found.size_bytes)


def _note_failed(report: Report, found: Discovered) -> None:
    report.files += [
        FileReport(source_key(path), error=why.message, hint=why.hint, number=why.number)
        for path, why in found.failed
    ]


def _take_file(
    context: RunContext,
    path: Path,
    lease: Lease,
    report: Report,
    source: Source | None,
    *,
    on_offset: Callable[[int], None],
) -> None:
    file = FileReport(source_key(path))

    def is_covered(session: str, time_us: int) -> bool:
        return _is_covered(lease.store(), session, time_us, context.now_us)

    try:
        if source is not None and unchanged(_look(path, source), source):
            _note_unchanged(report, file.path, source)
            return
        report.files.append(file)
        for chunk in _readable(
            read_chunks(path, source, limits=replace(_LIMITS, is_covered=is_covered))
        ):
            _store(context, lease, file, chunk, is_file=True)
            _note(context, file, chunk)
            _judge(file, chunk.source, source)
            on_offset(chunk.source.offset)
            context.checkpoint()
    except _Unreadable as unreadable:
        error = unreadable.error
        if error.number == errno.ENOENT:  # it is gone since it was found
            return
        file.error, file.hint, file.number = error.message, error.hint, error.number
        if file not in report.files:
            report.files.append(file)


class _Unreadable(Exception):  # noqa: N818 - private to this module: the file, not the store, failed
    """A file that could not be read."""

    def __init__(self, error: StorageError) -> None:
        super().__init__(error.message)
        self.error = error


def _look(path: Path, source: Source) -> Found:
    try:
        return look(path, source)
    except OSError as error:
        raise _Unreadable(storage_error(error, path)) from error


def _readable(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Yield the chunks; raise _Unreadable for an error of the file, which is no error of the store."""
    while True:
        try:
            chunk = next(chunks, None)
        except StorageError as error:
            raise _Unreadable(error) from error
        if chunk is None:
            return
        yield chunk


def _note_unchanged(report: Report, path: str, source: Source) -> None:
    report.unchanged += 1
    if source.damaged or source.problem:
        report.known_damage.append((path, source))


def _store(
    context: RunContext, lease: Lease, file: FileReport, chunk: Chunk, *, is_file: bool
) -> None:
    state = chunk.source if is_file else None
    captured = capture(
        lease.store(), chunk.records, path=file.path, source=state, now_us=context.now_us
    )
    add_captured(file.captured, captured)


def _note(context: RunContext, file: FileReport, chunk: Chunk) -> None:
    file.counts = total((file.counts, chunk.counts))
    file.damage += chunk.damage[: MAX_DAMAGE_LISTED - len(file.damage)]
    file.waiting_bytes = chunk.source.waiting_bytes
    file.problem = chunk.source.problem
    context.tally.events += len(chunk.records)


def _judge(file: FileReport, now: Source, before: Source | None) -> None:
    """Decide whether what is wrong with the file was reported before: then it is listed, not shouted."""
    known = before or Source()
    file.is_news = now.damaged > known.damaged or now.problem not in ("", known.problem)


def _conclude(context: RunContext, report: Report) -> None:
    """Put the outcome into the tally, and raise where the run as a whole has failed."""
    captured, counts = report.captured, report.counts
    context.tally.events = captured.new + captured.changed
    context.tally.details |= {
        "files": len(report.files),
        "files_unchanged": report.unchanged,
        "events_new": captured.new,
        "events_changed": captured.changed,
        "events_known": captured.known,
        "events_forgotten": captured.forgotten,
        "records_damaged": counts.damaged,
        "records_unknown": counts.skipped,
        "redactions": counts.redactions,
        "payloads": report.payloads,
        "payloads_rejected": len(report.rejected),
    }
    for file in report.files:
        if file.is_news:
            context.tally.fail(file.path, file.problem or _damage(file.counts.damaged))
    _raise_unreadable(report.fatal)
    _raise_useless(report)


def _damage(count: int) -> str:
    return "one damaged record" if count == 1 else f"{count} damaged records"


def _raise_unreadable(failed: Sequence[FileReport]) -> None:
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise StorageError(
            f"cannot read {failed[0].error}{more}",
            hint=f"{failed[0].hint or 'look at it: ls -l'}; the next run tries it again",
        )


def _raise_useless(report: Report) -> None:
    """Raise BadDataError where something was given and nothing in it could be understood."""
    bad = [file for file in report.files if file.is_news and not file.counts.taken]
    if bad and len(bad) == len(report.files) and not report.unchanged:
        raise BadDataError(
            f"{bad[0].path}: {bad[0].problem or 'nothing in it can be read'}",
            hint="give transcripts of a known agent, or lines of the schema in docs/event-schema.md",
        )
