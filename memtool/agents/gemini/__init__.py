"""Gemini CLI: which of its files are transcripts, how to recognise them, how long it keeps them.

`parser` reads a file, `parts` turns content and calls into drafts; `memtool/agents/qwen.py` uses the same parts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from memtool.agents.registry import File, Format, Parser, Retention
from memtool.agents.values import JsonObject, list_at, object_at, text_at

NAME = "gemini"
READER = 1
"""To be increased with what the parser gives: events that an older one gave are then replaced."""
COMMANDS = ("$set", "$rewindTo", "$patch")
"""The records of a session that change what came before them."""
NOT_A_CHAT = "no chat of Gemini CLI"
_TYPES = frozenset({"user", "gemini", "info", "error", "warning"})
_AGE = re.compile(r"(\d{1,6})([hdwm])")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "m": 30 * 24}
_DEFAULT_DAYS = 30
_SETTING = "general.sessionRetention.maxAge"


class Gemini(Format):
    """`tmp/<project>/chats/session-*`: a document of JSON that is rewritten, or lines that are appended."""

    reader = READER

    def recognises(self, record: JsonObject) -> bool:
        """Return whether the record is a session, a message of one, or changes one."""
        if "projectHash" in record:
            return "sessionId" in record
        if any(name in record for name in COMMANDS):
            return len(record) == 1
        return text_at(record, "type") in _TYPES and record.keys() >= {"id", "timestamp", "content"}

    def expanded(self, record: JsonObject) -> Iterable[JsonObject]:
        """Return the session without its messages, then each of them."""
        if "projectHash" not in record or "messages" not in record:
            return (record,)
        messages = [one for one in list_at(record, "messages") if isinstance(one, dict)]
        return ({key: value for key, value in record.items() if key != "messages"}, *messages)

    def parser(self, file: File) -> Parser:
        """Return what reads one file."""
        from memtool.agents.gemini.parser import GeminiParser

        return GeminiParser(file)

    def skip_reason(self, path: Path) -> str:
        """Return why a file of this name and place is not read, or ""."""
        places = path.parts[:-1]
        below = any(pair == (".gemini", "tmp") for pair in pairwise(places))
        is_other = below and "chats" not in places
        return NOT_A_CHAT if is_other or path.name == "logs.json" else ""

    def retention(self, root: Path, machine: Path) -> Retention | None:  # noqa: ARG002
        """Return how long it keeps chats: `general.sessionRetention` of its settings."""
        settings = root / "settings.json"
        try:
            text = settings.read_text(encoding="utf-8", errors="replace")
            found = json.loads(text) if text.strip() else {}
        except FileNotFoundError:
            found = {}
        except (OSError, ValueError, RecursionError):
            return Retention(_DEFAULT_DAYS, _SETTING, settings, None, (settings,), '"3650d"')
        general = object_at(found, "general") if isinstance(found, dict) else {}
        kept = object_at(general, "sessionRetention")
        if kept.get("enabled") is False:
            return None
        age = _AGE.fullmatch(text_at(kept, "maxAge"))
        if age is None:
            return Retention(_DEFAULT_DAYS, _SETTING, settings, example='"3650d"')
        days = int(age[1]) * _HOURS[age[2]] // 24
        return Retention(days, _SETTING, settings, settings, example='"3650d"')


FORMAT = Gemini()
