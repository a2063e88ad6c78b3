"""Places outside of STUN: payloads that nobody decodes. Each is a function of (rng, address)."""

from __future__ import annotations

import json
import random
import struct

from tests.correlate import wire
from tests.correlate.noise import elsewhere, name
from tests.correlate.places import COOKIE, Place
from tests.correlate.transports import A4, SERVER4, Carried, Frames, on_the_call
from tests.correlate.wire import End, ethernet, tcp, udp


def phone(rng: random.Random, address: str = A4) -> End:
    return address, rng.randrange(32768, 60000)


def exchanged(rng: random.Random, port: int, *payloads: bytes) -> Frames:
    """Datagrams with another host, either way."""
    here, there = phone(rng), elsewhere(rng, port)
    return [ethernet(udp(*rng.choice([(here, there), (there, here)]), payload)) for payload in payloads]


def connected(rng: random.Random, port: int, *payloads: bytes) -> Frames:
    """Segments to another host, in order and whole."""
    here, there = phone(rng), elsewhere(rng, port)
    seq, found = rng.getrandbits(31), [ethernet(tcp(here, there, rng.getrandbits(31), flags=2))]
    for payload in payloads:
        found.append(ethernet(tcp(here, there, seq, payload)))
        seq += len(payload)
    return found


def around(rng: random.Random, core: bytes, lead: bytes = b"") -> bytes:
    return lead + rng.randbytes(rng.randrange(0, 200)) + core + rng.randbytes(rng.randrange(0, 200))


def first_byte(rng: random.Random) -> bytes:
    """Of a payload that is no RTP, no TLS or DTLS record, no STUN and no ChannelData."""
    return bytes([rng.choice([0x05, 0x0A, 0x31, 0xC3, 0xE0, 0xFF])]) + rng.randbytes(1)


def in_the_first_64(rng: random.Random, core: bytes) -> tuple[bytes, bytes]:
    """Two payloads that hold the same bytes at the same offset."""
    lead = rng.randrange(0, 61 - len(core))
    return tuple(  # type: ignore[return-value]
        first_byte(rng) + rng.randbytes(lead) + core + rng.randbytes(rng.randrange(0, 300)) for _ in range(2)
    )


def xor(packed: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(packed, COOKIE, strict=True))


def bytes16_in_udp(rng, address):
    return exchanged(rng, rng.randrange(1024, 65536), around(rng, wire.packed(address), first_byte(rng)))


def bytes16_in_rtp(rng, address):
    media = wire.rtp(rng, 40) + wire.packed(address) + rng.randbytes(30)
    return on_the_call(rng, Carried((media,), rng.choice([True, False]), b""))


def bytes16_in_turn_data(rng, address):
    return on_the_call(
        rng, Carried((wire.channel(0x4001, around(rng, wire.packed(address), b"\x90\x60")),), False, b"")
    )


def bytes16_in_tcp(rng, address):
    return connected(rng, rng.randrange(1024, 65536), around(rng, wire.packed(address), first_byte(rng)))


def at_length(address: str, width: int = 1) -> str:
    """Without `::`, as Java prints it; each group as wide as said."""
    if ":" not in address:
        return address
    packed = wire.packed(address)
    return ":".join(f"{int.from_bytes(packed[at : at + 2]):0{width}x}" for at in range(0, 16, 2))


def text(rng, address):
    """As RFC 5952 has it, in capitals, or at length; with and without a port."""
    shown = rng.choice([address, address.upper(), at_length(address)])
    bracketed = f"[{shown}]:{rng.randrange(1024, 65536)}" if ":" in shown else f"{shown}:{rng.randrange(1024, 65536)}"
    return rng.choice([shown, bracketed]).encode()


def sdp(address: str) -> bytes:
    kind = "IP6" if ":" in address else "IP4"
    return f"v=0\r\no=- 1 1 IN {kind} {address}\r\ns=-\r\nc=IN {kind} {address}\r\nm=audio 5000 RTP/AVP 0\r\n".encode()


def sip(address: str) -> bytes:
    return f"INVITE sip:bravo@example.net SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9\r\n\r\n".encode() + sdp(
        address
    )


def text_in_udp(rng, address):
    return exchanged(rng, rng.randrange(1024, 65536), around(rng, b'"' + text(rng, address) + b'"', first_byte(rng)))


