"""What a comparison of two datasets prints, and how it ends."""

from collections.abc import Iterable

from invoke.exceptions import Exit
from rich.markup import escape

from lab.commands.show import console
from lab.errors import one_line

STYLES = {"heading": "bold", "opened": "bold red", "changed": "yellow", "perhaps": "italic", "plain": ""}
"""By how a line weighs. Each says in words what its style says."""
MAX_LINE = 2000


def show(lines: Iterable[tuple[str, str]]) -> None:
    """Print lines, each with how it weighs."""
    out = console()
    for kind, text in lines:
        indent = text[: len(text) - len(text.lstrip(" "))]
        line = f"{indent}{escape(one_line(text, MAX_LINE))}"
        out.print(f"[{STYLES[kind]}]{line}[/]" if STYLES[kind] else line, soft_wrap=True)


def end(exit_code: int) -> None:
    """Leave with this exit code; what it means is printed already."""
    if exit_code:
        raise Exit("", exit_code)
