"""Which file system a path is on, and whether a store may be there. Pure: the kernel's list of mounts in, a row out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One row of /proc/self/mountinfo: where, of which type, from what, and with which options."""

    point: PurePosixPath
    kind: str
    source: str
    options: frozenset[str]


@dataclass(frozen=True, slots=True)
class Unfit:
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
    """Return what is wrong with it for a store, and whether that does harm now; None where it fits."""
    for row in UNFIT:
        if mount.kind in row.kinds:
            bad = sorted(mount.options & set(row.options))
            return f"{row.why} ({', '.join(bad)})" if bad else row.why, row.is_problem or bool(bad)
    return None
