"""How requests and conclusions are worded: tables of cues, and what is left of a request without its politeness."""

from __future__ import annotations

import re

from memtool.summarize.plain import plain, shorten

Cue = tuple[re.Pattern[str], int]


def _cue(points: int, pattern: str) -> Cue:
    return re.compile(pattern, re.IGNORECASE), points


_DO = (
    "add|adapt|allow|apply|build|bump|change|check|clean|commit|compare|configure|consolidate|convert|create|debug|"
    "delete|deploy|design|document|drop|enable|explain|explore|extract|extend|figure|find|fix|generate|implement|"
    "improve|install|integrate|investigate|look|make|merge|migrate|move|optimi[sz]e|plan|port|profile|publish|push|"
    "rebase|refactor|release|remove|rename|replace|research|resolve|review|rewrite|run|search|set up|show|simplify|"
    "speed|split|support|switch|test|try|update|upgrade|use|validate|verify|wire|write"
)
ASKS: tuple[Cue, ...] = (
    _cue(8, rf"^(?:please |now |then |also |next,? |and )*(?:{_DO})\b"),
    _cue(
        7,
        r"\b(?:can|could|would|will) you\b|\bplease\b|\blet'?s\b|\bi(?:'d| would) like\b|\bi want\b",
    ),
    _cue(
        6, r"\b(?:we|you|i|it) (?:should|need to|must|have to)\b|\bneeds? (?:a|an|to)\b|\bhelp me\b"
    ),
    _cue(5, r"[?？]\W*$|^(?:how|why|what|where|which|is there|are there|does|do|should|can) "),  # noqa: RUF001
    _cue(
        6,
        r"\b(?:bitte|kannst du|ich möchte|wir sollten|s'il (?:te|vous) pla[iî]t|peux-tu|por favor|puedes)\b",
    ),
    _cue(3, r"\b(?:fails?|broken|crash(?:es|ed)?|does ?n[o']t work|bug|wrong|error)\b"),
    _cue(
        -4,
        r"^(?:thanks?|great|nice|perfect|cool|good|hi|hello|hey|ok(?:ay)?|hm+|i(?:'ve| have) noticed)\b[^?]*$",
    ),
)
"""What makes a sentence of a prompt the request."""

CONCLUSIONS: tuple[Cue, ...] = (
    _cue(
        9,
        r"\b(?:root cause|the (?:fix|cause|problem|issue|culprit|solution|reason|bug) (?:is|was)|turn(?:s|ed) out)\b",
    ),
    _cue(
        8,
        r"^(?:\W*(?:done|fixed|found it|all done|finished|success\w*|so|in short)\W+)?i(?:'ve| have) \w+e[dn]\b",
    ),
    _cue(
        8,
        r"^(?:done|fixed|resolved|found it|merged|committed|pushed|created|released|deployed|shipped)\b(?!.*:$)",
    ),
    _cue(
        7,
        r"\b(?:decided|decision|we(?:'ll| will) go with|chose|instead of|recommend(?:ed|ation)?|agreed)\b",
    ),
    _cue(
        6,
        r"^(?:\W*\w+\W+){0,4}?(?:added|fixed|updated|removed|changed|created|replaced|implemented|moved|renamed|"
        r"refactored|rewrote|switched|merged|set|made|extracted|dropped|introduced|migrated|resolved|published)\b",
    ),
    _cue(
        6,
        r"\bdefaults? to\b|\bbecause\b|\bdown from\b|\bcaused by\b|\bnow (?:works?|uses?|returns?|passes|shows?)\b",
    ),
    _cue(
        5,
        r"\b(?:created|opened|merged|pushed)\b.*(?:https?://|#\d+|\bPR\b)|\bnot (?:yet|possible|supported)\b",
    ),
    _cue(
        4,
        r"\b(?:is|are|was|were|has been|have been) (?:now )?(?:fixed|done|working|resolved|complete[d]?|in place)\b",
    ),
    _cue(
        2,
        r"\b(?:tests?|checks?|lint(?:er)?|build|suite)\b.*\b(?:pass(?:es|ed|ing)?|green|succeed(?:s|ed)?|clean)\b",
    ),
    _cue(
        6,
        r"\b(?:erledigt|fertig|behoben|die ursache|terminé|corrigé|la cause|hecho|arreglado|la causa)\b",
    ),
)
"""What makes a sentence of an answer its result. Each cue counts once."""

