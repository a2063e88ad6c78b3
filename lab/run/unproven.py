"""What the phones' witnesses never proved of an app's trials, and which witness was missing."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from correlate.dataset.record import Claim, Observed, TrialRecord
from lab.errors import one_line

CLAIMS = tuple(Observed.model_fields)
"""The claims of a trial, in the order of its record."""

SHOWN_REASONS = 2

Pair = tuple[str, str, str]
"""The app, the calling phone, the called one."""


def lines(records: Iterable[TrialRecord]) -> list[str]:
    """A line for each claim that no trial of an app between two phones proved, with the commonest reasons.

    Where it holds for both ways between the phones there is one line for both. Trials whose witnesses nobody asked say
    nothing.
    """
    found: defaultdict[tuple[str, str], list[tuple[Pair, list[Claim]]]] = defaultdict(list)
    for pair, observed in _by_pair(records).items():
        for name in CLAIMS:
            claims: list[Claim] = [getattr(each, name) for each in observed]
            if not any(claim.verdict == "proven" for claim in claims):
                found[pair[0], name].append((pair, claims))
    return [line for (app, name), pairs in found.items() for line in _merged(app, name, pairs)]


def _by_pair(records: Iterable[TrialRecord]) -> dict[Pair, list[Observed]]:
    by: defaultdict[Pair, list[Observed]] = defaultdict(list)
    for record in records:
        if record.observed is not None:
            by[record.asked.app, record.asked.caller, record.asked.callee].append(record.observed)
    return by


def _merged(app: str, name: str, pairs: list[tuple[Pair, list[Claim]]]) -> Iterator[str]:
    """One line for both ways where nothing is proven either way, else one for the way that it is."""
    by_phones: defaultdict[frozenset[str], list[tuple[Pair, list[Claim]]]] = defaultdict(list)
    for pair, claims in pairs:
        by_phones[frozenset(pair[1:])].append((pair, claims))
    for ways in by_phones.values():
        (_, caller, callee), _ = ways[0]
        way = f"between {caller} and {callee}" if len(ways) > 1 else f"from {caller} to {callee}"
        yield _line(f"{app} {way}", name, [claim for _, claims in ways for claim in claims])


def _line(where: str, name: str, claims: list[Claim]) -> str:
    reasons = Counter(claim.reason for claim in claims if claim.reason is not None).most_common(SHOWN_REASONS)
    trials = "1 trial" if len(claims) == 1 else f"{len(claims)} trials"
    why = "; ".join(f"{reason} ({count})" for reason, count in reasons)
    return one_line(f"{where}: {name} is never proven in {trials}: {why}")
