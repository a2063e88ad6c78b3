"""What a command writes to standard output and error, without the secrets of the benches that it chose."""

import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, cast

from invoke.exceptions import Exit

from lab.definitions import secrets
from lab.definitions.bench import BenchSpec
from lab.definitions.secrets import Redactor

# What colours a terminal would stand right before a word, and hide where it begins.
_STYLE = re.compile(r"(\x1b\[[0-9;?]*[A-Za-z])")


class Screened(io.TextIOBase):
    """Writes to another stream what `clean` makes of each text; all else is the other stream's own."""

    def __init__(self, stream: TextIO, screen: "Screen") -> None:
        super().__init__()
        self._stream, self._screen = stream, screen

    def write(self, text: str) -> int:
        """The whole of a text at once: a secret that is written in two parts is not found."""
        self._stream.write(self._screen.clean(text))
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._stream.errors


class Screen:
    """Cleans texts of the secrets of `benches`, which may grow meanwhile."""

    def __init__(self, benches: list[BenchSpec]) -> None:
        self._benches, self._known = benches, 0
        self._redactor = Redactor(())

    def clean(self, text: str) -> str:
        if len(self._benches) > self._known:
            self._known = len(self._benches)
            self._redactor = Redactor(tuple(one for spec in self._benches for one in secrets.secrets(spec)))
        return "".join(self._redactor.clean(part) for part in _STYLE.split(text))


@contextmanager
def screened() -> Iterator[None]:
    """Screen standard output, standard error and the text of an `Exit` that leaves the block."""
    with secrets.chosen() as benches:
        screen, streams = Screen(benches), (sys.stdout, sys.stderr)
        sys.stdout, sys.stderr = (cast(TextIO, Screened(stream, screen)) for stream in streams)
        try:
            yield
        except Exit as error:
            raise Exit(screen.clean(error.message or ""), error.code) from error.__cause__
        finally:
            sys.stdout, sys.stderr = streams
