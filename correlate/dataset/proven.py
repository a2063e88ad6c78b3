"""Which cells may count a trial: those that need no claim about its call but what the phones' own witnesses proved."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from correlate.dataset.record import Observed, Verdict

Speaks = Literal["call", "answered", "service", "scenario"]

NEEDS: Mapping[Speaks, tuple[str, ...]] = {
    "call": ("calls", "nothing_else"),
    "answered": ("answered",),
    "service": ("service",),
    "scenario": ("rang", "answered", "ended_by"),
}
"""What a cell speaks of, and the claims that it needs for that; every cell speaks of the call. None needs `in_front`:
what is on the screen changes no packet that is counted."""


@dataclass(frozen=True)
class Lack:
    """A claim that was not proven, or that was proven to be otherwise than a cell needs (then it is `refuted`)."""

    claim: str
    verdict: Verdict
    reason: str


def lacking(observed: Observed | None, service: str, speaks_of: Collection[Speaks]) -> tuple[Lack, ...]:
    """What a trial that asked for `service` lacks to be counted in a cell; nothing where nobody asked the phones.

    Of `calls` one is needed, of `nothing_else` a yes, and `service` is to be what was asked; of the others any value
    will do, as it was compared with the scenario's steps when the trial was made.
    """
    if observed is None:
        return ()
    wanted = {"calls": 1, "nothing_else": True, "service": service}
    needed = [claim for kind, claims in NEEDS.items() if kind == "call" or kind in speaks_of for claim in claims]
    found = []
    for name in dict.fromkeys(needed):
        claim = observed.claims[name]
        if claim.reason is not None:
            found.append(Lack(name, claim.verdict, claim.reason))
        elif name in wanted and claim.value != wanted[name]:
            found.append(Lack(name, "refuted", f"it was {in_words(claim.value)}"))
    return tuple(found)


def in_words(value: bool | int | str | None) -> str:
    """A claim's value as people read it."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else "not told" if value is None else str(value)
