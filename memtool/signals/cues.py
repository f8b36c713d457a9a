"""Words that tell what a sentence does. One row per language; English is complete, the others hold the commonest words."""

from __future__ import annotations

import re
from typing import NamedTuple


class Cues(NamedTuple):
    """Patterns are regular expressions without case; lists are split at blanks."""

    process: str
    """Words of the routine of work: alone they name no subject."""
    dangling: str
    """A text that ends in one of these is cut."""
    routine: str
    """A whole prompt that says nothing but go on, commit, push."""
    interjections: str
    """Words before a sentence that say nothing."""
    wish: str
    """What stands before the thing that is wanted, and is left out."""
    ruling: str
    """How a sentence begins that rules something."""
    revision: str
    """A later request that replaces an earlier one."""
    verbs: str
    """Imperatives, beyond those that the texts themselves show."""
    greeting: str
    """What stands before a result and says nothing."""
    report: str
    """The first person of a report, left out."""
    empty: str
    """A lead that only says that it is done."""
    announcement: str
    """A lead that announces a list, or what comes next."""
    offer: str
    """A closing sentence that offers to do more."""
    missing: str
    """What a last answer says is missing, untested, failing, deferred."""
    dropped: str
    """The work was given up or taken back."""
    clause: str
    """Words before which a clause may end."""


_INTERJECTIONS = (
    r"(?:(?:hi|hello|hey|ok(?:ay)?|so|well|now|also|and|but|then|yes|yeah|yep|great|cool|nice|right|hm+|um+|ah|oh|argh|gah|sorry|"
    r"actually|alright|good|perfect|thanks?|thank you|again|first|next|finally|one more thing|one last (?:thing|modification)|not bad|agreed|sure|"
    r"awesome|claude|please|just)\b[,.!:;…\s-]+)*"
)

