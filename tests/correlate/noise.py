"""What else a phone sends while it calls, without anybody's address in it: it must not keep a finding from being "no".

Each kind is a function of chance alone and gives frames in their order.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from tests.correlate.wire import End, ethernet, tcp, udp

Frames = list[bytes]
PHONE, RESOLVER = "192.168.1.10", ("192.168.1.1", 53)


def phone(rng: random.Random) -> End:
    return PHONE, rng.randrange(32768, 60000)


def elsewhere(rng: random.Random, port: int) -> End:
    """A host that has nothing to do with the call."""
    return f"192.0.2.{rng.randrange(100, 200)}", port


def out(src: End, dst: End, payload: bytes) -> bytes:
    return ethernet(udp(src, dst, payload))


def record(rng: random.Random, size: int, kind: int = 23) -> bytes:
    """A TLS record (RFC 8446 5.1) of so many bytes."""
    return struct.pack(">BHH", kind, 0x0303, size) + rng.randbytes(size)


def hello(rng: random.Random) -> bytes:
    """A TLS ClientHello without names."""
    body = struct.pack(">H", 0x0303) + rng.randbytes(32) + b"\x20" + rng.randbytes(32) + b"\0\2\x13\1\1\0\0\0"
    return struct.pack(">BHH", 22, 0x0301, len(body) + 4) + b"\1" + len(body).to_bytes(3) + body


def tls(rng: random.Random) -> Frames:
    """To an unknown server, some segments of it lost, others repeated."""
    here, there = phone(rng), elsewhere(rng, rng.choice([443, 443, 5222, 8443]))
    seq, ack = rng.getrandbits(32), rng.getrandbits(32)
    found = [ethernet(tcp(here, there, seq, flags=2)), ethernet(tcp(there, here, ack, flags=0x12, ack=seq + 1))]
    seq, ack, first = seq + 1, ack + 1, True
    for _ in range(rng.randrange(4, 9)):
        sent = hello(rng) if first else record(rng, rng.randrange(20, 900))
        received = record(rng, rng.randrange(20, 1300), 22 if first else 23)
        if first or rng.randrange(4):
            found.append(ethernet(tcp(here, there, seq, sent, ack=ack)))
        if rng.randrange(4):
            found += [ethernet(tcp(there, here, ack, received, ack=seq + len(sent)))] * rng.choice([1, 1, 2])
        seq, ack, first = seq + len(sent), ack + len(received), False
    return found


def tls_without_a_beginning(rng: random.Random) -> Frames:
    """A connection that was there before the capture: nothing but records, and keep-alives of one byte."""
    here, there = phone(rng), elsewhere(rng, 443)
    seq, ack, found = rng.getrandbits(32), rng.getrandbits(32), Frames()
    for _ in range(3):
        sent = record(rng, rng.randrange(20, 400))
        found += [ethernet(tcp(here, there, seq - 1, b"\0", ack=ack)), ethernet(tcp(here, there, seq, sent, ack=ack))]
        seq += len(sent)
    return found


def quic(rng: random.Random) -> Frames:
    """Long headers, then short ones, whose first byte is that of ChannelData (RFC 9000 17.3)."""
    here, there = phone(rng), elsewhere(rng, 443)
    first = b"\xc3\0\0\0\1\x08" + rng.randbytes(1194)
    found = [out(here, there, first), out(there, here, b"\xc1\0\0\0\1\0\x08" + rng.randbytes(1193))]
    for _ in range(rng.randrange(4, 10)):
        short = bytes([rng.randrange(0x40, 0x80)]) + rng.randbytes(rng.randrange(25, 1200))
        found.append(out(*rng.choice([(here, there), (there, here)]), short))
    return found


def short_quic(rng: random.Random) -> Frames:
    """Datagrams that look like ChannelData in all but the server: two with the length that they say."""
    here, there = phone(rng), elsewhere(rng, 443)
    number, found = rng.randrange(0x4000, 0x8000), Frames()
    for _ in range(rng.randrange(2, 5)):
        size = rng.randrange(21, 300)
        found.append(out(there, here, struct.pack(">HH", number, size) + rng.randbytes(size)))
    return found


def name(text: str) -> bytes:
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".")) + b"\0"


def dns(rng: random.Random) -> Frames:
    """A query and its answer, of an address that is nobody's here."""
    here, number = phone(rng), rng.getrandbits(16)
    asked = name(rng.choice(["edge.example.net", "mtalk.example.com"])) + struct.pack(">HH", 1, 1)
    query = struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + asked
    host = bytes([192, 0, 2, rng.randrange(100, 200)])
    answer = struct.pack(">6H", number, 0x8180, 1, 1, 0, 0) + asked + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + host
    return [out(here, RESOLVER, query), out(RESOLVER, here, answer)]


