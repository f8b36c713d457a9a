"""Words that tell what a sentence does, a row per language. English is complete, the others hold common words."""

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
    """A prompt of only these says nothing but go on, commit, push."""
    interjections: str
    """Words before a sentence that say nothing."""
    wish: str
    """What stands before the thing that is wanted, and is left out."""
    ruling: str
    """How a sentence begins that rules something."""
    correction: str
    """How a prompt begins that says that the answer before it is wrong."""
    revision: str
    """A later request that replaces an earlier one."""
    verbs: str
    """Imperatives, beyond those that the texts themselves show."""
    side_verbs: str
    """Those of what goes along with the work, and seldom is its subject."""
    pointing: str
    """Words that point at something the reader does not see."""
    vague: str
    """Words that name no subject."""
    symptom: str
    """What says that something does not work."""
    background: str
    """A heading, label or announcement over what was before, could be, or is to be done by the reader."""
    greeting: str
    """What stands before a result and says nothing."""
    report: str
    """The first person of a report, left out."""
    empty: str
    """A lead of only these says only that it is done."""
    announcement: str
    """A lead that announces a list, or what comes next."""
    next: str
    """What the agent is about to do."""
    offer: str
    """A closing sentence that offers to do more."""
    missing: str
    """What a last answer says is missing, untested, failing, deferred."""
    open_heading: str
    """A heading, or an announcement, over what is open."""
    open_label: str
    """What stands before something open in its sentence."""
    dropped: str
    """The work was given up or taken back."""
    clause: str
    """Words before which a clause may end."""


_INTERJECTIONS = (
    r"(?:(?:hi|hello|hey|ok(?:ay)?|so|well|now|also|and|but|then|yes|yeah|yep|great|cool|nice|"
    r"right|hm+|um+|mm+|ah|o+h|like|argh|gah|sorry|check(?=,)|"
    r"(?:follow.?up|question|brainstorm|note|task|my point is)(?=\s*:)|"
    r"actually|alright|good|perfect|thanks?|thank you|again|first|next|finally|one more thing|"
    r"one last (?:thing|modification)|not bad|agreed|sure|"
    r"awesome|claude|please|just)\b[,.!:;…\s-]+)*"
)

