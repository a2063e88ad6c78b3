"""Places outside of STUN: payloads that nobody decodes, and IP headers. Each is a function of (rng, address)."""

from __future__ import annotations

import json
import random
import struct

from tests.correlate import wire
from tests.correlate.noise import elsewhere, name, record
from tests.correlate.places import COOKIE, Place
from tests.correlate.transports import A4, A6, SERVER4, SERVER6, Carried, Frames, on_the_call
from tests.correlate.wire import End, ethernet, ip, tcp, udp


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


def text(rng, address):
    """As RFC 5952 has it, or in capitals; with and without a port."""
    shown = rng.choice([address, address.upper()])
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


def host_of(address: str) -> str:
    return A6 if ":" in address else A4


def udp_direct(rng, address):
    here, there = phone(rng, host_of(address)), (address, rng.randrange(1024, 65536))
    ways = rng.choice([[(here, there)], [(there, here)], [(here, there), (there, here)]])
    return [ethernet(udp(*way, wire.rtp(rng, 80))) for way in ways]


def tcp_syn(rng, address):
    here, there = phone(rng, host_of(address)), (address, rng.randrange(1024, 65536))
    return [ethernet(tcp(here, there, rng.getrandbits(32), flags=2))] * rng.choice([1, 3])


def tcp_refused(rng, address):
    here, there = phone(rng, host_of(address)), (address, rng.randrange(1024, 65536))
    return [ethernet(tcp(there, here, 0, flags=0x14))]


def tcp_talk(rng, address):
    here, there = phone(rng, host_of(address)), (address, rng.randrange(1024, 65536))
    seq = rng.getrandbits(31)
    return [ethernet(tcp(here, there, seq, record(rng, 60))), ethernet(tcp(there, here, seq, record(rng, 90)))]


def icmp(kind: int, body: bytes, six: bool) -> tuple[int, bytes]:
    return (58 if six else 1), bytes([kind, 0]) + bytes(2) + body


def icmp_echo(rng, address):
    here, six = host_of(address), ":" in address
    asked = icmp(128 if six else 8, rng.randbytes(60), six)
    answered = icmp(129 if six else 0, rng.randbytes(60), six)
    both = [ethernet(ip(here, address, *asked)), ethernet(ip(address, here, *answered))]
    return rng.choice([both, both[:1], both[1:]])


def icmp_error_from_it(rng, address):
    here, six = host_of(address), ":" in address
    quoted = udp((here, 40000), (SERVER6 if six else SERVER4, 3478), rng.randbytes(20))
    return [ethernet(ip(address, here, *icmp(1 if six else 3, bytes(4) + quoted, six)))]


def icmp_error_quotes_its_header(rng, address):
    here, six = host_of(address), ":" in address
    quoted = udp((here, 40000), (address, 50000), rng.randbytes(20))
    router = "2001:db8:a::1" if six else "192.168.1.1"
    return [ethernet(ip(router, here, *icmp(1 if six else 3, bytes(4) + quoted, six)))]


def icmp_error_quotes_stun(rng, address):
    """A TURN server's port is closed; the answer quotes the request as far as 548 bytes (RFC 1812 4.3.2.3)."""
    transaction = rng.randbytes(12)
    request = wire.stun(wire.PERMIT, [wire.attribute(wire.PEER, wire.xored(address, 50000, transaction))], transaction)
    quoted = udp((A4, 40000), (SERVER4, 3478), request)
    return [ethernet(ip(SERVER4, A4, *icmp(3, bytes(4) + quoted, False)))]


def proto41(rng, address):
    """Another protocol of IP, as IPsec's ESP (RFC 4303) or GRE, directly to the other phone."""
    here = host_of(address)
    return [ethernet(ip(here, address, rng.choice([47, 50, 132]), rng.randbytes(80)))]


BYTES = (
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
    Place("4 bytes in unknown UDP, twice", frames=bytes4_in_udp, versions=(4,)),
    Place("4 bytes XORed in unknown UDP, twice", frames=bytes4_xored_in_udp, versions=(4,)),
    Place("4 bytes in unknown TCP, twice", frames=bytes4_in_tcp, versions=(4,)),
    Place("A or AAAA record", frames=address_record_in_dns),
)
HEADERS = (
    Place("UDP directly", frames=udp_direct, rightly="host"),
    Place("TCP SYN directly", frames=tcp_syn, rightly="host"),
    Place("TCP RST directly", frames=tcp_refused, rightly="host"),
    Place("TCP directly", frames=tcp_talk, rightly="host"),
    Place("ICMP echo directly", frames=icmp_echo, rightly="host"),
    Place("ICMP error directly", frames=icmp_error_from_it, rightly="host"),
    Place("ICMP error quotes its IP header", frames=icmp_error_quotes_its_header, rightly="host"),
    Place("ICMP error quotes STUN", frames=icmp_error_quotes_stun, rightly="peer"),
    Place("another protocol directly", frames=proto41, rightly="host"),
)
PLACES = (*BYTES, *HEADERS)
