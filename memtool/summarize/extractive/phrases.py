"""How requests and conclusions are worded: tables of cues, and what is left of a request without its politeness."""

from __future__ import annotations

import re

from memtool.summarize.text.plain import ELLIPSIS, plain, shorten
from memtool.summarize.text.words import GENERIC_KEYS, PLAIN, key, specificity

ARROW = " → "
SEPARATOR = " · "
UNTOLD = f"{ARROW}…"
"""Stands behind a request whose result is not told here."""

Cue = tuple[re.Pattern[str], int]


def _cue(points: int, pattern: str) -> Cue:
    """Return a cue for texts in lower case: to look for it so takes half as long as to ignore case."""
    return re.compile(pattern), points


_DO = (
    "add|adapt|allow|apply|build|bump|change|check|clean|commit|compare|configure|consolidate|convert|create|debug|"
    "delete|deploy|design|document|drop|enable|explain|explore|extract|extend|figure|find|fix|generate|implement|"
    "improve|install|integrate|investigate|look|make|merge|migrate|move|optimi[sz]e|plan|port|profile|publish|push|"
    "rebase|refactor|release|remove|rename|replace|research|resolve|review|rewrite|run|search|set up|show|simplify|"
    "speed|split|support|switch|tell|test|try|update|upgrade|use|validate|verify|wire|write"
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
        r"\b(?:bitte|kannst du|ich möchte|wir sollten|s'il \w+ pla[iî]t|peux-tu|por favor|puedes)\b",
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
        r"\b(?:created|opened|merged|pushed)\b.*(?:https?://|#\d+|\bpr\b)|\bnot (?:yet|possible|supported)\b",
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
    _cue(-8, r":\W*$"),
    _cue(
        -10,
        r"\b(?:would you like|do you want|should i|shall i|want me to|feel free|happy to|anything else)\b|[?？]\W*$",  # noqa: RUF001
    ),
    _cue(
        -8,
        r"^(?:yes|no|sure|good idea|good point|you'?re right|that'?s a)\b[^.!]*[.!]?$|\bgood (?:point|idea)\b",
    ),
    _cue(
        -6,
        r"^(?:good|great|excellent|perfect|interesting|wait|hm+|ok(?:ay)?|you'?re right|yes|sure|of course)\b[^a-z]*$",
    ),
    _cue(
        -6,
        r"^(?:looking at|checking|reading|starting|continuing|trying|running|here(?:'s| is| are))\b",
    ),
    _cue(-8, r"^(?:when|if|once|unless|until|wenn|falls|quand|si|cuando)\b|\bwould\b"),
    _cue(-3, r"^(?:that|this|these|those|they|then|das|dies|dann)\b"),
)
"""What agents say while they work, what has not happened, and what points back."""


def points(text: str, cues: tuple[Cue, ...]) -> int:
    """Return the sum of the points of the cues that the text shows."""
    text = text.lower()
    return sum([value for pattern, value in cues if pattern.search(text)])


_ORDER = re.compile(
    rf"(?:^|[.!?\n] )(?:please |now |then |also |next,? |and )*(?:{_DO})\b|"
    r"\b(?:bitte|kannst du|s'il \w+ pla[iî]t|peux-tu|por favor|puedes)\b",
    re.IGNORECASE,
)


def is_order(text: str) -> bool:
    """Return whether some sentence of a prompt begins with what is to be done: "Add a cache"."""
    return bool(_ORDER.search(text))


