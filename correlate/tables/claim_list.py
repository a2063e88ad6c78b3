"""What the paper's sections 4.1 to 4.7 claim: of which trials, and how each of these is decided."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from correlate.dataset import SIDES
from correlate.findings.cases import Case
from correlate.findings.sessions import SessionRow
from correlate.pairs.addresses import Role
from correlate.tables import predicates
from correlate.tables.study import Study

P2P_MATCHED_S = 0.5
ASYMMETRIC = 0.1
MIN_SERVERS = 3
EQUAL_S = 1.0
"""How far apart sessions that last equally long may be on one side; Figure 3's three are 0.1 ms apart."""
STUN_PORT = 3478

Verdict = Callable[[Case, Study], bool | None]


@dataclass(frozen=True)
class Claim:
    """One claim: `applies` picks the trials it speaks of, `holds` decides one of them, `rule` says how in words.

    `quantifier` is the paper's; `needs` names the part of an app's analysis without which nothing can be decided,
    `unknown` says of a trial why `holds` is None; one that `is_of_service` compares with the service that was called.
    """

    name: str
    section: str
    rule: str
    applies: Callable[[Case, Study], bool]
    holds: Verdict
    quantifier: Literal["always", "generally"] = "always"
    needs: str = ""
    unknown: Callable[[Case], str] = lambda case: case.contradiction or "the wire does not tell"
    is_of_service: bool = False


def _always(case: Case, study: Study) -> bool:
    return True


def _answered(case: Case, study: Study) -> bool:
    return case.is_conversation is True


def _unanswered(case: Case, study: Study) -> bool:
    return case.is_conversation is False


def _caller_is(number: int) -> Callable[[Case, Study], bool]:
    return lambda case, study: case.is_conversation is True and study.device(case.phones["caller"]) == number


def _all(verdicts: Iterable[bool | None]) -> bool | None:
    """No where one is no; undecided where another could still be one."""
    known = list(verdicts)
    return False if False in known else None if None in known else True


def _exposed(case: Case) -> list[tuple[Role, bool | None]]:
    return [exposed for side in SIDES for exposed in case.endpoints[side].exposed.items()]


def _all_exposed(case: Case, study: Study) -> bool | None:
    return _all(is_seen for _, is_seen in _exposed(case))


def _only_public(case: Case, study: Study) -> bool | None:
    return _all(None if is_seen is None else is_seen == (role == "public") for role, is_seen in _exposed(case))


def _if_relayed(holds: Verdict) -> Verdict:
    """`holds` of a conversation whose route is known; one whose route is not may be relayed or not."""
    return lambda case, study: None if case.call.routing is None else holds(case, study)


def _maybe_relayed(case: Case, study: Study) -> bool:
    return case.is_conversation is True and predicates.routed(case, "p2p") is not True


def _equal_sessions(case: Case, study: Study) -> bool:
    return all(_as_long_as_the_longest(case, side) >= MIN_SERVERS for side in SIDES)


def _as_long_as_the_longest(case: Case, side: str) -> int:
    """How many sessions with servers one side has that last as long as its longest one."""
    durations_s = [each.duration_ns / 1e9 for each in case.sessions[side] if each.kind == "server"]
    return sum(max(durations_s) - each <= EQUAL_S for each in durations_s)


def _identical_at_voice_caller(case: Case, study: Study) -> bool | None:
    """Identical at the caller of a voice call; at no other side of a voice or video call."""
    caller, callee = (case.service_type[side].sessions_identical for side in SIDES)
    if caller is None or callee is None or not case.is_service_known:
        return None
    return caller is (case.service == "voice") and not callee


def _uses_stun_port(case: Case, study: Study) -> bool:
    return all(any(_is_on_stun_port(each) for each in case.sessions[side]) for side in SIDES)


def _is_on_stun_port(session: SessionRow) -> bool:
    ports = [each.rsplit(" ", 1)[1] for each in session.remote.split(", ")]
    return session.kind == "server" and session.transport != "tcp" and str(STUN_PORT) in ports


def _ipv6_majority(case: Case, study: Study) -> bool | None:
    used = next(case.servers[side] for side in SIDES if study.device(case.phones[side]) == 1)
    four, six = used.ipv4_payload_bytes, used.ipv6_payload_bytes
    return six > four if four + six else None


def _matched(case: Case, study: Study) -> bool:
    """A trial without two sessions to compare has no pair that matches."""
    difference_s = predicates.duration_difference_s(case, "best_match")
    return difference_s is not None and difference_s <= predicates.MATCHED_S


def _p2p_matched(case: Case, study: Study) -> bool | None:
    difference_s = predicates.duration_difference_s(case, "p2p")
    return None if difference_s is None else difference_s <= P2P_MATCHED_S


def _asymmetric(case: Case, study: Study) -> bool | None:
    difference = predicates.packet_difference(case, lambda volumes: volumes.relayed)
    return None if difference is None else difference > ASYMMETRIC


def _symmetric(case: Case, study: Study) -> bool | None:
    difference = predicates.packet_difference(case, lambda volumes: volumes.longest_relay)
    return None if difference is None else difference <= ASYMMETRIC


def _why_no_service(case: Case) -> str:
    known = case.contradiction or "the wire does not tell"
    return known if case.is_service_known else predicates.SERVICE_UNKNOWN


def _louder(case: Case, study: Study) -> bool | None:
    """Whether a video trial carries more than every voice trial of its app, scenario and direction; where a rate is not
    known a louder voice trial still says no."""
    peers = study.select(app=case.app, scenario=case.scenario, direction=case.direction, service="voice")
    voices = [predicates.media_bytes_per_s(voice) for voice in peers if voice.is_conversation]
    rate = predicates.media_bytes_per_s(case)
    if not voices or rate is None:
        return None
    return _all(None if voice is None else rate > voice for voice in voices)


