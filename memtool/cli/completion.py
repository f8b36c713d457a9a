"""What TAB offers for the value of an option or an argument, for typer's `autocompletion=`.

Nothing here opens a store or reads a file. completions/* hold the shells' side.
"""

from __future__ import annotations

import typer

Offers = list[tuple[str, str]]
"""Words, each with its help. typer leaves out those that do not begin with what is typed."""

# The help of the one offer that asks the shell for its own: completions/* look for it.
_FILES = "(files)"
_DIRECTORIES = "(directories)"


def periods() -> Offers:
    """Offer the words for periods; a date cannot be guessed."""
    from memtool.model.levels import Level

    levels = (Level.WEEK, Level.MONTH, Level.YEAR)
    words = [f"{which}-{level.word}" for which in ("this", "last") for level in levels]
    return [(word, "") for word in ("today", "yesterday", *words)]


def jobs() -> Offers:
    """Offer the jobs."""
    from memtool.systemd.jobs import JOBS

    return [(job.name, job.description) for job in JOBS]


def kinds() -> Offers:
    """Offer the kinds of events."""
    from memtool.model.records import ROLES

    return [(kind, "") for kind in ROLES]


def settings() -> Offers:
    """Offer the keys of the settings."""
    from memtool.systemd.jobs import SETTINGS

    return [(row.key, row.doc) for row in SETTINGS.values()]


def setting_values(ctx: typer.Context) -> Offers:
    """Offer the values of the setting that the line names, where they are words."""
    from memtool.systemd.jobs import SETTINGS

    row = SETTINGS.get(str(ctx.params.get("key")))
    return [(word, "") for word in row.kind.words()] if row is not None else []


def people() -> Offers:
    """Offer this user, and those of the machine that are people by the range that distributions keep for them."""
    import os
    import pwd

    uids = {os.getuid(), *range(1000, 60_000)}
    return [(row.pw_name, "") for row in pwd.getpwall() if row.pw_uid in uids]


def files(incomplete: str) -> Offers:
    """Let the shell offer files."""
    return [(incomplete, _FILES)]


def directories(incomplete: str) -> Offers:
    """Let the shell offer directories."""
    return [(incomplete, _DIRECTORIES)]
