"""Expansion of the words of the mini shell: variables, field splitting, patterns of file names.

Source: POSIX.1-2017, Shell Command Language 2.6.
"""

import posixpath
import re
from dataclasses import dataclass, field

from lab.virtual.files import Files
from lab.virtual.shell.machine import Shell
from lab.virtual.shell.words import PATTERN, Literal, Part, Word

BLANKS = " \t\n"


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
        if isinstance(part, Literal) or part.quoted:
            fields.add(_value(shell, part), part.quoted)
        else:
            fields.split(shell.variable(part.name))
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
    """The files that fit the field if it is a pattern and some do; else the field itself."""
    text = "".join(piece for piece, _ in runs)
    if not any(PATTERN.search(piece) for piece, quoted in runs if not quoted):
        return [text]
    pattern = "".join(PATTERN.sub(r"[\g<0>]", piece) if quoted else piece for piece, quoted in runs)
    absolute = pattern.startswith("/")
    found = shell.machine.files.matches(pattern if absolute else posixpath.join(shell.directory, pattern))
    base = "" if absolute else Files.normal(shell.directory).rstrip("/") + "/"
    return [name.removeprefix(base) for name in found] or [text]
