"""Places in the headers of IP, in ICMP and below IP. Each is a function of (rng, address)."""

from __future__ import annotations

import struct

from tests.correlate import wire
from tests.correlate.noise import record
from tests.correlate.places import Place
from tests.correlate.plain_places import phone
from tests.correlate.transports import A4, A6, SERVER4, SERVER6
from tests.correlate.wire import ethernet, ip, tcp, udp


def asked_by_arp(rng, address):
    """RFC 826: who has it?"""
    body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + bytes(6) + wire.packed(A4) + bytes(6) + wire.packed(address)
    return [b"\xff" * 6 + bytes(6) + b"\x08\x06" + body]


def asked_by_neighbours(rng, address):
    """RFC 4861 4.3: who has it? The address stands in the message alone."""
    return [ethernet(ip(A6, "ff02::1:ff00:77", *icmp(135, bytes(4) + wire.packed(address), True)))]


def by_nat64(of):
    """A place of IP headers, by its address in NAT64's prefix (RFC 6052)."""
    return lambda rng, address: of(rng, f"64:ff9b::{address}")


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


PLACES = (
    Place("UDP directly", frames=udp_direct, rightly="host"),
    Place("UDP by NAT64 directly", frames=by_nat64(udp_direct), versions=(4,), rightly="host"),
    Place("TCP SYN by NAT64 directly", frames=by_nat64(tcp_syn), versions=(4,), rightly="host"),
    Place("TCP SYN directly", frames=tcp_syn, rightly="host"),
    Place("TCP RST directly", frames=tcp_refused, rightly="host"),
    Place("TCP directly", frames=tcp_talk, rightly="host"),
    Place("ICMP echo directly", frames=icmp_echo, rightly="host"),
    Place("ICMP error directly", frames=icmp_error_from_it, rightly="host"),
    Place("ICMP error quotes its IP header", frames=icmp_error_quotes_its_header, rightly="host"),
    Place("ICMP error quotes STUN", frames=icmp_error_quotes_stun, rightly="peer"),
    Place("another protocol directly", frames=proto41, rightly="host"),
)
BEYOND_PLACES = (
    Place("ARP", frames=asked_by_arp, versions=(4,), rightly="host"),
    Place("neighbour solicitation", frames=asked_by_neighbours, versions=(6,), rightly="host"),
)
"""Nobody promises to look there."""
