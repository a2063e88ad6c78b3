"""Places in the caller's capture where the callee's address may stand, each filled by a seed: STUN and what carries it.

An address stands in an attribute, of a message, at a place among the attributes (`order`), in containers (`nesting`),
beside other units of the datagram (`pack`), over a transport. A `Place` says some of these; chance the rest.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from tests.correlate import wire
from tests.correlate.odd_transports import BEYOND, EARLY, MARKED, ODD, OF_APP, UNCLEAR
from tests.correlate.transports import MISSING, TRANSPORTS, Carried, Frames
from tests.correlate.wire import attribute, stun

Kin = Literal["client", "peer", "server"]
"""Whose address is rightly there: what stands in the place of the callee's where nothing is disclosed."""
COOKIE = struct.pack(">I", wire.COOKIE)
OF_ALL = {**TRANSPORTS, **ODD, **OF_APP, **MARKED, **BEYOND}

RIGHTLY = {
    ("client", 4): "203.0.113.10", ("client", 6): "2001:db8:a::10",
    ("peer", 4): "198.51.100.9", ("peer", 6): "2001:db8:5::9",
    ("server", 4): "198.51.100.2", ("server", 6): "2001:db8:5::2",
    ("host", 4): "192.0.2.250", ("host", 6): "2001:db8:ffff::250",
}  # fmt: skip


Form = Literal[
    "plain", "xored", "bare", "bare xored", "text", "in a list", "without a port", "longer", "reserved byte set",
    "NAT64 xored", "IPv4-mapped", "xored by the cookie",
]  # fmt: skip
OF_IPV4 = ("bare xored", "NAT64 xored", "IPv4-mapped", "xored by the cookie")


@dataclass(frozen=True)
class Attribute:
    """Its number, how it holds an address, and whose is rightly there."""

    number: int
    form: Form
    kin: Kin
    only: tuple[int, ...] = (4, 6)

    @property
    def versions(self) -> tuple[int, ...]:
        """Of IP: what is longer than the cookie is XORed with no more than is known of it."""
        return (4,) if self.form in OF_IPV4 else self.only

    def value(self, address: str, port: int, transaction: bytes) -> bytes:
        """The attribute's value."""
        plain, packed = wire.plain(address, port), wire.packed(address)
        xored = wire.xored(address, port, transaction)
        forms: dict[Form, Callable[[], bytes]] = {
            "plain": lambda: plain,
            "xored": lambda: xored,
            "bare": lambda: packed,
            "bare xored": lambda: mixed(packed),
            "text": lambda: f"a=candidate:1 1 udp 2122 {address} {port} typ host\0".encode(),
            "in a list": lambda: b"\2" + bytes([len(packed), 0, 0, 9, 9]) + packed + struct.pack(">H", port),
            "without a port": lambda: plain[:2] + packed,
            "longer": lambda: xored + bytes(4),
            "reserved byte set": lambda: b"\1" + xored[1:],
            "NAT64 xored": lambda: wire.xored(f"64:ff9b::{address}", port, transaction),
            "IPv4-mapped": lambda: wire.plain(f"::ffff:{address}", port),
            "xored by the cookie": lambda: plain[:4] + mixed(packed),
        }
        return forms[self.form]()


def mixed(packed: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(packed, COOKIE, strict=True))


