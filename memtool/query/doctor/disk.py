"""Checks of the place of the store: its file system, the space in it, and who may read and write it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

from msgspec import Struct

from memtool.errors import MOVE
from memtool.paths import Role, key_files, name_of
from memtool.query.doctor.scene import (
    Advice,
    CannotCheckError,
    Scene,
    in_words,
    ok,
    problem,
    skipped,
    warning,
)
from memtool.text import size

_ESCAPE = re.compile(r"\\([0-7]{3})")


class Mount(Struct, frozen=True):
    """One row of /proc/self/mountinfo: where, of which type, from what, and with which options."""

    point: PurePosixPath
    kind: str
    source: str
    options: frozenset[str]


class Unfit(Struct, frozen=True):
    """What is wrong with a type of file system for a store. `options`: those that make it a problem at once."""

    kinds: tuple[str, ...]
    why: str
    is_problem: bool = False
    options: tuple[str, ...] = ()


_SHARED = "is shared over a network, where locks may not hold between machines"
UNFIT = (
    Unfit(("nfs", "nfs4"), _SHARED, options=("nolock", "local_lock=all", "local_lock=flock")),
    Unfit(("cifs", "smb3", "smbfs"), _SHARED, options=("nobrl",)),
    Unfit(("9p", "virtiofs", "vboxsf", "fuse.vmhgfs-fuse", "fuse.grpcfuse"),
          "is shared with another machine, where locks may not hold", ),
    Unfit(("fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse", "fuse.davfs", "fuse.curlftpfs"),
          "is a remote directory without locks", is_problem=True),
    Unfit(("afs", "ceph", "fuse.ceph", "fuse.glusterfs", "glusterfs", "lustre", "gfs2", "ocfs2", "beegfs", "gpfs"),
          _SHARED),
    Unfit(("tmpfs", "ramfs"), "is in memory: what is stored there is gone when the machine stops", is_problem=True),
    Unfit(("vfat", "exfat", "msdos", "ntfs", "ntfs3", "fuseblk"), "keeps no permissions: others may read the store"),
)  # fmt: skip


def parse_mounts(text: str) -> Iterator[Mount]:
    """Yield the rows of /proc/self/mountinfo; one that is not understood is passed over."""
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        left, right = before.split(" "), after.split(" ")
        if dash and len(left) > 5 and len(right) > 1:  # noqa: PLR2004 - proc(5)
            options = {*left[5].split(","), *(right[2].split(",") if len(right) > 2 else ())}  # noqa: PLR2004
            point = PurePosixPath(_unescaped(left[4]))
            yield Mount(point, right[0], _unescaped(right[1]), frozenset(options))


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)


def mount_of(path: Path, text: str) -> Mount | None:
    """Return the mount that holds the (real) path: the longest, and of those one over another the last."""
    fitting = [mount for mount in parse_mounts(text) if path.is_relative_to(mount.point)]
    longest = max((len(mount.point.parts) for mount in fitting), default=0)
    return next((one for one in reversed(fitting) if len(one.point.parts) == longest), None)


def unfit(mount: Mount) -> tuple[str, bool] | None:
    """Return what is wrong with a file system for a store, and whether it is a problem now; None if nothing is."""
    for one in UNFIT:
        if mount.kind in one.kinds:
            bad = sorted(mount.options & set(one.options))
            return f"{one.why} ({', '.join(bad)})" if bad else one.why, one.is_problem or bool(bad)
    return None


_MOST_FILES = 20_000
_OTHERS_READ, _OTHERS_WRITE = 0o077, 0o022
_LEAST_BYTES = 64 << 20
_LEAST_FILES = 1000
_READ_ONLY = "mount it read-write; Linux makes a disk read-only when it fails: dmesg"
_CREDENTIAL = "etc/credstore/memtool.llm-key"


def nearest_directory(path: Path) -> Path:
    """Return the path, or its first parent that exists."""
    return next((each for each in (path, *path.parents) if each.is_dir()), Path("/"))


def _below(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield what is in the store's directory, without following links; not more than a bound."""
    waiting = [root]
    seen = 0
    while waiting and seen < _MOST_FILES:
        try:
            entries = sorted(islice(waiting.pop().iterdir(), _MOST_FILES))
        except OSError:  # another check says so
            continue
        for path in entries:
            try:
                found = path.lstat()
            except OSError:
                continue  # a file that a job has removed meanwhile
            seen += 1
            yield path, found
            if stat.S_ISDIR(found.st_mode):
                waiting.append(path)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None  # absent, or not even visible to this user


