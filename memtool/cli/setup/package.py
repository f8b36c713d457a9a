"""`memtool setup --root DIR`: the files of a distribution's package. Starts nothing, and asks nothing."""

from __future__ import annotations

from pathlib import Path

from memtool.cli.output import print_json, print_line
from memtool.cli.setup.order import Order
from memtool.errors import OK, ExitCode
from memtool.shipped import shipped
from memtool.systemd.changes import changes, diff, write
from memtool.systemd.setup import package_places, page_texts
from memtool.systemd.unitfiles import Installation, unit_files

VERSION = 1
_PROGRAM = Path("/usr/bin/memtool")


def write_package(order: Order, root: Path) -> ExitCode:
    """Write the system's units, the man page, completions, and files for sysusers.d, tmpfiles.d and presets."""
    where = package_places(root.absolute())
    wanted = {
        where.units / name: text
        for name, text in unit_files(Installation("system", _PROGRAM)).items()
    }
    wanted |= page_texts(where)
    source = shipped("systemd/package")
    for path in sorted(source.rglob("*")):
        if path.is_file():
            target = root.absolute() / "usr/lib" / path.relative_to(source)
            if target.parent.name == "system-preset":
                target = root.absolute() / "usr/lib/systemd/system-preset" / path.name
            wanted[target] = path.read_text(encoding="utf-8")
    made = changes(wanted, ())
    for change in made:
        if order.is_dry:
            for line in diff(change):
                print_line(line)
        else:
            write(change)
            order.say(f"wrote {change.path}")
    if order.json:
        print_json(
            "setup-package",
            VERSION,
            {"root": str(root.absolute()), "files": [str(path) for path in sorted(wanted)]},
        )
    return OK
