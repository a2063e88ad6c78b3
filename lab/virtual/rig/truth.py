"""The truth of a rig's attempt: from the operator, session descriptions, candidates, getStats and coturn's log.

No packet is looked at. What none of these witnesses can tell is null; where two of them disagree, `contradictions` has
it. W3C "Identifiers for WebRTC's Statistics API" names the fields of getStats.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from lab.definitions.base import Role
from lab.definitions.virtual_app import VirtualApp
from lab.virtual.network.addresses import Address
from lab.virtual.rig.calls import OTHER, SIDES, End, RigCall
from lab.virtual.rig.coturn import Relayed

_URL = re.compile(r"turns?:\[?([0-9a-fA-F.:]+?)\]?:(\d+)\?transport=(?:udp|tcp)")
_UFRAG = re.compile(r"a=ice-ufrag:(\S+)")
CONVERSATION_PACKETS = 100
Statistics = Sequence[Mapping[str, Any]]
Addresses = Mapping[str, tuple[frozenset[Address], frozenset[Address]]]
"""Private and public addresses of each phone."""


def of_type(statistics: Statistics, *types: str) -> list[Mapping[str, Any]]:
    return [one for one in statistics if one["type"] in types]


def selected(statistics: Statistics) -> dict[str, Any] | None:
    """The candidate pair that carried the call, with the types of its two candidates; None without one."""
    by_id = {one["id"]: one for one in statistics}
    transport = next(iter(of_type(statistics, "transport")), {})
    pair = by_id.get(transport.get("selectedCandidatePairId", ""))
    if pair is None:
        return None
    local, remote = by_id.get(pair["localCandidateId"], {}), by_id.get(pair["remoteCandidateId"], {})
    return {
        "local": local.get("candidateType"),
        "remote": remote.get("candidateType"),
        "protocol": local.get("relayProtocol", local.get("protocol")),
        "sent": pair.get("packetsSent"),
        "received": pair.get("packetsReceived"),
    }


def ids(end: End) -> list[str]:
    """The username fragments of an end's own description."""
    return sorted(set(_UFRAG.findall(end.sdp or "")))


def checked(end: End) -> bool:
    """Whether a connectivity check passed this end's interface: it sent some, or some reached it. Pairs that failed are
    no longer in the last statistics; what was sent on them was seen before."""
    pairs = of_type(end.statistics, "candidate-pair")
    return bool(end.checked) or any(pair.get("requestsSent", 0) or pair.get("requestsReceived", 0) for pair in pairs)


def parts(candidate: str) -> tuple[Address | None, int, str]:
    """Address (None for a name), port and type of a candidate attribute (RFC 8839 section 5.1)."""
    words = candidate.split()
    try:
        address = ip_address(words[4])
    except ValueError:
        address = None
    return address, int(words[5]), words[words.index("typ") + 1]


def relays(end: End) -> dict[str, tuple[Address, int]]:
    """The servers that gave this end a relayed candidate, by URL."""
    urls = {url for candidate, url in end.gathered.items() if url and parts(candidate)[2] == "relay"}
    return {url: server for url in sorted(urls) if (server := _server(url)) is not None}