ATTRIBUTES = {
    "MAPPED-ADDRESS": Attribute(0x0001, "plain", "client"),
    "RESPONSE-ADDRESS": Attribute(0x0002, "plain", "client"),
    "SOURCE-ADDRESS": Attribute(0x0004, "plain", "server"),
    "CHANGED-ADDRESS": Attribute(0x0005, "plain", "server"),
    "REFLECTED-FROM": Attribute(0x000B, "plain", "client"),
    "XOR-PEER-ADDRESS": Attribute(0x0012, "xored", "peer"),
    "XOR-RELAYED-ADDRESS": Attribute(0x0016, "xored", "server"),
    "XOR-MAPPED-ADDRESS": Attribute(0x0020, "xored", "client"),
    "XOR-MAPPED-ADDRESS of drafts": Attribute(0x8020, "xored", "client"),
    "ALTERNATE-SERVER": Attribute(0x8023, "plain", "server"),
    "RESPONSE-ORIGIN": Attribute(0x802B, "plain", "server"),
    "OTHER-ADDRESS": Attribute(0x802C, "plain", "server"),
    "SECONDARY-ADDRESS of drafts": Attribute(0x8050, "plain", "server"),
    "DESTINATION-ADDRESS of drafts": Attribute(0x0011, "plain", "peer"),
    "vendor 0x4002": Attribute(0x4002, "plain", "client"),
    "vendor 0x8055": Attribute(0x8055, "plain", "server"),
    "vendor 0xC057": Attribute(0xC057, "plain", "peer"),
    "vendor, bare bytes": Attribute(0x4021, "bare", "client"),
    "vendor, bare bytes XORed": Attribute(0xC060, "bare xored", "client"),
    "vendor, in a list": Attribute(0x4008, "in a list", "client"),
    "vendor, without a port": Attribute(0x8056, "without a port", "client"),
    "XOR-PEER-ADDRESS, longer": Attribute(0x0012, "longer", "peer"),
    "XOR-PEER-ADDRESS, reserved byte set": Attribute(0x0012, "reserved byte set", "peer"),
    "XOR-PEER-ADDRESS of NAT64": Attribute(0x0012, "NAT64 xored", "peer"),
    "RESPONSE-ORIGIN, IPv4-mapped": Attribute(0x802B, "IPv4-mapped", "server"),
    "XOR-REFLECTED-FROM of drafts": Attribute(0x0023, "xored", "client", only=(4,)),
    "USERNAME in text": Attribute(wire.USERNAME, "text", "client"),
    "SOFTWARE in text": Attribute(wire.SOFTWARE, "text", "server"),
    "vendor in text": Attribute(0xC061, "text", "client"),
}
WRONG = {"XOR-MAPPED-ADDRESS by the cookie": Attribute(0x0020, "xored by the cookie", "client")}
"""Of a message without a cookie, as some servers answer."""
PLAIN = tuple(name for name, each in ATTRIBUTES.items() if each.form in ("plain", "text"))
OF_CLIENT = (0x0001, 0x0020, 0x8020)
"""In a success response that reaches a phone they tell its own address (RFC 8489 7.3.3): never the other's."""

Way = Literal["in", "out", "either"]
MESSAGES: dict[str, tuple[tuple[int, ...], Way]] = {
    "Binding request": ((wire.BINDING,), "either"),
    "Binding success": ((wire.BOUND,), "either"),
    "Binding indication": ((wire.KEEPALIVE,), "either"),
    "Binding error": ((wire.REFUSED,), "in"),
    "Send indication": ((wire.SEND,), "out"),
    "Data indication": ((wire.DATA_INDICATION,), "in"),
    "CreatePermission": ((wire.PERMIT,), "out"),
    "CreatePermission success": ((wire.PERMITTED,), "in"),
    "ChannelBind": ((wire.CHANNEL_BIND,), "out"),
    "Allocate request": ((wire.ALLOCATE,), "out"),
    "Allocate success": ((wire.ALLOCATED,), "in"),
    "Allocate error": ((wire.ALLOCATE_ERROR,), "in"),
    "Connect and ConnectionAttempt": ((0x000A, 0x000B, 0x001C), "either"),
    "of WhatsApp": ((0x0801, 0x0800, 0x0804, 0x0805), "either"),
    "GooglePing": ((0x0200, 0x0300), "either"),
    "unknown method": ((0x0065, 0x0C01, 0x2E11, 0x3EEF), "either"),
}
NESTINGS = (
    "none", "DATA", "ChannelData 0x4001", "ChannelData 0x5001", "ChannelData 0x7ffe", "DATA in ChannelData",
    "ChannelData in DATA", "DATA in DATA", "ChannelData in ChannelData",
)  # fmt: skip
ORDERINGS = (  # The last is a lie: it stands in no other place.
    "only", "first", "last", "amid", "behind integrity", "behind unpadded", "behind many empty", "behind the length",
)  # fmt: skip
PACKS = (
    "alone", "second message", "third message", "behind ChannelData", "second ChannelData", "before others",
)  # fmt: skip
CUTS = ("before the cookie", "in the header", "before", "in", "behind")


@dataclass(frozen=True)
class Place:
    """What is said of a place; what is None, chance says."""

    name: str
    attribute: str | None = None
    message: str | None = None
    nesting: str | None = None
    order: str | None = None
    pack: str | None = None
    transport: str | None = None
    cut: str = "none"
    classic: bool = False
    frames: Callable[[random.Random, str], Frames] | None = None
    """Of a place outside of STUN: its frames, by chance and the address."""
    versions: tuple[int, ...] = (4, 6)
    rightly: Kin | Literal["host"] = "client"
    """Whose address stands there where nothing is disclosed; `host`: of one that has nothing to do with the call."""
    early: int = 0
    """So many of the frames come before the call's marker."""


@dataclass(frozen=True)
class Filled:
    """The frames of a place in their order, at how many bytes each frame of the capture is cut, whether all bytes of
    the flow are there, and how many of the frames come before the call's marker."""

    frames: Frames
    snaplen: int
    whole: bool
    early: int = 0


