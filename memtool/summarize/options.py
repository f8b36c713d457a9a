"""What a summarizer is made with: the settings and the places that it needs, looked up by nobody but the caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """The `[summarizer]` settings, and where the process stands. Each summarizer reads what concerns it."""

    max_bullets: int = 5
    model: str = ""
    endpoint: str = ""
    """The base URL; empty: the provider's own."""
    command: str = ""
    """The program of `command` and its arguments, in the shell's quoting; no shell runs it."""
    window_tokens: int = 32_000
    """How much the model reads at once, prompt and answer together."""
    answer_tokens: int = 2_000
    timeout_s: float = 120
    """How long one try of a call may take."""
    key: str = ""
    """The key for the endpoint; empty where none was found."""
    directory: Path | None = None
    """A directory of memtool's own in which `command` runs."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """What `command` gets as its environment."""
