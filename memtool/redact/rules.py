"""The known kinds of secrets, a row each. Bump RULESET_VERSION with any change of the rows: of equal records the one
under the newer rules is kept.

A pattern must not be able to look at the same characters again and again: what it searches for is bounded, or is one
class of characters after a literal, or is possessive.
"""

from __future__ import annotations

import re
from functools import cached_property

import msgspec

from memtool.redact.tokens import MARKED_LATER, TOKENS

RULESET_VERSION = 3


class Rule(msgspec.Struct, frozen=True, dict=True):
    """What to look for: the group `secret` of the pattern, else all of it.

    The pattern is tried only where one of the lower-case words stands, at `before` characters before it. It is compiled
    when that happens first: most rows never are.
    """

    name: str
    words: tuple[str, ...]
    source: str
    before: int = 0
    min_entropy: float = 0.0
    hint: str = ""
    """What is looked for in place of the words, where these are in nearly every text."""

    @cached_property
    def place(self) -> re.Pattern[str]:
        """The hint, compiled: the pattern is tried where it is found."""
        return re.compile(self.hint)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.source)


class Block(msgspec.Struct, frozen=True):
    """A stretch from an opening to its closing mark; one without an end may go to the end of the text."""

    name: str
    word: str
    begin: re.Pattern[str]
    end: re.Pattern[str]
    is_open_masked: bool = False


# An escaped line end in JSON or code may stand right before a token.
_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"

# What a secret is called at the end of a name, in any case.
_KEYS = (
    *("api", "app", "access", "secret", "private", "auth", "account", "encryption", "signing"),
    *("master", "admin", "service", "preshared", "subscription"),
)
_FOR_PASSWORDS = r"(?:password|passwd|passphrase|passcode|pwd)"
_FOR_KEYS = (
    r"(?:(?:auth|access|refresh|bearer|session|bot)[_-]?token|token|client[_-]?secret"
    rf"|secret[_-]?access[_-]?key|secret|(?:{'|'.join(_KEYS)})[_-]?key(?:[_-]base)?|credentials?)"
)
_NAMES = rf"(?:{_FOR_PASSWORDS}|{_FOR_KEYS})"
_ELSEWHERE = "passwort|kennwort|mot de passe|contraseña|senha|пароль|密码"  # codespell:ignore mot
"""What a password is called in other languages."""
_PASSWORD_WORDS = ("password", "passwd", "passphrase", "passcode", "pwd")
_KEY_WORDS = (
    *("token", "secret", "credential"),
    *(f"{kind}{joint}key" for kind in _KEYS for joint in ("", "_", "-")),
)
_ALL_WORDS = (*_PASSWORD_WORDS, *_KEY_WORDS)
# What stands in for a secret in code and manuals: a variable, a call, a placeholder, an earlier mask.
_STAND_IN = (
    r"(?!\[redacted:|\[REDACTED|[$<{%~]|:?\*|/[^\s\"']{0,60}[/.]|\\?['\"]"
    r"|[\w+/-]{0,60}(?:\.\.\.|…|(?-i:EXAMPLE))|(?i:(?:[a-z]{1,12}[_-]){0,3}(?:x{3,}|your[_-])"
    r"|your|example|changeme|placeholder|redacted|masked|dummy)"
    r"|(?i:str|string|none|null|true|false|undefined|required|optional|bytes"
    r"|text|int|any|os|process|env|self|this|args|config|settings|secrets|password|token|secret)"
    r"(?![A-Za-z0-9_-]))"
)
# The name of a key or its address, not a key: test_key, disabled, https://….
_NO_WORDS = (
    r"(?!(?-i:[a-z]{2,24}(?:[_-][a-z]{2,24}){0,6})(?:[\s\"'`,;)\]}\\]|\Z)"
    r"|[A-Za-z+]{2,20}://|(?-i:[a-z0-9._-]{1,40}(?:/[a-z0-9._-]{1,40}){1,8})(?:[\s\"'`,;)]|\Z))"
)
_SEPARATOR = r"\s{0,4}(?:=>|:=|[:=])\s{0,4}"
_QUOTE = r"\\?[\"'`]"
_MIXED = r"(?=[^\s]{0,60}[0-9])(?=[^\s]{0,60}[A-Za-z])"
_UNLIKE_WORDS = r"(?=[^\s]{0,60}[0-9!#@%^&*~])"
_UNQUOTED = r"[^\s\"'`\\;,|(){}\[\]<>]"