CLAIMS = (
    Claim(
        "no_disclosure_before_answer", "4.1",
        "unanswered: no address of either phone in the other's trace, nothing unexplained in STUN",
        _unanswered, lambda case, study: case.call.no_disclosure,
    ),
    Claim(
        "caller_exposed_before_answer", "4.1",
        "unanswered: the caller's public and private address are visible in the callee's trace",
        _unanswered, lambda case, study: _all(case.endpoints["caller"].exposed.values()),
    ),
    Claim(
        "all_addresses_exposed", "4.1", "conversation: public and private addresses of both are visible to the other",
        _answered, _all_exposed,
    ),
    Claim(
        "only_public_addresses_exposed", "4.1",
        "conversation: public addresses of both are visible to the other, private ones of neither",
        _answered, _only_public,
    ),
    Claim(
        "p2p_and_all_exposed_when_device_1_calls", "4.1",
        "conversation that device 1 began: the media go directly, and all addresses of both are visible to the other",
        _caller_is(1), lambda case, study: _all([predicates.routed(case, "p2p"), _all_exposed(case, study)]),
        "generally",
    ),
    Claim(
        "relayed_and_concealed_when_device_2_calls", "4.1",
        "conversation that device 2 began: the media are relayed, and no address of either is in the other's trace",
        _caller_is(2), lambda case, study: _all([predicates.routed(case, "relay"), case.call.no_disclosure]),
        "generally",
    ),
    Claim(
        "all_addresses_exposed_when_relayed", "4.1",
        "conversation whose media are relayed: public and private addresses of both are visible to the other; one "
        "whose route is undecided counts as undecided",
        _maybe_relayed, _if_relayed(_all_exposed),
    ),
    Claim(
        "only_public_addresses_exposed_when_relayed", "4.1",
        "conversation whose media are relayed: public addresses of both are visible to the other, private ones of "
        "neither; one whose route is undecided counts as undecided",
        _maybe_relayed, _if_relayed(_only_public), "generally",
    ),
    Claim(
        "three_udp_servers", "4.2", f"each side talks to at least {MIN_SERVERS} distinct server addresses of the call",
        _always, lambda case, study: all(side.server_addresses >= MIN_SERVERS for side in case.servers.values()),
        "generally",
    ),
    Claim(
        "shared_server", "4.2", "a server, or its twin, on the same port is used by both sides at the same time",
        _always, lambda case, study: predicates.shares_a_server(case), unknown=lambda case: predicates.UNCOMPARED,
    ),
    Claim(
        "ipv6_majority_on_device_1", "4.2", "on device 1 most payload to and from servers goes to IPv6 addresses",
        lambda case, study: 1 in map(study.device, case.phones.values()), _ipv6_majority, "generally",
    ),
    Claim(
        "duration_matched_session", "4.3",
        f"the best matching pair of sessions (best_match) differs by at most {predicates.MATCHED_S:g} s",
        _always, _matched,
    ),
    Claim(
        "three_equal_sessions", "4.3",
        f"on each side at least {MIN_SERVERS} sessions with servers last as long as the longest, within {EQUAL_S:g} s",
        _always, _equal_sessions, "generally",
    ),
    Claim(
        "p2p_duration_matched", "4.3",
        f"where both sides have a direct session (p2p), its durations differ by at most {P2P_MATCHED_S:g} s",
        lambda case, study: _p2p_matched(case, study) is not None, _p2p_matched,
    ),
    Claim(
        "asymmetry_before_answer", "4.4",
        f"unanswered: packets of all relayed sessions together differ by more than {ASYMMETRIC:g}, normalised",
        _unanswered, _asymmetric, "generally",
    ),
    Claim(
        "symmetry_in_conversation", "4.4",
        f"conversation: packets of the longest relayed session differ by at most {ASYMMETRIC:g}, normalised",
        _answered, _symmetric, "generally",
    ),
    Claim(
        "service_told_before_answer", "4.5", "unanswered: the wire tells voice from video, and rightly",
        _unanswered, lambda case, study: predicates.tells_service(case),
        needs="unanswered_service", unknown=_why_no_service, is_of_service=True,
    ),
    Claim(
        "identical_sessions_at_the_voice_caller_alone", "4.5",
        "unanswered: all sessions with servers have the same packets and bytes at the caller of a voice call, and at "
        "no callee nor the caller of a video call",
        _unanswered, _identical_at_voice_caller, unknown=_why_no_service, is_of_service=True,
    ),
    Claim(
        "service_told_in_conversation", "4.5",
        "conversation: the wire (RTP, or the media rate) tells voice from video, and rightly",
        _answered, lambda case, study: predicates.tells_service(case), unknown=_why_no_service, is_of_service=True,
    ),
    Claim(
        "video_louder_than_voice", "4.5",
        "conversation: a video call's media rate is above that of every voice call of its app, scenario and direction",
        lambda case, study: case.is_conversation is True and case.service == "video", _louder,
        is_of_service=True,
    ),
    Claim(
        "role_told_by_packet_counts", "4.6",
        "the two closest sessions have 10 packets or more at the caller and fewer at the callee (the app's role rule)",
        _always, lambda case, study: predicates.tells_role(case), "generally", needs="role",
    ),
    Claim(
        "same_user_ids", "4.6", "at least one ICE fragment of a STUN USERNAME is in both traces",
        _always, lambda case, study: predicates.shares_user_ids(case),
    ),
    Claim(
        "port_3478_on_both_sides", "4.7", f"each side uses a server of the call on UDP port {STUN_PORT}",
        _always, _uses_stun_port,
    ),
)  # fmt: skip
