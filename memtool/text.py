"""Text for people: sizes, first lines, the word that was meant."""

from __future__ import annotations

from collections.abc import Sequence

_ASCII_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def size(size_bytes: int) -> str:
    """Return the size with its unit, such as "1.5 MiB"."""
    for unit_bytes, unit in _UNITS:
        if size_bytes >= unit_bytes:
            return f"{size_bytes / unit_bytes:.1f} {unit}"
    return f"{size_bytes} bytes"


def first_line(text: str, length: int = 300) -> str:
    """Return the first line, shortened, without control characters."""
    line = next((part for part in text.splitlines() if part.strip()), "")
    clean = "".join(letter if letter.isprintable() else "?" for letter in line.strip())
    return clean if len(clean) <= length else clean[: length - 1] + "…"


def nearest(word: str, words: Sequence[str]) -> str:
    """Return the most similar word, or an empty string."""
    from difflib import get_close_matches

    by_lower = {candidate.lower(): candidate for candidate in words}
    found = get_close_matches(word.lower(), list(by_lower), n=1)
    return by_lower[found[0]] if found else ""


def lowered(text: str) -> str:
    """Return the text in lower case, each character where it was: a few become two in lower case."""
    small = text.lower()
    return small if len(small) == len(text) else text.translate(_ASCII_LOWER)
