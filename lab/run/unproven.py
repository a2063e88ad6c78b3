"""What the phones' witnesses never proved of an app's trials, and which witness was missing."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress

from correlate.dataset import Dataset
from correlate.dataset.record import Claim, Observed, TrialRecord
from correlate.errors import BadDataset
from lab.errors import one_line
from lab.phone.witnesses.facts import Missing, Since

CLAIMS = tuple(Observed.model_fields)
"""The claims of a trial, in the order of its record."""

SHOWN_REASONS = 2

_ROLE = re.compile(r"\b(caller|callee)\b")

# What stands first can tell, what stands second can agree; a claim takes two that are independent, one of them of the
# first. The screen and our taps are always there.
_CAN_TELL: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "calls": (("audio", "telecom"), ("screen", "traffic")),
    "rang": (("screen", "audio", "events", "telecom"), ()),
    "answered": (("screen", "audio", "traffic"), ()),
    "ended_by": (("audio", "telecom"), ("screen", "events")),
    "service": (("camera",), ("tap",)),
    "nothing_else": (("audio", "telecom", "events"), ()),
}
_FIELDS = {
    "modes": "audio",
    "recorders": "audio",
    "cameras": "camera",
    "calls": "telecom",
    "sims": "telephony",
    "events": "events",
}

Pair = tuple[str, str, str]
"""The app, the calling phone, the called one."""


def of_dataset(dataset: Dataset) -> list[str]:
    """The lines for the complete trials of a dataset; a record that cannot be read is said elsewhere."""

    def readable() -> Iterator[TrialRecord]:
        for trial in dataset.trial_ids():
            with suppress(BadDataset):
                yield dataset.record(trial)

    return lines(readable())


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


def missing(since: Since) -> dict[str, str]:
    """The witnesses that a phone's records lack, each with why."""
    found: dict[str, str] = {}
    for name, witness in _FIELDS.items():
        if isinstance(part := getattr(since, name), Missing):
            found.setdefault(witness, part.why)
    return found


def never(missing: Collection[str]) -> dict[str, str]:
    """The claims that no trial can prove while these witnesses are missing on a phone, each with what it lacks.

    Telecom counts where it can be read, though an app need not tell it of its calls.
    """
    found = {}
    for claim, (telling, agreeing) in _CAN_TELL.items():
        left = [witness for witness in telling if witness not in missing]
        if not left or len(left) + sum(witness not in missing for witness in agreeing) < 2:
            lacking = [witness for witness in (*telling, *agreeing) if witness in missing]
            found[claim] = f"which needs {' or '.join(lacking)}"
    return found


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
        yield _line(f"{app} {way}", name, [_reason(pair, claim) for pair, claims in ways for claim in claims])


def _reason(pair: Pair, claim: Claim) -> str:
    """Why a claim is not proven, its roles replaced by the phones that had them."""
    phones = {"caller": pair[1], "callee": pair[2]}
    return _ROLE.sub(lambda role: phones[role[1]], claim.reason or "nobody says why")


def _line(where: str, name: str, reasons: list[str]) -> str:
    trials = "1 trial" if len(reasons) == 1 else f"{len(reasons)} trials"
    why = "; ".join(f"{reason} ({count})" for reason, count in Counter(reasons).most_common(SHOWN_REASONS))
    return one_line(f"{where}: {name} is never proven in {trials}: {why}")
