"""What a claim stands for once its day is over: a decision, an open end, work, or routine. Tables of cues; pure."""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache

from memtool.summarize.text.words import key


class Standing(IntEnum):
    """How much of a claim is worth telling later; the greater, the more."""

    ROUTINE = 0
    WORK = 1
    DECIDED = 2
    OPEN = 3


def _cues(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_OPEN = _cues(
    r"\bwhat(?:'s| is| was) left\b|\bleft (?:to do|open|over|for)\b",
    r"(?<!nothing )(?<!none )\b(?:is|are|was|were) left\b",
    r"\bremain(?:s|ing)? (?:open|to|unsolved|broken|work)\b|\bremaining\b|\bunresolved\b|\bunfinished\b",
    r"\bstill (?:fail\w*|open|missing|broken|flaky|need\w*|to do|to be|pending|not|red|unclear|slow|hangs?|crash\w*)\b",
    r"\bnot (?:yet|done|finished|solved|fixed)\b|\bto-?do\b|\bnext steps?\b|\bfollow-?ups?\b",
    r"\bopen (?:question|point|end)s?\b",
    r"\bblocked (?:by|on|until)\b",
    r"\bwait(?:s|ing) (?:for (?:review|approval|access|feedback|an answer|a decision)|on)\b",
    r"\bpostponed\b|\bdeferred\b|\bput off\b|\bpending\b|\bcould not (?:reproduce|find|solve|finish)\b",
    r"\bnoch (?:offen|nicht|zu tun|immer)\b",  # codespell:ignore
    r"\b(?:bleibt|steht) (?:noch )?(?:offen|aus|zu)\b",  # codespell:ignore
    r"\breste à\b|\bpas encore\b|\bà faire\b|\bpendiente\b|\b(?:todavía|aún) no\b|\bqueda por\b|\bfalta\b",
)
_DECIDED = _cues(
    r"\bdecided\b|\bdecisions?\b|\bagreed\b|\bchose\b|\bchosen\b|\bsettled (?:on|for)\b|\bopted for\b",
    r"\bwe(?:'ll| will) (?:go|stay|keep|use|not)\b|\b(?:go|going|went|stick|sticking) with\b|\bfrom now on\b",
    r"\bin favou?r of\b|\brejected\b|\bruled out\b|\bwon't\b|\bas agreed\b",
    r"\bentschieden\b|\bbeschlossen\b|\bentscheidung\b|\bdécidé\b|\bdécision\b|\bdecidi(?:do|mos|ó)\b|\bdecisión\b",
)
_ROUNDS = (
    (
        "dependencies",
        _cues(
            r"\b(?:bump\w*|upgrad\w+|update\w*|updating|refresh\w*|renew\w*|rais\w+)\b.{0,60}?"
            r"\b(?:deps?|dependenc(?:y|ies)|packages|librar(?:y|ies)|requirements|lock ?files?|pinned)\b",
            r"\b(?:dependency|package|library|lock ?file) (?:bump|update|upgrade|refresh)\w*",
            r"\bdependabot\b|\brenovate\b|\boutdated (?:deps|dependencies|packages|libraries)\b",
        ),
    ),
    (
        "standup",
        _cues(
            r"\bstand-?ups?\b|\bstand up (?:notes?|meeting|report)\b",
            r"\bdaily (?:status|sync|report|notes?|update|summary|scrum)\b",
            r"\bwhat (?:did|have) (?:i|we) (?:do|done) yesterday\b",
        ),
    ),
    ("conflicts", _cues(r"\b(?:merge|rebase) conflicts?\b|\brebase (?:on|onto)\b")),
    (
        "lint",
        _cues(r"\b(?:lint(?:er|ing)?|formatter) (?:errors?|warnings?|complaints?|findings?)\b"),
    ),
    ("triage", _cues(r"\btriage\b")),
)
"""Rounds of work that come back in other words each time, by name."""
_SMALL_TALK = _cues(
    r"^(?:hi|hello|hey|good (?:morning|evening|afternoon|night)|hallo|moin|guten \w+|bonjour|hola|salut)\b"
    r"(?:\W+\w+){0,3}\W*$",
    r"^(?:many )?(?:thanks?|thank you|thx|danke|merci|gracias|bye|see you|cheers)\b(?:\W+\w+){0,6}\W*$",
    r"\b(?:how are you|how was your|have a (?:nice|good|great)|happy (?:birthday|new year|holidays|friday)"
    r"|good luck|see you (?:tomorrow|later|on \w+)|nice weekend|what'?s up|i'?m (?:tired|hungry|back|off))\b",
    r"^(?:(?:the|a|an|my|our|your|this|next) )?(?:concert|party|birthday|dinner|lunch|coffee|weekend|holidays?|"
    r"vacation|football|match|dentist|wedding|weather|train|flight|picnic|barbecue)(?: (?:is|was|on|starts))?"
    r"(?: (?:today|tomorrow|tonight|yesterday|soon|again|the|this|next|on|at|after|evening|weekend|week|"
    r"monday|tuesday|wednesday|thursday|friday|saturday|sunday|good|great|nice))*\W*$",
)
_DEFECT = _cues(
    r"\bfix\w*\b|\bflak\w+|\bintermittent\w*|\bsporadic\w*|\bfail\w*|\bbroken\b|\bbreaks\b|\bcrash\w*|\berrors?\b|\bbugs?\b",
    r"\bhang(?:s|ing)?\b|\bwrong\b|\btim(?:es|ed|ing) out\b|\btimeouts?\b|\bunstable\b|\bregression\b|\bred again\b",
)
_AGAIN = _cues(
    r"\bagain\b|\bonce more\b|\bstill\b|\bas (?:usual|always|yesterday|every day)\b",
    r"\bwieder\b|\bimmer noch\b|\bencore\b|\botra vez\b",
)
_SAME = (
    "flaky flake flakiness intermittent intermittently sporadic sporadically unstable nondeterministic",
    "dependency dependencies deps dep",
    "standup stand-up standups",
    "login signin sign-in log-in logins",
    "auth authentication authenticate authenticating",
    "config configuration configure",
    "database db databases",
    "documentation docs",
    "performance perf",
    "fix fixed fixing repair mend",
    "bump upgrade update",
    "fail fails failing failed failure broken breaks",
)
_ONE_OF = {key(word): key(row.split()[0]) for row in _SAME for word in row.split() if key(word)}


def standing_of(asked: str, result: str) -> Standing:
    """Return what a claim stands for; its result says more of it than its request."""
    if _OPEN.search(result):
        return Standing.OPEN
    if _DECIDED.search(result):
        return Standing.DECIDED
    if round_of(asked) or is_small_talk(asked):
        return Standing.ROUTINE
    return Standing.WORK


@lru_cache(maxsize=1 << 12)
def round_of(asked: str) -> str:
    """Return the name of the round of routine work that a request is about, or ""."""
    return next((name for name, pattern in _ROUNDS if pattern.search(asked)), "")


def is_small_talk(text: str) -> bool:
    """Return whether people say it to one another, but nobody works on it."""
    return bool(_SMALL_TALK.search(text))


def comes_back(asked: str) -> bool:
    """Return whether a request tells of something that goes wrong, or that was there before."""
    return bool(_DEFECT.search(asked) or _AGAIN.search(asked))


def canonical(name: str) -> str:
    """Return the key that stands for all words which mean the same to those who work."""
    return _ONE_OF.get(name, name)
