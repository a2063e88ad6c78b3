"""The truth of one attempt, from what the senders of all frames meant.

The rules are those of the findings (DESIGN, "Truth" and "Addresses"; paper 4.1-4.6), applied to meanings, not to bytes.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any, Literal

from lab.virtual.handset.exchange import Call
from lab.virtual.network.addresses import Address, folded
from lab.virtual.network.datagrams import Integers
from lab.virtual.network.meaning import Meaning, Server

_CONVERSATION_PACKETS = 100
_VIDEO_BYTES_PER_S = 20_000
_CALLER_AT_LEAST = 10
_ROLE_SESSIONS = 3

Side = Literal["caller", "callee"]
Word = Literal["begin", "end"]
WORDS: tuple[Word, ...] = ("begin", "end")


@dataclass(frozen=True)
class Row:
    """Frames of one meaning: how many datagrams, their payload bytes, first and last instant.

    Over TCP it is messages and their bytes as framed: ChannelData with its header and padding (RFC 8656 section 12.5).
    """

    meaning: Meaning
    packets: int
    payload_bytes: int
    first_ns: int
    last_ns: int


@dataclass(frozen=True)
class ClockTruth:
    """How wrong a clock was at its first and last reading, and its drift."""

    before_ns: int | None
    after_ns: int | None
    drift_ppm: float

    def as_json(self) -> dict[str, Any]:
        """The fields of `clocks` in the truth."""
        return {"offset_before_ns": self.before_ns, "offset_after_ns": self.after_ns, "drift_ppm": self.drift_ppm}


@dataclass
class Notes:
    """The notes of one phone's wire."""

    interface: frozenset[Address]
    probed: set[Address] = field(default_factory=set)
    markers: list[tuple[str, str, int, int]] = field(default_factory=list)
    singles: list[tuple[int, Meaning, int, int, int]] = field(default_factory=list)
    batches: list[tuple[Integers, Meaning, Integers, Integers, Integers]] = field(default_factory=list)

    def between(self) -> tuple[int, float]:
        """The positions of the first `begin` and the last `end` of the nonce that began last; all without markers."""
        begins, ends = self._marked("begin"), self._marked("end")
        return (begins[0][0] if begins else -1), (ends[-1][0] if ends else float("inf"))

    def marked_ns(self, word: Word) -> int | None:
        """When the first `begin` and the last `end` of that nonce passed; None where none did."""
        found = self._marked(word)
        return found[0 if word == "begin" else -1][1] if found else None

    def _marked(self, word: Word) -> list[tuple[int, int]]:
        """Position and instant of these markers of the nonce that began last, in their order on the wire."""
        begun = [nonce for nonce, each, _, _ in self.markers if each == "begin"]
        last = begun[-1] if begun else None
        return sorted((at, ns) for nonce, each, at, ns in self.markers if each == word and nonce == last)

    def rows(self) -> list[Row]:
        """What passed between the markers."""
        low, high = self.between()
        rows = [Row(m, count, size, time, time) for at, m, time, size, count in self.singles if low < at < high]
        for positions, meaning, times, sizes, counts in self.batches:
            inside = (positions > low) & (positions < high)
            if inside.any():
                seen = times[inside]
                count, size = int(counts[inside].sum()), int(sizes[inside].sum())
                rows.append(Row(meaning, count, size, int(seen.min()), int(seen.max())))
        return rows


