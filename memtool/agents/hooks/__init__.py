"""Facts of the agents' own settings: where hooks and MCP servers are entered, and how. Data for the agents' rows.

Imports nothing that a start does not need. The modules beside it edit the files and read what the hooks have left.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from memtool.paths import expand

SCRIPT = "memtool-hook"
"""The name of the script that hooks run: an entry with it in its command is memtool's."""
SERVER = "memtool"
"""The name under which the MCP server is entered."""


class Place(NamedTuple):
    """A settings file: the first of `files` that exists below the agent's directory, else the first.

    The environment variable names another directory. `alone` is the file where it is not set, if that is elsewhere.
    """

    home: str
    files: tuple[str, ...]
    variable: str = ""
    alone: str = ""

    def directory(self, environ: Mapping[str, str]) -> Path:
        """Return the agent's directory."""
        named = environ.get(self.variable, "") if self.variable else ""
        return expand(Path(named or self.home), environ)

    def path(self, environ: Mapping[str, str]) -> Path:
        """Return the file, which need not exist."""
        if self.alone and not environ.get(self.variable, ""):
            return expand(Path(self.alone), environ)
        found = [self.directory(environ) / name for name in self.files]
        return next((path for path in found if path.exists()), found[0])


class Hooks(NamedTuple):
    """How an agent's hooks are written.

    An entry is `{"type": "command", command_key: …, **options}`, in a group of its own where `is_grouped`.
    """

    place: Place
    events: tuple[str, ...]
    """When the agent is to say that there is something new: each names the transcript."""
    start: str = ""
    """The event at whose end the agent takes what is printed as context; empty if it takes none."""
    command_key: str = "command"
    options: Mapping[str, object] = {"timeout": 10}
    is_grouped: bool = True
    top: Mapping[str, object] = {}
    """What the file holds beside the hooks."""
    answers_json: bool = False
    """Whether the context is taken from an object of JSON, and not as it is printed."""
    trust: str = ""
    """What a person has to do before the agent runs them."""
    trusted_in: str = ""
    """The file beside it in which the agent keeps which hooks are trusted: TOML, `hooks.state.KEY.trusted_hash`."""
    off: tuple[str, ...] = ()
    """The path of a setting in the same file that turns all hooks off where it is true."""


class Server(NamedTuple):
    """How an agent's MCP servers are written: as `path.NAME` in the file."""

    place: Place
    path: tuple[str, ...] = ("mcpServers",)
    options: Mapping[str, object] = {}
    is_one_list: bool = False
    """Whether the program and its arguments are one list."""
    skills: str = ""
    """The directory below the agent's that holds skills; empty where memtool writes none."""


_CLAUDE = Place("~/.claude", ("settings.json",), "CLAUDE_CONFIG_DIR")
_GEMINI = Place("~/.gemini", ("settings.json",))
_QWEN = Place("~/.qwen", ("settings.json",))

CLAUDE_HOOKS = Hooks(
    _CLAUDE,
    events=("UserPromptSubmit", "Stop", "SubagentStop", "PreCompact", "SessionEnd"),
    start="SessionStart",
    off=("disableAllHooks",),
)
CLAUDE_SERVER = Server(
    Place("~/.claude", (".claude.json",), "CLAUDE_CONFIG_DIR", alone="~/.claude.json"),
    options={"type": "stdio"},
    skills="skills",
)
CODEX_HOOKS = Hooks(
    Place("~/.codex", ("hooks.json",), "CODEX_HOME"),
    events=("UserPromptSubmit", "Stop", "SubagentStop", "PreCompact"),
    start="SessionStart",
    trust="start codex, type /hooks, and trust the hooks of memtool",
    trusted_in="config.toml",
)
CODEX_SERVER = Server(Place("~/.codex", ("config.toml",), "CODEX_HOME"), path=("mcp_servers",))
GEMINI_HOOKS = Hooks(
    _GEMINI,
    events=("AfterAgent", "PreCompress", "SessionEnd"),
    start="SessionStart",
    options={"name": SERVER, "timeout": 10_000},  # in milliseconds
    answers_json=True,
)
GEMINI_SERVER = Server(_GEMINI)
QWEN_HOOKS = Hooks(
    _QWEN,
    events=("UserPromptSubmit", "Stop", "SubagentStop", "PreCompact", "SessionEnd"),
    start="SessionStart",
    options={"name": SERVER, "timeout": 10_000},  # in milliseconds
    answers_json=True,
    off=("disableAllHooks",),
)
QWEN_SERVER = Server(_QWEN)
COPILOT_HOOKS = Hooks(
    Place("~/.copilot", ("hooks/memtool.json",), "COPILOT_HOME"),
    events=("agentStop", "subagentStop", "preCompact", "sessionEnd"),
    command_key="bash",
    options={"timeoutSec": 10},
    is_grouped=False,
    top={"version": 1},
)
COPILOT_SERVER = Server(
    Place("~/.copilot", ("mcp-config.json",), "COPILOT_HOME"),
    options={"type": "local", "tools": ["*"]},
)
CURSOR_HOOKS = Hooks(
    Place("~/.cursor", ("hooks.json",)),
    events=("stop",),
    options={"timeout": 10},
    is_grouped=False,
    top={"version": 1},
)
CURSOR_SERVER = Server(Place("~/.cursor", ("mcp.json",)))
OPENCODE_SERVER = Server(
    Place("~/.config/opencode", ("opencode.json", "opencode.jsonc"), "OPENCODE_CONFIG_DIR"),
    path=("mcp",),
    options={"type": "local"},
    is_one_list=True,
)
