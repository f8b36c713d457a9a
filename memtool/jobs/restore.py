"""The body of the restore task: a backup proven, copied beside the store, and put in its place in one step.

Whenever it is killed, the old store or the new one is in place, whole; what was replaced is kept.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from memtool.context import RunContext
from memtool.errors import ConfigError, DamagedError, MemtoolError, UsageError
from memtool.files import (
    dated_place,
    exchange,
    exists,
    reporting,
    sync_directory,
)
from memtool.jobs.backup import Manifest, copy_files, read_manifest
from memtool.ledger.file import adopt
from memtool.locks import job_lock_path, wait_for
from memtool.program import upgrade_hint
from memtool.query.verify import verify
from memtool.store.access import FORMAT, SWAP, Access, is_absent, recorded_format, write_format
from memtool.systemd.jobs import JOBS, TASKS

NEW = "restore.new"
ASIDE = "before-restore"
INTERRUPTED = "interrupted-restore"
_OLD = "store.old"
_MOST_NAMED = 20


class Report(msgspec.Struct):
    """The result of a restore. `aside` is where the store that was replaced is; no manifest: nothing was restored.

    `verified` is whether the backup is known to be healthy; None where that was never checked.
    """

    manifest: Manifest | None = None
    aside: Path | None = None
    verified: bool | None = None


def check(root: Path, backup: Path, *, replaces: bool) -> Manifest:
    """Return the backup's manifest. Raise what is against restoring it here, as far as that is quick to see."""
    manifest = read_manifest(backup)
    if manifest.format > FORMAT:
        raise ConfigError(
            f"the backup {backup} has format {manifest.format}, this memtool knows up to {FORMAT}",
            hint=upgrade_hint(),
        )
    if backup.resolve().is_relative_to(root.resolve() / "store"):
        raise UsageError(f"{backup} lies within the store itself")
    if not replaces and not is_absent(root / "store"):
        raise UsageError(
            f"there is a store at {root} already",
            hint="--replace moves it aside, and keeps it; --to names another place",
        )
    return manifest


def restore(
    context: RunContext, backup: Path, report: Report, *, replaces: bool, verifies: bool
) -> None:
    """Put the backup in the store's place; `report` is right however the run ends.

    With `replaces` also where there is a store; with `verifies` only a backup that is known to be healthy.
    """
    manifest = check(context.root, backup, replaces=replaces)
    _settle_interrupted(context)
    new = context.root / NEW
    try:
        _copy(context, backup, new, manifest)
        report.verified = _is_healthy(context, backup, new, manifest, verifies=verifies)
        with _alone(context):
            report.aside = _put_in_place(context, new, manifest)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    report.manifest = manifest
    context.tally.details |= {"files": len(manifest.files), "events": manifest.events}


def _settle_interrupted(context: RunContext) -> None:
    """Tidy up after a restore that was killed. What may be the only copy of a store is kept."""
    root = context.root
    shutil.rmtree(root / NEW, ignore_errors=True)
    swap = root / SWAP
    if not exists(swap):
        return
    with _alone(context), reporting(swap):
        if exists(swap / _OLD):
            place = root / "store"
            (swap / _OLD).rename(place if is_absent(place) else swap / "store")
        swap.rename(dated_place(root, INTERRUPTED, context.now_us))
        sync_directory(root)


def _copy(context: RunContext, backup: Path, new: Path, manifest: Manifest) -> None:
    """Copy the backup's files. Raise DamagedError naming all that are not as they were when it was made."""
    sizes = {row.path: row.size_bytes for row in manifest.files if exists(backup / row.path)}
    copied = copy_files(context, backup, new, sizes, "checking and copying")
    wrong = [
        f"{entry.path} is {'damaged' if entry.path in copied else 'missing'}"
        for entry in manifest.files
        if copied.get(entry.path) != entry
    ]
    if wrong:
        more = f" (and {len(wrong) - _MOST_NAMED} more)" if len(wrong) > _MOST_NAMED else ""
        raise DamagedError(
            f"the backup {backup} is not whole, and nothing was restored: "
            f"{', '.join(wrong[:_MOST_NAMED])}{more}",
            hint="use another backup, or another copy of this one",
        )


def _is_healthy(
    context: RunContext, backup: Path, new: Path, manifest: Manifest, *, verifies: bool
) -> bool | None:
    """Return whether the copy is known to be healthy, before it takes anything's place.

    Its digests are those of the files that the backup was made of: what was checked then is not checked again. An older
    format reads the same; the next writer migrates it.
    """
    try:
        with Access(new).reading() as store:
            if manifest.verified or not verifies:
                return manifest.verified
            found = verify(store, context.now_us, context.checkpoint)
    except ConfigError as error:
        raise ConfigError(
            f"the backup {backup} is of a store that this memtool refuses, and nothing was restored: "
            f"{error.message}",
            hint="the older memtool that made it restores it, and its `memtool export` saves the events",
        ) from error
    if not found.healthy:
        first = found.problems[0]
        raise MemtoolError(
            f"the backup is not healthy, and nothing was restored: {first.where}: {first.what}",
            hint="use another one, or restore it all the same with --no-verify",
        )
    return True


@contextmanager
def _alone(context: RunContext) -> Iterator[None]:
    """Keep every other job out: one that has read the old store must not go on in the new one.

    The other jobs' own locks come on top of this run's. Only a restore waits for two of them, so no two runs
    can wait for each other.
    """
    wait = context.lock_wait("store", context.limits.lock_wait_s)
    with ExitStack() as held:
        for row in (*JOBS, *TASKS):
            if row.name != context.holder.job:
                path = job_lock_path(context.root, row.name)
                held.enter_context(wait_for(path, context.holder._replace(), wait))
        held.enter_context(context.tree())
        held.enter_context(context.writer())
        yield


def _put_in_place(context: RunContext, new: Path, manifest: Manifest) -> Path | None:
    """Let the copy take the store's place; return where the one that was there is now."""
    root = context.root
    with reporting(root):
        if is_absent(root / "store"):
            _put_where_none_was(context, new, manifest)
            return None
        before = _format_or_none(root)
        # While the two trade places the lower number stands: a migration that runs twice does no harm.
        lower = min(manifest.format, before or manifest.format)
        if lower != before:
            write_format(root, lower)
        swap = root / SWAP
        new.rename(swap)
        sync_directory(root)
        _trade(root / "store", swap / "store")
        sync_directory(swap)
        sync_directory(root)
        write_format(root, manifest.format)
        write_format(swap, before or manifest.format)
        shutil.rmtree(swap / "ledger", ignore_errors=True)  # this machine's own stays
        aside = dated_place(root, ASIDE, context.now_us)
        swap.rename(aside)
        sync_directory(root)
    return aside


def _format_or_none(root: Path) -> int | None:
    """Return the format of the store that is there; None where even that cannot be read."""
    try:
        return recorded_format(root)
    except DamagedError:
        return None


def _trade(place: Path, new: Path) -> None:
    """Let the two directories trade places, in one step where the system has one."""
    if exchange(place, new):
        return
    old = new.with_name(_OLD)
    place.rename(old)  # killed here: `Access` makes no new store, and the next restore puts it back
    new.rename(place)
    old.rename(new)


def _put_where_none_was(context: RunContext, new: Path, manifest: Manifest) -> None:
    """Put FORMAT and ledger there, and last the store: until then there is none."""
    root = context.root
    write_format(root, manifest.format)
    adopt(root, new, context.holder.run)
    if (root / "store").exists():
        (root / "store").rmdir()
    (new / "store").rename(root / "store")
    sync_directory(root)