class _SideFacts:
    """One side of a call: its rows, servers, addresses and media."""

    def __init__(self, notes: Notes) -> None:
        self.rows = notes.rows()
        mapped = {folded(row.meaning.mapped) for row in self.rows if row.meaning.mapped is not None}
        self.public = mapped | notes.probed
        self.private = notes.interface - self.public
        listed = {row.meaning.server for row in self.rows if row.meaning.server is not None and row.meaning.marks}
        self.servers = sorted(listed, key=lambda server: (str(server.address), server.port))
        self.own = self.public | self.private

    def of(self, server: Server) -> list[Row]:
        return [row for row in self.rows if row.meaning.server == server]

    def sessions(self, port: int | None = None) -> list[tuple[int, int]]:
        """Packets and payload bytes of each session."""
        return [
            (sum(row.packets for row in rows), sum(row.payload_bytes for row in rows))
            for rows in (self.of(server) for server in self.servers if port in (None, server.port))
        ]

    def span(self, server: Server) -> tuple[int, int]:
        rows = self.of(server)
        return min(row.first_ns for row in rows), max(row.last_ns for row in rows)

    def media(self, other: _SideFacts) -> list[Row]:
        """Rows of media, to servers of the call and between the phones."""
        return [
            row
            for row in self.rows
            if row.meaning.is_media and row.packets and (row.meaning.server in self.servers or self.direct(row, other))
        ]

    def direct(self, row: Row, other: _SideFacts) -> bool:
        return row.meaning.peer is not None and folded(row.meaning.peer.address) in other.own


def _counters(rows: list[Row]) -> dict[str, int]:
    tx = [row for row in rows if row.meaning.outgoing]
    rx = [row for row in rows if not row.meaning.outgoing]
    return {
        "tx_packets": sum(row.packets for row in tx),
        "rx_packets": sum(row.packets for row in rx),
        "tx_payload_bytes": sum(row.payload_bytes for row in tx),
        "rx_payload_bytes": sum(row.payload_bytes for row in rx),
    }


def call_truth(call: Call) -> dict[str, Any]:
    """One call of the attempt as the operator knows it, as JSON; instants are bench time."""
    return {
        "app": call.app.name,
        "service": call.service,
        "services": list(call.services),
        "caller": call.caller,
        "callee": call.callee,
        "placed_ns": call.placed_ns,
        "rung_ns": call.rung_ns,
        "answered_ns": call.answered_ns,
        "ended_ns": call.ended_ns,
        "ended_by": call.ended_by,
    }


def truth(call: Call | None, notes: dict[str, Notes], clocks: dict[str, ClockTruth]) -> dict[str, Any]:
    """All fields but `trial`, `attempt` and `capture_restarts`."""
    if call is None:
        return _nothing() | {"clocks": {"caller": None, "callee": None, "laptop": clocks["laptop"].as_json()}}
    caller, callee = _SideFacts(notes[call.caller]), _SideFacts(notes[call.callee])
    media = {"caller": caller.media(callee), "callee": callee.media(caller)}
    counters = {side: _counters(rows) for side, rows in media.items()}
    least = min(counter[key] for counter in counters.values() for key in ("tx_packets", "rx_packets"))
    established = least >= _CONVERSATION_PACKETS
    sides = {"caller": call.caller, "callee": call.callee, "laptop": "laptop"}
    return {
        "observed_scenario": call.scenario,
        "caller": call.caller,
        "established": established,
        "routing": _routing(media["caller"] + media["callee"]) if established else None,
        "p2p_observed": _both_ways(caller, callee) or _both_ways(callee, caller),
        "service": _service(media) if established else _unanswered_service(call, caller, callee),
        "role": _role(call, caller, callee),
        "exposed": _exposed(call, caller, callee),
        "servers": _servers(caller, callee),
        "user_ids": _user_ids(call, caller, callee),
        "media": counters,
        "clocks": {side: clocks[who].as_json() for side, who in sides.items()},
    }


def _nothing() -> dict[str, Any]:
    nobody = dict.fromkeys(("observed_scenario", "caller"), None)
    return nobody | {
        "established": False,
        "routing": None,
        "p2p_observed": False,
        "service": None,
        "role": None,
        "exposed": dict.fromkeys(("caller_public", "caller_private", "callee_public", "callee_private"), False),
        "servers": {"caller": [], "callee": [], "shared": []},
        "user_ids": [],
        "media": {"caller": _counters([]), "callee": _counters([])},
    }


def _routing(media: list[Row]) -> str:
    direct = sum(row.payload_bytes for row in media if row.meaning.peer is not None)
    return "p2p" if 2 * direct >= sum(row.payload_bytes for row in media) else "relay"