ENGLISH = Cues(
    process=(
        "commit message review test tests lint branch conflict rebase check look push pull merge pr request fix change "
        "changes update issue file files code comment comments feedback run implement implementation plan task add "
        "sure summary format"
    ),
    dangling=(
        "a an the of to in on at by for from with and or but as into onto via per that which who whose when where while "
        "if is are was were be been has have had do does did will would can could should may might must not no its their "
        "this these those your our my than then so because since"
    ),
    routine=(
        r"(?:(?:ok(?:ay)?|yes|yep|yeah|no|sure|great|cool|nice|thanks?|thank you|perfect|good|please|now|then|and|also|do it|do that|"
        r"do so|go|go on|go ahead|go for it|continue|proceed|next|keep going|carry on|resume|retry|try again|again|commit|push|pull|"
        r"merge|rebase|update|open|create|draft|pr|it|this|that|these|all|them|the|a|to|off|from|parent|main|branch|origin|changes?|"
        r"run|rerun|tests?|lint|fmt|build|stage|stash|pop|done|fixed|ready|yup|right|correct|exactly|lgtm|looks|sounds|"
        r"its|it's|is|me|for|more|comments?|some|same|with|of|respond|directly|reply|in|review|message|summary|both|first|commits?|"
        r"fix|repeat|implement|let's|lets|we|can|could|you|would|i|did|on|up|"
        r"description|request|latest|remote|force|amend|squash|log|status|diff|check|so|far|do|argh|hm+|um+|ah+|oh|uh|wait|hangon|sorry)\b[\s,.!?;:]*)+"
    ),
    interjections=_INTERJECTIONS,
    wish=(
        _INTERJECTIONS + ""
        r"(?:(?:please\s+)?(?:(?:can|could|would|will|may|should) (?:you|we|i)(?: also| now| please| maybe| just| at least)?(?: have a look at| take a look at| help me(?: to)?| go ahead and)?|"
        r"(?:i(?:'d| would) (?:also )?(?:like|love|prefer)(?: you| us)? to|i(?:'d| would) like|i (?:also )?(?:want|need)(?: you| us)? to|i(?:'m| am) (?:trying|going|looking) to|i think (?:we|you) (?:should|need to|can)|"
        r"we (?:should|need to|want to|have to|must|could)|you (?:should|need to|have to|must|can)|let's|let us|lets|"
        r"make sure(?: that)?(?: we| you)?|go ahead and|try to|feel free to|is it possible to|what about|how about|it would be (?:good|nice|great) (?:to|if we|if you)))"
        r"\s+(?:please\s+|also\s+|now\s+|maybe\s+|just\s+)*|please\s+|do you think (?:you|we) (?:can|could)\s+)?"
    ),
    ruling=(
        r"(?:(?:ok(?:ay)?|yes|yeah|actually|right|well|hm+|and|but|so|then|good|great|cool|fair enough|alright)\b[,.!\s]+)*"
        r"(?:no\b|let's|lets\b|use\b|don't|do not|dont\b|instead\b|i(?:'d rather| want| would rather| prefer)|we (?:always|never|should|agreed|decided|don't|do not|only)|never\b|always\b|keep\b|only\b|revert\b|leave\b|remove\b|drop\b|rather\b|thinking again)"
    ),
    revision=r"\b(?:instead|thinking again|on second thought|completely remove|remove it again|revert (?:that|it|this)|undo (?:that|it|this)|scrap (?:that|it|this)|never mind|rather than that)\b",
    verbs=(
        "add allow analyse analyze apply ask avoid backfill build bump call catch change check clarify clean cleanup close collect combine compare "
        "complete configure consolidate convert copy correct cover create cut debug declare decouple deduplicate default define delete detect disable display "
        "document drop embed enable ensure enforce evaluate exclude explain export expose extend extract fetch filter find fix format "
        "generate group guard handle harden hide honour ignore implement improve include increase inject inline install integrate introduce "
        "inspect investigate invert join keep kill limit link list load log lower make mark measure merge migrate mock move "
        "normalise normalize omit only open optimise optimize parse pass persist pin port preserve prevent print propagate protect prune publish "
        "put raise read record redact reduce refactor refuse register reject release remove rename render reorder replace report reproduce require "
        "reset resolve respect restore restrict retry return reuse revert review rewrite rotate run save scan search select send separate "
        "serialise serialize set share shorten show silence simplify skip sort speed split squash stop store stream strip support suppress surface swap "
        "switch sync teach test throw tidy trace track trim truncate try unify update upgrade use validate verify warn wire wrap write "
        "address adjust align append assert attach bring calculate centralise centralize commit compute decide deprecate describe design display draft "
        "estimate expand explore finish follow give highlight identify look order plan point prepare query rebase recheck rework see store "
        "stub summarise summarize treat tweak undo unset upload wait work"
    ),
    greeting=(
        r"(?:(?:done|all done|all set|all good|all green|all clean|clean|fixed|finished|great|good|perfect|excellent|yes|no|yep|yeah|exactly|correct|sure|ok(?:ay)?|right|agreed|"
        r"great question|good question|good point|good catch|good idea|good call|good thinking|good observation|got it|fair enough|you're (?:absolutely )?right|you are right|that makes sense|makes sense|"
        r"i see(?: the (?:issue|problem))?|i understand|understood|found it|in short|summary|in summary|success|confirmed|complete|completed|implementation complete|recovered|there it is|absolutely|no problem|sounds good|"
        r"now i (?:have|understand|can see|see)[^.:!]*|committed successfully|pushed successfully|pushed|committed|logged|updated|no worries|ah|oh|hm+|wait|actually)\b\s*(?:[.!:,…—–-]+\s*|(?=\n)))+"
    ),
    report=(
        r"(?:(?:i(?:'ve| have)(?: now| also| just| successfully)*|we(?:'ve| have)(?: now| also| just)*|i (?:now |also |just |successfully )*(?=\w+ed\b)|you (?:now )?have|"
        r"(?:based on|looking at|according to|given) [^,.:]{3,60},|as (?:requested|you said|asked),|so(?: now)?,|now,|the answer:)\s+)+"
    ),
    empty=(
        r"(?:(?:all|the|every|full|unit|integration|ci|format|fmt|lint|linter|linting|build|tests?|suite|checks?|\d+|and|\+|both|are|is|now|still|also|pass(?:es|ed|ing)?|clean|green|succeeds?|succeeded|"
        r"done|found|fixed|finished|complete[d]?|committed|pushed|merged|ready|applied|updated|changes?|everything|it|works?|working|fine|looks?|good|successfully|on|to|as|a|this|pr|branch|in|"
        r"place|tree|no|errors?|issues?|problems?|warnings?|with|code|properly|formatted|linted|summary|here|here's|what|was|changed|i|of|for|let|me|know|if|you|have|any|questions?|too|already|up|so|that's|it's|correct|compiles?|there|task|tasks|final|state|result|results|implementation|version)\b"
        r"[\s,.!;:()—–'’*✅✓✔-]*)+"
    ),
    announcement=(
        r"(?:here(?:'s|’s| is| are)|the following|these are|below|summary of|now (?:let me|i(?:'ll| will| need| can| have)|let's|add|the|run|update|we)|let me|i(?:'ll| will|'m going| am going| need to| should| can see| want to| see\b| understand)|next,? i|first,? (?:let|i)|"
        r"one more|looking at|so the answer|a few (?:options|things)|there are (?:\w+ )?(?:options|ways|approaches)|my (?:recommendation|suggestion|assessment)|the (?:fix|change|feature|implementation|refactoring|update|work|issue|analysis|plan|migration|task)s? (?:is|are|has been|have been) (?:now )?(?:complete|done|in place|ready|applied|finished)|"
        r"all (?:changes|tasks|of)|good,|great,|perfect,|want me|would you|do you|shall i|should i|if you|you can|to (?:answer|verify|test|summarize)|what (?:do|would|was|changed|i|were)|this (?:is|means|was|will)|that(?:'s| is)|it(?:'s| is)|note\b|yes\b|no\b)"
    ),
    offer=r"(?:want me to|would you like|shall i|should i|do you want|let me know|if you(?:'d| would)? (?:like|want)|happy to|i can (?:also )?|feel free|ready (?:to|when)|what would you|which (?:one|option|approach))\b",
    missing=(
        r"\b(?:(?:is|are|was|were|remains?|stays?|still)(?: still)? (?:un(?:tested|done|resolved|handled|covered|clear)|not (?:yet )?(?:tested|covered|implemented|handled|done|fixed|wired|supported)|missing|failing|broken|open|incomplete|pending)|"
        r"not (?:yet )?(?:tested|covered|implemented|handled|wired|verified|fixed|done yet)|todo\b|still (?:to do|fails?|failing|needs?|missing|open|pending|have to|to be)|remaining (?:work|task|issue)s?|follow-?ups?\b(?! to)|left (?:to do|open|for later|out)|"
        r"deferred|postponed|known (?:issue|limitation)s?|out of scope|next steps?|one (?:test|failure) (?:still )?(?:fails|remains)|could not (?:verify|test|reproduce|run)|couldn't (?:verify|test|reproduce|run))"
    ),
    dropped=r"\b(?:abandon(?:ed)?|drop(?:ped)? (?:this|the) (?:branch|work|idea|approach|pr)|give up on (?:this|it)|close (?:this|the) pr without|throw (?:this|it) away|scrap (?:this|the) (?:branch|work|idea))\b",
    clause=r"because|so that|which|instead of",
)