def drawn(place: Place, rng: random.Random, version: int) -> Place:
    """The place with all said, such that an implementation may send it."""
    names = PLAIN if place.classic else tuple(ATTRIBUTES)
    names = tuple(name for name in names if version in ATTRIBUTES[name].versions)
    says = {
        "attribute": place.attribute or rng.choice(names),
        "message": place.message or rng.choice(list(MESSAGES)),
        "nesting": place.nesting or rng.choice(["none", rng.choice(NESTINGS)]),
        "order": place.order or rng.choice(ORDERINGS[:-1]),
        "pack": place.pack or rng.choice(["alone", rng.choice(PACKS)]),
        "transport": place.transport or rng.choice([*list(TRANSPORTS)[:3], rng.choice([*TRANSPORTS, *ODD])]),
    }
    if place.classic:
        says |= {"nesting": "none", "pack": "alone"}
        if place.message is None:
            says["message"] = rng.choice(["Binding request", "Binding success", "Binding error"])
        if place.order is None:
            says["order"] = rng.choice(ORDERINGS[:4])
        says["transport"] = place.transport or rng.choice(list(TRANSPORTS)[:2])
    if says["transport"].startswith("RFC"):  # TURN has a framing of its own.
        says |= {"nesting": rng.choice(["none", "DATA"]), "pack": rng.choice(["alone", "second message"])}
    if place.cut != "none":
        says["transport"] = place.transport or rng.choice(list(TRANSPORTS)[:2])
    if place.transport is None and any(each in says["transport"] for each in MISSING):
        says["transport"] = "UDP, on the call's flow"
    return Place(place.name, **says, cut=place.cut, classic=place.classic)


def fill(place: Place, rng: random.Random, address: str | None, version: int) -> Filled:
    """A place that holds this address, of this IP version; for None the one that is rightly there."""
    if place.frames:
        return Filled(place.frames(rng, address or RIGHTLY[place.rightly, version]), 262_144, whole=True)
    said = drawn(place, rng, version)
    attributed, (kinds, way) = (ATTRIBUTES | WRONG)[said.attribute or ""], MESSAGES[said.message or ""]
    kind, port = rng.choice(kinds), rng.randrange(1024, 65536)
    outbound = rng.choice([True, False]) if way == "either" else way == "out"
    if attributed.number in OF_CLIENT and kind & 0x0110 == 0x0100:
        outbound = True
    transaction = rng.randbytes(16 if said.classic else 12)
    held = attributed.value(address or RIGHTLY[attributed.kin, version], port, transaction)
    message = ordered(rng, said.order or "", kind, attribute(attributed.number, held), transaction)
    unit = nested(rng, said.nesting or "", message, outbound)
    carried = Carried(tuple(packed(rng, said.pack or "", unit)), outbound, held)
    frames = OF_ALL[said.transport or ""](rng, carried)
    snaplen = cut(rng, said.cut, frames, held, message)
    missing = any(each in (said.transport or "") for each in (*MISSING, *UNCLEAR))
    # A message that says a wrong length may be read in several ways.
    whole = not missing and said.cut == "none" and said.order != "behind the length"
    return Filled(frames, snaplen, whole, place.early)


def user(rng: random.Random) -> bytes:
    text = "".join(rng.choice("abcdefghKLMNOPQ0123456789+/") for _ in range(rng.choice([4, 7, 24])))
    return f"{text}:{text[::-1]}".encode() + bytes(rng.choice([0, 0, 3]))


def filler(rng: random.Random) -> bytes:
    """Another attribute, as long as real ones are."""
    kind, value = rng.choice(
        [
            (wire.USERNAME, user(rng)),
            (wire.SOFTWARE, rng.choice([b"maple 4.5.2", b"Coturn-4.5.2 'dan Eider'"])),
            (wire.REALM, b"maple.example"),
            (wire.NONCE, rng.randbytes(8).hex().encode()),
            (0x0024, rng.randbytes(4)),
            (0x802A, rng.randbytes(8)),
            (0x0025, b""),
            (0xC057, struct.pack(">HH", rng.randrange(1, 9), 10)),
            (0x4000 + rng.randrange(0x26), rng.randbytes(rng.choice([1, 2, 4, 16, 40, 200]))),
            (0x0009, b"\0\0\4\x01Unauthorized"),
            (wire.CHANNEL_NUMBER, b"\x40\x01\0\0"),
        ]
    )
    return attribute(kind, value)