_POLITE = (
    (
        r"(?:hi|hello|hey|ok(?:ay)?|hm+|so|now|then|next|also|and|but|alright|actually|basically|just|maybe|perhaps|"
        r"please|pls|thanks|thank you|minor|bitte|hallo)(?=[\s,.!:;]|$)[\s,.!:;]*"
    ),
    r"(?:no|yes|yeah|yep|sure|well|right|great|cool|nice|perfect|first|again|good|you'?re right)[,.!:;]\s*",
    r"(?:can|could|would|will) (?:you|we|u)(?: please| also| just| maybe)*\s+",
    r"i(?:'d| would) (?:like|love|prefer)(?: you| for you)? to\s+",
    r"i (?:want|need)(?: (?:you|us))?(?: to)?\s+",
    r"(?:we|you|i)(?: probably| also| now)* (?:should|must|need to|have to|could|can)(?: also| now| probably)*\s+",
    r"(?:let'?s|let us|help me(?: to)?|go ahead and|try to|i think(?: that)?|i was wondering if)\s+",
    r"(?:tell|show|write|give|make|get) (?:me|us)\s+",
    r"(?:your task is to|you are (?:asked )?to|is it possible to|kannst du|ich möchte|wir sollten)\s+",
    r"(?:if|when|since|because|as) [^,.]{4,70},\s+(?=.{20})",
)
_OPENINGS = re.compile("|".join(f"(?:{pattern})" for pattern in _POLITE), re.IGNORECASE)
_COMMAND_WORD = re.compile(r"(?:^|\s)/[\w-]+(?::[\w-]+)?(?=\s|$)")
_FIRST_PERSON = re.compile(
    r"(?:(?:all done|done|fixed|finished|great|good|perfect|excellent|yes|in short|summary)[.!:,]\s+)*"
    r"(?:i(?:'ve| have)(?: now| also| just)? (?=\w+(?:ed|en|t|de|[aeiou]t)\b)|i (?=\w+ed\b)|(?=\w))",
    re.IGNORECASE,
)
_REASONING = re.compile(
    r"(?:based on|looking at|according to|given) [^,.:]{3,60},\s+", re.IGNORECASE
)
_LOCATION = re.compile(r"[\w./-]+\.\w+:\d+(?:-\d+)?\s*[-–—:]\s+(?=.{12})")
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
    r"[,;:(]\s|\s[-–—(]\s?|\.\s|\s(?:so that|because|since|which|that|when|where|while|assuming|if|to|for|with|"
    r"in|on|at|from|by|as|or|and|but|using|without|after|before|per|via|into|of)\s",
    re.IGNORECASE,
)
_RESULT_VERB = re.compile(
    r"(?:added|fixed|updated|removed|changed|created|replaced|implemented|moved|renamed|refactored|rewrote|switched|"
    r"merged|extracted|dropped|introduced|migrated|resolved|published|set|made|enabled|disabled|upgraded)\b",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(
    r"(?<!could )(?<!is )(?<!does )(?<!should )\bit\b|\b(?:that|this|them|those|these|they|she|he|das|es|ça)\b|"
    r"^(?:yes|no|ok|do|and) |\bthe \w+ one\b",
    re.IGNORECASE,
)
_WISH = re.compile(
    r"\bi(?:'d like(?: to)?| want(?: to)?| need(?: to)?| would like(?: to)?)\s+(?=.{16})",
    re.IGNORECASE,
)
_SETTING = re.compile(
    r"(?:since|after|during) (?:(?:the|a|an|last|this|my) )?\w+,? (?=.{30})", re.IGNORECASE
)
_CHORE = re.compile(r"(?:Edited|Read|Ran) \S|…?$")
_CLAUSE_END = re.compile(
    r"[;:.]\s|,\s(?:and|but|so|or|which|because|since|und|aber|et|mais|y|pero)\s", re.IGNORECASE
)
_SHORTEST_TOPIC = 14
_LONGEST_BREAK = 12


def request_text(text: str) -> str:
    """Return a request without greeting, politeness and lead-in: "Could you please add x?" becomes "Add x"."""
    text = plain(text)
    left = _LEAD_IN.sub("", text, count=1) if _LEAD_IN.match(text) else text
    while (match := _OPENINGS.match(left)) and match.end() < len(left):
        left = left[match.end() :]
    left = _TAIL.sub("", left) or left
    return capitalised(left)


def result_text(text: str) -> str:
    """Return a conclusion without its exclamations and its first person: "Done. I've added x:" becomes "Added x"."""
    text = plain(text)
    for opening in (_REASONING, _FIRST_PERSON):
        match = opening.match(text)
        text = text[match.end() :] if match else text
    return capitalised(text.rstrip(":;, "))


def capitalised(text: str) -> str:
    """Return the text with a capital, unless it begins with a name from a program."""
    first = text.partition(" ")[0]
    return text if specificity(first.rstrip(",.:;")) > PLAIN else text[:1].upper() + text[1:]


def topic(text: str, limit: int) -> str:
    """Return the request as a title: cut where a clause ends if that leaves enough, else at a word."""
    text = request_text(_LOCATION.sub("", text, count=1) if _LOCATION.match(text) else text)
    text = " ".join(_COMMAND_WORD.sub(" ", text).split()) or text
    if len(text) > limit and (wish := _WISH.search(text) or _SETTING.match(text)):
        text = request_text(text[wish.end() :])
    if len(text) <= limit:
        return text
    least = max(_SHORTEST_TOPIC, 2 * limit // 5)
    breaks = [match.start() for match in _BREAKS.finditer(text, 0, limit + _LONGEST_BREAK)]
    cuts = [cut for cut in breaks if least <= cut <= limit]
    strong = [cut for cut in cuts if _CLAUSE_END.match(text, cut) and cut >= limit // 2]
    open_bracket = [cut for cut in cuts if text[cut : cut + 2] == " ("][:1]
    end = (open_bracket or strong[-1:] or cuts[-1:] or [0])[0]
    kept = _UNASKED.sub("", text[:end].rstrip(_OPEN_END))
    return _DANGLING.sub("", kept).rstrip(_OPEN_END) or shorten(text, limit)


_OPEN_END = " ,;:.("
_UNASKED = re.compile(
    r"(?:\s(?:to|and) (?:find out|figure out|see|check|tell|know|understand))?\s"
    r"(?:why|how|what|where|which|whether|when|if|who)$",
    re.IGNORECASE,
)
"""A question that the cut left without its words."""
_DANGLING = re.compile(
    r"\s(?:(?:by|for|of|in|on|with|from)(?:\s\w+ing)?|to|at|and|or|the|a|an|as|that|is|are|so)$"
)
_ROUTINE_WORDS = (
    "commit push pr draft branch merge open go continue nitpick comment step phase proceed done"
)
_ROUTINE = frozenset(map(key, _ROUTINE_WORDS.split()))


def is_routine(said: frozenset[str]) -> bool:
    """Return whether a request names no subject: "commit this, push, open a draft PR"."""
    return all(name in GENERIC_KEYS or name in _ROUTINE for name in said)


def tells_deed(text: str) -> bool:
    """Return whether a result begins with what was done to something: "Added a retry to …"."""
    return bool(_RESULT_VERB.match(text))


def is_chore(text: str) -> bool:
    """Return whether a result tells only which files and commands were used, or nothing."""
    return bool(_CHORE.match(text))


_MANY_KEYS = 5


def points_back(text: str, said: frozenset[str]) -> bool:
    """Return whether a request is understood only after what came before: "do that, please"."""
    return len(said) < _MANY_KEYS and bool(_POINTS_BACK.search(text))


_SHORTEST_THEME = 12


def is_whole(theme: str) -> bool:
    """Return whether a shortened request still says enough to stand in a title."""
    return len(theme) >= _SHORTEST_THEME and not theme.endswith(ELLIPSIS)