GERMAN = Cues(
    process="test tests prüfen schau lint branch konflikt commit",
    dangling="der die das den dem des ein eine und oder in im an am auf mit von zu zum zur für bei ist sind nicht",
    routine=r"(?:(?:ja|nein|ok|gut|danke|bitte|weiter|mach|das|es|und|dann|jetzt|nochmal|genau|passt|super)\b[\s,.!?;:]*)+",
    interjections=r"(?:(?:ja|nein|ok|gut|also|so|und|aber|bitte|hallo)\b[,.!\s]+)*",
    wish=r"(?:(?:kannst du|könntest du|können wir|bitte|lass uns|ich möchte|ich will|wir sollten|wir müssen)\s+)",
    ruling=r"(?:nein\b|lass uns|nimm\b|nicht\b|stattdessen\b|ich will|wir (?:sollten|nehmen|machen)|immer\b|nie\b|behalte\b)",
    revision=r"\b(?:stattdessen|doch nicht|nochmal überlegt|mach das rückgängig)\b",
    verbs="füge ändere entferne behebe baue schreibe prüfe zeige erstelle nutze verschiebe benenne",
    greeting=r"(?:(?:fertig|erledigt|gut|ja|nein|perfekt|super|verstanden)\b\s*[.!:,]+\s*)+",
    report=r"(?:ich habe|wir haben)\s+",
    empty=r"(?:(?:alle|tests|laufen|grün|fertig|erledigt|es|funktioniert|jetzt)\b[\s,.!]*)+",
    announcement=r"(?:hier ist|hier sind|folgende|ich werde|lass mich|jetzt)\b",
    offer=r"(?:soll ich|möchtest du|willst du|wenn du willst|sag bescheid)\b",
    missing=r"\b(?:noch (?:offen|nicht)|fehlt noch|ungetestet|steht noch aus|schlägt noch fehl)\b",
    dropped=r"\b(?:verworfen|aufgegeben)\b",
    clause=r"weil|damit|sodass|statt",
)

LANGUAGES = (ENGLISH, GERMAN)


def words(field: str) -> frozenset[str]:
    """Return the words of one field in all languages."""
    return frozenset(word for cues in LANGUAGES for word in getattr(cues, field).split())


def start(field: str) -> re.Pattern[str]:
    """Return what fits the alternatives of one field in all languages at the start of a text only."""
    return re.compile(rf"\A(?:{_either(field)})", re.IGNORECASE)


def whole(field: str) -> re.Pattern[str]:
    """Return what fits them only as an entire text."""
    return re.compile(rf"\A(?:{_either(field)})\Z", re.IGNORECASE)


def anywhere(field: str) -> re.Pattern[str]:
    """Return what fits them anywhere in a text."""
    return re.compile(_either(field), re.IGNORECASE)


def _either(field: str) -> str:
    return "|".join(f"(?:{getattr(cues, field)})" for cues in LANGUAGES)
