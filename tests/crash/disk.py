"""A small file system of its own, and how to fill it to the last bytes."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, size_bytes: int) -> Iterator[Path]:
    """Mount a tmpfs of this size at the place, and unmount it after; skip where that is not allowed."""
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", "memtool-test"]
    done = subprocess.run([*words, place], capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        pytest.skip(f"NO MOUNT: full and read-only disks are not proven ({done.stderr.strip()})")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@contextmanager
def read_only(disk: Path) -> Iterator[None]:
    """Make the disk read-only meanwhile."""
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)


@contextmanager
def filled(disk: Path, left_bytes: int) -> Iterator[None]:
    """Fill the disk up to so many bytes; make room again after."""
    filler = disk / "filler"
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        _write_until_full(descriptor)
        os.ftruncate(descriptor, max(0, os.fstat(descriptor).st_size - left_bytes))
        yield
    finally:
        os.close(descriptor)
        filler.unlink()


def _write_until_full(descriptor: int) -> None:
    for size in (1 << 20, 4096, 1):
        try:
            while True:
                os.write(descriptor, bytes(size))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


@contextmanager
def seen_read_only(directory: Path, place: Path) -> Iterator[Path]:
    """Show the directory at another place, where nothing may be written, while others write to it."""
    place.mkdir()
    done = subprocess.run(["mount", "--bind", directory, place], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"NO MOUNT: reading a read-only mount is not proven ({done.stderr!r})")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", place], check=True)
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)
