"""A backup's files: its manifest, and copies whose digests are taken while they are made. Opens no database.

A backup is a directory with the layout of a store's (docs/backup.md). It has its name only when it is complete.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import msgspec

from memtool.errors import BadDataError, DamagedError
from memtool.files import atomic_write, private_directory, reporting, sync_directory
from memtool.program import upgrade_hint

MANIFEST = "manifest.json"
KIND = "memtool-backup"
VERSION = 1
_STEP_BYTES = 1 << 20
_DIGEST_BYTES = 32
_PARTS = ("store", "ledger")
"""The directories that a backup has; besides them it has files at its top."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a backup; `blake2b` is the digest of its bytes, in hex digits."""

    path: str
    size_bytes: int
    blake2b: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is, and what is in it. `verified` is null where nobody has walked it."""

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


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Put the manifest, with its own digest, into the backup."""
    atomic_write(directory / MANIFEST, _encoded(_signed(manifest)))


def _signed(manifest: Manifest) -> Manifest:
    unsigned = replace(manifest, blake2b="")
    return replace(manifest, blake2b=_hash(_encoded(unsigned)).hexdigest())


def _encoded(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def _hash(data: bytes = b"") -> hashlib.blake2b:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES)


def read_manifest(directory: Path) -> Manifest:
    """Return a backup's manifest. Raise BadDataError where there is none, DamagedError where it is damaged."""
    file = directory / MANIFEST
    with reporting(file):
        try:
            data = file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise BadDataError(
                f"{directory} is no backup: it has no {MANIFEST}",
                hint="name a directory that `memtool backup` has made",
            ) from None
    damaged = DamagedError(
        f"{file} is damaged: nothing was restored", hint="use another backup, or another copy of it"
    )
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged from error
    if _encoded(_signed(manifest)) != data or manifest.kind != KIND:
        raise damaged
    if not all(_is_below(PurePosixPath(entry.path)) for entry in manifest.files):
        raise BadDataError(f"{file} names files that are no backup's")
    if manifest.version > VERSION:
        raise BadDataError(
            f"{directory} is a backup of version {manifest.version}, this memtool knows up to {VERSION}",
            hint=upgrade_hint(),
        )
    return manifest


def _is_below(path: PurePosixPath) -> bool:
    """Return whether the path is one that a backup can have, and leads nowhere else."""
    *above, name = path.parts or (".",)
    return name not in (".", "..") and above in ([], *([part] for part in _PARTS))


def files_in(directory: Path) -> Iterator[str]:
    """Yield the files that a copy of a store is made of, as paths below its directory, in order."""
    with reporting(directory):
        for part in ("", *_PARTS):
            below = directory / part
            files = (
                sorted(file for file in below.iterdir() if file.is_file()) if below.is_dir() else []
            )
            yield from (file.relative_to(directory).as_posix() for file in files)


def copy_file(source: Path, target: Path, path: str) -> Entry:
    """Copy the file `path` from one directory to another, durably and private; return what was read."""
    private_directory((target / path).parent)
    return _write_file(target, path, _parts_of(source / path))


def _parts_of(file: Path) -> Iterator[bytes]:
    with reporting(file), file.open("rb") as reading:
        while data := reading.read(_STEP_BYTES):
            yield data


def _write_file(target: Path, path: str, parts: Iterable[bytes]) -> Entry:
    digest, size_bytes = _hash(), 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with reporting(target / path), os.fdopen(os.open(target / path, flags, 0o600), "wb") as writing:
        for data in parts:
            digest.update(data)
            size_bytes += len(data)
            writing.write(data)
        writing.flush()
        os.fsync(writing.fileno())
    return Entry(path, size_bytes, digest.hexdigest())


def sync_directories(directory: Path) -> None:
    """Make the names of all files of a copy durable."""
    with reporting(directory):
        for part in (*_PARTS, ""):
            if (directory / part).is_dir():
                sync_directory(directory / part)