def text_in_sip(rng, address):
    return exchanged(rng, 5060, sip(address))


def text_in_sip_over_tcp(rng, address):
    return connected(rng, 5060, sip(address))


def text_in_http(rng, address):
    line = rng.choice([b"X-Forwarded-For: ", b"Forwarded: for=", b"X-Real-IP: "])
    return connected(rng, 80, b"GET / HTTP/1.1\r\nHost: example.net\r\n" + line + text(rng, address) + b"\r\n\r\n")


def text_in_json(rng, address):
    body = json.dumps({"type": "candidate", "candidate": f"candidate:1 1 udp 2122260223 {address} 50000 typ host"})
    return connected(rng, rng.choice([80, 8080]), b"\x81\x7e" + struct.pack(">H", len(body)) + body.encode())


def text_in_dns(rng, address):
    """A TXT record."""
    asked, shown = name("where.example.net"), text(rng, address)
    head = struct.pack(">6H", rng.getrandbits(16), 0x8180, 1, 1, 0, 0) + asked + struct.pack(">HH", 16, 1)
    value = bytes([len(shown)]) + shown
    answer = b"\xc0\x0c" + struct.pack(">HHIH", 16, 1, 60, len(value)) + value
    return [ethernet(udp(("192.168.1.1", 53), phone(rng), head + answer))]


def text_in_turn_data(rng, address):
    data = around(rng, b" " + text(rng, address) + b" ", b"\x90\x60")
    unit = wire.channel(0x4001, data)
    return on_the_call(rng, Carried((unit,), rng.choice([True, False]), b""))


def text_in_an_indication(rng, address):
    peer = wire.attribute(wire.PEER, wire.xored(SERVER4, 50001, bytes(12)))
    unit = wire.stun(
        wire.DATA_INDICATION, [peer, wire.attribute(wire.DATA, around(rng, text(rng, address)))], bytes(12)
    )
    return on_the_call(rng, Carried((unit,), False, b""))


def text_in_rtp(rng, address):
    media = wire.rtp(rng, 40) + b" " + text(rng, address) + b" " + rng.randbytes(30)
    return on_the_call(rng, Carried((media,), rng.choice([True, False]), b""))


def name_in_rtcp(rng, address):
    """A CNAME with the address of its host (RFC 3550 6.5.1)."""
    shown = b"bravo@" + text(rng, address)
    item = bytes([1, len(shown)]) + shown
    chunk = rng.randbytes(4) + item + bytes(4 - len(item) % 4)
    packet = b"\x81\xca" + struct.pack(">H", len(chunk) // 4) + chunk
    return on_the_call(rng, Carried((packet,), rng.choice([True, False]), b""))


def name_in_tls(rng, address):
    """A server name that is an address in text (RFC 6066 3), in a hello in clear."""
    shown = address.encode() + (b".nip.example.net" if ":" not in address else b"")
    server = struct.pack(">HBH", len(shown) + 3, 0, len(shown)) + shown
    extensions = struct.pack(">HH", 0, len(server)) + server
    body = b"\3\3" + rng.randbytes(32) + b"\0\0\2\x13\1\1\0" + struct.pack(">H", len(extensions)) + extensions
    handshake = b"\1" + len(body).to_bytes(3) + body
    return connected(rng, 443, b"\x16\3\1" + struct.pack(">H", len(handshake)) + handshake)


def request_of_socks(rng, address):
    """RFC 1928 4: connect to an address."""
    kind = b"\4" if ":" in address else b"\1"
    return connected(rng, 1080, b"\5\1\0", b"\5\1\0" + kind + wire.packed(address) + b"\x0d\x96")


def bytes4_once(rng, address):
    return exchanged(rng, rng.randrange(1024, 65536), in_the_first_64(rng, wire.packed(address))[0])


def bytes4_in_udp(rng, address):
    return exchanged(rng, rng.randrange(1024, 65536), *in_the_first_64(rng, wire.packed(address)))


def bytes4_xored_in_udp(rng, address):
    return exchanged(rng, rng.randrange(1024, 65536), *in_the_first_64(rng, xor(wire.packed(address))))


def bytes4_in_tcp(rng, address):
    return connected(rng, rng.randrange(1024, 65536), *in_the_first_64(rng, wire.packed(address)))


def address_record_in_dns(rng, address):
    """The name of the other phone's home is asked for: an A or AAAA record (RFC 1035 3.4.1)."""
    asked, six = name(rng.choice(["b.example.net", "home.example.com"])), ":" in address
    kind = 28 if six else 1
    head = struct.pack(">6H", rng.getrandbits(16), 0x8180, 1, 1, 0, 0) + asked + struct.pack(">HH", kind, 1)
    answer = b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, 16 if six else 4) + wire.packed(address)
    return [ethernet(udp(("192.168.1.1", 53), phone(rng), head + answer))] * 2