def mdns(rng: random.Random) -> Frames:
    body = name("_googlecast._tcp.local") + struct.pack(">HH", 12, 1)
    return [out((PHONE, 5353), ("224.0.0.251", 5353), struct.pack(">6H", 0, 0, 1, 0, 0, 0) + body)]


def ssdp(rng: random.Random) -> Frames:
    text = b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n'
    return [out(phone(rng), ("239.255.255.250", 1900), text)]


def ntp(rng: random.Random) -> Frames:
    here, there = phone(rng), elsewhere(rng, 123)
    sent = b"\x23" + bytes(39) + rng.randbytes(8)
    return [out(here, there, sent), out(there, here, b"\x24\2\0\xe9" + rng.randbytes(44))]


def http(rng: random.Random) -> Frames:
    """A check whether there is internet, in clear."""
    here, there = phone(rng), elsewhere(rng, 80)
    seq, ack = rng.getrandbits(32), rng.getrandbits(32)
    asked = b"GET /generate_204 HTTP/1.1\r\nHost: connectivity.example.com\r\nUser-Agent: Dalvik/2.1.0\r\n\r\n"
    return [
        ethernet(tcp(here, there, seq, flags=2)),
        ethernet(tcp(here, there, seq + 1, asked, ack=ack + 1)),
        ethernet(tcp(there, here, ack + 1, b"HTTP/1.1 204 No Content\r\n\r\n", ack=seq + 1 + len(asked))),
    ]


