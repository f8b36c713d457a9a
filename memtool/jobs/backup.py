"""Backups: their files and manifest, and the task that makes one. Holds the writer for a moment only.

A backup is a directory with the layout of a store's (docs/backup.md). It has its name only when it is complete.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count
from pathlib import Path, PurePosixPath

import msgspec
from msgspec.structs import replace

from memtool import __version__
from memtool.context import RunContext
from memtool.errors import BadDataError, DamagedError, MemtoolError, UsageError
from memtool.files import (
    atomic_write,
    dated_place,
    exists,
    private_directory,
    reporting,
    sync_directory,
)
from memtool.ledger.file import copy_ended
from memtool.program import upgrade_hint
from memtool.query.verify import Verification, verify
from memtool.store.access import FORMAT, FORMAT_FILE, Access, recorded_format
from memtool.store.store import Store

MANIFEST = "manifest.json"
KIND = "memtool-backup"
VERSION = 1
STAGING = "backup.new"
PARTIAL = ".partial"
_LEFT_OVER_AFTER_S = 24 * 3600
_STEP_BYTES = 1 << 20
_DIGEST_BYTES = 32
_PARTS = ("store", "ledger")
"""The directories that a backup has; besides them it has files at its top."""


class Entry(msgspec.Struct, frozen=True):
    """One file of a backup; `blake2b` is the digest of its bytes, in hex digits."""

    path: str
    size_bytes: int
    blake2b: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup is, and what is in it. `verified` is null where it was not checked."""

    kind: str
    version: int
    memtool: str
    time_us: int
    time: str
    store: str
    format: int
    events: int
    nodes: int
    verified: bool | None
    files: tuple[Entry, ...]
    blake2b: str = ""
    """The digest of this manifest with nothing here."""

    def encoded(self) -> bytes:
        """Return the file's content, with its own digest."""
        unsigned = _json(replace(self, blake2b=""))
        return _json(replace(self, blake2b=_hash(unsigned).hexdigest()))


def _json(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def _hash(data: bytes = b"") -> hashlib.blake2b:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES)


def write_manifest(directory: Path, manifest: Manifest) -> None:
    atomic_write(directory / MANIFEST, manifest.encoded())


def read_manifest(directory: Path) -> Manifest:
    """Return a backup's manifest. Raise BadDataError where there is none, DamagedError where it is damaged."""
    file = directory / MANIFEST
    with reporting(file):
        try:
            data = file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise BadDataError(
                f"{directory} is not a backup: it has no {MANIFEST}",
                hint="name a directory that `memtool backup` has made",
            ) from None
    damaged = DamagedError(
        f"{file} is damaged: nothing was restored", hint="use another backup, or another copy of it"
    )
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged from error
    if manifest.encoded() != data or manifest.kind != KIND:
        raise damaged
    if not all(_is_of_backup(PurePosixPath(entry.path)) for entry in manifest.files):
        raise BadDataError(f"{file} names files that do not belong to a backup")
    if manifest.version > VERSION:
        raise BadDataError(
            f"{directory} is a backup of version {manifest.version}, this memtool knows up to {VERSION}",
            hint=upgrade_hint(),
        )
    return manifest


def _is_of_backup(path: PurePosixPath) -> bool:
    *above, name = path.parts or (".",)
    return name not in (".", "..") and above in ([], *([part] for part in _PARTS))


def files_in(directory: Path) -> Iterator[str]:
    """Yield the files that a copy of a store is made of, as paths below its directory, in order."""
    with reporting(directory):
        for below in (directory, *(directory / part for part in _PARTS)):
            if below.is_dir():
                for file in sorted(below.iterdir()):
                    if file.is_file():
                        yield file.relative_to(directory).as_posix()


def copy_files(
    context: RunContext, source: Path, target: Path, sizes: Mapping[str, int], label: str
) -> dict[str, Entry]:
    """Copy files, by path and expected size, from one directory to another; return what was read."""
    private_directory(target)
    total, done = sum(sizes.values()), 0
    entries: dict[str, Entry] = {}
    for path, size_bytes in sizes.items():
        context.checkpoint()
        context.progress(done, total, f"{label} {path}", is_bytes=True)
        entries[path] = copy_file(source, target, path)
        done += size_bytes
    with reporting(target):  # now the names are durable, too
        for part in (*_PARTS, ""):
            if (target / part).is_dir():
                sync_directory(target / part)
    return entries


def copy_file(source: Path, target: Path, path: str) -> Entry:
    """Copy the file `path` from one directory to another, durably and private; return what was read."""
    private_directory((target / path).parent)
    digest, size_bytes = _hash(), 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with reporting(target / path), os.fdopen(os.open(target / path, flags, 0o600), "wb") as writing:
        for data in _parts_of(source / path):
            digest.update(data)
            size_bytes += len(data)
            writing.write(data)
        writing.flush()
        os.fsync(writing.fileno())
    return Entry(path, size_bytes, digest.hexdigest())


def _parts_of(file: Path) -> Iterator[bytes]:
    with reporting(file), file.open("rb") as reading:
        while data := reading.read(_STEP_BYTES):
            yield data


class Report(msgspec.Struct):
    """The result of a backup; no manifest where it was not completed. `held_us` is how long the writer was held."""

    place: Path | None = None
    manifest: Manifest | None = None
    size_bytes: int = 0
    held_us: int = 0
    found: Verification | None = None


