"""The files that memtool ships beside its code: units, man page, completions."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """Return a file or directory that memtool ships, such as `systemd` or `man/memtool.1`.

    A wheel has them in memtool/share (pyproject.toml puts them there). In a checkout and in an editable install they
    are beside the package. Raise FileNotFoundError where neither has it: then the installation is incomplete.
    """
    for folder in (_PACKAGE / "share", _PACKAGE.parent):
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(
        f"memtool ships no {name}: neither {_PACKAGE}/share nor its parent has it"
    )
