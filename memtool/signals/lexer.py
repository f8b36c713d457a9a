"""Splits a shell command line into simple commands. Nothing is run or expanded, but here-documents are resolved."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_OPERATORS = re.compile(r"&&|\|\||;;|\|&|[;&|(){}\n]")
_REDIRECTION = re.compile(r"(?:\d*|&)(<<<|<<-?|>>|>\||[<>]&|<>|[<>])")
_HERE_CAT = re.compile(
    r"\$\(\s*cat\s+<<-?\s*(['\"]?)(\w+)\1[^\n]*\n(.*?)\n?[ \t]*\2\s*\)", re.DOTALL
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_CLOSING = frozenset((")", "}"))
_LONGEST_LINE = 100_000


@dataclass(slots=True)
class Simple:
    """One simple command: words, text of standard input, files that it writes, and the operator after it."""

    words: list[str] = field(default_factory=list)
    stdin: str = ""
    writes: list[str] = field(default_factory=list)
    operator: str = ""


def simple_commands(line: str) -> list[Simple]:
    """Return the simple commands of a line in order. Incomplete quotes end with the line."""
    return _Lexer(line[:_LONGEST_LINE]).commands()


class _Lexer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.done: list[Simple] = []
        self.current = Simple()
        self.waiting: list[tuple[str, bool, Simple]] = []  # here-documents: end, strip tabs, owner

    def commands(self) -> list[Simple]:
        while self.position < len(self.text):
            self._step()
        self._end()
        return self.done

    def _step(self) -> None:
        text, here = self.text, self.position
        character = text[here]
        if character in " \t\r":
            self.position += 1
        elif text.startswith("\\\n", here):
            self.position += 2
        elif character == "#":
            end = text.find("\n", here)
            self.position = len(text) if end < 0 else end
        elif match := _REDIRECTION.match(text, here):
            self._redirect(match)
        elif (match := _OPERATORS.match(text, here)) and not self._is_word_brace(match[0]):
            self.position = match.end()
            self._end(match[0])
            if match[0] == "\n":
                self._here_documents()
        else:
            self.current.words.append(self._word())

    def _is_word_brace(self, operator: str) -> bool:
        """Braces are operators only as words of their own."""
        after = self.text[self.position + 1 : self.position + 2]
        return operator in "{}" and bool(after.strip()) and after not in ";|&)"

    def _redirect(self, match: re.Match[str]) -> None:
        self.position = match.end()
        self._blanks()
        target = self._word() if self.position < len(self.text) else ""
        operator = match[1]
        if operator in {"<<", "<<-"}:
            self.waiting.append((target, operator == "<<-", self.current))
        elif operator == "<<<":
            self.current.stdin = target
        elif operator in {">", ">>", ">|"}:
            self.current.writes.append(target)

    def _here_documents(self) -> None:
        for ending, strips, owner in self.waiting:
            lines: list[str] = []
            while self.position < len(self.text):
                end = self.text.find("\n", self.position)
                end = len(self.text) if end < 0 else end
                line = self.text[self.position : end]
                self.position = end + 1
                if (line.lstrip("\t") if strips else line).rstrip("\r") == ending:
                    break
                lines.append(line.lstrip("\t") if strips else line)
            owner.stdin = "\n".join(lines)
        self.waiting = []

    def _blanks(self) -> None:
        while self.position < len(self.text) and self.text[self.position] in " \t":
            self.position += 1

    def _end(self, operator: str = "") -> None:
        if self.current.words or self.current.writes:
            self.current.operator = operator
            self.done.append(self.current)
        elif self.done and (operator in _CLOSING or self.done[-1].operator in _CLOSING):
            self.done[
                -1
            ].operator = operator  # what stands after a group stands after its last command
        self.current = Simple()

    def _word(self) -> str:
        parts: list[str] = []
        start = self.position
        while self.position < len(self.text):
            character = self.text[self.position]
            if character in " \t\r\n;&|()<>" and not (character == "(" and parts[-1:] == ["$"]):
                break
            parts.append(self._part(character))
        if self.position == start:  # an operator where a word should be
            self.position += 1
        return "".join(parts)

    def _part(self, character: str) -> str:
        text, here = self.text, self.position
        if character == "'":
            end = text.find("'", here + 1)
            end = len(text) if end < 0 else end
            self.position = end + 1
            return text[here + 1 : end]
        if character == '"':
            return self._double_quoted()
        if text.startswith("$'", here):
            return self._ansi_quoted()
        if text.startswith("$(", here) or character == "`":
            return self._substitution()
        if character == "\\":
            self.position += 2
            following = text[here + 1 : here + 2]
            return "" if following == "\n" else following
        self.position += 1
        return character

    def _double_quoted(self) -> str:
        self.position += 1
        parts: list[str] = []
        while self.position < len(self.text):
            character = self.text[self.position]
            if character == '"':
                self.position += 1
                break
            if character == "\\" and self.text[self.position + 1 : self.position + 2] in '"\\$`\n':
                following = self.text[self.position + 1 : self.position + 2]
                parts.append("" if following == "\n" else following)
                self.position += 2
            elif self.text.startswith("$(", self.position) or character == "`":
                parts.append(self._substitution())
            else:
                parts.append(character)
                self.position += 1
        return "".join(parts)

    def _ansi_quoted(self) -> str:
        match = re.compile(r"\$'((?:[^'\\]|\\.)*)'?", re.DOTALL).match(self.text, self.position)
        assert match is not None
        self.position = match.end()
        escapes = {"n": "\n", "t": "\t"}
        return re.sub(
            r"\\(.)", lambda found: escapes.get(found[1], found[1]), match[1], flags=re.DOTALL
        )

    def _substitution(self) -> str:
        """Return `$(cat <<EOF …)` as the text of its here-document, and any other substitution as it stands."""
        if here := _HERE_CAT.match(self.text, self.position):
            self.position = here.end()
            return here[3]
        start = self.position
        if self.text[start] == "`":
            end = self.text.find("`", start + 1)
            self.position = len(self.text) if end < 0 else end + 1
            return self.text[start : self.position]
        depth, quote = 0, ""
        self.position += 1
        while self.position < len(self.text):
            character = self.text[self.position]
            self.position += 1
            if quote:
                quote = "" if character == quote else quote
            elif character in "'\"":
                quote = character
            elif character == "(":
                depth += 1
            elif character == ")":
                depth -= 1
                if depth == 0:
                    break
        return self.text[start : self.position]


def without_assignments(words: list[str]) -> list[str]:
    """Return the words after `NAME=value` words."""
    start = 0
    while start < len(words) and _ASSIGNMENT.match(words[start]):
        start += 1
    return words[start:]