def servers(end: End, other: End, relayed: Relayed, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The servers of one end's call, by address and port: those that allocated a relayed address for it, by their log
    and its own word, and relayed addresses of the other end that it checked from an address of its own.

    One that was asked for an address alone is no server of the call: anything may ask one.
    """
    found = {*relayed.asked, *relays(end).values()}
    theirs = {(str(address), port) for address, port, kind in map(parts, other.gathered) if kind == "relay"}
    found |= {(ip_address(a), port) for own, a, port in end.checked if own != "relay" and (a, port) in theirs}
    listed = sorted(found, key=lambda server: (str(server[0]), server[1]))
    return [{"address": str(a), "port": port, "name": names.get(str(a))} for a, port in listed]


def shared(app: VirtualApp, caller: list[dict[str, Any]], callee: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The caller's servers whose host and port the callee has too; IPv4 and IPv6 of one relay are one host."""
    hosts = {str(a): index for index, one in enumerate(app.network.relays) for a in (one.ipv4, one.ipv6) if a}

    def host(server: Mapping[str, Any]) -> tuple[object, int]:
        return hosts.get(server["address"], server["address"]), server["port"]

    there = {host(server) for server in callee}
    return [server for server in caller if host(server) in there]


def shown(end: End) -> set[Address]:
    """The addresses of the other end that this one was given, and so checked or asked its relay to permit."""
    return {address for address, _, _ in map(parts, end.taken) if address is not None}


def exposed(call: RigCall, addresses: Addresses) -> dict[str, bool]:
    """Whether the other side was given a private or a public address of each side."""
    phones = {"caller": call.call.caller, "callee": call.call.callee}
    found: dict[str, bool] = {}
    for side in SIDES:
        private, public = addresses[phones[side]]
        given = shown(call.ends[OTHER[side]])
        found |= {f"{side}_public": bool(given & public), f"{side}_private": bool(given & private)}
    return found


def media(end: End) -> dict[str, int | None]:
    """What the browser's transport sent and received, checks left out: RTP, RTCP and DTLS, as one datagram each.

    Bytes are null: the browser counts them without the framing of a relay.
    """
    transport = next(iter(of_type(end.statistics, "transport")), {})
    packets = {"tx_packets": transport.get("packetsSent", 0), "rx_packets": transport.get("packetsReceived", 0)}
    return packets | {"tx_payload_bytes": None, "rx_payload_bytes": None}


def both_ways(statistics: Statistics) -> bool:
    """Whether a check between two addresses that are not a relay's was answered."""
    by_id = {one["id"]: one for one in statistics}
    for pair in of_type(statistics, "candidate-pair"):
        kinds = [by_id.get(pair[name], {}).get("candidateType") for name in ("localCandidateId", "remoteCandidateId")]
        if "relay" not in kinds and pair.get("responsesReceived", 0):
            return True
    return False


def browser(end: End) -> dict[str, Any]:
    """What one browser says of its end."""
    return {
        "version": end.version,
        "opened_ns": end.opened_ns,
        "gathering_ns": end.gathering_ns,
        "ice_ns": end.ice_ns,
        "connected_ns": end.connected_ns,
        "closing_ns": end.closing_ns,
        "closed_ns": end.closed_ns,
        "candidates": list(end.gathered),
        "relays": list(relays(end)),
        "taken": end.taken,
        "pair": selected(end.statistics),
    }


def truth(
    call: RigCall | None, addresses: Addresses, relayed: Mapping[Role, Relayed], names: Mapping[str, str]
) -> dict[str, Any]:
    """The fields of the truth but `trial`, `attempt`, `clocks` and `capture_restarts`; `rig` has the witnesses."""
    if call is None:
        return {"observed_scenario": None, "caller": None, "established": False, "rig": {"failures": []}}
    app, ends = call.call.app, call.ends
    assert app.rig is not None
    pairs = {side: selected(end.statistics) for side, end in ends.items()}
    established = call.call.answered_ns is not None and call.connected and all(pairs.values())
    listed = {side: servers(end, ends[OTHER[side]], relayed[side], names) for side, end in ends.items()}
    unplayed = {one.field: one.reason for one in app.rig.unplayed}
    return {
        "observed_scenario": call.call.scenario,
        "caller": call.call.caller,
        "established": established,
        "routing": routing(pairs.values()) if established else None,
        "p2p_observed": any(both_ways(end.statistics) for end in ends.values()),
        "service": call.call.service if established else None,
        "role": None,
        "exposed": exposed(call, addresses),
        "servers": listed | {"shared": shared(app, listed["caller"], listed["callee"])},
        "user_ids": user_ids(call, app),
        "media": {side: media(end) for side, end in ends.items()},
        "rig": {
            "unplayed": unplayed,
            "failures": call.failures,
            "browsers": {side: browser(end) for side, end in ends.items()},
        },
    }


def routing(pairs: Iterable[Mapping[str, Any] | None]) -> str:
    """`relay` where any end of the pair in use is a relay's."""
    kinds = [pair[end] for pair in pairs if pair is not None for end in ("local", "remote")]
    return "relay" if "relay" in kinds else "p2p"


def user_ids(call: RigCall, app: VirtualApp) -> list[str]:
    """The username fragments that both sides' checks carried; those of the app's length, where it states one."""
    if not all(checked(end) for end in call.ends.values()):
        return []
    found = {one for end in call.ends.values() for one in ids(end)}
    length = app.network.user_ids.length if app.network.user_ids is not None else None
    return sorted(one for one in found if length in (None, len(one)))


def contradictions(found: Mapping[str, Any], relayed: Mapping[Role, Relayed]) -> list[str]:
    """Where the browsers and the TURN server say otherwise: whether the server carried the conversation."""
    if not found["established"]:
        carried = [side for side, one in relayed.items() if min(one.from_peers, one.to_peers) >= CONVERSATION_PACKETS]
        return [f"no conversation, and coturn relayed packets both ways for the {side}" for side in carried]
    texts = _of_allocations(found, relayed)
    for side, one in relayed.items():
        pair = found["rig"]["browsers"][side]["pair"]
        is_relayed = 2 * one.to_peers > pair["sent"]
        if is_relayed != (pair["local"] == "relay"):
            texts.append(f"the {side} sent {pair['sent']} packets from a {pair['local']} candidate, coturn: {one}")
    return texts


def _of_allocations(found: Mapping[str, Any], relayed: Mapping[Role, Relayed]) -> list[str]:
    """An end whose browser and TURN servers count allocations otherwise. The servers may know of more: a candidate
    that comes too late is told to nobody. Where the end of one was lost on the way they do not say which one."""
    texts = []
    for side, one in relayed.items():
        urls = found["rig"]["browsers"][side]["relays"]
        named = sum(server in one.asked for server in map(_server, urls))
        if len(urls) - named > one.allocations - len(one.asked):
            texts.append(f"the {side} was given candidates by {', '.join(urls)}, coturn: {one}")
    return texts


def _server(url: str) -> tuple[Address, int] | None:
    matched = _URL.fullmatch(url)
    return None if matched is None else (ip_address(matched[1]), int(matched[2]))


def side_of(phone: str, call: RigCall | None) -> Role | None:
    """The side of a phone in a call."""
    return None if call is None else call.call.role(phone)
