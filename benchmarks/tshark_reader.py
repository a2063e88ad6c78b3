"""What tshark reads of a capture: UDP datagrams and the addresses in their STUN."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any

COLUMNS = [
    "frame.number",
    "frame.time_epoch",
    "frame.len",
    "ip.src",
    "ipv6.src",
    "ip.dst",
    "ipv6.dst",
    "udp.srcport",
    "udp.dstport",
    "udp.length",
    "stun.type",
    "stun.channel",
    "stun.att.type",
    "stun.att.family",
    "stun.att.ipv4",
    "stun.att.ipv6",
    "stun.value",
    "udp.payload",
]
ADDRESSED = {0x0001: "MAPPED", 0x0012: "PEER", 0x0016: "RELAYED", 0x0020: "MAPPED", 0x8023: "ALTERNATE"}
OTHER_ADDRESSES = (0x0002, 0x0004, 0x0005, 0x000B, 0x8020, 0x802B, 0x802C)
"""Attributes with an address, which tshark shows among the others, that the definitions do not speak of."""
INDICATIONS = (0x0016, 0x0017)
NAT64 = ip_network("64:ff9b::/96")
End = tuple[str, int]


@cache
def folded(text: str) -> str:
    """An address in 64:ff9b::/96, or an IPv4-mapped one, is the IPv4 address in it."""
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or (IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else None)
        return str(inner or address)
    return str(address)


@dataclass(frozen=True)
class Datagram:
    """One of UDP, addresses folded. `shown` are the addresses in its STUN, and of nested ones: (attribute, address)."""

    number: int
    time_ns: int
    frame_bytes: int
    source: End
    target: End
    payload_bytes: int
    kind: int | None
    is_turn: bool
    is_media: bool
    shown: tuple[tuple[str, str], ...]
    has_user: bool


@dataclass
class Conversation:
    """Of one side, its own end first."""

    far: End
    datagrams: list[Datagram] = field(default_factory=list)

    @property
    def duration_ns(self) -> int:
        return self.datagrams[-1].time_ns - self.datagrams[0].time_ns

    def payload(self) -> int:
        return sum(each.payload_bytes for each in self.datagrams)


@dataclass
class Side:
    own: dict[str, set[str]]
    datagrams: list[Datagram]
    interface: set[str]
    clock: dict[str, Any] | None
    conversations: list[Conversation] = field(default_factory=list)
    servers: list[Conversation] = field(default_factory=list)
    direct: list[Conversation] = field(default_factory=list)

    def controller(self, time_ns: int) -> float:
        """A time of this capture as the controller's: less the offset, which goes evenly from one reading to the
        other."""
        assert self.clock is not None
        before, after = self.clock["before"], self.clock["after"]
        first, last = before["at_ns"] + before["offset_ns"], after["at_ns"] + after["offset_ns"]
        part = (time_ns - first) / (last - first)
        return float(time_ns - before["offset_ns"] - part * (after["offset_ns"] - before["offset_ns"]))

    def bound(self) -> float:
        assert self.clock is not None
        return float(max(reading["bound_ns"] for reading in self.clock.values() if isinstance(reading, dict)))


def lines(path: Path, ports: Iterable[int]) -> Iterator[list[str]]:
    """The columns of each UDP datagram that tshark finds in a capture; of UDP in ICMP none. What is sent to and from
    these ports is STUN: by itself tshark takes some of it for what the other port is registered for."""
    command = ["tshark", "-n", "-r", str(path), "-Y", "udp && !icmp && !icmpv6", "-T", "fields"]
    command += [part for port in sorted(ports) for part in ("-d", f"udp.port=={port},stun")]
    done = subprocess.run(
        [*command, *(part for column in COLUMNS for part in ("-e", column))], capture_output=True, text=True, check=True
    )
    for line in done.stdout.splitlines():
        yield line.split("\t")


def datagram(cells: list[str]) -> Datagram:
    row = dict(zip(COLUMNS, cells, strict=True))
    seconds, _, fraction = row["frame.time_epoch"].partition(".")
    kind = int(row["stun.type"].split(",")[0], 16) if row["stun.type"] else None
    channel = row["stun.channel"] != ""
    payload = bytes.fromhex(row["udp.payload"])
    if kind is None and not channel and is_stun(payload):  # A method that tshark does not know is STUN as well.
        kind = int.from_bytes(payload[:2])
    inner = bytes.fromhex(row["stun.value"].split(",")[-1]) if kind in INDICATIONS else payload[4:] if channel else b""
    nested = is_stun(inner)
    types = [int(each, 16) for each in row["stun.att.type"].split(",") if each]
    source, target = ((row[f"ip.{end}"] or row[f"ipv6.{end}"]).split(",")[0] for end in ("src", "dst"))
    return Datagram(
        number=int(row["frame.number"]),
        time_ns=int(seconds) * 10**9 + int(fraction.ljust(9, "0")[:9]),
        frame_bytes=int(row["frame.len"]),
        source=(folded(source), int(row["udp.srcport"])),
        target=(folded(target), int(row["udp.dstport"])),
        payload_bytes=int(row["udp.length"]) - 8,
        kind=kind,
        is_turn=channel or kind in INDICATIONS,
        is_media=(kind is None or kind in INDICATIONS) and not nested and (kind is None or inner != b""),
        shown=(*outer_addresses(row, types), *(nested_addresses(inner) if nested else ())),
        has_user=0x0006 in types,
    )


def is_stun(data: bytes) -> bool:
    """By the first byte and the magic cookie (RFC 8489 5)."""
    return len(data) >= 20 and data[0] < 0x40 and data[4:8] == b"\x21\x12\xa4\x42"


def outer_addresses(row: dict[str, str], types: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Those of the message itself: tshark lists attributes, families and addresses, each in their order."""
    families = row["stun.att.family"].split(",")
    of = {"0x01": iter(row["stun.att.ipv4"].split(",")), "0x02": iter(row["stun.att.ipv6"].split(","))}
    kinds = [each for each in types if each in ADDRESSED or each in OTHER_ADDRESSES]
    for kind, family in zip(kinds, families, strict=False):
        address = next(of[family]) if family in of else ""
        if kind in ADDRESSED and address:
            yield ADDRESSED[kind], folded(address)


