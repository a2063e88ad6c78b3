"""Large captures with their truth: what flows and which STUN messages are in them, known from how they were made.

`python benchmarks/captures.py FILE [--packets N] [--seed N] [--count N] [--truth JSON]`. The same packets
and seed give the same bytes.
Calls of both IP versions, packets of 100 to 1200 bytes of payload, consent checks among the media as in real calls
(RFC 7675: one every 5 s and direction beside about 50 packets a second), times in order.
"""

from __future__ import annotations

import argparse
import json
import struct
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import numpy as np

START_S = 1_700_000_000
CHUNK = 50_000
STUN_EVERY = 200
PACKETS_PER_FLOW = 3_000
LEAST_PAYLOAD, MOST_PAYLOAD = 100, 1_200
COOKIE = 0x2112A442
LINK, RECORD = 14, 16
# A Binding request: USERNAME, PRIORITY, ICE-CONTROLLED, MESSAGE-INTEGRITY, FINGERPRINT (RFC 8489, RFC 8445)
USER = b"aBcD:eFgH"


@dataclass(frozen=True)
class Flow:
    """The truth about one flow; (a, a_port) < (b, b_port) as (text, number)."""

    a: str
    a_port: int
    b: str
    b_port: int
    packets_ab: int
    packets_ba: int
    bytes_ab: int
    bytes_ba: int
    payload_ab: int
    payload_ba: int
    first_ns: int
    last_ns: int


@dataclass(frozen=True)
class Truth:
    packets: int
    size_bytes: int
    flows: list[Flow]  # in order of their first packet
    stun: int


def binding_request() -> bytes:
    attributes = b"".join(
        struct.pack(">HH", kind, len(value)) + value + bytes(-len(value) % 4)
        for kind, value in ((6, USER), (0x24, bytes(4)), (0x8029, bytes(8)), (8, bytes(20)), (0x8028, bytes(4)))
    )
    return struct.pack(">HHI", 1, len(attributes), COOKIE) + bytes(range(12)) + attributes


def headers(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[tuple[str, int, str, int]]]:
    """Ethernet, IP and UDP headers of both directions of each flow, (2 * count, 62) uint8; whether a flow is IPv6; the
    ends that speak in each direction."""
    table = np.zeros((2 * count, LINK + 48), np.uint8)
    six = rng.random(count) < 0.3
    ports = rng.integers(1024, 65536, (count, 2))
    ends = []
    for flow in range(count):
        for way in (0, 1):
            sport, dport = ports[flow] if way == 0 else ports[flow][::-1]
            udp = struct.pack(">HHHH", sport, dport, 0, 0)
            pair: list[IPv4Address] | list[IPv6Address]
            if six[flow]:
                pair = [IPv6Address((0x20010DB8 << 96) + (flow << 8) + 1), IPv6Address((0x20010DB8_000F << 80) + flow)]
            else:
                pair = [IPv4Address((10 << 24) + flow), IPv4Address((198 << 24) + (18 << 16) + flow % 4096)]
            source, target = pair if way == 0 else pair[::-1]
            first = (
                struct.pack(">IHBB", 6 << 28, 0, 17, 64)
                if six[flow]
                else struct.pack(">BBHHHBBH", 0x45, *[0] * 4, 64, 17, 0)
            )
            kind = b"\x86\xdd" if six[flow] else b"\x08\x00"
            row = (
                bytes([2, 0, 0, 0, 0, way + 1, 2, 0, 0, 0, 0, 2 - way])
                + kind
                + first
                + source.packed
                + target.packed
                + udp
            )
            table[2 * flow + way, : len(row)] = list(row)
            ends.append((str(source), int(sport), str(target), int(dport)))
    return table, six, ends