def _both_ways(side: _SideFacts, other: _SideFacts) -> bool:
    found = {(row.meaning.peer, row.meaning.outgoing) for row in side.rows if side.direct(row, other)}
    return any((peer, not outgoing) in found for peer, outgoing in found)


def _service(media: dict[str, list[Row]]) -> str:
    fastest = 0.0
    for rows in media.values():
        span_ns = max(row.last_ns for row in rows) - min(row.first_ns for row in rows)
        counters = _counters(rows)
        most = max(counters["tx_payload_bytes"], counters["rx_payload_bytes"])
        fastest = max(fastest, most * 1e9 / max(span_ns, 1))
    return "video" if fastest >= _VIDEO_BYTES_PER_S else "voice"


def _unanswered_service(call: Call, caller: _SideFacts, callee: _SideFacts) -> str | None:
    comparable = [sessions for sessions in (caller.sessions(), callee.sessions()) if len(sessions) > 1]
    if call.app.network.identical_unanswered is None or not comparable:
        return None
    return "voice" if any(len(set(sessions)) == 1 for sessions in comparable) else None


def _closest(side: _SideFacts, port: int) -> tuple[int, int] | None:
    """Packet counts of the two sessions on that port that are closest in packets."""
    counts = sorted(packets for packets, _ in side.sessions(port))
    if len(counts) < _ROLE_SESSIONS:
        return None
    return min(itertools.pairwise(counts), key=lambda pair: pair[1] - pair[0])


def _role(call: Call, caller: _SideFacts, callee: _SideFacts) -> Side | None:
    port = next((relay.port for relay in call.app.network.relays if relay.purpose == "secondary"), None)
    if port is None:
        return None
    of_caller, of_callee = _closest(caller, port), _closest(callee, port)
    if of_caller is None or of_callee is None:
        return None
    if min(of_caller) >= _CALLER_AT_LEAST > max(of_callee):
        return "caller"
    return "callee" if min(of_callee) >= _CALLER_AT_LEAST > max(of_caller) else None


def _exposed(call: Call, caller: _SideFacts, callee: _SideFacts) -> dict[str, bool | None]:
    """What one side's wire shows of the other. An address that both have tells nobody whose it is there."""

    def shown(side: _SideFacts, owner: str) -> set[Address]:
        return {folded(address) for row in side.rows for who, address in row.meaning.shows if who == owner}

    def private(side: _SideFacts, owner: str, addresses: frozenset[Address]) -> bool | None:
        found = shown(side, owner) & addresses
        return True if found - side.own else None if found else False

    return {
        "caller_public": bool(shown(callee, call.caller) & caller.public),
        "caller_private": private(callee, call.caller, caller.private),
        "callee_public": bool(shown(caller, call.callee) & callee.public),
        "callee_private": private(caller, call.callee, callee.private),
    }


def _servers(caller: _SideFacts, callee: _SideFacts) -> dict[str, list[dict[str, Any]]]:
    def entry(server: Server) -> dict[str, Any]:
        return {"address": str(server.address), "port": server.port, "name": server.name}

    shared = [
        server for server in caller.servers if any(_same(server, caller, other, callee) for other in callee.servers)
    ]
    return {
        "caller": [entry(server) for server in caller.servers],
        "callee": [entry(server) for server in callee.servers],
        "shared": [entry(server) for server in shared],
    }


def _same(server: Server, caller: _SideFacts, other: Server, callee: _SideFacts) -> bool:
    if (server.host, server.port) != (other.host, other.port):
        return False
    first, last = caller.span(server)
    other_first, other_last = callee.span(other)
    return first <= other_last and other_first <= last


def _user_ids(call: Call, caller: _SideFacts, callee: _SideFacts) -> list[str]:
    ids = call.app.network.user_ids
    sides = [{found for row in side.rows for found in row.meaning.user_ids} for side in (caller, callee)]
    return sorted(found for found in sides[0] & sides[1] if ids is not None and len(found) == ids.length)
