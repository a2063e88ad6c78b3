"""What each of the six dimensions found in one trial, in a line, with the reason of what is undecided."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from correlate.dataset import SIDES
from correlate.dimensions.duration import Timing
from correlate.dimensions.endpoints import ROLES, Endpoint
from correlate.findings.cases import Case
from correlate.tables.layout import plain_text

UNDECIDED = "undecided"
MOST_LISTED = 3
MOST_NAME = 60
MOST_REASON = 140


@dataclass(frozen=True)
class Outcome:
    """What one dimension found, in words, and why something of it is undecided; empty where nothing is."""

    dimension: str
    text: str
    why: str

    def __str__(self) -> str:
        return f"{self.text}. Why: {self.why}" if self.why else self.text


def outcomes(case: Case) -> tuple[Outcome, ...]:
    """Six of them, in the order of the paper."""
    return (_endpoints(case), _servers(case), _duration(case), _volume(case), _service(case), _signalling(case))


def given_away(case: Case) -> list[str]:
    """What of which phone is given away, and when it is first seen: `caller public (before the answer)`."""
    return [
        f"{side} {role}{_when(case.endpoints[side], role)}"
        for side in SIDES
        for role, seen in case.endpoints[side].exposed.items()
        if seen
    ]


def _when(endpoint: Endpoint, role: str) -> str:
    answers = {each.answer for each in endpoint.seen if each.role == role}
    first = next((each for each in ("before", "at", "after") if each in answers), None)
    return f" ({first} the answer)" if first else ""


def _endpoints(case: Case) -> Outcome:
    exposed = {(side, role): case.endpoints[side].exposed[role] for side in SIDES for role in ROLES}
    hidden = [f"{side} {role}" for (side, role), seen in exposed.items() if seen is False]
    doubtful = [f"{side} {role}" for (side, role), seen in exposed.items() if seen is None]
    groups = {"given away": given_away(case), "not seen": hidden, UNDECIDED: doubtful}
    parts = [f"{word}: {', '.join(found)}" for word, found in groups.items() if found]
    route = case.call.routing or ("no conversation" if case.call.established is False else UNDECIDED)
    columns = [f"exposed_{role}" for _, role in exposed]
    why = _why([case.endpoints[side].reasons for side in SIDES], columns) if doubtful else ""
    if route == UNDECIDED:
        why = why or _why([case.call.reasons], ["routing"])
    return Outcome("endpoints", "; ".join([*parts, f"route: {route}"]), why)


def _servers(case: Case) -> Outcome:
    caller, callee = (case.servers[side] for side in SIDES)
    text = f"caller {len(caller.servers)}, callee {len(callee.servers)}"
    if caller.shared is None:
        return Outcome("servers", f"{text}; shared {UNDECIDED}", _why([caller.reasons], ["shared"]))
    named = [each.name or each.address for each in caller.shared]
    return Outcome("servers", f"{text}; shared {len(named)}{_listed(named)}", "")


def _duration(case: Case) -> Outcome:
    caller, callee = (case.duration[side] for side in SIDES)
    relayed = _compared("longest with a server", caller.longest_relay, callee.longest_relay)
    direct = _compared("direct", caller.p2p, callee.p2p) if caller.p2p.duration_ns or callee.p2p.duration_ns else ""
    is_short = caller.longest_relay.duration_difference_ns is None
    why = _why([caller.reasons, callee.reasons], ["longest_relay_duration_difference_ns"]) if is_short else ""
    return Outcome("duration", "; ".join(filter(None, (relayed, direct))), why)


def _compared(word: str, caller: Timing, callee: Timing) -> str:
    text = f"{word}: caller {_s(caller.duration_ns)}, callee {_s(callee.duration_ns)}"
    if (difference_ns := caller.duration_difference_ns) is None:
        return text
    within = {True: ", within the clocks' bound", False: "", None: ""}[caller.duration_within_bound]
    return f"{text}, difference {difference_ns / 1e9:+.3f} s{within}"


def _volume(case: Case) -> Outcome:
    media = [(side, case.volume[side].media) for side in SIDES]
    parts = [f"{side} sent {_count(each.tx_packets)}, received {_count(each.rx_packets)}" for side, each in media]
    is_open = any(None in (each.tx_packets, each.rx_packets) for _, each in media)
    reasons = [case.volume[side].reasons for side in SIDES]
    why = _why(reasons, ["media_tx_packets", "media_rx_packets"]) if is_open else ""
    return Outcome("volume", f"media packets: {'; '.join(parts)}", why)


def _service(case: Case) -> Outcome:
    found = case.service_type["caller"]
    if found.service is None:
        return Outcome("service", UNDECIDED, _why([found.reasons], ["service_found"]))
    return Outcome("service", f"{found.service}, by {found.rule}" if found.rule else found.service, "")


def _signalling(case: Case) -> Outcome:
    caller = case.signalling["caller"]
    calling = [side for side in SIDES if case.signalling[side].calling]
    ids = UNDECIDED if caller.user_ids is None else f"{len(caller.user_ids)}{_listed(caller.user_ids)}"
    columns = ["user_ids"] if caller.user_ids is None else []
    columns += [] if calling else ["calling"]
    text = f"user ids on both sides: {ids}; calling leg: {calling[0] if calling else UNDECIDED}"
    clear = [each for side in SIDES for each in case.signalling[side].identifier_in_clear or ()]
    text += f"; in clear{_listed(clear)}" if clear else ""
    return Outcome("signalling", text, _why([caller.reasons], columns))


def _listed(found: tuple[str, ...] | list[str]) -> str:
    if not found:
        return ""
    more = f" and {len(found) - MOST_LISTED} more" if len(found) > MOST_LISTED else ""
    return f": {', '.join(plain_text(each)[:MOST_NAME] for each in found[:MOST_LISTED])}{more}"


def _why(reasons: list[Mapping[str, str]], columns: list[str]) -> str:
    found = dict.fromkeys(each[column] for each in reasons for column in columns if each.get(column))
    return "; ".join(_bounded(found))


def _bounded(found: Mapping[str, None]) -> Iterator[str]:
    for text in map(plain_text, found):
        yield text if len(text) <= MOST_REASON else f"{text[: MOST_REASON - 1]}…"


def _s(duration_ns: int | None) -> str:
    return "none" if duration_ns is None else f"{duration_ns / 1e9:.2f} s"


def _count(number: int | None) -> str:
    return UNDECIDED if number is None else str(number)
