"""What is missing before a model can be asked: a name, a key, an SDK. Calls nothing and imports no SDK."""

from __future__ import annotations

from importlib.util import find_spec
from urllib.parse import urlsplit

from memtool.errors import ConfigError
from memtool.program import extra_hint
from memtool.summarize import Options
from memtool.summarize.models.sizes import size_problem

KEY_PLACES = (
    "put it in ~/.config/memtool/llm-key (0600), for a system-wide installation in "
    "/etc/credstore/memtool.llm-key (docs/summarizers.md)"
)


def openai_problem(options: Options) -> ConfigError | None:
    """Return what `openai` lacks; a custom endpoint may need no key."""
    return _problem("openai", "OPENAI_API_KEY", options)


def anthropic_problem(options: Options) -> ConfigError | None:
    """Return what `anthropic` lacks; a custom endpoint may need no key."""
    return _problem("anthropic", "ANTHROPIC_API_KEY", options)


def missing_sdk(name: str) -> ConfigError:
    """Return the error for an SDK that is not installed."""
    return ConfigError(
        f"the summarizer {name} needs the Python package {name}",
        hint=extra_hint(name),
    )


def _problem(name: str, variable: str, options: Options) -> ConfigError | None:
    if not options.model:
        hint = f"memtool config set summarizer.model <a model that {name} knows>"
        return ConfigError("summarizer.model is not set", hint=hint)
    if not options.key and not options.endpoint:
        text = f"the summarizer {name} needs a key ({variable}), and none was found"
        return ConfigError(text, hint=KEY_PLACES)
    if not options.key.isascii() or not options.key.isprintable() or " " in options.key:
        text = f"the key for {name} holds spaces or characters that no key has"
        return ConfigError(text, hint=KEY_PLACES)
    if options.endpoint and not _is_address(options.endpoint):
        hint = "it is the base URL of the model's server, such as http://localhost:11434/v1"
        return ConfigError(f"summarizer.endpoint is no address: {options.endpoint}", hint=hint)
    if find_spec(name) is None:
        return missing_sdk(name)
    return size_problem(options)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