def dtls(rng: random.Random) -> Frames:
    """Records of a DTLS handshake with the call's own server, and of data (RFC 6347 4.1)."""
    ends = ((PHONE, 40000), ("198.51.100.2", 3478))
    kinds = [22, 22, 20, 23]
    found = []
    for count, kind in enumerate(kinds):
        size = rng.randrange(30, 200)
        head = struct.pack(">BHHHIH", kind, 0xFEFD, count // 2, 0, count, size)
        found.append(out(*(ends if count % 2 else ends[::-1]), head + rng.randbytes(size)))
    return found


def stun_elsewhere(rng: random.Random) -> Frames:
    """Another app asks a STUN server for its address, and hears A's own."""
    here, there, transaction = phone(rng), (f"192.0.2.{rng.randrange(60, 90)}", 3478), rng.randbytes(12)
    key = struct.pack(">I", 0x2112A442)
    own = bytes(a ^ b for a, b in zip(bytes([203, 0, 113, 10]), key, strict=True))
    request = struct.pack(">HH", 1, 0) + key + transaction
    value = b"\0\x20\0\x08\0\1" + struct.pack(">H", rng.getrandbits(16)) + own
    return [out(here, there, request), out(there, here, struct.pack(">HH", 0x0101, 12) + key + transaction + value)]


def beside(rng: random.Random) -> Frames:
    """Neighbours whose addresses in text begin or end as the other phone's do."""
    address = rng.choice(["192.168.7.70", "192.168.7.77", "2.192.168.7.7", "203.0.113.7", "3203.0.113.77"])
    text = f"HTTP/1.1 200 OK\r\nLOCATION: http://{address}:49152/desc.xml\r\nST: upnp:rootdevice\r\n\r\n"
    return [out((f"192.168.1.{rng.randrange(20, 200)}", 1900), phone(rng), text.encode())]


PUBLIC, CALL = bytes([203, 0, 113, 77]), ((PHONE, 40000), ("198.51.100.2", 3478))


def by_chance(rng: random.Random, size: int) -> bytes:
    """Bytes of what is encrypted, in which four are those of the other phone's address: once in many calls they are."""
    lead = rng.randrange(0, 40)
    return rng.randbytes(lead) + PUBLIC + rng.randbytes(size - lead - 4)


def media(rng: random.Random) -> bytes:
    """RTP (RFC 3550 5.1)."""
    return b"\x90\x60" + rng.randbytes(10) + by_chance(rng, 120)


def chance_in_media(rng: random.Random) -> Frames:
    return [out(*rng.choice([CALL, CALL[::-1]]), media(rng))]


def chance_in_media_in_a_channel(rng: random.Random) -> Frames:
    data = media(rng)
    return [out(*rng.choice([CALL, CALL[::-1]]), struct.pack(">HH", 0x4001, len(data)) + data)]


def indicated(rng: random.Random, data: bytes) -> bytes:
    """A Data indication from the peer's relayed address; the data are its last attribute."""
    peer = struct.pack(">HHBBH", 0x0012, 8, 0, 1, 50001 ^ 0x2112)
    peer += bytes(a ^ b for a, b in zip(bytes([198, 51, 100, 9]), struct.pack(">I", 0x2112A442), strict=True))
    body = peer + struct.pack(">HH", 0x0013, len(data)) + data + bytes(-len(data) % 4)
    return struct.pack(">HHI", 0x0017, len(body), 0x2112A442) + rng.randbytes(12) + body


def chance_in_media_in_an_indication(rng: random.Random) -> Frames:
    return [out(*CALL[::-1], indicated(rng, media(rng)))]


def chance_in_tls(rng: random.Random) -> Frames:
    here, there = phone(rng), elsewhere(rng, 443)
    return [ethernet(tcp(here, there, rng.getrandbits(32), b"\x17\3\3\0\x78" + by_chance(rng, 120)))]


def chance_in_dtls(rng: random.Random) -> Frames:
    return [out(*CALL, b"\x17\xfe\xfd\0\1" + rng.randbytes(6) + b"\0\x78" + by_chance(rng, 120))]


def video(rng: random.Random) -> bytes:
    return b"\x90\xe1" + rng.randbytes(rng.randrange(700, 1200))


def large_media(rng: random.Random) -> Frames:
    return [out(*rng.choice([CALL, CALL[::-1]]), video(rng)) for _ in range(4)]


def large_media_in_a_channel(rng: random.Random) -> Frames:
    held = [video(rng) for _ in range(4)]
    return [out(*rng.choice([CALL, CALL[::-1]]), struct.pack(">HH", 0x4001, len(data)) + data) for data in held]


def large_media_in_an_indication(rng: random.Random) -> Frames:
    return [out(*CALL[::-1], indicated(rng, video(rng))) for _ in range(4)]


CUT = {each.__name__: each for each in (large_media, large_media_in_a_channel, large_media_in_an_indication, tls, quic)}
"""What a snapshot length may cut without any loss."""

CHANCE = {
    each.__name__: each
    for each in (
        chance_in_media, chance_in_media_in_a_channel, chance_in_media_in_an_indication, chance_in_tls, chance_in_dtls,
    )
}  # fmt: skip
"""What is encrypted is not searched for four bytes: in some gigabytes they are somewhere."""

NOISE: dict[str, Callable[[random.Random], Frames]] = {
    each.__name__: each
    for each in (
        tls, tls_without_a_beginning, quic, short_quic, dns, mdns, ssdp, ntp, http, dtls, stun_elsewhere, beside,
    )
}  # fmt: skip
