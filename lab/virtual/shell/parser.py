"""The grammar of the mini shell: tokens -> lists of pipelines of commands.

Source: POSIX.1-2017, Shell Command Language 2.9 and 2.10, without functions, subshells, jobs, `!` and other compound
commands than `{ }` and `while`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from lab.virtual.shell.words import (
    Incomplete,
    Operator,
    Redirection,
    ShellSyntaxError,
    Token,
    Word,
    as_assignment,
    tokens,
)


@dataclass(frozen=True)
class Redirect:
    fd: int
    operator: str
    target: Word


@dataclass(frozen=True)
class Simple:
    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...]


@dataclass(frozen=True)
class Group:
    """`{ ...; }`."""

    body: Script
    redirects: tuple[Redirect, ...]


@dataclass(frozen=True)
class While:
    condition: Script
    body: Script
    redirects: tuple[Redirect, ...]


Command = Simple | Group | While
Pipeline = tuple[Command, ...]


@dataclass(frozen=True)
class Entry:
    """Pipelines joined by && and ||; `joints[i]` stands before `pipelines[i]` and is empty for the first."""

    pipelines: tuple[Pipeline, ...]
    joints: tuple[str, ...]


@dataclass(frozen=True)
class Script:
    entries: tuple[Entry, ...]


_RESERVED = ("if", "for", "case", "until", "function", "select", "[[", "time", "then", "else", "fi", "esac", "in")
UNBUILT = (*_RESERVED, "!", "break", "continue")
CLOSERS = ("do", "done", "}")


@lru_cache(maxsize=512)
def parse(text: str) -> Script:
    """The script of `text`. Raises ShellSyntaxError; Incomplete (one of them) where more lines may complete it."""
    parser = Parser(tokens(text))
    script = parser.script()
    if parser.peek() is not None:
        raise ShellSyntaxError(f"unexpected {parser.describe()}")
    return script


class Parser:
    def __init__(self, items: list[Token]) -> None:
        self._items = items
        self._at = 0

    def peek(self) -> Token | None:
        return self._items[self._at] if self._at < len(self._items) else None

    def describe(self) -> str:
        token = self.peek()
        if isinstance(token, Word):
            return f"'{token.plain() or 'word'}'"
        return "end of text" if token is None else "newline" if self._is("\n") else f"'{getattr(token, 'text', '<>')}'"

    def _is(self, *operators: str) -> bool:
        token = self.peek()
        return isinstance(token, Operator) and token.text in operators

    def _reserved(self) -> str | None:
        token = self.peek()
        return token.plain() if isinstance(token, Word) else None

    def _expect(self, word: str) -> None:
        if self.peek() is None:
            raise Incomplete(f"'{word}' is missing")
        if self._reserved() != word:
            raise ShellSyntaxError(f"unexpected {self.describe()}, not '{word}'")
        self._at += 1

    def _skip_newlines(self) -> None:
        while self._is("\n"):
            self._at += 1

    def script(self) -> Script:
        entries: list[Entry] = []
        while True:
            self._skip_newlines()
            if self.peek() is None or self._reserved() in CLOSERS:
                return Script(tuple(entries))
            entries.append(self._entry())

    def _entry(self) -> Entry:
        pipelines, joints = [self._pipeline()], [""]
        while self._is("&&", "||"):
            token = self.peek()
            assert isinstance(token, Operator)
            self._at += 1
            self._skip_newlines()
            if self.peek() is None:
                raise Incomplete(f"nothing behind '{token.text}'")
            joints.append(token.text)
            pipelines.append(self._pipeline())
        if self._is("&"):
            raise ShellSyntaxError("'&' is not built")
        if self._is(";", "\n"):
            self._at += 1
        elif self.peek() is not None:
            raise ShellSyntaxError(f"unexpected {self.describe()}")
        return Entry(tuple(pipelines), tuple(joints))

    def _pipeline(self) -> Pipeline:
        commands = [self._command()]
        while self._is("|"):
            self._at += 1
            self._skip_newlines()
            if self.peek() is None:
                raise Incomplete("nothing behind '|'")
            commands.append(self._command())
        return tuple(commands)

    def _command(self) -> Command:
        word = self._reserved()
        if word in UNBUILT:
            raise ShellSyntaxError(f"'{word}' is not built")
        if word in CLOSERS:
            raise ShellSyntaxError(f"unexpected '{word}'")
        if word == "while":
            return self._while()
        if word == "{":
            self._at += 1
            body = self.script()
            self._expect("}")
            return Group(body, self._redirects())
        if self._is("("):
            raise ShellSyntaxError("'(' is not built")
        return self._simple()

    def _while(self) -> While:
        self._at += 1
        condition = self.script()
        self._expect("do")
        body = self.script()
        self._expect("done")
        if not condition.entries or not body.entries:
            raise ShellSyntaxError("an empty part in 'while'")
        return While(condition, body, self._redirects())

    def _redirects(self) -> tuple[Redirect, ...]:
        found = []
        while isinstance(self.peek(), Redirection):
            found.append(self._redirect())
        return tuple(found)

    def _redirect(self) -> Redirect:
        token = self.peek()
        assert isinstance(token, Redirection)
        self._at += 1
        target = self.peek()
        if not isinstance(target, Word):
            raise ShellSyntaxError(f"unexpected {self.describe()}, not a target")
        fds = (0,) if token.operator == "<" else (1, 2)
        if token.fd not in fds or (token.operator == ">&" and target.plain() not in ("1", "2")):
            raise ShellSyntaxError(f"redirection '{token.fd}{token.operator}' is built for <, 1> and 2> only")
        self._at += 1
        return Redirect(token.fd, token.operator, target)

    def _simple(self) -> Simple:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while True:
            token = self.peek()
            if isinstance(token, Redirection):
                redirects.append(self._redirect())
                continue
            if not isinstance(token, Word):
                break
            self._at += 1
            assignment = as_assignment(token) if not words else None
            if assignment:
                assignments.append(assignment)
            else:
                words.append(token)
        if self._is("(") and words:
            raise ShellSyntaxError("unexpected '('")
        if assignments and words[:1] and words[0].plain() == ":":
            raise ShellSyntaxError("an assignment before ':' is not built")
        if not (assignments or words or redirects):
            raise ShellSyntaxError(f"unexpected {self.describe()}")
        return Simple(tuple(assignments), tuple(words), tuple(redirects))