ENGLISH = Cues(
    process=(
        "commit message review test tests lint branch conflict rebase check look push pull merge "
        "pr request fix change "
        "changes update issue file files code comment comments feedback run implement "
        "implementation plan task add "
        "sure summary format linting formatting continue worry ci integration now later yet go "
        "verify verified works working correct correctly properly "
        "slow say anything let know"
    ),
    dangling=(
        "a an the of to in on at by for from with and or but as into onto via per that which who "
        "whose when where while "
        "if is are was were be been has have had do does did will would can could should may "
        "might must not no its their "
        "this these those your our my than then so because since every each any another"
    ),
    routine=(
        "ok okay yes yep yeah yup no sure great cool nice thank thanks you perfect good please "
        "now then and also do it so go on ahead for continue proceed next keep going carry "
        "resume retry try again commit commits push pull merge rebase update open create draft "
        "pr this that these all them the a to off from parent main branch origin change changes "
        "run rerun test tests lint fmt build stage stash pop done fixed ready right correct "
        "exactly lgtm looks sounds its it's is me more comment comments some same with of "
        "respond directly reply in review message summary both first fix repeat implement let's "
        "lets we can could would i did up description request latest remote force amend squash "
        "log status diff check far argh hm hmm um ah oh uh wait hangon sorry"
    ),
    interjections=_INTERJECTIONS,
    wish=(
        _INTERJECTIONS + ""
        r"(?:(?:please\s+)?(?:(?:can|could|would|will|may|should) (?:you|we|i)(?: also| now| "
        r"please| maybe| just| at least)?(?: have a look at| take a look at| help me(?: to)?| go "
        r"ahead and)?|"
        r"(?:i(?:'d| would) (?:also )?(?:like|love|prefer)(?: you| us)? to|i(?:'d| would) like|i "
        r"(?:also )?(?:want|need)(?: you| us)? to|i(?:'m| am) (?:trying|going|looking) to|"
        r"i(?:'m| am)(?: currently| just)?(?= \w+ing\b)|i "
        r"think (?:we|you) (?:should|need to|can)|"
        r"we (?:should|need to|want to|have to|must|could)|you (?:should|need to|have to|must|"
        r"can)|let's|let us|lets|"
        r"make sure(?: that)?(?: we| you)?|go ahead and|try to|feel free to|is it possible to|"
        r"what about|how about|it would be (?:good|nice|great) (?:to|if we|if you)))"
        r"\s+(?:please\s+|also\s+|now\s+|maybe\s+|just\s+|try (?:to|and)\s+)*|please\s+|do you "
        r"think (?:you|we) (?:can|could)\s+)?"
    ),
    ruling=(
        r"(?:(?:ok(?:ay)?|yes|yeah|actually|right|well|hm+|and|but|so|then|good|great|cool|fair "
        r"enough|alright)\b[,.!\s]+)*"
        r"(?:no\b|let'?s\b(?=.*\b(?:not|only|instead|rather|use|try (?:the|a)|go|keep|leave|skip|drop|"
        r"remove|revert|stick|stay|defer|then)\b)|use\b|instead\b|"
        r"(?:don't|do not|dont)\b(?!.*\b(?:anything|yet)\b)|"
        r"i(?:'d rather| want| would rather| prefer)|we (?:always|never|should|agreed|decided|only|"
        r"(?:don't|do not)(?! (?:have|know|see|get|think)\b))|never\b|"
        r"always\b|keep\b|only\b|revert\b|leave\b|remove\b|drop\b|rather\b|thinking again)"
    ),
    correction=(
        r"(?:no[,.!](?! (?:don't|do not|let's|leave|keep|not yet|need))|"
        r"no (?:i|that|this|it|you)\b|sorry, (?:my point|i meant|that)|my point is|i "
        r"meant\b|that(?:'s| is)(?: still)? (?:not|wrong|incorrect)|this is (?:still )?(?:not|"
        r"wrong|incorrect)|"
        r"again,? this is not|not (?:quite|correct|what i)|the \w+ (?:part|one) is (?:not|wrong)|"
        r"it(?:'s| is) still\b|still (?:not|fail|doesn't|the same)|it (?:still )?(?:doesn't|does "
        r"not|didn't) work|are you sure|you(?:'re| are) wrong)"
    ),
    revision=(
        r"\b(?:instead|thinking again|on second thought|completely remove|remove it again|revert "
        r"(?:that|it|this)|undo (?:that|it|this)|scrap (?:that|it|this)|never mind|rather than "
        r"that)\b"
    ),
    verbs=(
        "add allow analyse analyze apply ask avoid backfill build bump call catch change check "
        "clarify clean cleanup close collect combine compare "
        "complete configure consolidate convert copy correct cover create cut debug declare "
        "decouple deduplicate default define delete detect disable display "
        "document drop embed enable ensure enforce evaluate exclude explain export expose extend "
        "extract fetch filter find fix format "
        "generate group guard handle harden hide honour ignore implement improve include "
        "increase inject inline install integrate introduce "
        "inspect investigate invert join keep kill limit link list load log lower make mark "
        "measure merge migrate mock move "
        "normalise normalize omit only open optimise optimize parse pass persist pin port "
        "preserve prevent print propagate protect prune publish "
        "put raise read record redact reduce refactor refuse register reject release remove "
        "rename render reorder replace report reproduce require "
        "reset resolve respect restore restrict retry return reuse revert review rewrite rotate "
        "run save scan search select send separate "
        "serialise serialize set share shorten show silence simplify skip sort speed split "
        "squash stop store stream strip support suppress surface swap "
        "round switch sync teach test throw tidy trace track trim truncate try unify update upgrade "
        "use validate verify warn wire wrap write "
        "address adjust align append assert attach bring calculate centralise centralize commit "
        "compute decide deprecate describe design display draft "
        "estimate expand explore finish follow give highlight identify look order plan point "
        "prepare query rebase recheck rework see store "
        "stub summarise summarize treat tweak undo unset upload wait work"
    ),
    side_verbs="explain check look review run test verify explore plan read work make brainstorm",
    pointing=(
        "this that these those it its they them their he she both here there same above below "
        "one ones"
    ),
    vague=(
        "again also thing things part parts way ways stuff lot bit fyi uh oh huh happen happened "
        "happens see twice back look looks earlier sure think know follow quick question questions talk "
        "suggestion suggestions possible simplest idea ideas prior point "
        "something anything everything nothing someone yeah yep ok"
    ),
    symptom=r"\b(?:fail(?:s|ed|ing|ure)?|broken|crash(?:es|ed)?|hangs?|wrong|bug)\b",
    background=(
        r"(?:the )?(?:problem|bug|before|previous(?:ly)?|old|original(?:ly)?|current(?:ly)?|initially|"
        r"how it works|how to|usage|setup|example|scenario|background|context|options?|approach|"
        r"alternatives?|pros|cons|which|why|when|without|if)\b"
    ),
    greeting=(
        r"(?:(?:done|all done|all set|all good|all green|all clean|clean|fixed|finished|great|"
        r"good|perfect|excellent|yes|no|yep|yeah|exactly|correct|sure|ok(?:ay)?|right|agreed|"
        r"great question|good question|good point|good catch|good idea|good call|good thinking|"
        r"good observation|got it|fair enough|you're (?:absolutely )?right|you are right|that "
        r"makes sense|makes sense|"
        r"i see(?: the (?:issue|problem))?|i understand|understood|found it|"
        r"(?:in )?short(?: answer)?|result|(?:in )?summary|"
        r"success|confirmed|complete|completed|implementation complete|recovered|there "
        r"it is|absolutely|no problem|sounds good|"
        r"now i (?:have|understand|can see|see)[^.:!]{0,80}|committed successfully|pushed "
        r"successfully|pushed|committed|logged|updated|no worries|ah|oh|hm+|wait|"
        r"actually)\b\s*(?:[.!:,…—–-]+\s*|(?=\n)))+"
    ),
    report=(
        r"(?:(?:i|we)(?:'ve| have)\s+(?:(?:now|also|just|\w+ly)\s+)*"
        r"(?=[a-z]+(?:ed|en|ne|de|un|wn|lt|pt|ut|it|et|ought)\b)|"
        r"(?:(?:based on|looking at|according to|given) [^,.:]{3,60},|"
        r"as (?:requested|you said|asked),|so(?: now)?,|now,|the answer:)\s+|"
        r"i\s+(?:(?:now|also|just|successfully)\s+)*(?=\w+ed\b))+"
    ),
    empty=(
        "all the every full unit integration ci format formatting fmt lint linter linting build "
        "test tests suite suites check checks and both are is now still also pass passes passed "
        "passing clean green succeed succeeds succeeded done found fixed finished complete "
        "completed committed pushed merged ready applied updated change changes everything it "
        "work works working fine look looks good successfully on to as a this pr branch in place "
        "added been has have tree no error errors issue issues problem problems warning warnings with code properly "
        "formatted linted summary here here's what was changed i of for let me know if you have "
        "any question questions too already up so that's it's correct compile compiles there "
        "task tasks final state result results implementation version commit commits hash saved "
        "stored"
    ),
    announcement=(
        r"(?:here(?:['\u2019]s| is| are)|the following|these are|below|summary of|now (?:let me|for|that|"
        r"i(?:'ll| will| need| can| have)|let's|add|run|update|we)|let me|i(?:'ll| will|'m "
        r"going| am going| need to| should| can see| want to| see\b| understand)|next,? i|"
        r"first,? (?:let|i)|"
        r"one more|looking at|so the answer|a few (?:options|things)|there are (?:\w+ "
        r")?(?:options|ways|approaches)|my (?:recommendation|suggestion|assessment)|the (?:fix|"
        r"change|feature|implementation|refactoring|update|work|issue|analysis|investigation|plan|migration|"
        r"task)s? (?:is|are|has been|have been) (?:now )?(?:complete|done|in place|ready|applied|"
        r"finished)|"
        r"(?:explored|searched|analy[sz]ed|examined|investigated)\b|"
        r"all (?:changes|tasks|of)|good,|great,|perfect,|want me|would you|do you|shall i|should "
        r"i|if you|you can|to (?:answer|verify|test|summarize)|what (?:do|would|was|changed|i|"
        r"were)|(?:this|that|it|they|these|those|he|she|we)\s+\w+|"
        r"now (?:it|this|that|they|you)\b|that's|it's|note\b|yes\b|no\b)"
    ),
    next=r"(?:(?:ok(?:ay)?|now|first|next|good|great)[,.!]? )*(?:let me|i(?:'ll| will|'m going to))\b",
    offer=(
        r"(?:want me to|would you like|shall i|should i|do you want|let me know|if you(?:'d| "
        r"would)? (?:like|want)|happy to|i can (?:also )?|feel free|ready (?:to|when)|what would "
        r"you|which (?:one|option|approach))\b"
    ),
    missing=(
        r"\b(?:(?:is|are|was|were|remains?|stays?|still)(?: still)? (?:un(?:tested|done|resolved|"
        r"handled|covered|clear)|not (?:yet )?(?:tested|covered|implemented|handled|done|fixed|"
        r"wired|supported)|missing|failing|broken|incomplete|pending)|"
        r"not (?:yet )?(?:tested|covered|implemented|handled|wired|verified|fixed|done yet)|"
        r"todo\b|still (?:to do|fails?|failing|needs?|missing|open|pending|have to|to be)|"
        r"remaining (?:work|task|issue)s?|follow-?ups?\b(?! to)|left (?:to do|open|for later|"
        r"out)|"
        r"deferred|postponed|known (?:issue|limitation)s?|out of scope|next steps?|one (?:test|"
        r"failure) (?:still )?(?:fails|remains)|could not (?:verify|test|reproduce|run)|couldn't "
        r"(?:verify|test|reproduce|run))"
    ),
    open_heading=(
        r"(?:still open|open (?:items|questions|points|issues)|"
        r"remaining(?: work| tasks| issues| items)?|to ?do|"
        r"not (?:done|fixed|addressed|covered|tested)(?: yet)?|known (?:limitations|issues)|"
        r"follow-?ups?|deferred|left out)\b"
    ),
    open_label=(
        r"(?:still open|(?:what is )?left|open(?: on `?[\w-]+`?)?|"
        r"remaining|to ?do|not done|deferred|follow-?up)\s*[:–—-]\s+"
    ),
    dropped=(
        r"\b(?:abandon(?:ed)?|drop(?:ped)? (?:this|the) (?:branch|work|idea|approach|pr)|give up "
        r"on (?:this|it)|close (?:this|the) pr without|throw (?:this|it) away|scrap (?:this|the) "
        r"(?:branch|work|idea))\b"
    ),
    clause=r"because|so that|which|instead of|including|since",
)