def write(path: Path, packets: int, seed: int = 1) -> Truth:
    """Writes a little-endian pcap file with microseconds."""
    rng = np.random.default_rng(seed)
    count = max(packets // PACKETS_PER_FLOW, 8)
    table, six, ends = headers(count, rng)
    noise = rng.integers(0, 256, 1 << 21, np.uint8)
    sums = np.zeros((2 * count, 3), np.int64)
    first, last = np.full(count, np.iinfo(np.int64).max), np.full(count, -1)
    stun = size = 0
    clock = START_S * 1_000_000
    with path.open("wb") as file:
        size += file.write(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for low in range(0, packets, CHUNK):
            chunk = _chunk(rng, min(CHUNK, packets - low), clock, table, six, noise)
            size += file.write(chunk.octets.data)
            clock = int(chunk.micros[-1])
            amounts: tuple[int | np.ndarray, ...] = (1, chunk.wire, chunk.payload)
            for column, amount in enumerate(amounts):
                np.add.at(sums[:, column], chunk.way, amount)
            np.minimum.at(first, chunk.way >> 1, chunk.micros * 1000)
            np.maximum.at(last, chunk.way >> 1, chunk.micros * 1000)
            stun += chunk.stun
    order = np.argsort(first, kind="stable")
    flows = [
        _flow(ends[2 * n], sums[2 * n : 2 * n + 2].tolist(), int(first[n]), int(last[n])) for n in order if last[n] >= 0
    ]
    return Truth(packets, size, flows, stun)


@dataclass
class _Chunk:
    octets: np.ndarray
    micros: np.ndarray
    way: np.ndarray
    wire: np.ndarray
    payload: np.ndarray
    stun: int


def _chunk(
    rng: np.random.Generator, n: int, clock: int, table: np.ndarray, six: np.ndarray, noise: np.ndarray
) -> _Chunk:
    way = rng.integers(0, len(table), n)
    payload = rng.integers(LEAST_PAYLOAD, MOST_PAYLOAD + 1, n)
    check = rng.random(n) < 1 / STUN_EVERY
    request = np.frombuffer(binding_request(), np.uint8)
    payload[check] = len(request)
    version6 = six[way >> 1]
    before = np.where(version6, LINK + 48, LINK + 28)
    wire = before + payload
    # At least a microsecond apart, so that no two flows begin at once.
    micros = clock + np.cumsum(rng.integers(1, 40, n))
    end = np.cumsum(wire + RECORD)
    at = end - wire - RECORD
    octets = np.resize(np.roll(noise, -int(rng.integers(len(noise)))), int(end[-1]))
    columns = np.stack([micros // 1_000_000, micros % 1_000_000, wire, wire], axis=1)
    octets[at[:, None] + np.arange(RECORD)] = columns.astype("<u4").view(np.uint8)
    for version, size in ((False, LINK + 28), (True, LINK + 48)):
        mine = np.flatnonzero(version6 == version)
        head = table[way[mine], :size].copy()
        ip = LINK + (4 if version else 2)
        head[:, ip : ip + 2] = (payload[mine] + (8 if version else 28)).astype(">u2")[:, None].view(np.uint8)
        head[:, size - 4 : size - 2] = (payload[mine] + 8).astype(">u2")[:, None].view(np.uint8)
        octets[at[mine][:, None] + RECORD + np.arange(size)] = head
    start = at + RECORD + before
    octets[start] = 0x80  # RTP version 2
    octets[start[check][:, None] + np.arange(len(request))] = request
    return _Chunk(octets, micros, way, wire, payload, int(check.sum()))


def _flow(ends: tuple[str, int, str, int], sums: list[list[int]], first_ns: int, last_ns: int) -> Flow:
    source, target = ends[:2], ends[2:]
    (packets, octets, payload), (back_packets, back_octets, back_payload) = sums
    if source <= target:
        pairs = packets, back_packets, octets, back_octets, payload, back_payload
        return Flow(*source, *target, *pairs, first_ns, last_ns)
    pairs = back_packets, packets, back_octets, octets, back_payload, payload
    return Flow(*target, *source, *pairs, first_ns, last_ns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--packets", type=int, default=3_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--count", type=int, default=1, help="so many files: FILE, FILE.1, ... of the seeds that follow"
    )
    parser.add_argument("--truth", type=Path, help="write the truth here, a JSON list")
    chosen = parser.parse_args()
    paths = [chosen.file, *(Path(f"{chosen.file}.{n}") for n in range(1, chosen.count))]
    truths = [write(path, chosen.packets, chosen.seed + n) for n, path in enumerate(paths)]
    if chosen.truth:
        chosen.truth.write_text(json.dumps([asdict(truth) for truth in truths]))
    for path, truth in zip(paths, truths, strict=True):
        print(f"{path}: {truth.packets} packets, {len(truth.flows)} flows, {truth.stun} STUN messages")


if __name__ == "__main__":
    main()
