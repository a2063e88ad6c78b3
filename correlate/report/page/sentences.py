"""The verdict in three sentences. Every number in them is one of the matrix, so they cannot say anything else."""

from collections.abc import Sequence

from correlate.report.page.matrix import Cell, Line, Part
from correlate.report.verdict import Level

CALLER, CALLEE = "the caller's address", "the callee's address"
IDS, DURATIONS = "the same user ids on both sides", "a session that lasts as long on both sides"
SPREAD: tuple[tuple[Level, str], ...] = (
    ("always", "always in"),
    ("sometimes", "sometimes in"),
    ("never", "never in"),
    ("chance", "no more than two different calls in"),
    ("unknown", "undecided in"),
)


def sentences(parts: Sequence[Part]) -> tuple[str, ...]:
    """Whose address is seen before anyone answers, whose in conversations, and what shows that two ends are one call;
    none without an app."""
    if not parts:
        return ()
    before, during, every = parts
    return (
        _addresses("Before anyone answers,", before),
        _addresses("In conversations", during),
        _ties(during, every),
    )


def _addresses(when: str, part: Part) -> str:
    caller, callee = (_spread(_line(part, name)) for name in (CALLER, CALLEE))
    if caller == callee:
        return f"{when} each phone's network sees the other phone's address: {caller}."
    return (
        f"{when} the callee's network sees the caller's address: {caller}; "
        f"the caller's network sees the callee's: {callee}."
    )


def _ties(during: Part, every: Part) -> str:
    ids, durations = _line(during, IDS), _line(every, DURATIONS)
    hits, total = (sum(cell.leak.wrong_pairs[end] for cell in durations.cells) for end in (0, 1))
    wrong = f"; so do {hits} of {total} wrong pairs, which are ends of two different calls" if total else ""
    return (
        f"Both ends of a conversation show the same user ids: {_spread(ids)}; "
        f"both ends of a call show a session that lasts equally long: {_spread(durations)}{wrong}."
    )


def _line(part: Part, name: str) -> Line:
    return next(line for line in part.lines if line.name == name)


def _spread(line: Line) -> str:
    """The apps by how often, each with its numbers; in one word where no trial of any app shows it."""
    cells = [cell for cell in line.cells if cell.leak.total]
    if not cells:
        return "no trial to tell"
    if all(cell.leak.level == "never" for cell in cells):
        return f"never (0 of {sum(cell.leak.total for cell in cells)} calls)"
    groups = []
    for level, words in SPREAD:
        found = [_counted(cell) for cell in cells if cell.leak.level == level]
        if found:
            groups.append(f"{words} {_listed(found)}")
    return ", ".join(groups)


def _counted(cell: Cell) -> str:
    undecided = f", {cell.leak.undecided} undecided" if cell.leak.undecided else ""
    return f"{cell.app} ({cell.leak.hits} of {cell.leak.total}{undecided})"


def _listed(found: Sequence[str]) -> str:
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}"
