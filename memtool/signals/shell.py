"""What a shell command line does: commits, pull requests, issues, tests. The one place that understands commands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from memtool.model.actions import AnyAction, Commit, Issue, PullRequest, Run, Verb
from memtool.signals.lexer import Simple, simple_commands, without_assignments

Purpose = Literal["", "test", "lint", "build", "undo"]

_LONGEST_COMMAND = 160
_MOST_COMMANDS = 12


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SILENT = _set(
    "cd echo printf cat head tail grep sed awk ls pwd export set true sleep wc sort uniq tee mkdir"
)
_WRAPPERS = {"sudo": 0, "env": 0, "time": 0, "nice": 0, "nohup": 0, "command": 0, "exec": 0}
_RUNNERS = (
    ("uv", "run"),
    ("poetry", "run"),
    ("pipenv", "run"),
    ("pdm", "run"),
    ("bundle", "exec"),
    ("npx",),
    ("bunx",),
    ("pnpm", "exec"),
    ("python", "-m"),
    ("python3", "-m"),
    ("mise", "exec", "--"),
    ("devbox", "run"),
)
# The first words of a command, and what it is for. The longest fit counts.
_PURPOSES: dict[str, Purpose] = {
    "go test": "test",
    "pytest": "test",
    "py.test": "test",
    "unittest": "test",
    "tox": "test",
    "nox": "test",
    "cargo test": "test",
    "cargo nextest": "test",
    "jest": "test",
    "vitest": "test",
    "mocha": "test",
    "playwright test": "test",
    "rspec": "test",
    "phpunit": "test",
    "mvn test": "test",
    "mvn verify": "test",
    "gradle test": "test",
    "./gradlew test": "test",
    "dotnet test": "test",
    "swift test": "test",
    "mix test": "test",
    "ctest": "test",
    "bazel test": "test",
    "deno test": "test",
    "bun test": "test",
    "golangci-lint": "lint",
    "go vet": "lint",
    "ruff check": "lint",
    "mypy": "lint",
    "pyright": "lint",
    "flake8": "lint",
    "pylint": "lint",
    "eslint": "lint",
    "prettier": "lint",
    "tsc": "lint",
    "shellcheck": "lint",
    "cargo clippy": "lint",
    "cargo check": "lint",
    "rubocop": "lint",
    "pre-commit": "lint",
    "go build": "build",
    "cargo build": "build",
    "docker build": "build",
    "git revert": "undo",
    "git restore": "undo",
    "git reset --hard": "undo",
    "git checkout --": "undo",
}
# Task runners: the name of the task says the purpose.
_TASK_RUNNERS = {
    "make": 1,
    "just": 1,
    "task": 1,
    "npm": 1,
    "yarn": 1,
    "pnpm": 1,
    "bun": 1,
    "mise": 1,
    "rake": 1,
}
_TASKS = re.compile(r"(?:^|[:\-_./])(test|tests|spec|check|lint|build|typecheck)(?=$|[:\-_./])")
_TASK_PURPOSES: dict[str, Purpose] = {"lint": "lint", "typecheck": "lint", "build": "build"}


def actions_of(line: str) -> tuple[AnyAction, ...]:
    """Return what the command line does, in order."""
    found: list[AnyAction] = []
    files: dict[str, str] = {}
    directory, is_scratch = "", False
    commands = simple_commands(line)[: 4 * _MOST_COMMANDS]
    for place, simple in enumerate(commands):
        words = _bare(simple.words)
        for name in simple.writes:
            files[name] = simple.stdin
        if not words:
            continue
        if words[0] == "cd":
            directory = words[1] if len(words) > 1 else ""
        is_scratch |= _is_scratch(words)
        action = _action(words, simple, files)
        if isinstance(action, Commit):
            action = Commit(
                subject=action.subject,
                body=action.body,
                amend=action.amend,
                directory=action.directory or directory,
                scratch=is_scratch or _is_temporary(action.directory or directory),
            )
        if isinstance(action, Run) and not _owns_exit(commands, place):
            action = Run(command=action.command, purpose=action.purpose, hidden=True)
        if action is not None:
            found.append(action)
    return tuple(found[:_MOST_COMMANDS])


# Commands that do not fail where they stand between others, and filters that end as what they read does.
_CALM = _set("cd export set echo printf mkdir source . pwd true unset ulimit umask sleep date :")
_FILTERS = _set("tail cat tee sed sort awk uniq wc tr cut")


def _owns_exit(commands: list[Simple], place: int) -> bool:
    """Return whether the line fails if this command does, and only then."""
    options = [word for one in commands[:place] if one.words[:1] == ["set"] for word in one.words]
    is_strict = "errexit" in options or any(re.fullmatch(r"-\w*e\w*", word) for word in options)
    chains = {"&&", ";", "\n"} if is_strict else {"&&"}
    if commands[place].words[:1] == ["!"]:
        return False
    for one in reversed(commands[:place]):
        if one.operator == "||" or (one.operator in chains and not _is_calm(one)):
            return False
        if one.operator not in {*chains, "|", "|&"}:
            break
    following = zip(commands[place:], commands[place + 1 :], strict=False)
    for one, then in following:
        if one.operator in {"|", "|&"}:
            if "pipefail" not in options or _name(then) not in _FILTERS:
                return False
        elif one.operator not in chains or not _is_calm(then):
            return False
    return commands[-1].operator != "&"


def _is_calm(simple: Simple) -> bool:
    return _name(simple) in {"", *_CALM}


def _name(simple: Simple) -> str:
    return next(iter(_bare(simple.words)), "")


def _bare(words: list[str]) -> list[str]:
    """Return the words without assignments, wrappers (`sudo`, `timeout 60`) and runners (`uv run`)."""
    words = without_assignments(words)
    while words:
        name = words[0].rsplit("/", 1)[-1]
        if name in _WRAPPERS or name == "timeout":
            words = words[1:]
            while words and words[0].startswith("-"):
                words = words[1:]
            words = without_assignments(words[1:] if name == "timeout" else words)
            continue
        for runner in _RUNNERS:
            if (name, *words[1 : len(runner)]) == runner:
                words = words[len(runner) :]
                break
        else:
            return words
    return words


def _action(words: list[str], simple: Simple, files: Mapping[str, str]) -> AnyAction | None:
    name = words[0].rsplit("/", 1)[-1]
    if name == "git":
        directory, rest = _git_words(words[1:])
        if rest[:1] == ["commit"]:
            return _commit(rest[1:], directory, simple.stdin, files)
        words = ["git", *rest]
    elif name in {"gh", "glab"} and (verb := _FORGE.get(tuple(words[1:3]))):
        return _forge(words, verb)
    elif name in _SILENT:
        return None
    command = " ".join(words)
    return Run(command=command[:_LONGEST_COMMAND], purpose=purpose_of(words))


def purpose_of(words: list[str]) -> Purpose:
    """Return what a command (its words, without wrappers) is for."""
    name = words[0].rsplit("/", 1)[-1]
    for count in (3, 2, 1):
        purpose = _PURPOSES.get(" ".join([name, *words[1:count]])) if count <= len(words) else None
        if purpose:
            return purpose
    if name in _TASK_RUNNERS:
        task = next((w for w in words[1:] if not w.startswith("-") and w not in {"run", "r"}), "")
        if match := _TASKS.search(task):
            return _TASK_PURPOSES.get(match[1], "test")
    return ""


def _git_words(words: list[str]) -> tuple[str, list[str]]:
    directory = ""
    while words and words[0].startswith("-"):
        if words[0] in {"-C", "-c", "--git-dir", "--work-tree"}:
            directory = words[1] if words[0] == "-C" and len(words) > 1 else directory
            words = words[2:]
        else:
            words = words[1:]
    return directory, words


def _is_scratch(words: list[str]) -> bool:
    return words[:2] == ["git", "init"] or (words[0] == "cd" and _is_temporary(" ".join(words[1:])))


def _is_temporary(directory: str) -> bool:
    return directory.startswith(("/tmp/", "$(mktemp", "`mktemp", "$TMP", "/var/folders/"))  # noqa: S108


_COMMIT_FLAGS_WITH_VALUE = frozenset(
    (
        "-m",
        "--message",
        "-F",
        "--file",
        "-C",
        "-c",
        "--author",
        "--date",
        "--trailer",
        "-t",
        "--fixup",
    )
)


def _commit(
    words: list[str], directory: str, stdin: str, files: Mapping[str, str]
) -> Commit | None:
    if "--dry-run" in words or "--help" in words or "-h" in words:
        return None
    messages: list[str] = []
    for flag, value in _options(words, _COMMIT_FLAGS_WITH_VALUE):
        if flag in {"-m", "--message"}:
            messages.append(value)
        elif flag in {"-F", "--file"}:
            messages.append(stdin if value in {"-", "/dev/stdin"} else files.get(value, ""))
    text = "\n\n".join(message.strip() for message in messages if message.strip())
    subject, _, body = text.partition("\n")
    if "$(" in subject or "`" in subject[:1]:
        subject = ""
    return Commit(
        subject=subject.strip(),
        body=body.strip(),
        amend="--amend" in words,
        directory=directory,
    )


def _options(words: list[str], with_value: frozenset[str]) -> list[tuple[str, str]]:
    """Return the options and their values: `--x=v`, `--x v`, `-xv`, and short ones run together (`-am v`)."""
    found: list[tuple[str, str]] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        flag, equals, value = word.partition("=")
        if word.startswith("--"):
            if not equals and flag in with_value:
                value = rest.pop(0) if rest else ""
            found.append((flag, value))
        elif word.startswith("-") and len(word) > 1:
            for position, letter in enumerate(word[1:], start=2):
                if f"-{letter}" in with_value:
                    value = word[position:] or (rest.pop(0) if rest else "")
                    found.append((f"-{letter}", value))
                    break
                found.append((f"-{letter}", ""))
        else:
            found.append(("", word))
    return found


class _ForgeVerb(NamedTuple):
    make: type[PullRequest | Issue]
    verb: Verb


def _verbs(
    noun: str, make: type[PullRequest | Issue], *verbs: tuple[str, Verb]
) -> dict[tuple[str, ...], _ForgeVerb]:
    return {(noun, word): _ForgeVerb(make, verb) for word, verb in verbs}


_COMMON: tuple[tuple[str, Verb], ...] = (
    ("create", "opened"),
    ("close", "closed"),
    ("reopen", "reopened"),
    ("comment", "commented"),
    ("note", "commented"),
    ("edit", "edited"),
    ("update", "edited"),
    ("view", "seen"),
)
_OF_REQUESTS: tuple[tuple[str, Verb], ...] = (
    ("merge", "merged"),
    ("review", "reviewed"),
    ("approve", "reviewed"),
    ("checkout", "seen"),
    ("diff", "seen"),
)
_FORGE = {
    **_verbs("pr", PullRequest, *_COMMON, *_OF_REQUESTS),
    **_verbs("mr", PullRequest, *_COMMON, *_OF_REQUESTS),
    **_verbs("issue", Issue, *_COMMON),
}
_FORGE_FLAGS_WITH_VALUE = _set(
    "-t --title -b --body -F --body-file -R --repo -B --base -H --head -d --description -l --label "
    "-a --assignee -r --reviewer -m --message -c --comment --json -q --jq --subject"
)
_FORGE_URL = re.compile(
    r"https?://[\w.-]+/([\w.-]+(?:/[\w.-]+)+?)/(?:-/)?(?:pull|pulls|merge_requests|issues)/(\d+)"
)


_NUMBER_DIGITS = 8


def _forge(words: list[str], verb: _ForgeVerb) -> AnyAction:
    options = _options(words[3:], _FORGE_FLAGS_WITH_VALUE)
    given = dict(reversed(options))
    target = next((value for flag, value in options if not flag), "")
    url = _FORGE_URL.search(target)
    number = (
        int(url[2])
        if url
        else int(target)
        if target.isdecimal() and len(target) <= _NUMBER_DIGITS
        else 0
    )
    title = given.get("--title", given.get("-t", ""))
    return verb.make(
        verb=verb.verb,
        number=number,
        title="" if "$(" in title else title.strip(),
        url=url[0] if url else "",
        repository=given.get("--repo", given.get("-R", "")) or (url[1] if url else ""),
    )


class Made(NamedTuple):
    """A commit that git reports."""

    branch: str
    hash: str
    subject: str
    is_root: bool


_MADE = re.compile(
    r"^\[(?P<branch>[^\s\]]+|detached HEAD)(?P<root> \(root-commit\))? "
    r"(?P<hash>[0-9a-f]{7,40})\] (?P<subject>.*)$",
    re.MULTILINE,
)


def commits_made(output: str) -> list[Made]:
    """Return the commits that the output of a command line reports."""
    return [
        Made(match["branch"], match["hash"], match["subject"].strip(), bool(match["root"]))
        for match in _MADE.finditer(output)
    ]


def forge_links(output: str) -> list[tuple[str, str, int]]:
    """Return (URL, repository, number) of the pull requests and issues that the output names."""
    return [(match[0], match[1], int(match[2])) for match in _FORGE_URL.finditer(output)]


_FAILED = re.compile(
    r"^(?:--- FAIL|FAIL\b|FAILED\b|ERROR\b.* failed)|\b[1-9]\d* (?:failed|failures?|errors?|"
    r"failing)\b|"
    r"\b[1-9]\d* (?:problems?|issues?)\b|\bTests? failed\b|^(?:E  |error(?:\[\w+\])?: )|\bpanic: "
    r"|exit (?:code|status) [1-9]|^make: \*\*\*|\[build failed\]",
    re.MULTILINE,
)
_PASSED = re.compile(
    r"^ok\s|^\s*(?:--- )?PASS\b|\b\d+ pass(?:ed|ing)\b|\b0 (?:issues|errors|failed|failures|"
    r"problems)\b|"
    r"\ball (?:tests|checks) passed\b|\btest result: ok\b|\bno issues found\b",
    re.MULTILINE | re.IGNORECASE,
)
_SUMMED_UP = re.compile(
    r"\b\d+ pass(?:ed|ing)\b|\ball (?:tests|checks) passed\b|\b0 (?:issues|errors|problems)\b|"
    r"\bno issues found\b",
    re.IGNORECASE,
)
"""Lines that sum up a whole run. Cargo's `test result:` is that of one program among several."""
Outcome = Literal["passed", "failed", ""]


def outcome_of(output: str, *, is_error: bool, hidden: bool = False) -> Outcome:
    """Return how a test, lint or build command ended; "" where that is not known.

    Where its exit code is `hidden` by others, only its output counts; and of what a pipe may have cut off, only a
    line that sums up the whole run says that it passed.
    """
    if (is_error and not hidden) or _FAILED.search(output):
        return "failed"
    if not hidden and _PASSED.search(output):
        return "passed"
    if hidden and _SUMMED_UP.search(output) and "test result:" not in output:
        return "passed"
    return ""