def mdns_record(rng, address):
    """The other phone in the same network says its name (RFC 6762)."""
    six = ":" in address
    owner = (f"fe80::{rng.randrange(1, 2**16):x}" if six else "192.168.1.77", 5353)
    answer = name("b.local") + struct.pack(">HHIH", 28 if six else 1, 0x8001, 120, 16 if six else 4)
    packet = struct.pack(">6H", 0, 0x8400, 0, 1, 0, 0) + answer + wire.packed(address)
    return [ethernet(udp(owner, ("ff02::fb" if six else "224.0.0.251", 5353), packet))]


def record_behind_names(rng, address):
    """An A record that comes behind two CNAMEs."""
    asked = name("b.example.net")
    head = struct.pack(">6H", rng.getrandbits(16), 0x8180, 1, 3, 0, 0) + asked + struct.pack(">HH", 1, 1)
    first, second = name("b.dyndns.example.com"), name("b-7.customers.example.org")
    alias = struct.pack(">HHHIH", 0xC00C, 5, 1, 60, len(first)) + first
    alias += first + struct.pack(">HHIH", 5, 1, 60, len(second)) + second
    answer = second + struct.pack(">HHIH", 1, 1, 60, 4) + wire.packed(address)
    return [ethernet(udp(("192.168.1.1", 53), phone(rng), head + alias + answer))]


def text_over_two_segments(rng, address):
    shown = json.dumps({"candidate": f"candidate:1 1 udp 2122260223 {address} 50000 typ host"}).encode()
    at = shown.index(address.encode()) + rng.randrange(1, len(address))
    return connected(rng, 80, shown[:at], shown[at:])


def text_in_full(rng, address):
    return connected(rng, 80, b'{"ip": "' + at_length(address, 4).encode() + b'"}')


PLACES = (
    Place("16 bytes in unknown UDP", frames=bytes16_in_udp, versions=(6,)),
    Place("16 bytes in RTP", frames=bytes16_in_rtp, versions=(6,)),
    Place("16 bytes in TURN data", frames=bytes16_in_turn_data, versions=(6,)),
    Place("16 bytes in unknown TCP", frames=bytes16_in_tcp, versions=(6,)),
    Place("text in unknown UDP", frames=text_in_udp),
    Place("text in SIP over UDP", frames=text_in_sip),
    Place("text in SIP over TCP", frames=text_in_sip_over_tcp),
    Place("text in HTTP", frames=text_in_http),
    Place("text in JSON over TCP", frames=text_in_json),
    Place("text in a TXT record", frames=text_in_dns),
    Place("text in ChannelData", frames=text_in_turn_data),
    Place("text in DATA", frames=text_in_an_indication),
    Place("text in RTP", frames=text_in_rtp),
    Place("CNAME in RTCP", frames=name_in_rtcp),
    Place("name in a TLS hello", frames=name_in_tls),
    Place("SOCKS request", frames=request_of_socks),
    Place("mDNS record", frames=mdns_record),
    Place("4 bytes in unknown UDP, once", frames=bytes4_once, versions=(4,)),
    Place("4 bytes in unknown UDP, twice", frames=bytes4_in_udp, versions=(4,)),
    Place("4 bytes XORed in unknown UDP, twice", frames=bytes4_xored_in_udp, versions=(4,)),
    Place("4 bytes in unknown TCP, twice", frames=bytes4_in_tcp, versions=(4,)),
    Place("A or AAAA record", frames=address_record_in_dns),
)
BEYOND_PLACES = (
    Place("A record behind CNAMEs", frames=record_behind_names, versions=(4,)),
    Place("text over two segments", frames=text_over_two_segments),
    Place("IPv6 text with all zeros", frames=text_in_full, versions=(6,)),
)
"""Nobody promises to look there."""
