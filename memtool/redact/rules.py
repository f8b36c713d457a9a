"""The known kinds of secrets, a row each. Bump RULESET_VERSION with any change of the rows: of equal records the one
under the newer rules is kept.

A pattern must not be able to look at the same characters again and again: what it searches for is bounded, or is one
class of characters after a literal, or is possessive.
"""

from __future__ import annotations

import re

import msgspec

RULESET_VERSION = 1


class Rule(msgspec.Struct, frozen=True):
    """What to look for (the group `secret`, else all of it), and the lower-case words with which a match begins.

    The pattern is tried only where one of the words stands: to look for it everywhere was half the time of an ingest.
    """

    name: str
    words: tuple[str, ...]
    pattern: re.Pattern[str]
    since: int = 1


class Block(msgspec.Struct, frozen=True):
    """A stretch from an opening to its closing mark; one without an end is left alone."""

    name: str
    word: str
    begin: re.Pattern[str]
    end: re.Pattern[str]
    since: int = 1


def _token(name: str, words: str, pattern: str) -> Rule:
    return Rule(name, tuple(words.split()), re.compile(rf"(?<![A-Za-z0-9])(?:{pattern})"))


# What a secret is called at the end of a name, in any case.
_FOR_PASSWORDS = r"(?:password|passwd|passphrase|pwd)"
_FOR_KEYS = (
    r"(?:(?:auth|access|refresh|bearer|session|bot)[_-]?token|token|client[_-]?secret|secret"
    r"|(?:api|access|secret|private|auth|account|encryption|signing)[_-]?key|apikey|credentials?)"
)
_NAMES = rf"(?:{_FOR_PASSWORDS}|{_FOR_KEYS}|secret[_-]?access[_-]?key)"
_PASSWORD_WORDS = ("password", "passwd", "passphrase", "pwd")
_KEY_WORDS = (
    *("token", "secret", "credential", "apikey", "accesskey", "privatekey", "authkey"),
    *("api_key", "access_key", "private_key", "auth_key", "account_key", "encryption_key"),
    *("api-key", "access-key", "private-key", "auth-key", "account-key", "encryption-key"),
    *("signing_key", "signing-key", "signingkey", "accountkey", "encryptionkey"),
)
# What stands in for a secret in code and manuals: a variable, a call, a placeholder, an earlier mask.
_STAND_IN = (
    r"(?!\[redacted:|[$<{%*/~]|\\?['\"]|(?:str|string|none|null|true|false|undefined|required|optional|bytes"
    r"|text|int|any|os|process|env|self|this|args|config|settings|secrets|password|token|secret)"
    r"(?![A-Za-z0-9_-]))"
)
_SEPARATOR = r"\s{0,4}(?:=>|:=|[:=])\s{0,4}"
_QUOTE = r"\\?[\"'`]"