def check(root: Path, directory: Path) -> None:
    """Raise UsageError where there is nothing to back up, or the backup would lie within the store itself."""
    if not Access(root).exists():
        raise UsageError(
            f"there is no store at {root}, so there is nothing to back up",
            hint="memtool ingest makes one; --store names another",
        )
    if directory.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            f"{directory} lies within the store at {root}: what takes the store would take both",
            hint="name a directory elsewhere, best on another disk",
        )


def backup(context: RunContext, directory: Path, report: Report, *, verifies: bool = True) -> None:
    """Make a backup, in a new directory in this one, and with `verifies` check it.

    `report` is right however the run ends. Only a whole backup gets its name. A store in which nothing may be written
    is copied by its files.
    """
    check(context.root, directory)
    is_fixed = not os.access(context.root, os.W_OK)
    staging = (directory if is_fixed else context.root) / STAGING
    private_directory(directory)
    shutil.rmtree(staging, ignore_errors=True)
    held = ExitStack()
    try:
        store_id = _link_to(context, staging, held) if is_fixed else _take(context, staging, report)
        place = dated_place(directory, f"memtool-{store_id[:8]}", context.now_us)
        _remove_leftovers(directory, store_id, context.now_us)
        partial = place.with_name(f".{place.name}{PARTIAL}")
        try:
            with held:
                manifest = _fill(context, staging, partial, report, verifies=verifies)
            write_manifest(partial, manifest)
            with reporting(place):
                partial.rename(place)
                sync_directory(place.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    finally:
        held.close()
        shutil.rmtree(staging, ignore_errors=True)
    report.place, report.manifest = place, manifest
    context.tally.details |= {
        "files": len(manifest.files),
        "bytes": report.size_bytes,
        "events": manifest.events,
        "nodes": manifest.nodes,
        "writer_held_us": report.held_us,
    }
    if report.found is not None and not report.found.healthy:
        first = report.found.problems[0]
        raise MemtoolError(
            f"the backup was made, but the store is not healthy: {first.where}: {first.what}",
            hint="`memtool verify` lists all that is wrong; keep an older backup as well",
        )


def _take(context: RunContext, staging: Path, report: Report) -> str:
    """Copy the store as it is now beside itself, mostly by links; return the store's id.

    Only here is the writer held. A copy to another disk, which may be slow, comes after.
    """
    private_directory(staging)
    with Access(context.root).lease(context.writer) as lease:
        store = lease.store()
        began_us = context.clock_us()
        store_id = store.id
        store.copy_to(staging / "store")
        if exists(context.root / FORMAT_FILE):
            copy_file(context.root, staging, FORMAT_FILE)
        lease.release()
        report.held_us = context.clock_us() - began_us
    return store_id


def _link_to(context: RunContext, staging: Path, held: ExitStack) -> str:
    """Make links to a store in which nothing may be written; return the store's id."""
    private_directory(staging)
    access = Access(context.root)
    held.enter_context(access.linked(staging / "store"))
    if exists(context.root / FORMAT_FILE):
        copy_file(context.root, staging, FORMAT_FILE)
    with access.reading() as store:
        return store.id


def _remove_leftovers(directory: Path, store_id: str, now_us: int) -> None:
    """Remove what killed backups of this store have left; a day old, so that no other machine is still writing it."""
    with reporting(directory):
        for left in directory.glob(f".memtool-{store_id[:8]}-*{PARTIAL}"):
            if left.stat().st_mtime < now_us // 1_000_000 - _LEFT_OVER_AFTER_S:
                shutil.rmtree(left, ignore_errors=True)


def _fill(
    context: RunContext, staging: Path, partial: Path, report: Report, *, verifies: bool
) -> Manifest:
    """Copy all files, check the copy, and return its manifest."""
    copy_ended(context.root, staging)
    sizes = {path: (staging / path).stat().st_size for path in files_in(staging)}
    entries = copy_files(context, staging, partial, sizes, "copying")
    report.size_bytes = sum(entry.size_bytes for entry in entries.values())
    with Access(partial).reading() as store:
        if verifies:
            report.found = _verified(context, store)
            counts = report.found.counts
        else:
            counts = _counts(context, store)
        moment = datetime.fromtimestamp(context.now_us // 1_000_000, UTC)
        return Manifest(
            kind=KIND,
            version=VERSION,
            memtool=__version__,
            time_us=context.now_us,
            time=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            store=store.id,
            format=recorded_format(partial) or FORMAT,
            events=counts.get("events", 0),
            nodes=counts.get("nodes", 0),
            verified=None if report.found is None else report.found.healthy,
            files=tuple(entries.values()),
        )


def _verified(context: RunContext, store: Store) -> Verification:
    steps = count(1)

    def on_step() -> None:
        context.checkpoint()
        done = next(steps)
        if done % 500 == 0:
            context.progress(done, 0, "checking the copy")

    return verify(store, context.now_us, on_step)


def _counts(context: RunContext, store: Store) -> dict[str, int]:
    """Return what a check would count; no value is decoded."""
    counts = {"events": 0, "nodes": 0}
    for name, rows in (("events", store.times()), ("nodes", store.node_places())):
        for _ in rows:
            counts[name] += 1
            if counts[name] % 1000 == 0:
                context.checkpoint()
    return counts
