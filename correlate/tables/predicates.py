"""What tables, claims and the verdict ask of one trial. Where it cannot be decided the answer is None."""

from collections.abc import Callable, Iterable

from correlate.dataset import SIDES
from correlate.dimensions.volume import Relayed, Traffic, Volumes
from correlate.findings.cases import NO_ANSWER, Case
from correlate.tables.layout import Row
from correlate.tables.statistics import TRIALS, count, normalised, sorted_out

MATCHED_S = 3.0
UNCOMPARED = "a clock was never compared"
SERVICE_UNKNOWN = "service unknown"


def is_void(case: Case) -> bool:
    """Whether nothing of a trial can be told: the wire shows a conversation that nobody answered."""
    return case.contradiction == NO_ANSWER


def tally(cases: Iterable[Case], holds: Callable[[Case], bool | None]) -> Row:
    """`count`, where trials that are void are undecided, and which trials these are (`sorted_out`)."""
    verdicts = [(case.trial, None if is_void(case) else holds(case)) for case in cases]
    return count(verdicts, lambda of_trial: of_trial[1]) | {TRIALS: sorted_out(verdicts)}


def routed(case: Case, route: str) -> bool | None:
    """Whether the media went by this route, `p2p` or `relay`; None without a conversation."""
    return None if case.call.routing is None else case.call.routing == route


def shares_a_server(case: Case) -> bool | None:
    """Whether both sides used a server at the same time; None where a clock was never compared."""
    shared = case.servers["caller"].shared
    return None if shared is None else bool(shared)


def tells_service(case: Case) -> bool | None:
    """Whether what the wire tells of the service is right; None where it tells nothing, where phones and wire
    contradict each other, and where nobody knows what is right."""
    service = case.service_type["caller"].service
    is_open = service is None or case.contradiction or not case.is_service_known
    return None if is_open else service == case.service


def tells_role(case: Case) -> bool:
    """Whether packet counts tell who called, and rightly."""
    return case.signalling["caller"].calling is True and case.signalling["callee"].calling is False


def shares_user_ids(case: Case) -> bool | None:
    """Whether both traces show a user id; None where what both show is too little, or not all was looked into."""
    user_ids = case.signalling["caller"].user_ids
    return None if user_ids is None else bool(user_ids)


def media_bytes_per_s(case: Case) -> float | None:
    """The media rate of the side that has the higher one; None without media."""
    rates = [case.service_type[side].media_bytes_per_s for side in SIDES]
    return max((rate for rate in rates if rate is not None), default=None)


def duration_difference_s(case: Case, rule: str) -> float | None:
    """How far the durations of both sides' sessions under a rule differ; None where a side has none."""
    caller_ns, callee_ns = (case.duration[side].under(rule).duration_ns for side in SIDES)
    return None if caller_ns is None or callee_ns is None else abs(caller_ns - callee_ns) / 1e9


def packet_difference(case: Case, counted: Callable[[Volumes], Relayed | Traffic]) -> float | None:
    """How far both sides' packets differ, normalised; None where they are not known or not those of the wire."""
    volumes = [counted(case.volume[side]) for side in SIDES]
    caller, callee = (both_ways(each.tx_packets, each.rx_packets) for each in volumes)
    return None if caller is None or callee is None or is_above_mtu(case) else normalised(caller, callee)


def both_ways(tx: int | None, rx: int | None) -> int | None:
    """Sent plus received; None where one is not known."""
    return None if tx is None or rx is None else tx + rx


def is_above_mtu(case: Case) -> bool:
    """Whether a capture holds UDP frames above the MTU: its packets are not those of the wire."""
    return any(case.volume[side].above_mtu for side in SIDES)


def is_captured_twice(case: Case) -> bool:
    """Whether a capture shows so many datagrams a second time that its volumes are not those of the wire."""
    return any(case.volume[side].captured_twice for side in SIDES)
