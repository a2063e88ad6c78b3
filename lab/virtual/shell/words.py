"""The words of the mini shell: text -> tokens, with quotes, backslashes and variables.

Source: POSIX.1-2017, Shell Command Language 2.2, 2.3 and 2.6. What is not built raises ShellSyntaxError.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property


class ShellSyntaxError(Exception):
    """Text that this shell does not understand; the message says what."""


class Incomplete(ShellSyntaxError):
    """The text may become a command with another line behind it."""


@dataclass(frozen=True)
class Literal:
    text: str
    quoted: bool


@dataclass(frozen=True)
class Variable:
    name: str
    quoted: bool


Part = Literal | Variable


@dataclass(frozen=True)
class Word:
    parts: tuple[Part, ...]

    def plain(self) -> str | None:
        """Its text if nothing in it is quoted or expanded: what may be a reserved word."""
        texts = [part.text for part in self.parts if isinstance(part, Literal) and not part.quoted]
        return "".join(texts) if len(texts) == len(self.parts) else None

    @cached_property
    def fixed(self) -> str | None:
        """Its text if it is the same whenever it is expanded; None where a variable, a pattern or braces are in it."""
        literals = [part for part in self.parts if isinstance(part, Literal)]
        if len(literals) < len(self.parts) or any(not one.quoted and SPECIAL.search(one.text) for one in literals):
            return None
        return "".join(one.text for one in literals)


@dataclass(frozen=True)
class Operator:
    text: str


@dataclass(frozen=True)
class Redirection:
    """`fd OP target`; the target of `>&` is a number."""

    fd: int
    operator: str


Token = Word | Operator | Redirection

OPERATORS = ("&&", "||", ";;", ";", "|", "&", "(", ")", "\n")
REDIRECTIONS = (">>", ">&", "<<", "<&", "<>", ">|", ">", "<")
BUILT_REDIRECTIONS = (">", ">>", "<", ">&")
VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*|[?!$#*@]|\d{1,3})\}|([A-Za-z_]\w*|[?!$#*0-9@]))", re.ASCII)
SET_BY_SHELL = re.compile(
    "_|ANDROID_[A-Z]+|BASHPID|COLUMNS|EXTERNAL_STORAGE|HOME|HOSTNAME|IFS|KSH[A-Z_]+|LANG|LINENO|LINES|LOGNAME|OLDPWD|OPTARG|"
    "OPTIND|PATHSEP|PGRP|PIPESTATUS|PPID|PS[1-4]|PWD|RANDOM|SECONDS|SHELL|SHLVL|TERM|TMOUT|TMPDIR|USER|USER_ID"
)
"""Variables that a shell on a phone finds set, or sets, and this one does not."""
PATTERN = re.compile(r"[*?\[]")
SPECIAL = re.compile(r"[*?\[{]")
ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=", re.ASCII)
FD_BEFORE_REDIRECTION = re.compile(r"(\d)(?=[<>])")
ESCAPED_IN_DOUBLE_QUOTES = '"\\$`'


@dataclass
class Lexer:
    """Cuts `text` into tokens."""

    text: str
    at: int = 0
    tokens: list[Token] = field(default_factory=list)

    def run(self) -> list[Token]:
        while self.at < len(self.text):
            character = self.text[self.at]
            if character in " \t":
                self.at += 1
            elif self.text.startswith("\\\n", self.at):
                self.at += 2
            elif character == "#":
                self.at = self._end_of_line()
            elif not self._redirection() and not self._operator():
                self.tokens.append(Word(tuple(self._word())))
        return self.tokens

    def _end_of_line(self) -> int:
        end = self.text.find("\n", self.at)
        return len(self.text) if end < 0 else end

    def _redirection(self) -> bool:
        number = FD_BEFORE_REDIRECTION.match(self.text, self.at)
        start = number.end() if number else self.at
        operator = next((text for text in REDIRECTIONS if self.text.startswith(text, start)), None)
        if self.text.startswith("&>", self.at) or (operator and operator not in BUILT_REDIRECTIONS):
            raise ShellSyntaxError(f"redirection '{operator or '&>'}' is not built")
        if operator is None:
            return False
        fd = int(number.group(1)) if number else (0 if operator == "<" else 1)
        self.tokens.append(Redirection(fd, operator))
        self.at = start + len(operator)
        return True

    def _operator(self) -> bool:
        operator = next((text for text in OPERATORS if self.text.startswith(text, self.at)), None)
        if operator is None:
            return False
        if operator == ";;":
            raise ShellSyntaxError("unexpected ';;'")
        self.tokens.append(Operator(operator))
        self.at += len(operator)
        return True

    def _word(self) -> list[Part]:
        parts: list[Part] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            if character in " \t\n;&|<>()":
                break
            if character == "'":
                parts.append(Literal(self._until_quote(), True))
            elif character == '"':
                parts += self._double_quoted()
            elif character == "\\":
                parts += self._escaped()
            elif character in "$`":
                parts.append(self._dollar(quoted=False))
            elif character == "~" and not parts:
                raise ShellSyntaxError("'~' is not built")
            else:
                parts.append(Literal(character, False))
                self.at += 1
        return joined(parts)

    def _until_quote(self) -> str:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            raise Incomplete("no closing quote")
        text = self.text[self.at + 1 : end]
        self.at = end + 1
        return text

    def _escaped(self) -> list[Part]:
        if self.at + 1 >= len(self.text):
            raise Incomplete("nothing behind the backslash")
        character = self.text[self.at + 1]
        self.at += 2
        return [] if character == "\n" else [Literal(character, True)]

    def _double_quoted(self) -> list[Part]:
        parts: list[Part] = [Literal("", True)]
        self.at += 1
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == '"':
                self.at += 1
                # `"$@"` of no arguments is no field, unlike `""`.
                return parts[1:] if parts[1:] == [Variable("@", True)] else parts
            follower = self.text[self.at + 1 : self.at + 2]
            if character == "\\" and follower and follower in ESCAPED_IN_DOUBLE_QUOTES + "\n":
                parts.append(Literal("" if follower == "\n" else follower, True))
                self.at += 2
            elif character in "$`":
                parts.append(self._dollar(quoted=True))
            else:
                parts.append(Literal(character, True))
                self.at += 1
        raise Incomplete("no closing quote")

    def _dollar(self, quoted: bool) -> Part:
        if self.text[self.at] == "`":
            raise ShellSyntaxError("backquotes are not built")
        if self.text.startswith("$(", self.at):
            raise ShellSyntaxError("'$(' is not built")
        if found := VARIABLE.match(self.text, self.at):
            self.at = found.end()
            name = found.group(1) or found.group(2)
            if SET_BY_SHELL.fullmatch(name) or self.text.startswith("\\\n", self.at):
                raise ShellSyntaxError(f"${name} is not built")
            return Variable(name, quoted)
        if self.text.startswith(("${", "$'", '$"', "$-", "$\\\n"), self.at) and not (
            quoted and self.text[self.at + 1] in "'\""
        ):
            raise ShellSyntaxError(f"'{self.text[self.at : self.at + 8]}' is not built")
        self.at += 1
        return Literal("$", quoted)


def joined(parts: list[Part]) -> list[Part]:
    """The same with neighbouring characters that are quoted alike in one part."""
    result: list[Part] = []
    for part in parts:
        last = result[-1] if result else None
        if isinstance(part, Literal) and isinstance(last, Literal) and part.quoted == last.quoted:
            result[-1] = Literal(last.text + part.text, part.quoted)
        else:
            result.append(part)
    return result


def tokens(text: str) -> list[Token]:
    """The tokens of a script. Raises ShellSyntaxError, or Incomplete where more text may cure it."""
    return Lexer(text).run()


def as_assignment(word: Word) -> tuple[str, Word] | None:
    """`NAME=value` taken apart, if the word is one."""
    first = word.parts[0] if word.parts else None
    found = ASSIGNMENT.match(first.text) if isinstance(first, Literal) and not first.quoted else None
    if found is None or not isinstance(first, Literal):
        return None
    if SET_BY_SHELL.fullmatch(found[1]):
        raise ShellSyntaxError(f"an assignment to {found[1]} is not built")
    value = Word((Literal(first.text[found.end() :], False), *word.parts[1:]))
    if any(isinstance(one, Literal) and not one.quoted and re.search("(^|:)~", one.text) for one in value.parts):
        raise ShellSyntaxError("'~' is not built")
    return found[1], value