BLOCKS = (
    Block(
        "private-key",
        "private key",
        re.compile(r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"),
        re.compile(r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"),
    ),
    Block(
        "private",
        "<private>",
        re.compile(r"<private>", re.IGNORECASE),
        re.compile(r"</private>", re.IGNORECASE),
    ),
)

RULES = (
    # A key that was cut off: its opening mark and the lines of base64 that follow.
    Rule(
        "private-key",
        ("-----begin ",),
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:\s|\\[nr]|[\"'+,])*+(?:[A-Za-z0-9+/=]{16,}+(?:\s|\\[nr]|[\"'+,])*+)++"
        ),
    ),
    _token("aws-key", "akia asia", r"(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9])"),
    _token("github-token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{30,}"),
    _token("github-token", "github_pat_", r"github_pat_[A-Za-z0-9_]{22,}"),
    _token("gitlab-token", "gl", r"gl(?:pat|ptt|dt|rt|cbt|soat|agent|ft|oas)-[A-Za-z0-9_-]{20,}"),
    _token("slack-token", "xox xapp-", r"(?:xox[abeoprs]|xapp-[0-9])-[A-Za-z0-9-]{10,}"),
    _token(
        "slack-webhook",
        "hooks.slack.com",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret>[A-Za-z0-9/+_-]{20,})",
    ),
    _token("anthropic-key", "sk-ant-", r"sk-ant-[A-Za-z0-9_-]{20,}"),
    _token("openai-key", "sk-", r"sk-(?:proj|svcacct|admin|or-v1)-[A-Za-z0-9_-]{20,}"),
    _token("openai-key", "sk-", r"sk-[A-Za-z0-9]{32,}"),
    _token("google-key", "aiza", r"AIza[A-Za-z0-9_-]{35,}"),
    _token("google-key", "ya29. gocspx-", r"(?:ya29\.|GOCSPX-)[A-Za-z0-9_-]{20,}"),
    _token(
        "stripe-key",
        "sk_live_ sk_test_ rk_live_ rk_test_",
        r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}",
    ),
    _token("stripe-key", "whsec_", r"whsec_[A-Za-z0-9+/=]{24,}"),
    _token("npm-token", "npm_", r"npm_[A-Za-z0-9]{36,}"),
    _token("pypi-token", "pypi-", r"pypi-[A-Za-z0-9_-]{50,}"),
    _token("huggingface-token", "hf_", r"hf_[A-Za-z0-9]{30,}"),
    _token("docker-token", "dckr_pat_", r"dckr_pat_[A-Za-z0-9_-]{20,}"),
    _token("vault-token", "hvs. hvb.", r"hv[sb]\.[A-Za-z0-9_-]{24,}"),
    _token("digitalocean-token", "doo_v1_ dop_v1_ dor_v1_", r"do[opr]_v1_[a-f0-9]{64}"),
    _token("sendgrid-key", "sg.", r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    _token("groq-key", "gsk_", r"gsk_[A-Za-z0-9]{40,}"),
    _token("age-key", "age-secret-key-1", r"AGE-SECRET-KEY-1[A-Z0-9]{40,}"),
    _token("azure-key", "accountkey=", r"AccountKey=(?P<secret>[A-Za-z0-9+/=]{40,})"),
    Rule(
        "jwt",
        ("eyj",),
        re.compile(
            r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}+\.eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{6,}+"
        ),
    ),
    Rule(
        "authorization",
        ("authorization",),
        re.compile(
            rf"(?i)authorization(?:{_QUOTE})?{_SEPARATOR}(?:{_QUOTE})?(?:basic|bearer|token|digest|apikey) {{1,4}}"
            r"(?P<secret>(?![$<{*]|\[redacted:)[^\s\"'`\\,;)]{6,}+)"
        ),
    ),
    Rule(
        "bearer-token",
        ("bearer",),
        re.compile(
            r"(?i)(?<![A-Za-z0-9_])bearer {1,4}(?P<secret>(?=[^\s]{0,60}[0-9])[A-Za-z0-9._~+/=-]{16,}+)"
        ),
    ),
    Rule(
        "url-password",
        ("://",),
        re.compile(
            r"://[^\s/:@\"'`<>]{0,100}:(?P<secret>(?!\[redacted:|[$<{%*])[^\s/@\"'`<>]{1,200})@"
        ),
    ),
    # "password": "…" and token = '…': a quoted word is a secret unless it stands for one.
    Rule(
        "secret",
        (*_PASSWORD_WORDS, *_KEY_WORDS),
        re.compile(
            rf"(?i){_NAMES}(?:{_QUOTE})?{_SEPARATOR}[bru]?(?P<quote>{_QUOTE})"
            rf"(?P<secret>{_STAND_IN}[^\s\"'`\\]{{6,}}+)(?P=quote)"
        ),
    ),
    # DB_PASSWORD=… and API_KEY=…, as in env files and on command lines.
    Rule(
        "secret",
        (*_PASSWORD_WORDS, *_KEY_WORDS),
        re.compile(
            r"(?:PASSWORD|PASSWD|PASSPHRASE|PWD|TOKEN|SECRET|API_?KEY|ACCESS_?KEY|SECRET_?KEY|PRIVATE_?KEY"
            r"|AUTH_?KEY|ACCOUNT_?KEY|ENCRYPTION_?KEY|SIGNING_?KEY|CREDENTIALS?)="
            rf"(?P<secret>{_STAND_IN}[^\s\"'`\\;,&|(){{}}<>/]{{6,}}+)(?![(.])"
        ),
    ),
    # password: hunter2, password=hunter2, --password hunter2: bare, so it must not look like a word or code.
    Rule(
        "secret",
        _PASSWORD_WORDS,
        re.compile(
            rf"(?i){_FOR_PASSWORDS}(?:{_QUOTE})?(?:{_SEPARATOR}| {{1,2}}(?<=--password ))"
            rf"(?P<secret>{_STAND_IN}(?=[^\s]{{0,60}}[0-9!#@%^&*~])"
            r"[^\s\"'`\\;,(){}\[\]<>.]{5,}+)(?![(.\[])"
        ),
    ),
    # api_key: 0a1b2c…, token=…: bare, long, letters and digits mixed.
    Rule(
        "secret",
        _KEY_WORDS,
        re.compile(
            rf"(?i){_FOR_KEYS}(?:{_QUOTE})?{_SEPARATOR}"
            rf"(?P<secret>{_STAND_IN}(?=[^\s]{{0,60}}[0-9])(?=[^\s]{{0,60}}[A-Za-z])"
            r"[A-Za-z0-9_+/=~-]{16,}+)(?![(.\[])"
        ),
    ),
)

SECRET_NAME = re.compile(rf"(?i)(?:.{{0,80}}[_.-])?{_NAMES}")
"""A name that says that its whole value is a secret."""
