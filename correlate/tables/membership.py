"""Which trials stay out of every table and claim: those with a sign, independent of what a table measures, that what
was captured is not this call."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from correlate.dataset import SIDES
from correlate.dataset.record import Analysis
from correlate.findings.cases import Case

SEVERAL = 3
"""So many trials make a habit: of another app to use a server, and of this one to have servers of its own."""
RECURRING = 0.9
"""The share of an app's trials whose servers must be known from its other trials."""

Identity = frozenset[str]
"""By what servers are known: their addresses and, by each app's rule of twins, the clusters of their host names."""


@dataclass(frozen=True)
class _Leg:
    """One phone in one trial: the servers that it used, and those of its headline session."""

    trial: str
    app: str
    phone: str
    used: Identity
    session: Identity
    remote: str


def left_out(cases: Sequence[Case], rules: Mapping[str, Analysis], names: Mapping[str, str]) -> dict[str, str]:
    """Trial -> the sign, in the order of the cases. Two signs there are: the captures are not the two sides of one call
    (`mixed_up`), and the session of a phone is another app's call.

    That is the case where its headline session (`longest_relay`) is with a server, or a twin of it, that

    - SEVERAL or more trials of one other app used on this phone, and
    - no other trial of this app used on either phone, although
    - this app's servers recur: of its SEVERAL or more other trials on this phone all but a tenth (RECURRING) had their
      session with a server that yet another of its trials used. Without this habit a server seen once says nothing.

    No duration, volume or address of a phone is looked at, nor what both sides have in common.
    """
    found = {case.trial: case.call.mixed_up for case in cases if case.call.mixed_up}
    legs = [_leg(case, side, rules, names) for case in cases if case.trial not in found for side in SIDES]
    users: dict[str, list[_Leg]] = defaultdict(list)
    for leg in legs:
        for key in leg.used:
            users[key].append(leg)
    for leg in legs:
        if reason := _foreign(leg, legs, users):
            found.setdefault(leg.trial, reason)
    return {case.trial: found[case.trial] for case in cases if case.trial in found}


def _leg(case: Case, side: str, rules: Mapping[str, Analysis], names: Mapping[str, str]) -> _Leg:
    remote = case.duration[side].longest_relay.remote or ""
    of_session = [each.split(" ")[0] for each in remote.split(", ") if each]
    used = [server.address for server in case.servers[side].servers]
    used_by, of_call = (_identity(each, rules, names) for each in (used, of_session))
    return _Leg(case.trial, case.app, case.phones[side], used_by, of_call, remote)


def _identity(addresses: Iterable[str], rules: Mapping[str, Analysis], names: Mapping[str, str]) -> Identity:
    known = list(addresses)
    clusters = (rule.cluster(names.get(address)) for address in known for rule in rules.values())
    return frozenset([*known, *(f"cluster {each}" for each in clusters if each is not None)])


def _foreign(leg: _Leg, legs: Sequence[_Leg], users: Mapping[str, list[_Leg]]) -> str:
    """By which sign the session of a leg is another app's call, in words; empty without one."""
    met = {id(each): each for key in leg.session for each in users.get(key, ()) if each.trial != leg.trial}.values()
    if any(each.app == leg.app for each in met):
        return ""
    others = Counter(each.app for each in met if each.phone == leg.phone)
    app, trials = max(others.items(), key=lambda item: (item[1], item[0]), default=("", 0))
    if trials < SEVERAL or not _recurs(leg, legs, users):
        return ""
    return f"the session of {leg.phone} is with {leg.remote}, {app}'s in {trials} trials and in no other of this app"


def _recurs(leg: _Leg, legs: Sequence[_Leg], users: Mapping[str, list[_Leg]]) -> bool:
    """Whether the app of a leg has a habit on its phone, told by its other trials."""
    mine = [
        each for each in legs
        if (each.app, each.phone) == (leg.app, leg.phone) and each.trial != leg.trial and each.session
    ]  # fmt: skip
    known = sum(
        any(
            user.app == leg.app and user.trial not in (each.trial, leg.trial)
            for key in each.session
            for user in users[key]
        )
        for each in mine
    )
    return len(mine) >= SEVERAL and known >= RECURRING * len(mine)
