"""One side of a call as an observer of that side's network sees it, and the calls of a dataset as two such legs."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from correlate import pairs
from correlate.dataset import Dataset
from correlate.dataset.proven import lacking
from correlate.dataset.record import Analysis, AppEntry
from correlate.dimensions.signalling import fragments
from correlate.errors import CorrelateError
from correlate.pairs import CallPair, Vantage
from correlate.pairs.addresses import is_global_unicast
from correlate.pairs.alone import Alone
from correlate.pairs.window import Amounts, total
from correlate.trace.addresses import Address


@dataclass(frozen=True)
class Leg:
    """What one side shows of a call; nothing of what was asked for, and nothing that only the other side shows.

    Times are the controller's, right to within `bound_ns`; `tx` and `rx` are of the call's conversations, STUN
    included; `media_bytes_per_s` is the faster direction of what is no STUN, 0 in silence. `groups` are those of
    the servers' host names, or their networks; `shown` are addresses in the trace that are not the phone's own. `own`
    and `shown` are global addresses alone: a private, link-local or CG-NAT one (RFC 1918, 4193, 3927, 6598) stands in
    many networks at once, so among strangers it is nobody's; how many share it nobody has measured.
    """

    first_ns: int
    last_ns: int
    bound_ns: int
    tx: Amounts
    rx: Amounts
    media_bytes_per_s: float
    servers: frozenset[str]
    groups: frozenset[str]
    ports: frozenset[int]
    user_ids: frozenset[str]
    own: frozenset[str]
    shown: frozenset[str]


@dataclass(frozen=True)
class Call:
    """Two legs that belong together. `trial` orders, `app` says what is left out of the learning; neither is scored."""

    trial: str
    app: str
    caller: Leg
    callee: Leg

    @property
    def origin_ns(self) -> int:
        """When the first of the two legs begins."""
        return min(self.caller.first_ns, self.callee.first_ns)

    @property
    def duration_s(self) -> float:
        """From the first packet of either leg to the last packet of either."""
        return (max(self.caller.last_ns, self.callee.last_ns) - self.origin_ns) / 1e9


def calls(dataset: Dataset, measured: Mapping[str, CallPair | None] | None = None) -> tuple[list[Call], int]:
    """The complete trials as calls, sorted by trial, and how many of them have no two legs.

    A trial is left out where it cannot be read, where one side shows no conversation of the call or no clock, and where
    the phones' own witnesses did not prove that it is one call and nothing else.
    `measured` has the trials' pairs, None for one that cannot be read; without it the captures are read here.
    """
    trials = sorted(dataset.trial_ids())
    apps, names = dataset.info().apps, dataset.host_names()
    of_trial = {trial: _pair(dataset, trial, apps) for trial in trials} if measured is None else measured
    found = [call for trial in trials if (call := _call(dataset, trial, of_trial.get(trial), names))]
    return found, len(trials) - len(found)


def _pair(dataset: Dataset, trial: str, apps: Mapping[str, AppEntry]) -> CallPair | None:
    try:
        return pairs.load(dataset, trial, apps, {}).without_packets()
    except CorrelateError:
        return None


def _call(dataset: Dataset, trial: str, pair: CallPair | None, names: Mapping[str, str]) -> Call | None:
    if pair is None:
        return None
    record = dataset.record(trial)
    if lacking(record.observed, str(record.asked.service), ()):
        return None
    of_phone = {side.phone: leg(side, pair.analysis, names) for side in (pair.a, pair.b)}
    caller, callee = of_phone[record.sides["caller"].phone], of_phone[record.sides["callee"].phone]
    return Call(trial, record.asked.app, caller, callee) if caller and callee else None


def leg(side: Vantage, analysis: Analysis, names: Mapping[str, str]) -> Leg | None:
    """One side as a leg; None where it shows no conversation of the call, or its clock was never compared."""
    used = side.alone.conversations
    if not used or not side.clock.known:
        return None
    spans = [side.span_ns(each) for each in used]
    servers = frozenset(str(each.remote) for each in used if each.kind == "server")
    return Leg(
        first_ns=min(first for first, _ in spans),
        last_ns=max(last for _, last in spans),
        bound_ns=side.clock.bound_ns,
        tx=total(each.tx for each in used),
        rx=total(each.rx for each in used),
        media_bytes_per_s=media_rate(side.alone),
        servers=servers,
        groups=frozenset(groups(servers, names)),
        ports=frozenset(each.remote_port for each in used if each.kind == "server"),
        user_ids=fragments(side, analysis),
        own=_unique(side.alone.own),
        shown=_unique(side.alone.shown),
    )


def media_rate(side: Alone) -> float:
    """Media payload in bytes/s in the faster direction, from the first to the last media datagram; 0 without."""
    media = [each.media for each in side.conversations]
    first_ns = [each.first.time_ns for each in media if each.first]
    last_ns = [each.last.time_ns for each in media if each.last]
    span_ns = max(last_ns, default=0) - min(first_ns, default=0)
    most_bytes = max(total(way).payload_bytes for way in ([each.tx for each in media], [each.rx for each in media]))
    return round(most_bytes / (span_ns / 1e9), 3) if span_ns > 0 else 0.0


def _unique(found: Iterable[Address]) -> frozenset[str]:
    return frozenset(str(address) for address in found if is_global_unicast(address))


def groups(servers: Iterable[str], names: Mapping[str, str]) -> Iterable[str]:
    """A server's host name without its digits, so that twins fall together; without a name its network (/16, /32)."""
    for server in servers:
        if server in names:
            yield re.sub(r"\d", "", names[server])
        else:
            prefix = 16 if ipaddress.ip_address(server).version == 4 else 32
            yield str(ipaddress.ip_network(f"{server}/{prefix}", strict=False))
