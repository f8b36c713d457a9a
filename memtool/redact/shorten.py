"""Long text keeps its head and its tail. Redaction comes first: a secret across the cut must not survive."""

from __future__ import annotations

_MARK_CHARACTERS = 60


def shorten(text: str, limit: int) -> str:
    """Return at most `limit` characters (at least 100): two thirds from the head, the rest from the tail."""
    if len(text) <= limit:
        return text
    kept = max(limit, 100) - _MARK_CHARACTERS
    tail = kept // 3
    left_out = len(text) - kept
    return f"{text[: kept - tail]}\n[… {left_out} characters left out …]\n{text[-tail:]}"
