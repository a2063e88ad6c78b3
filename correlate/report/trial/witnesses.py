"""What the phones' own witnesses hold of one trial, as few lines as tell it."""

from collections.abc import Iterable

from correlate.dataset import SIDES
from correlate.dataset.record import Observed
from correlate.dataset.record.observed import Claim
from correlate.tables.layout import plain_text

MOST_NAME = 24


def witness_lines(observed: Observed | None) -> tuple[str, ...]:
    """One line of all that is proven, then one for each claim that is not, with its reason."""
    if observed is None:
        return ("nobody asked the phones",)
    claims = observed.claims
    proven = [_proven(name, claim) for name, claim in claims.items() if claim.verdict == "proven"]
    others = [
        f"{claim.verdict}: {_words(name)}, {plain_text(claim.reason or '')} ({_names(claim.witnesses)})"
        for name, claim in claims.items()
        if claim.verdict != "proven"
    ]
    return (*([f"proven: {'; '.join(proven)}"] if proven else []), *others)


def _proven(name: str, claim: Claim) -> str:
    value = {True: "yes", False: "no"}.get(claim.value, claim.value) if isinstance(claim.value, bool) else claim.value
    return f"{_words(name)} {value} ({_names(claim.witnesses)})"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _names(witnesses: Iterable[str]) -> str:
    """`caller audio, screen; callee audio` of lines that begin with `caller audio: `; `both audio` where both tell."""
    named = {side: dict[str, None]() for side in SIDES}
    for line in witnesses:
        side, _, rest = line.partition(" ")
        if side in named:
            named[side][plain_text(rest.partition(":")[0])[:MOST_NAME]] = None
    caller, callee = (named[side] for side in SIDES)
    groups = {
        "both": [name for name in caller if name in callee],
        "caller": [name for name in caller if name not in callee],
        "callee": [name for name in callee if name not in caller],
    }
    return "; ".join(f"{side} {', '.join(found)}" for side, found in groups.items() if found) or "no witness"
