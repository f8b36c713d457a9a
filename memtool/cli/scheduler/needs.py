"""What `memtool scheduler apply` has to know of the jobs' person: their settings, and what their summarizer needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from memtool.cli.scheduler.place import Place, place_of
from memtool.errors import ConfigError
from memtool.paths import expand, home_directory
from memtool.systemd.dropins import Command
from memtool.systemd.programs import HIDDEN, find_program
from memtool.systemd.unitfiles import home_of


def as_the_jobs(place: Place, person: str) -> Place:
    """Return the place with the settings that the jobs will find: the system's jobs run as another than root."""
    home = home_of(person) if place.scope == "system" and person else None
    if home is None:
        return place
    kept = {name: text for name, text in place.call.environ.items() if name != "XDG_CONFIG_HOME"}
    return place_of(replace(place.call, environ={**kept, "HOME": str(home)}), is_system=True)


def needs_network(place: Place) -> bool:
    """Return whether the configured summarizer does."""
    from memtool.summarize import row

    return row(place.call.config.summarizer.name).needs_network


def command_of(place: Place) -> Command | None:
    """Return what the summarizer's program needs, if it is one. Raise ConfigError where a part of it is missing."""
    from memtool.summarize import Options
    from memtool.summarize.models.command import NAME, argv_of

    settings, environ = place.call.config.summarizer, place.call.environ
    if settings.name != NAME:
        return None
    home = home_directory(environ)
    words = argv_of(Options(command=settings.command, environ=environ))
    search = [Path(name) for name in environ.get("PATH", "").split(":") if name.startswith("/")]
    program = find_program(words, [path for path in search if _is_seen(place, path, home)], home)
    writes = [expand(Path(name), environ) for name in settings.command_writes.split(":") if name]
    for path in writes:
        if not path.is_dir():
            raise ConfigError(
                f"summarizer.command_writes: {path} is no directory",
                hint="name directories that are there; the jobs may write to no others",
            )
    for path in (*program.parts, *writes):
        if not _is_seen(place, path, home):
            raise ConfigError(
                f"summarizer.command needs {path}, which is in a home that is not the jobs' own",
                hint=f"the system's jobs see of homes only what they need of {home}",
            )
    return Command(program.folders, program.parts, tuple(writes), settings.concurrency)


def _is_seen(place: Place, path: Path, home: Path) -> bool:
    """Return whether a job may be let see the path: of homes, only the one of its person."""
    is_hidden = any(path.is_relative_to(hidden) for hidden in HIDDEN)
    return place.scope != "system" or not is_hidden or path.is_relative_to(home)