GERMAN = Cues(
    process="test tests prüfen schau lint branch konflikt commit",
    dangling=(
        "der die das den dem des ein eine und oder in im an am auf mit von zu zum zur für bei "
        "ist sind nicht"
    ),
    routine=(
        "ja nein ok gut danke bitte weiter mach das es und dann jetzt nochmal genau passt super"
    ),
    interjections=r"(?:(?:ja|nein|ok|gut|also|so|und|aber|bitte|hallo)\b[,.!\s]+)*",
    wish=(
        r"(?:(?:kannst du|könntest du|können wir|bitte|lass uns|ich möchte|ich will|wir sollten|"
        r"wir müssen)\s+)"
    ),
    ruling=(
        r"(?:nein\b|lass uns|nimm\b|nicht\b|stattdessen\b|ich will|wir (?:sollten|nehmen|machen)|"
        r"immer\b|nie\b|behalte\b)"
    ),
    correction=r"(?:nein[,.!]|das (?:ist|war) (?:nicht|falsch)|ich meinte)",
    revision=r"\b(?:stattdessen|doch nicht|nochmal überlegt|mach das rückgängig)\b",
    verbs=(
        "füge ändere entferne behebe baue schreibe prüfe zeige erstelle nutze verschiebe benenne"
    ),
    side_verbs="prüfe zeige",
    pointing="das dies diese dieser dieses es sie hier dort beide gleiche",
    vague="nochmal wieder ding sache teil",
    symptom=r"\b(?:fehler|kaputt|falsch|geht nicht|hängt)\b",
    background=r"(?:vorher|bisher|problem|beispiel|optionen|ohne|wenn)\b",
    greeting=r"(?:(?:fertig|erledigt|gut|ja|nein|perfekt|super|verstanden)\b\s*[.!:,]+\s*)+",
    report=r"(?:ich habe|wir haben)\s+",
    empty="alle tests laufen grün fertig erledigt es funktioniert jetzt",
    announcement=r"(?:hier ist|hier sind|folgende|ich werde|lass mich|jetzt)\b",
    next=r"(?:ich werde|lass mich)\b",
    offer=r"(?:soll ich|möchtest du|willst du|wenn du willst|sag bescheid)\b",
    missing=(
        r"\b(?:noch (?:offen|nicht)|fehlt noch|ungetestet|steht noch aus|schlägt noch fehl)\b"
    ),
    open_heading=r"(?:noch offen|offen)\b",
    open_label=r"noch offen\s*[:–—-]\s+",
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


def anywhere(field: str) -> re.Pattern[str]:
    """Return what fits them anywhere in a text."""
    return re.compile(_either(field), re.IGNORECASE)


def _either(field: str) -> str:
    return "|".join(f"(?:{getattr(cues, field)})" for cues in LANGUAGES)
