"""What is put before the judge, what a witness can say of a claim, and what follows from what all of them said."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from correlate.dataset.record import Claim
from lab.definitions import Role, Service
from lab.phone.witnesses.facts import Look, Since

ROLES: tuple[Role, Role] = ("caller", "callee")
OTHER: Mapping[Role, Role] = {"caller": "callee", "callee": "caller"}
ENDING = frozenset({"cancel", "reject", "hang_up"})
"""The verbs that end a call."""
ON = frozenset({"outgoing", "incoming", "connected"})
"""What a phone shows while a call is on."""
S = 1_000_000_000
LINE = 1000


@dataclass(frozen=True)
class Shape:
    """What a scenario's steps say of its call. `rang` is None where they do not wait for it: either will do."""

    answered: bool
    ended_by: Literal["caller", "callee", "system"]
    service: Service
    rang: bool | None = True


@dataclass(frozen=True)
class Act:
    """What we did to the call on one phone, from the first to the last use of a way, by the controller's clock.

    `used` names the ways that were really used; `before` are looks at both phones just before `t0_ns`.
    """

    verb: str
    role: Role
    t0_ns: int
    t1_ns: int
    used: tuple[str, ...]
    before: Mapping[Role, Look]


@dataclass(frozen=True)
class SideEvidence:
    """All that one phone's witnesses hold. Its clock is the controller's plus `offset_ns`, give or take `bound_ns`.

    `app_bytes`: what Android counted of the app in the call; None where it did not.
    """

    package: str
    since: Since
    offset_ns: int
    bound_ns: int
    looks: tuple[Look, ...]
    app_bytes: int | None

    def at(self, phone_ns: int) -> int:
        """An instant of the phone's clock by the controller's."""
        return phone_ns - self.offset_ns


Sides = Mapping[Role, SideEvidence]
Acts = Sequence[Act]
Witness = Literal["audio", "events", "telecom", "camera", "screen", "traffic", "tap"]
"""Whose records are independent of each other. `tap` is ours: what the controller did, and saw done."""

Says = Literal["for", "against", "unclear", "missing", "nothing"]


@dataclass(frozen=True)
class Word:
    """What one witness says of a claim.

    `against`: a positive contradiction. `unclear`: something that fits neither; it forbids a proof. `missing`: it could
    not be asked. `nothing`: it has no say. `both`: it speaks for both phones.
    """

    role: Role
    witness: Witness
    says: Says
    text: str
    reason: str = ""
    both: bool = False

    @property
    def line(self) -> str:
        return f"{self.role} {self.witness}: {self.text}"[:LINE]


def conclude(
    value: bool | int | str,
    denied: bool | int | str | None,
    words: Iterable[Word],
    phones: Collection[Role] = (),
    one_of: Collection[Witness] = (),
    least: int = 2,
) -> Claim:
    """The verdict on a claim that is `value`, or `denied` where a witness contradicts it.

    Proven takes `least` different witnesses on each of `phones` (altogether, where there are none), one of `one_of`
    among them, and nothing against or unclear. The lines of those who decided stand first.
    """
    order = {"against": 0, "unclear": 1, "for": 2, "nothing": 3, "missing": 4}
    heard = sorted(words, key=lambda word: order[word.says])
    lines = [word.line for word in heard]
    if heard and heard[0].says == "against":
        return Claim(value=denied, verdict="refuted", witnesses=lines, reason=heard[0].reason)
    if heard and heard[0].says == "unclear":
        return Claim(value=None, verdict="undecided", witnesses=lines, reason=heard[0].reason)
    for phone in phones or (None,):
        of_it = [word for word in heard if phone is None or word.both or word.role == phone]
        kinds = {word.witness for word in of_it if word.says == "for"}
        if len(kinds) >= least and (not one_of or kinds & set(one_of)):
            continue
        missing = next((word.line for word in of_it if word.says == "missing"), None)
        said = f"{' and '.join(sorted(kinds))} alone" if kinds else "no witness"
        reason = missing or f"{phone or 'both phones'}: {said} {'say' if len(kinds) > 1 else 'says'} so"
        leans = value if any(word.says == "for" for word in heard) else None
        return Claim(value=leans, verdict="undecided", witnesses=lines, reason=reason)
    return Claim(value=value, verdict="proven", witnesses=lines, reason=None)


def last_act(acts: Acts, role: Role, verbs: Collection[str]) -> Act | None:
    """What a phone did last of `verbs`."""
    return next((act for act in reversed(acts) if act.role == role and act.verb in verbs), None)


def seconds(span_ns: int) -> str:
    """A span as a line shows it: `31.2 s`."""
    return f"{span_ns / S:.1f} s"


def share(count: int, of: int) -> str:
    """`4 of 4 looks`."""
    return f"{count} of {of} look" + ("" if of == 1 else "s")


def counted(count: int, noun: str) -> str:
    """`one span`, `two spans`, `12 spans`."""
    number = {0: "no", 1: "one", 2: "two", 3: "three"}.get(count, str(count))
    return f"{number} {noun}" + ("" if count == 1 else "s")