def check_file_system(scene: Scene) -> Advice:
    """Check that locks work on the store's file system, and that it is kept after a restart."""
    try:
        text = (scene.machine / "proc/self/mountinfo").read_text(errors="surrogateescape")
    except OSError as error:
        raise CannotCheckError(f"the kernel's list of mounts cannot be read: {error}") from error
    place = nearest_directory(scene.root).resolve()
    mount = mount_of(place, text)
    if mount is None:
        raise CannotCheckError(f"no mount holds {place}")
    found = unfit(mount)
    if found is None:
        return ok(f"{mount.kind}, a local file system")
    why, is_problem = found
    todo = f"move it to a local disk: {MOVE}"
    advise = problem if is_problem else warning
    return advise(f"{place} is on {mount.kind} ({mount.source}), which {why}", todo)


def check_space(scene: Scene) -> Advice:
    """Check that there is room for what a compaction, and a rebuild, write before they drop the old."""
    place = nearest_directory(scene.root)
    disk = os.statvfs(place)
    if disk.f_flag & os.ST_RDONLY:
        return problem(f"{place} is on a read-only file system", _READ_ONLY)
    used = sum(found.st_blocks * 512 for _, found in _below(scene.root))
    files = disk.f_favail if disk.f_files else None
    return space_advice(used, disk.f_bavail * disk.f_frsize, files, str(place))


def space_advice(used_bytes: int, free_bytes: int, free_files: int | None, place: str) -> Advice:
    """Return what the free space means; `free_files` is None if the number of files is not limited."""
    text = f"{size(free_bytes)} free at {place}, the store takes {size(used_bytes)}"
    todo = f"free some space there, or move the store: {MOVE}"
    if free_bytes < max(_LEAST_BYTES, used_bytes // 10):
        return problem(f"{text}: jobs will fail soon", todo)
    if free_files is not None and free_files < _LEAST_FILES:
        return problem(f"the file system at {place} has room for {free_files} more files", todo)
    if free_bytes < used_bytes:
        return warning(f"{text}: a compaction or a rebuild may need as much again", todo)
    return ok(text)


def check_permissions(scene: Scene) -> Advice:
    """Check that the store and the key are for their owner alone, and that no other user can change the settings."""
    for file in scene.config_files:
        if found := _stat(file.path):
            owners = {0} if file.role is Role.SYSTEM else {0, scene.uid, _owner_of(scene)}
            if found.st_mode & _OTHERS_WRITE:
                text = f"others may write to {file.path}, which names commands that the jobs run"
                return problem(text, f"chmod go-w {file.path}")
            if found.st_uid not in owners:
                name = name_of(found.st_uid)
                text = f"{file.path} belongs to {name}, who can change your jobs"
                return problem(text, f"chown {name_of(scene.uid)} {file.path}")
    for path in (key_files(scene.environ)[1], scene.machine / _CREDENTIAL):
        # A key that systemd hands over is guarded by systemd.
        if path and (found := _stat(path)) and found.st_mode & _OTHERS_READ:
            return problem(f"others may read the key in {path}", f"chmod 600 {path}")
    return _of_directory(scene)


def _owner_of(scene: Scene) -> int:
    found = _stat(scene.root)
    return found.st_uid if found else scene.uid


def _of_directory(scene: Scene) -> Advice:
    root = scene.root
    try:
        top = root.stat()
    except FileNotFoundError:
        return skipped(f"there is no {root} yet; it is made for its owner alone")
    owner = name_of(top.st_uid)
    if scene.uid and (top.st_uid != scene.uid or not os.access(root, os.R_OK | os.W_OK | os.X_OK)):
        text = f"{root} is not yours to read and write (owner {owner})"
        return problem(text, "run memtool as its owner, or chown it to the user of the jobs")
    strangers = [path for path, found in _below(root) if found.st_uid != top.st_uid]
    if strangers:
        text = f"{in_words(len(strangers), 'file')} of another owner, such as {strangers[0]}"
        return problem(text, f"chown -R {owner}: {root}")
    if top.st_mode & _OTHERS_WRITE:
        return problem(f"others may write to {root}", f"chmod 700 {root}")
    if top.st_mode & _OTHERS_READ:
        mode = f"{stat.S_IMODE(top.st_mode):04o}"
        return warning(f"others may look into {root} ({mode})", f"chmod 700 {root}")
    return ok(f"{root} is for {owner} alone")
