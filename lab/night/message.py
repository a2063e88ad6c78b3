"""What is told of a night: whole sentences of counts, names and reasons, never words of a phone."""

from collections.abc import Iterator, Mapping

from lab.night.record import NightRecord

SHOWN = 20
"""So many lines of one kind."""

HEADLINES = {
    5: "somebody else holds the bench",
    4: "the bench or this machine could not go on",
    130: "interrupted",
    6: "a leak opened",
    1: "a bug of the lab",
    2: "something does not fit",
    3: "some trials failed",
    7: "something changed",
    0: "nothing changed",
}
"""By exit code, in the order in which they decide."""


def verdict(codes: set[int] | list[int]) -> int:
    """The exit code of a night in which these hold."""
    return next((code for code in HEADLINES if code in codes), 0)


def title(record: NightRecord) -> str:
    """The first line: which night, and how it ended."""
    headline = HEADLINES[record.verdict or 0]
    return f"im-call-lab {record.bench} {record.matrix} {record.date}: {headline}"


def lines(record: NightRecord, reasons: Mapping[str, int], where: str) -> Iterator[str]:
    """The rest: alarms first, then what came of the trials, what a person has to do, and what else was noted."""
    yield from (f"ALARM {each.sentence}" for each in record.told if each.loud)
    also = [code for code in record.codes if code != record.verdict]
    if also:
        yield f"Also: {'; '.join(HEADLINES[code] for code in HEADLINES if code in also)}."
    counts = {"void": record.void, "parked": record.parked, "left for the next night": record.left}
    more = "".join(f", {len(trials)} {word}" for word, trials in counts.items() if trials)
    yield f"{record.complete} of {record.planned} trials complete{more}."
    yield from record.why_left
    if record.calls:
        placed = ", ".join(f"{app} {count}" for app, count in sorted(record.calls.items()))
        yield f"Calls placed: {placed}."
    if reasons:
        told = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
        yield f"Void attempts: {told}."
    yield from _some("To do: ", record.notes)
    yield from _some("Doctor: ", record.doctor)
    yield from (f"{each.step} did not come to its end: {each.text}" for each in record.steps if not each.ok)
    yield from _some("Note: ", [each.sentence for each in record.told if not each.loud])
    if record.compared is not None and record.compared.changed:
        yield f"Beside {record.compared.other} alone, which is two nights and no proof:"
        yield from _some("  ", record.compared.changed)
    yield from _some("Datasets: ", record.retention)
    yield f"Report: {where}"


def _some(before: str, texts: list[str]) -> Iterator[str]:
    yield from (f"{before}{text}" for text in texts[:SHOWN])
    if len(texts) > SHOWN:
        yield f"{before}{len(texts) - SHOWN} more"