FILLERS: tuple[Cue, ...] = (
    _cue(
        -14,
        r"\b(?:let me|let's|lass mich|ich werde|je vais|voy a)\b|\bi(?:'ll| will|'m going to| need to|'m now|"
        r" should| can see| see| now need)\b|^(?:now|next|first)\b",
    ),
    _cue(-9, r":\W*$"),
    _cue(
        -10,
        r"\b(?:would you like|do you want|should i|shall i|want me to|feel free|happy to|anything else)\b|[?？]\W*$",  # noqa: RUF001
    ),
    _cue(
        -6,
        r"^(?:good|great|excellent|perfect|interesting|wait|hm+|ok(?:ay)?|you'?re right|yes|sure|of course)\b[^a-z]*$",
    ),
    _cue(
        -6,
        r"^(?:looking at|checking|reading|starting|continuing|trying|running|here(?:'s| is| are))\b",
    ),
)
"""What agents say while they work."""


def points(text: str, cues: tuple[Cue, ...]) -> int:
    """Return the sum of the points of the cues that the text shows."""
    return sum(value for pattern, value in cues if pattern.search(text))


_OPENINGS = re.compile(
    r"(?:(?:hi|hello|hey|ok(?:ay)?|hm+|so|well|now|then|next|also|and|but|alright|right|great|thanks?|thank you|"
    r"cool|nice|yes|yeah|yep|no|sure|actually|basically|just|maybe|perhaps|please|pls|first|again|minor|quick(?:ly)?|"
    r"bitte|hallo)\b[\s,.!:;—-]*)"
    r"|(?:(?:can|could|would|will) (?:you|we|u)(?: please| also| just| maybe)*\s+)"
    r"|(?:i(?:'d| would) (?:like|love|prefer)(?: you| for you)? to\s+)|(?:i (?:want|need)(?: you| us)? to\s+)"
    r"|(?:i (?:want|need)\s+)|(?:(?:we|you|i) (?:should|must|need to|have to|could|can)(?: also| now| probably)*\s+)"
    r"|(?:let'?s\s+|let us\s+|help me(?: to)?\s+|go ahead and\s+|try to\s+|i think (?:that )?|i was wondering if\s+)"
    r"|(?:your task is to\s+|you are (?:asked )?to\s+|is it possible to\s+|kannst du\s+|ich möchte\s+)",
    re.IGNORECASE,
)
_LEAD_IN = re.compile(
    r"(?:implement|execute|follow|do|carry out|apply|read|consider|see|use|fix|address|review)? ?"
    r"(?:the |this |these |all )?(?:following|below|attached|plan|task|tasks|spec|issue|issues|changes|instructions)"
    r"[\w ]{0,20}:\s*(?=\S)",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"[\s,]*(?:,? please|thanks?(?: you)?|,? right|if possible|,? bitte)?[\s.!?:;,…]*$",
    re.IGNORECASE,
)
_BREAKS = re.compile(
    r"[,;:(]\s|\s[-–—(]\s?|\.\s|\s(?:so that|because|since|which|that|when|where|while|assuming|if|to|for|with|"  # noqa: RUF001
    r"in|on|at|from|by|as|or|and|but|using|without|after|before|per|via|into|of)\s",
    re.IGNORECASE,
)
_SHORTEST_TOPIC = 14


def request_text(text: str) -> str:
    """Return a request without greeting, politeness and lead-in: "Could you please add x?" becomes "Add x"."""
    text = plain(text)
    left = _LEAD_IN.sub("", text, count=1) if _LEAD_IN.match(text) else text
    while (match := _OPENINGS.match(left)) and match.end() < len(left):
        left = left[match.end() :]
    left = _TAIL.sub("", left) or left
    return left[:1].upper() + left[1:]


def topic(text: str, limit: int) -> str:
    """Return the request as a title: cut where a clause ends if that leaves enough, else at a word."""
    text = request_text(text)
    if len(text) <= limit:
        return text
    cuts = [match.start() for match in _BREAKS.finditer(text, 0, limit + 1)]
    cuts = [cut for cut in cuts if max(_SHORTEST_TOPIC, limit // 3) <= cut <= limit]
    return text[: cuts[-1]].rstrip(" ,;:.(") if cuts else shorten(text, limit)
