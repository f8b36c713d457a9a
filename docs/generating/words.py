"""What more than one page says: of parameters, files, variables and exit codes. Reads no machine's environment."""

from __future__ import annotations

from pathlib import Path

from docs.generating.tree import Argument, Option
from memtool.paths import Role, choose_store, config_files, key_files
from memtool.process import WITHIN
from memtool.settings import BY_KEY
from memtool.summarize import SUMMARIZERS

TAGLINE = "long-term memory for AI coding agents"
_HOME = Path("/a-home")
_SERVICE = Path("/a-service")
_ROLES = {
    Role.SYSTEM: "the machine's",
    Role.USER: "yours; below `$XDG_CONFIG_HOME` where that is set",
    Role.SERVICE: "a service's, in the place of yours (systemd's `ConfigurationDirectory=`)",
    Role.NAMED: "the one that `--config FILE` names, else `$MEMTOOL_CONFIG`; it has to exist",
}
_SHOWN = {str(_HOME): "~", str(_SERVICE): "$CONFIGURATION_DIRECTORY", "/FILE": "FILE"}


def remarks(one: Argument | Option) -> str:
    """Return the help of a parameter with what its declaration adds: bounds and default."""
    facts = [one.bounds] if isinstance(one, Option) and one.bounds else []
    if one.default:
        facts.append(f"default: {one.default}")
    return f"{one.help} ({'; '.join(facts)})" if facts else one.help


def _shown(path: Path) -> str:
    text = str(path)
    for place, name in _SHOWN.items():
        text = text.replace(place, name)
    return text


def config_places() -> list[tuple[str, str]]:
    """Return the files that settings are read from, weakest first, each with whose it is."""
    home = {"HOME": str(_HOME)}
    service = {**home, "CONFIGURATION_DIRECTORY": str(_SERVICE)}
    named = Path("/FILE")
    files = {file.role: file for file in config_files(home, named)}
    files |= {file.role: file for file in config_files(service, named)}
    return [(_shown(files[role].path), words) for role, words in _ROLES.items()]


def store_place() -> str:
    """Return where a person's store is, if nothing is set."""
    nowhere = Path("/there/is/nothing/here")
    home = {"HOME": str(_HOME)}
    return _shown(choose_store(home, configured="", origin="", uid=0, root=nowhere).root)


def key_place() -> str:
    """Return where a person's key of a model is."""
    return _shown(key_files({"HOME": str(_HOME)})[1])


def variables() -> list[tuple[str, str]]:
    """Return the environment variables that memtool heeds, but for those of systemd and of each setting."""
    example = BY_KEY["calendar.timezone"]
    keys = ", ".join(row.key_variable for row in SUMMARIZERS if row.key_variable)
    return [
        ("MEMTOOL_CONFIG", "A config file over the others, as `--config` names one."),
        (
            "MEMTOOL_SECTION__KEY",
            f"A setting, over every file: `{example.variable}` sets `{example.key}`.",
        ),
        ("CLAUDE_CONFIG_DIR", "Claude Code's directory, where `ingest.claude_root` is not set."),
        (keys, f"A model's key, after systemd's credential and before `{key_place()}`."),
        ("XDG_CONFIG_HOME, XDG_STATE_HOME", "In the place of `~/.config` and `~/.local/state`."),
        ("NO_COLOR", "Set to anything: no colours."),
        ("COLUMNS", "How wide the output is, in the place of the terminal's own width."),
        (WITHIN, "Set by memtool for what it starts; a memtool within does nothing and exits 75."),
    ]
