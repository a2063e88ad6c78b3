"""A comparison in sentences, for a terminal."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Literal, NamedTuple

from correlate.report.compare.changes import Change, ClaimChange, Outcome, ValuesChange, difference
from correlate.report.compare.comparison import Comparison, Source
from correlate.report.compare.statistics import POWER, Interval
from correlate.report.compare.units import Share
from correlate.tables.layout import text

NIGHTS = (
    "All of this is between these two nights: what differs may be the night and not the app, unless each version has "
    "at least 4 nights."
)
MAX_MOVED = 40

Kind = Literal["heading", "opened", "changed", "perhaps", "plain"]


class Line(NamedTuple):
    """A line and how it weighs."""

    kind: Kind
    text: str


def lines(of: Comparison) -> Iterator[Line]:
    """What is compared, what changed, what may have, what was not compared, what else moved, and how far it goes."""
    yield Line("heading", f"A  {_source(of.a)}")
    yield Line("heading", f"B  {_source(of.b)}")
    yield from _changed(of)
    yield from _group("May have changed", "perhaps", of)
    yield from _group("Not the same, and not tested", "untested", of)
    yield from _undecided(of)
    if of.moved:
        yield Line("heading", "What else moved")
        yield from (Line("plain", f"  {each.what}: {each.a} in A, {each.b} in B") for each in of.moved[:MAX_MOVED])
        if len(of.moved) > MAX_MOVED:
            yield Line("plain", f"  and {len(of.moved) - MAX_MOVED} more things")
    yield Line("heading", _last(of))


def _source(of: Source) -> str:
    days = of.first_day if of.first_day == of.last_day else f"{of.first_day} to {of.last_day}"
    about = f"{of.path}: {of.provenance}, bench {of.bench}, matrix {of.matrix}, seed {of.seed}"
    about += f", {days} (UTC)" if days else ""
    about += f"; {of.trials} trials are compared"
    about += f", {of.alone} have no counterpart" if of.alone else ""
    return about + (f", {of.unread} could not be read" if of.unread else "")


def _changed(of: Comparison) -> Iterator[Line]:
    changes = of.of("changed")
    if not changes:
        yield Line("heading", "Nothing changed that can be told.")
        return
    for heading, leak in (("A leak opened", "opened"), ("A leak closed", "closed"), ("Changed", "")):
        found = [each for each in changes if getattr(each, "leak", "") == leak]
        if found:
            yield Line("opened" if leak == "opened" else "heading", heading)
            yield from _told(found, "opened" if leak == "opened" else "changed")


def _group(heading: str, outcome: Outcome, of: Comparison) -> Iterator[Line]:
    found = of.of(outcome)
    if found:
        yield Line("heading", heading)
        yield from _told(found, "perhaps")


def _told(changes: Iterable[Change], kind: Kind) -> Iterator[Line]:
    for each in changes:
        yield Line(kind, f"  {sentence(each)}")
        if isinstance(each, ClaimChange):
            yield from (Line("plain", f"    {each_cell}") for each_cell in _cells(each))


def sentence(change: Change) -> str:
    """One change in a sentence: what, from what to what, the difference with its interval, and q."""
    return _of_claim(change) if isinstance(change, ClaimChange) else _of_values(change)


def _of_claim(change: ClaimChange) -> str:
    unit = change.unit
    said = f"{unit.app}: {unit.claim.replace('_', ' ')} {_verb(change)}: {_shares(unit.a, unit.b, unit.unit)}"
    if change.difference is not None and change.interval is not None:
        said += f"; difference {_points(change.difference, change.interval)}"
    return said + (f", q {change.q:.2g}" if change.q is not None else "") + _reason(change)


def _verb(change: Change) -> str:
    return {
        "changed": "changed",
        "perhaps": "may have changed (too few trials to tell)",
        "untested": "is not the same",
        "undecided": "is undecided",
        "alike": "is alike",
    }[change.outcome]


def _reason(change: Change) -> str:
    return f"; {change.reason}" if change.reason else ""


def _shares(a: Share, b: Share, unit: str) -> str:
    return f"{_share(a, unit)} in A, {_share(b, unit)} in B"


def _share(share: Share, unit: str) -> str:
    undecided = f" ({share.undecided} more undecided)" if share.undecided else ""
    return f"{share.hits} of {share.decided}{' cells' if unit == 'cells' else ''}{undecided}"


def _points(change: float, interval: Interval) -> str:
    low, high = interval
    return f"{_signed(100 * change)} points (95%: {_signed(100 * low)} to {_signed(100 * high)})"


def _signed(points: float) -> str:
    rounded = round(points)
    return f"+{rounded}" if rounded > 0 else str(rounded)


def _cells(change: ClaimChange) -> Iterator[str]:
    """Scenario by scenario where there are several; without a test each."""
    for cell in change.unit.cells if len(change.unit.cells) > 1 else ():
        said = f"{cell.scenario}: {_shares(cell.a, cell.b, change.unit.unit)}"
        found = difference(cell.a, cell.b) if change.unit.unit == "trials" else None
        yield said + (f"; {_points(*found)}" if found else "")


def _of_values(change: ValuesChange) -> str:
    unit = change.unit
    said = f"{unit.app}, {unit.service}, {unit.phase}: {unit.measure} {_verb(change)}: "
    if change.shift is None or change.interval is None:
        sets = (" ".join(text(each) for each in sorted(values)) or "none" for values in (unit.a, unit.b))
        return said + "; ".join(f"{name}: {values}" for name, values in zip("AB", sets, strict=True)) + _reason(change)
    low, high = (text(end) if isfinite(end) else str(end) for end in change.interval)
    named = f" {unit.unit}" if unit.unit else ""
    return (
        f"{said}{len(unit.a)} values in A, {len(unit.b)} in B; B lies {text(change.shift)}{named} above A "
        f"(95%: {low} to {high}), q {change.q:.2g}"
    )


def _undecided(of: Comparison) -> Iterator[Line]:
    """What was not compared, with its reason; claims of an app that have one reason in a line."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for each in of.claims:
        if each.outcome == "undecided":
            grouped.setdefault((each.unit.app, each.reason), []).append(each.unit.claim.replace("_", " "))
    for other in of.values:
        if other.outcome == "undecided":
            what = f"{other.unit.measure} ({other.unit.service}, {other.unit.phase})"
            grouped.setdefault((other.unit.app, other.reason), []).append(what)
    if grouped or of.left_out:
        yield Line("heading", "Not compared")
        yield from (Line("plain", f"  {app}: {why}") for app, why in of.left_out.items())
        yield from (Line("plain", f"  {app}: {', '.join(found)}: {why}") for (app, why), found in grouped.items())


def _last(of: Comparison) -> str:
    said = []
    every: tuple[tuple[str, Sequence[Change]], ...] = (("claims by app", of.claims), ("measures", of.values))
    for what, changes in every:
        counted = Counter(each.outcome for each in changes)
        parts = ", ".join(f"{counted[outcome]} {words}" for outcome, words in _WORDS.items() if counted[outcome])
        said.append(f"{len(changes)} {what}: {parts}")
    compared = f"Compared {'; '.join(said)}."
    could = [
        f"with {each.trials_a} trials in A and {each.trials_b} in B a claim that held in all of A could fall by up to "
        f"{100 * each.change:.0f} points"
        for each in of.hidden
    ]
    power = f" Unseen in more than {100 * (1 - POWER):.0f}% of such comparisons: {'; '.join(could)}." if could else ""
    return f"{compared}{power} {NIGHTS}"


_WORDS: Mapping[Outcome, str] = {
    "alike": "alike",
    "changed": "changed",
    "perhaps": "may have changed",
    "untested": "not the same but not tested",
    "undecided": "undecided",
}
