"""Dates in words: they come out of titles, since a period's own date stands before its title. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    "nov(?:ember)?|dec(?:ember)?|"
    "januar|februar|märz|mai|juni|juli|oktober|dezember|"  # codespell:ignore
    "janvier|février|mars|avril|juin|juillet|août|septembre|octobre|novembre|décembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|"
    "septiembre|octubre|noviembre|diciembre"
)
_WEEKDAYS = (
    "monday|tuesday|wednesday|thursday|friday|saturday|sunday|montag|dienstag|mittwoch|donnerstag|freitag|samstag|"
    "sonntag|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|miércoles|jueves|viernes|sábado|domingo"
)
_SHORT_DAYS = "mon|tues?|wed|thu(?:rs)?|fri|sat|sun|mo|di|mi|do|fr|sa|so"
_RELATIVE = (
    "today|tomorrow|tonight|yesterday|this (?:morning|afternoon|evening|week|month|year)|"
    "(?:last|next) (?:week(?:end)?|month|year|night|time)|the (?:weekend|day before|other day)|"
    "heute|morgen|gestern|hier soir|aujourd'hui|demain|hoy|mañana|ayer"
)
_PREPOSITION = (
    r"(?:(?:by|on|since|from|until|till|before|after|for|of|at|in|as of|am|vom|seit|ab|bis|im|le|du|el|del|desde)"
    r"\s+(?:the\s+)?)?"
)
_WITH_PREPOSITION = _PREPOSITION.removesuffix("?")
_ORDINAL = "[snrt][tdh]"
_DATE = (
    rf"\d{{4}}-\d{{2}}(?:-\d{{2}})?(?:[T ]\d{{2}}:\d{{2}}(?::\d{{2}})?Z?)?(?![\w-])|\d{{1,2}}\.\d{{1,2}}\.\d{{4}}|"
    rf"\d{{1,2}}/\d{{1,2}}/\d{{2,4}}|"
    rf"(?:(?:{_WEEKDAYS}|{_SHORT_DAYS})\.?,?\s+(?:the\s+)?)?"
    rf"\d{{1,2}}(?:{_ORDINAL}|\.)?\s+(?:of\s+)?(?:{_MONTHS})\b\.?(?:,?\s+\d{{4}}\b)?|"
    rf"(?:{_MONTHS})\.?\s+\d{{1,2}}(?:{_ORDINAL})?\b(?:,?\s+\d{{4}}\b)?|(?:{_MONTHS})\.?\s+\d{{4}}\b"
)
_DATED = re.compile(
    rf"(?<![\w./-]){_PREPOSITION}(?:{_DATE}|(?:{_RELATIVE})\b)"
    rf"|\b{_WITH_PREPOSITION}(?:{_MONTHS}|{_WEEKDAYS})\b(?![-.\w])",
    re.IGNORECASE,
)
_NAMES = re.compile(
    rf"(?:{_MONTHS}|{_WEEKDAYS}|{_SHORT_DAYS}|{_RELATIVE}|days?|weeks?|months?|years?|times?|hours?|minutes?)",
    re.IGNORECASE,
)
_LEFT_BEHIND = re.compile(r"\(\s*\)|\s+(?=[,;:.!?)])|^[\s,;:.)–-]+|[\s,;:(–-]+$")


def undated(text: str) -> str:
    """Return the text without its dates; it may be empty."""
    left = _DATED.sub(" ", text)
    if left == text:
        return text
    left = _LEFT_BEHIND.sub("", " ".join(left.split())).strip()
    return left[:1].upper() + left[1:]


@lru_cache(maxsize=1 << 14)
def names_a_time(word: str) -> bool:
    """Return whether a word only says when."""
    return _NAMES.fullmatch(word) is not None
