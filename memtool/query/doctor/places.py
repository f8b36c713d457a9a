"""Checks of where the store is: its file system, its room, its permissions; and those of config and key."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from memtool.errors import MOVE
from memtool.paths import Role, key_files
from memtool.person import name_of
from memtool.query.doctor.finding import (
    Advice,
    CannotCheckError,
    in_words,
    ok,
    problem,
    skipped,
    warning,
)
from memtool.query.doctor.mounts import mount_of, unfit
from memtool.query.doctor.scene import Scene
from memtool.text import size

_MOST_FILES = 20_000
_OTHERS_READ, _OTHERS_WRITE = 0o077, 0o022
_LEAST_BYTES = 64 << 20
_LEAST_FILES = 1000
_READ_ONLY = "mount it read-write; Linux makes a disk read-only when it fails: dmesg"
_CREDENTIAL = "etc/credstore/memtool.llm-key"


def nearest_directory(path: Path) -> Path:
    """Return the path, or where it would be made: its first parent that is there."""
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


def check_permissions(scene: Scene) -> Advice:
    """Check that the store is its owner's alone, and all in it is the owner's."""
    root = scene.root
    try:
        top = root.stat()
    except FileNotFoundError:
        return skipped(f"there is no {root} yet; it is made for its owner alone")
    if scene.uid and (top.st_uid != scene.uid or not os.access(root, os.R_OK | os.W_OK | os.X_OK)):
        text = f"{root} is not yours to read and write (owner {name_of(top.st_uid)})"
        return problem(text, "run memtool as its owner, or chown it to who runs the jobs")
    strangers = [path for path, found in _below(root) if found.st_uid != top.st_uid]
    if strangers:
        text = f"{in_words(len(strangers), 'file')} of another owner, such as {strangers[0]}"
        return problem(text, f"chown -R {name_of(top.st_uid)}: {root}")
    if top.st_mode & _OTHERS_WRITE:
        return problem(f"others may write to {root}", f"chmod 700 {root}")
    if top.st_mode & _OTHERS_READ:
        return warning(f"others may look into {root} ({mode_of(top)})", f"chmod 700 {root}")
    return ok(f"{root} is {name_of(top.st_uid)}'s alone ({mode_of(top)})")


def mode_of(found: os.stat_result) -> str:
    """Return such as `0700`."""
    return f"{stat.S_IMODE(found.st_mode):04o}"


def check_config_files(scene: Scene) -> Advice:
    """Check that nobody else may change the settings: they name commands that the jobs run."""
    there = [(file, found) for file in scene.config_files if (found := _stat(file.path))]
    for file, found in there:
        owners = {0} if file.role is Role.SYSTEM else {0, scene.uid, _owner_of(scene)}
        if found.st_mode & _OTHERS_WRITE:
            text = f"others may write to {file.path}, which names commands that the jobs run"
            return problem(text, f"chmod go-w {file.path}")
        if found.st_uid not in owners:
            name = name_of(found.st_uid)
            return problem(f"{file.path} is {name}'s", f"chown it: {name} could change your jobs")
    if not there:
        return skipped("there is none")
    return ok(f"nobody else may change {', '.join(str(file.path) for file, _ in there)}")


def _owner_of(scene: Scene) -> int:
    found = _stat(scene.root)
    return found.st_uid if found else scene.uid


def check_key(scene: Scene) -> Advice:
    """Check that a model's key can be read by nobody else."""
    given, own = key_files(scene.environ)
    places = [path for path in (given, own, scene.machine / _CREDENTIAL) if path is not None]
    there = [(path, found) for path in places if (found := _stat(path))]
    for path, found in there:
        if found.st_mode & _OTHERS_READ and path != given:  # systemd guards its own copy
            return problem(f"others may read the key in {path}", f"chmod 600 {path}")
    if not there:
        return skipped("there is no key file; only some summarizers need one")
    return ok(f"{', '.join(str(path) for path, _ in there)} is for its owner alone")


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None  # absent, or not even visible to this user


def check_file_system(scene: Scene) -> Advice:
    """Check that locks hold where the store is, and that it outlives the machine's next start."""
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
    """Return what the room means; `free_files` is None where the file system has no bound on their number."""
    text = f"{size(free_bytes)} free at {place}, the store takes {size(used_bytes)}"
    todo = f"free some space there, or move the store: {MOVE}"
    if free_bytes < max(_LEAST_BYTES, used_bytes // 10):
        return problem(f"{text}: jobs will fail soon", todo)
    if free_files is not None and free_files < _LEAST_FILES:
        return problem(f"the file system at {place} has room for {free_files} more files", todo)
    if free_bytes < used_bytes:
        return warning(f"{text}: a compaction or a rebuild may need as much again", todo)
    return ok(text)