def nested_addresses(message: bytes) -> Iterator[tuple[str, str]]:
    """Those of a STUN message that is carried (RFC 8489 14)."""
    at = 20
    while at + 4 <= len(message):
        kind, size = int.from_bytes(message[at : at + 2]), int.from_bytes(message[at + 2 : at + 4])
        value = message[at + 8 : at + 4 + size]
        if kind in ADDRESSED and len(value) in (4, 16):
            key = message[4:20] if kind not in (0x0001, 0x8023) else bytes(16)
            yield f"nested {ADDRESSED[kind]}", folded(str(ip_address(bytes(a ^ b for a, b in zip(value, key)))))  # noqa: B905
        at += 4 + size + -size % 4


def between_markers(path: Path, ports: Iterable[int], markers: dict[str, Any] | None) -> list[Datagram]:
    """Strictly between the first begin and the last end marker with the nonce, the harness' own datagrams left out."""
    rows = list(lines(path, ports))
    found = [datagram(row) for row in rows]
    if markers is None:
        return found
    said = [bytes.fromhex(row[-1]).decode(errors="replace") if row[-1] else "" for row in rows]
    own = [text.startswith("im-call-lab ") for text in said]
    begin = said.index(f"im-call-lab {markers['nonce']} begin")
    end = len(said) - 1 - said[::-1].index(f"im-call-lab {markers['nonce']} end")
    return [each for each, ours in zip(found[begin + 1 : end], own[begin + 1 : end], strict=True) if not ours]


def read_side(folder: Path, record: dict[str, Any], side: str, ports: Iterable[int]) -> Side:
    """`ports` are those of the app's relays."""
    entry = record["sides"][side]
    interface = {folded(each) for each in entry["addresses"]["interface"] or ()}
    own = {"private": set(interface), "public": {folded(each) for each in entry["addresses"]["probed"] or ()}}
    clock = record["clocks"].get(entry["clock"])
    return Side(own, between_markers(folder / entry["capture"], ports, record["markers"]), interface, clock)