BLOCKS = (
    Block(
        "private-key",
        "private key",
        re.compile(r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"),
        re.compile(r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"),
    ),
    Block(
        "private-key",
        "private-lines:",
        re.compile(r"(?<=Private-Lines: )[0-9]{1,3}\s"),
        re.compile(r"(?=Private-MAC:)"),
    ),
    Block(
        "private",
        "private",
        re.compile(r"<\s{0,4}private(?:\s[^<>]{0,200})?>(?!(?<=`<private>)`)", re.IGNORECASE),
        re.compile(r"<\s{0,4}/\s{0,4}private\s{0,4}>", re.IGNORECASE),
        is_open_masked=True,
    ),
)


def _of_command(programs: str, flag: str, value: str = "") -> Rule:
    """Return the rule for a flag of a program: its value, on the program's line and before the next program."""
    secret = value or rf"(?:{_QUOTE})?(?P<secret>{_STAND_IN}[^\s\"'`\\]{{4,}})"
    return Rule(
        "secret",
        tuple(programs.split()),
        rf"(?<![A-Za-z0-9_-])(?:{'|'.join(programs.split())})[a-z]{{0,8}}(?= )[^\n|;]{{0,200}}?\s(?:{flag}){secret}",
    )


RULES = (
    # A key that was cut off: its opening mark and the lines of base64 that follow.
    Rule(
        "private-key",
        ("-----begin ",),
        r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:\s|\\[nr]|[\"'+,])*+(?:[A-Za-z0-9+/=]{16,}+(?:\s|\\[nr]|[\"'+,])*+)++",
    ),
    *(Rule(name, tuple(words.split()), f"{_START}(?:{shape})") for name, words, shape in TOKENS),
    *(
        Rule(name, (word,), f"{_START}(?:{shape})", before)
        for name, word, before, shape in MARKED_LATER
    ),
    # A short word and what nobody would type: the shape of most new tokens.
    Rule(
        "token",
        ("_", "-"),
        r"(?<=[a-z0-9])(?<!sha1)(?<!sha256)(?<!sha384)(?<!sha512)(?<!chatcmpl)[_-]"
        r"(?P<secret>(?=[A-Za-z]{0,60}[0-9])(?=[a-z0-9]{0,60}[A-Z])(?=[A-Z0-9]{0,60}[a-z])[A-Za-z0-9]{30,80}+)"
        r"(?![A-Za-z0-9+/=_-])",
        min_entropy=4.0,
        hint=r"[_-](?=[A-Za-z0-9]{30})",
    ),
    Rule(
        "jwt",
        ("eyj",),
        r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt]))eyJ[A-Za-z0-9_-]{8,}+\.eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{6,}+",
    ),
    Rule(
        "authorization",
        ("authorization",),
        rf"(?i)authorization(?:{_QUOTE})?{_SEPARATOR}[bf]?(?:{_QUOTE})?"
        r"(?:basic|bearer|token|digest|api-?key|bot) {1,4}(?P<secret>(?![$<{*]|\[redacted:)[^\s\"'`\\,;)]{6,}+)",
    ),
    Rule(
        "authorization",
        ("authorization",),
        rf"(?i)authorization(?:{_QUOTE})?{_SEPARATOR}(?:{_QUOTE})?"
        rf"(?P<secret>{_STAND_IN}{_MIXED}[A-Za-z0-9._~+/=-]{{16,}}+)",
    ),
    Rule(
        "bearer-token",
        ("bearer",),
        r"(?i)(?<![A-Za-z0-9_])bearer {1,4}(?P<secret>(?=[^\s]{0,60}[0-9])[A-Za-z0-9._~+/=-]{16,}+)",
    ),
    Rule(
        "cookie",
        ("cookie",),
        rf"(?i)cookie(?:{_QUOTE})?: {{0,3}}(?:{_QUOTE})?(?P<secret>[\w.!%~-]{{1,64}}+=[^\"'`\r\n\\]{{8,}}+)",
    ),
    Rule(
        "url-password",
        ("://",),
        r"://[^\s/:@\"'`<>]{0,100}:"
        r"(?P<secret>(?!\[redacted:|[$<{%*]|(?i:pass(?:word|wd)?|pwd|pw|secret|token|x{3,}|\.{3})@)"
        r"[^\s/@\"'`<>]{1,200})@",
    ),
    Rule(
        "url-password",
        ("://",),
        rf"://(?P<secret>{_MIXED}[A-Za-z0-9_-]{{20,200}})@",
        min_entropy=3.0,
    ),
    Rule(
        "url-signature",
        ("sig=", "signature=", "key="),
        r"(?i)(?<=[?&-])(?:sig|signature|key)=(?P<secret>(?=[^\s]{0,60}[0-9])[A-Za-z0-9%+/_~=.-]{20,}+)",
        min_entropy=3.0,
    ),
    Rule(
        "otp-secret",
        ("otpauth://",),
        r"(?i)otpauth://[^\s\"'?]{1,200}\?(?:[^\s\"'?]{0,200}?&)?secret=(?P<secret>[A-Z2-7]{8,}+)",
    ),
    # "password": "…" and token = '…': a quoted word is a secret unless it stands for one.
    *(
        Rule(
            "secret",
            words,
            rf"(?i){names}(?:{_QUOTE})?\]?{_SEPARATOR}[bru]?(?P<quote>{_QUOTE})"
            rf"(?P<secret>{_STAND_IN}{doubt}[^\s\"'`\\]{{6,}}+)(?P=quote)",
        )
        for words, names, doubt in (
            (_PASSWORD_WORDS, _FOR_PASSWORDS, ""),
            (_KEY_WORDS, _FOR_KEYS, _NO_WORDS),
        )
    ),
    # DB_PASSWORD=… and API_KEY=…, as in env files and on command lines.
    Rule(
        "secret",
        _ALL_WORDS,
        rf"(?:PASSWORD|PASSWD|PASSPHRASE|PASSCODE|PWD|(?:TOKEN|SECRET"
        r"|(?:API|APP|ACCESS|SECRET|PRIVATE|AUTH|ACCOUNT|ENCRYPTION|SIGNING|MASTER|ADMIN|SERVICE)_?KEY(?:_BASE)?"
        rf"|CREDENTIALS?)(?=={_NO_WORDS}))=(?P<secret>{_STAND_IN}[^\s\"'`\\;,|(){{}}<>]{{6,}}+)(?![(.])",
    ),
    # SMTP_PASS=… and the like, quoted or not, in any notation.
    Rule(
        "secret",
        ("_pass", "-pass", "_pw", "_psk"),
        rf"(?i)[_-](?:pass|pw|psk)(?:{_QUOTE})?\]?{_SEPARATOR}(?:{_QUOTE})?"
        rf"(?P<secret>{_STAND_IN}{_UNLIKE_WORDS}{_UNQUOTED}{{6,}}+)(?![(.\[])",
    ),
    # Any other …_KEY with a value that no person would choose.
    Rule(
        "secret",
        ("_key", "_credential"),
        r"(?i)(?<!public)(?<!cache)(?<!primary)(?<!foreign)(?<!sort)(?<!partition)(?<!publishable)(?<!idempotency)"
        rf"_(?:key|credentials?)(?:{_QUOTE})?\]?{_SEPARATOR}[bru]?(?:{_QUOTE})?"
        rf"(?P<secret>{_STAND_IN}{_MIXED}[A-Za-z0-9_+/=~:.-]{{16,}}+)(?![(\[])",
        min_entropy=3.2,
    ),
    # password: hunter2, password=hunter2, --password hunter2: bare, so it must not look like a word or code.
    Rule(
        "secret",
        _PASSWORD_WORDS,
        rf"(?i){_FOR_PASSWORDS}(?:{_QUOTE})?\]?(?:{_SEPARATOR}| {{1,2}}(?<=--password )| (?<=--passwd )"
        r"| (?:is|was):? )(?:[\"'`](?=[^\s\"'`]{5,80}[\"'`]))?"
        rf"(?P<secret>{_STAND_IN}{_UNLIKE_WORDS}"
        r"[^\s\"'`\\;,(){}\[\]<>.]{5,}+)(?![(.\[])",
    ),
    Rule(
        "secret",
        ("pw: ", "pw=", "pw is ", "psk="),
        rf"(?i)(?<![a-z])(?:pw(?:: |=| is )|psk=)(?:{_QUOTE})?"
        rf"(?P<secret>{_STAND_IN}{_UNLIKE_WORDS}{_UNQUOTED}{{5,}}+)(?![(.\[])",
    ),
    # --passphrase X, -password X, --db-password X: after a flag, on the line of any program.
    Rule(
        "secret",
        ("pass", "pwd"),
        rf"(?i)(?:(?<=--)|(?<= -)|(?<=--db-)|(?<=--root-)|(?<=--user-)|(?<=--admin-)|(?<=--http-)|(?<=--proxy-))"
        rf"(?:{_FOR_PASSWORDS}|pass) {{1,2}}(?:{_QUOTE})?"
        rf"(?P<secret>{_STAND_IN}{_UNLIKE_WORDS}(?!(?:flag)?[0-9]{{1,8}}(?:\s|\Z)){_UNQUOTED}{{6,}}+)(?![(\[])",
    ),
    # **Password:** `X` and | password | X |, as in Markdown; and in other languages.
    Rule(
        "secret",
        _PASSWORD_WORDS,
        rf"(?i){_FOR_PASSWORDS}(?::?\*\*:? {{0,2}}|(?:\*\*)? {{0,20}}\| {{0,20}})`?"
        rf"(?P<secret>{_STAND_IN}{_UNLIKE_WORDS}[^\s\"'`|\\;,(){{}}\[\]<>]{{5,}}+)",
    ),
    Rule(
        "secret",
        tuple(_ELSEWHERE.split("|")),
        rf"(?i)(?:{_ELSEWHERE})[\"'*]{{0,2}}"
        r"\s{0,3}(?::|=|\uff1a| ist| lautet| est| es)[*]{0,2} {0,3}"  # codespell:ignore ist
        rf"(?:{_QUOTE})?"
        rf"(?P<secret>{_STAND_IN}{_UNLIKE_WORDS}[^\s\"'`\\;,(){{}}\[\]<>]{{5,}}+)",
    ),
    # A name, a slash and the password, after the word credentials.
    Rule(
        "secret",
        ("credentials", "login: "),
        r"(?i)(?:credentials|login)(?: are)?: {0,2}`?[\w.@-]{1,40}`? {0,2}/ {0,2}`?"
        rf"(?P<secret>{_STAND_IN}{_UNLIKE_WORDS}[^\s\"'`\\;,/(){{}}\[\]<>]{{6,}}+)",
    ),
    # The password for staging: X
    Rule(
        "secret",
        _PASSWORD_WORDS,
        rf"(?i){_FOR_PASSWORDS} (?:for|of|on|to|at) [^\n:=\"'`]{{1,40}}[:=] {{0,3}}(?:{_QUOTE})?"
        rf"(?P<secret>{_STAND_IN}{_NO_WORDS}{_UNLIKE_WORDS}[^\s\"'`\\;,(){{}}\[\]<>]{{5,}}+)(?![(\[])",
    ),
    # api_key: 0a1b2c…, token=…: bare, long, letters and digits mixed; after a mere space they must look random.
    *(
        Rule(
            "secret",
            (*_KEY_WORDS, *(f"{kind} key" for kind in _KEYS)),
            rf"(?i)(?:{_FOR_KEYS}|(?:api|access|secret|private|auth|signing|encryption) key)(?:{_QUOTE})?\]?"
            rf"(?:{joint})(?:{_QUOTE})?(?P<secret>{_STAND_IN}{_NO_WORDS}{_MIXED}[A-Za-z0-9_+/=~:%.-]{{16,}}+)(?![(\[])",
            min_entropy=entropy,
        )
        for joint, entropy in ((_SEPARATOR, 0.0), (" (?:is|was):? | ", 3.2))
    ),
    # os.environ.get('API_KEY', '…'), process.env.TOKEN || '…': the value where nothing is set.
    Rule(
        "secret",
        _ALL_WORDS,
        rf"(?i){_NAMES}(?:{_QUOTE})?\]?(?:{_SEPARATOR}[^\n\"'`]{{0,60}}\({_QUOTE}[\w.-]{{1,60}}{_QUOTE}|\)?)"
        rf" ?(?:,|\|\||\?\?) ?{_QUOTE}(?P<secret>{_STAND_IN}{_NO_WORDS}{_UNLIKE_WORDS}[^\s\"'`\\]{{6,}}+)",
    ),
    # variable "db_password" { default = "…" }, as Terraform has it.
    Rule(
        "secret",
        _ALL_WORDS,
        rf"(?i){_NAMES}{_QUOTE} {{0,3}}\{{(?:[^{{}}\n]{{0,120}}(?:\n|\\n)){{0,6}}"
        r"[^{}\n]{0,40}?default\s{0,8}=\s{0,4}"
        rf"{_QUOTE}(?P<secret>{_STAND_IN}{_NO_WORDS}[^\s\"'`\\]{{4,}}+)",
    ),
    # auth=("bob", "…"), as in Python; and a line of .pgpass.
    Rule(
        "secret",
        ("auth=(", "basicauth(", "basic_auth("),
        rf"(?i)(?:auth=|basic_?auth)\({_QUOTE}[^\"'\n]{{1,80}}{_QUOTE}, {{0,3}}{_QUOTE}"
        rf"(?P<secret>{_STAND_IN}[^\s\"'`\\]{{4,}}+)",
    ),
    Rule(
        "secret",
        (":5432:", ":5433:", ":*:"),
        r"(?<=[\w*]):(?:543[0-9]|\*):[\w*.-]{1,60}:[\w*.-]{1,60}:(?P<secret>(?![$<{*]|\[redacted:)[^\s:]{4,}+)(?=\s|\Z|\\n)",
    ),
    # <password>…</password>, key="ApiKey" value="…", setPassword("…"), PASSWORD '…' in SQL.
    Rule(
        "secret",
        _ALL_WORDS,
        rf"(?i){_NAMES}>(?P<secret>{_STAND_IN}(?=[^\s<]{{4,200}}</)[^\s<]{{4,}}+)",
    ),
    Rule(
        "secret",
        _ALL_WORDS,
        rf"(?i){_NAMES}{_QUOTE}\s{{1,3}}value={_QUOTE}(?P<secret>{_STAND_IN}[^\s\"'`\\]{{4,}}+)",
    ),
    Rule(
        "secret",
        _ALL_WORDS,
        rf"(?i)(?:(?<=set)|(?<=with)|(?<=set_))(?:{_NAMES})\(\s{{0,2}}(?P<quote>{_QUOTE})"
        rf"(?P<secret>{_STAND_IN}[^\s\"'`\\]{{4,}}+)(?P=quote)",
    ),
    Rule(
        "secret",
        ("password", "identified by"),
        rf"(?i)(?:password|identified by) {{1,3}}(?P<quote>')(?P<secret>{_STAND_IN}{_UNLIKE_WORDS}[^\s']{{4,}}+)'",
    ),
    Rule(
        "secret",
        ("define(",),
        rf"(?i)define\(\s{{0,3}}{_QUOTE}[A-Z0-9_]{{0,40}}(?:PASSWORD|PASS|KEY|SALT|SECRET|TOKEN){_QUOTE}\s{{0,3}},"
        rf"\s{{0,3}}{_QUOTE}(?P<secret>{_STAND_IN}[^\"'\n]{{4,}}+)",
    ),
    Rule(
        "secret",
        ("machine ", "machine\n"),
        r"machine\s{1,4}\S{1,200}\s{1,4}login\s{1,4}\S{1,200}\s{1,4}password\s{1,4}(?P<secret>(?!\[redacted:)\S{3,})",
    ),
    Rule(
        "secret",
        ('auth"', 'auth\\"', "auth="),
        rf"(?<=[\"'_])auth(?:{_QUOTE})?{_SEPARATOR}(?:{_QUOTE})?(?P<secret>{_MIXED}[A-Za-z0-9+/=-]{{16,}}+)",
        min_entropy=3.0,
    ),
    Rule(
        "jwk",
        ('"d"', '"k"', '"dp"', '"dq"', '"qi"', '"d\\"', '"k\\"'),
        rf"\"(?:d|k|dp|dq|qi)(?:{_QUOTE}){_SEPARATOR}(?:{_QUOTE})(?P<secret>[A-Za-z0-9_-]{{40,}}+)",
        min_entropy=3.5,
    ),
    _of_command(
        "curl http",
        r"-u ?|--user[ =]|-a ",
        rf"(?:{_QUOTE})?[^\s:\"'`]{{0,80}}:(?P<secret>{_STAND_IN}[^\s\"'`\\]{{3,}})",
    ),
    _of_command(
        "curl",
        r"-b ?|--cookie[ =]",
        rf"(?:{_QUOTE})?(?P<secret>[\w.!%~-]{{1,64}}+=[^\"'`\r\n\\]{{8,}}+)",
    ),
    _of_command("mysql mariadb", r"-p"),
    _of_command("sshpass", r"-p ?"),
    _of_command(
        "docker podman buildah skopeo helm az",
        r"(?<=login )(?:-u \S{1,80} )?-p |login (?:\S{1,80} ){0,6}-p ",
    ),
    _of_command("redis-cli", r"-a "),
    _of_command("mongo", r"-p "),
    _of_command("sqlcmd bcp", r"-P ?"),
    _of_command("ldap", r"-w "),
    _of_command("openssl keytool", r"-pass(?:in|out)? pass:|-storepass |-keypass "),
    _of_command(
        "openssl",
        r"-k ",
        rf"(?:{_QUOTE})?(?P<secret>{_STAND_IN}{_UNLIKE_WORDS}[^\s\"'`\\.]{{5,}})(?!\S)",
    ),
    _of_command("zip unzip", r"-P ?"),
    _of_command("7z rar unrar", r"-p(?=\S)"),
    _of_command("ssh-keygen", r"-[NP] "),
    _of_command("rclone", r"pass(?:word)?[ =]"),
    _of_command(
        "sqlplus sqlldr impdp expdp rman",
        "",
        rf"(?:{_QUOTE})?[^\s/@\"']{{1,60}}/(?P<secret>{_STAND_IN}[^\s/@\"'`]{{3,}})@",
    ),
    _of_command("sudo", r"-S {0,3}<<< {0,3}"),
    _of_command(
        "htpasswd", r"-[a-zA-Z]{0,3}b[a-zA-Z]{0,3} (?:-\S{1,3} ){0,3}(?:[^\s\"']{1,200} ){1,2}"
    ),
    _of_command(
        "smbclient rpcclient",
        r"-U ?",
        rf"(?:{_QUOTE})?[^\s%\"']{{1,80}}%(?P<secret>{_STAND_IN}[^\s\"'`]{{3,}})",
    ),
    Rule(
        "secret",
        ("echo ", "printf "),
        rf"(?:echo|printf) (?:-n )?(?:{_QUOTE})?"
        rf"(?:[^\s\"':]{{1,40}}:)?(?P<secret>{_STAND_IN}[^\s\"'`|]{{4,200}})(?:{_QUOTE})?"
        r" {0,3}\| {0,3}(?:sudo )?(?:chpasswd|sudo -S|[^\n|;]{0,200}?--password-stdin|[^\n|;]{0,200}?--with-token)",
    ),
)

SECRET_NAME = re.compile(rf"(?i)(?:.{{0,80}}[_.-])?(?:{_NAMES}|pass)")
"""A name that says that its whole value is a secret."""

ACCOUNT_NAME = re.compile(
    r"(?i)(?:.{0,80}[_.-])?(?:(?:account|organi[sz]ation|org|user)[_-]?(?:uu)?id|e-?mail(?:[_-]?address)?)"
)
"""A name in an event's metadata that says that its value names an account."""

EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
