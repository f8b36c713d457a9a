"""Two names that trade places in one step: whoever looks, at any moment, finds both. Moves nothing but names."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

_RENAME_EXCHANGE = 2
_AT_THE_WORKING_DIRECTORY = -100
_UNKNOWN = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


def exchange(one: Path, other: Path) -> bool:
    """Exchange what the two names stand for. Return False, with nothing changed, where the system has no such step.

    Linux has it (renameat2), ext4, XFS, Btrfs and tmpfs do; NFS does not.
    """
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    here = _AT_THE_WORKING_DIRECTORY
    if call(here, os.fsencode(one), here, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNKNOWN:
        return False
    raise OSError(number, os.strerror(number), os.fspath(one))
