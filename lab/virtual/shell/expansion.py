"""Expansion of the words of the mini shell: variables, field splitting, patterns of file names.

Source: POSIX.1-2017, Shell Command Language 2.6.
"""

import posixpath
import re
from dataclasses import dataclass, field

from lab.virtual.files import Files
from lab.virtual.shell.machine import Shell
from lab.virtual.shell.words import PATTERN, Literal, Part, ShellSyntaxError, Word

BLANKS = " \t\n"
BRACES = re.compile(r"\{.*,.*\}", re.DOTALL)


@dataclass
class Fields:
    """The fields of one word while it is expanded; each character run knows whether it was quoted."""

    done: list[list[tuple[str, bool]]] = field(default_factory=list)
    current: list[tuple[str, bool]] | None = None

    def add(self, text: str, quoted: bool) -> None:
        self.current = [*(self.current or []), (text, quoted)]

    def cut(self) -> None:
        if self.current is not None:
            self.done.append(self.current)
        self.current = None

    def split(self, text: str) -> None:
        """Add an unquoted expansion: blanks in it separate fields."""
        for index, piece in enumerate(re.split(f"[{BLANKS}]+", text)):
            if index:
                self.cut()
            if piece:
                self.add(piece, False)


def expand(shell: Shell, word: Word) -> list[str]:
    """The fields that a word becomes: none, one or several."""
    if word.fixed is not None:
        return [word.fixed]
    fields = Fields()
    for part in word.parts:
        if isinstance(part, Literal):
            fields.add(part.text, part.quoted)
            continue
        several = part.name == "@" or (part.name == "*" and not part.quoted)
        for index, value in enumerate(shell.arguments[1:] if several else [shell.variable(part.name)]):
            if index:
                fields.cut()
            if part.quoted:
                fields.add(value, True)
            else:
                fields.split(value)
    fields.cut()
    return [name for runs in fields.done for name in _file_names(shell, runs)]


def expand_unsplit(shell: Shell, word: Word) -> str:
    """The text of a word where no fields are split: in assignments and as the target of a redirection."""
    if word.fixed is not None:
        return word.fixed
    return "".join(_value(shell, part) for part in word.parts)


def _value(shell: Shell, part: Part) -> str:
    return part.text if isinstance(part, Literal) else shell.variable(part.name)


def _file_names(shell: Shell, runs: list[tuple[str, bool]]) -> list[str]:
    """The files that fit the field if it is a pattern and some do; else the field itself.

    Raises ShellSyntaxError for what is not built of patterns.
    """
    text = "".join(piece for piece, _ in runs)
    unquoted = "".join("_" if quoted else piece for piece, quoted in runs)
    if BRACES.search(unquoted):
        raise ShellSyntaxError(f"the braces of {text} are not built")
    if not PATTERN.search(unquoted):
        return [text]
    if "\\" in unquoted or re.search(r"\[.*\]", text, re.DOTALL):
        raise ShellSyntaxError(f"the pattern {text} is not built")
    pattern = "".join(PATTERN.sub(r"[\g<0>]", piece) if quoted else piece for piece, quoted in runs)
    if PATTERN.search(Files.normal(posixpath.join(shell.directory, pattern)).split("/")[1]):
        raise ShellSyntaxError("the files of / are not emulated")
    return shell.machine.files.matches(pattern, shell.directory) or [text]