def ordered(rng: random.Random, order: str, kind: int, told: bytes, transaction: bytes) -> bytes:
    """A message with the attribute at its place among others."""
    integrity = [attribute(0x0008, rng.randbytes(20)), attribute(0x8028, rng.randbytes(4))]
    some = [filler(rng) for _ in range(rng.randrange(1, 5))]
    if order == "behind the length":  # The message says that it ends before the attribute.
        return stun(kind, [*some, told], transaction, more=-len(told))
    attributes = {
        "only": [told],
        "first": [told, *some],
        "last": [*some, told],
        "amid": [*some, told, filler(rng), *integrity],
        "behind integrity": [*some, *integrity, told],
        "behind unpadded": [*some, attribute(wire.SOFTWARE, rng.choice([b"vovid", b"maple1"]), padded=False), told],
        "behind many empty": [*some, *[attribute(0, b"")] * rng.choice([20, 118]), told],
    }[order]
    return stun(kind, attributes, transaction)


def indication(rng: random.Random, outbound: bool, data: bytes) -> bytes:
    """A Send or Data indication around data from or to the peer's relayed address."""
    transaction = rng.randbytes(12)
    peer = attribute(wire.PEER, wire.xored(RIGHTLY["peer", 4], 50001, transaction))
    attributes = [peer, attribute(wire.DATA, data)]
    return stun(wire.SEND if outbound else wire.DATA_INDICATION, rng.sample(attributes, 2), transaction)


def nested(rng: random.Random, nesting: str, message: bytes, outbound: bool) -> bytes:
    number = rng.choice([0x4001, 0x4FFF, 0x5001, 0x7FFE])
    return {
        "none": lambda: message,
        "DATA": lambda: indication(rng, outbound, message),
        "ChannelData 0x4001": lambda: wire.channel(0x4001, message),
        "ChannelData 0x5001": lambda: wire.channel(0x5001, message),
        "ChannelData 0x7ffe": lambda: wire.channel(0x7FFE, message),
        "DATA in ChannelData": lambda: wire.channel(number, indication(rng, outbound, message)),
        "ChannelData in DATA": lambda: indication(rng, outbound, wire.channel(number, message)),
        "DATA in DATA": lambda: indication(rng, outbound, indication(rng, outbound, message)),
        "ChannelData in ChannelData": lambda: wire.channel(number, wire.channel(0x4002, message)),
    }[nesting]()


def packed(rng: random.Random, pack: str, unit: bytes) -> list[bytes]:
    """The unit among others of one datagram."""
    other = stun(wire.BINDING, [attribute(wire.USERNAME, user(rng))], rng.randbytes(12))
    media = wire.channel(0x4001, wire.rtp(rng, rng.choice([40, 44, 61])), padded=True)
    held = unit if 0x40 <= unit[0] < 0x80 else wire.channel(rng.choice([0x4001, 0x4001, 0x5001]), unit)
    return {
        "alone": [unit],
        "second message": [other, unit],
        "third message": [other, other, unit],
        "behind ChannelData": [media, unit],
        "second ChannelData": [media, held],
        "before others": [unit + bytes(-len(unit) % 4), other],
    }[pack]


def cut(rng: random.Random, where: str, frames: Frames, held: bytes, message: bytes) -> int:
    """At how many bytes the snapshot length cuts each frame, so that the message's frame ends there."""
    if where == "none":
        return 262_144
    frame = next(frame for frame in reversed(frames) if message in frame)
    begin, at = frame.find(message), frame.find(held)
    return {
        "before the cookie": lambda: begin + rng.randrange(0, 8),
        "in the header": lambda: begin + rng.randrange(8, 20),
        "before": lambda: rng.randrange(begin + 20, at + 1),
        "in": lambda: at + rng.randrange(1, len(held)),
        "behind": lambda: at + len(held),
    }[where]()


def along(axis: str, names: Iterable[str]) -> list[Place]:
    return [Place(f"{axis}: {name}", **{axis: name}) for name in names]


STUN_PLACES = (
    *(Place(f"attribute: {name}", attribute=name, versions=each.versions) for name, each in ATTRIBUTES.items()),
    *along("message", MESSAGES),
    *along("nesting", NESTINGS),
    *along("order", ORDERINGS),
    *along("pack", PACKS),
    *along("transport", [*TRANSPORTS, *ODD, *OF_APP]),
    *(Place(f"before the marker: {name}", transport=name, early=EARLY[name]) for name in EARLY),
    *(Place(f"cut: {name}", cut=name) for name in CUTS),
    Place("cut: before, classic", cut="before", classic=True),
    *(Place(f"cut over TCP: {name}", cut=name, transport="TURN over TCP, whole") for name in CUTS[1:]),
    *(Place(f"classic: {name}", attribute=name, classic=True) for name in (*PLAIN, "XOR-MAPPED-ADDRESS of drafts")),
)
BEYOND_PLACES = (
    *along("transport", BEYOND),
    Place("classic: XOR-MAPPED-ADDRESS by the cookie", "XOR-MAPPED-ADDRESS by the cookie", classic=True, versions=(4,)),
)
