"""Which captures void an attempt."""

import hashlib
import struct
from ipaddress import ip_address
from pathlib import Path

import pytest

from correlate.trace import verify
from lab.capture.counters import Counters
from lab.capture.verified import verified
from lab.errors import AttemptVoid

START_S = 1_700_000_000


def record(seconds: int, data: bytes = bytes(60), wire: int | None = None, micros: int = 0) -> bytes:
    return struct.pack("<IIII", seconds, micros, len(data), len(data) if wire is None else wire) + data


def pcap(*records: bytes) -> bytes:
    return struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(records)


def block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def dumpcap(*blocks: bytes) -> bytes:
    named = struct.pack("<HH", 4, 8) + b"Dumpcap " + bytes(4)
    section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + named)
    packet = block(6, struct.pack("<IIIII", 0, 1, 0, 60, 60) + bytes(60))
    return section + block(1, struct.pack("<HHI", 1, 0, 0)) + packet * 2 + b"".join(blocks)


TWO = pcap(record(START_S), record(START_S + 1))
ABOVE = bytes(12) + b"\x08\0" + struct.pack(">BBHHHBBH8x", 0x45, 0, 1501, 0, 0, 64, 17, 0)
ABOVE += struct.pack(">HHHH", 1, 2, 1481, 0) + bytes(1473)


def check(path: Path, data: bytes, counted: int = 2) -> int:
    path.write_bytes(data)
    return verified(path, Counters(counted, counted, 0), hashlib.sha256(data).hexdigest(), 256).packets


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (TWO + record(START_S + 2)[:-1], "byte 176, frame 3: a record is cut: 59 of 60 bytes"),
        (TWO + bytes(3), "byte 176, frame 3: a record header is cut: 3 of 16 bytes"),
        (TWO + record(START_S + 2, wire=59), "impossible length: 60 bytes captured of 59 on the wire"),
        (TWO + bytes(512), "byte 176, frame 3: zero bytes where a record should be; 512 bytes are not read"),
        (pcap(record(START_S + 1), record(START_S)), "byte 116, frame 2: time runs backwards by 1.000000000 s, 1 time"),
        (pcap(record(START_S, micros=10_000), record(START_S)), "time runs backwards by 0.010000000 s, 1 time"),
        (dumpcap(), "byte 0: dumpcap wrote this section without interface statistics"),
    ],
)
def test_a_damaged_capture_voids_the_attempt_and_says_where(tmp_path: Path, data: bytes, told: str) -> None:
    with pytest.raises(AttemptVoid) as void:
        check(tmp_path / "caller.pcap", data)
    assert void.value.reason == "capture_damaged"
    assert str(void.value).startswith("caller.pcap: ")
    assert told in str(void.value)


@pytest.mark.parametrize("counted", [0, 1, 3])
def test_a_capture_with_fewer_or_more_packets_than_were_counted_voids_the_attempt(tmp_path: Path, counted: int) -> None:
    with pytest.raises(AttemptVoid) as void:
        check(tmp_path / "caller.pcap", TWO, counted=counted)
    told = f"2 packets are in the file, the capturing tool counted {counted}"
    assert (void.value.reason, str(void.value)) == ("capture_damaged", f"caller.pcap: {told}")


def test_a_capture_that_is_not_what_was_hashed_where_it_was_made_voids_the_attempt(tmp_path: Path) -> None:
    (tmp_path / "caller.pcap").write_bytes(TWO)
    with pytest.raises(AttemptVoid, match=r"caller\.pcap: its hash is not the one that it had where it was captured$"):
        verified(tmp_path / "caller.pcap", Counters(2, 2, 0), "0" * 64, 256)


def test_a_capture_whose_frames_are_cut_shorter_than_was_asked_voids_the_attempt(tmp_path: Path) -> None:
    def cut(length: int) -> bytes:
        head = ABOVE[:length]
        return pcap(struct.pack("<IIII", START_S, 0, len(head), len(ABOVE)) + head)

    assert check(tmp_path / "caller.pcap", cut(256), counted=1) == 1
    with pytest.raises(AttemptVoid, match=r"1 UDP frames are cut at less than the 256 bytes that were asked for$"):
        check(tmp_path / "caller.pcap", cut(255), counted=1)


def test_what_the_tool_captured_is_what_its_file_must_hold_not_what_it_received(tmp_path: Path) -> None:
    (tmp_path / "caller.pcap").write_bytes(TWO)
    assert verified(tmp_path / "caller.pcap", Counters(2, 3, 0), hashlib.sha256(TWO).hexdigest(), 256).packets == 2


def test_a_whole_frame_may_be_shorter_than_what_was_asked(tmp_path: Path) -> None:
    short = bytes(12) + b"\x08\0" + struct.pack(">BBHHHBBH8x", 0x45, 0, 32, 0, 0, 64, 17, 0)
    short += struct.pack(">HHHH", 1, 2, 12, 0) + bytes(4)
    assert check(tmp_path / "caller.pcap", pcap(record(START_S, short)), counted=1) == 1


def test_frames_that_are_out_of_order_by_less_than_ten_milliseconds_void_nothing(tmp_path: Path) -> None:
    assert check(tmp_path / "caller.pcap", pcap(record(START_S, micros=9_999), record(START_S))) == 2
    (damage,) = verify(tmp_path / "caller.pcap").damage
    assert (damage.kind, damage.stops, damage.voids) == ("out_of_order", True, False)


def test_whole_captures_and_frames_above_the_mtu_void_nothing(tmp_path: Path) -> None:
    assert check(tmp_path / "caller.pcap", TWO) == 2
    assert check(tmp_path / "caller.pcap", pcap(record(START_S, ABOVE)), counted=1) == 1
    assert [damage.kind for damage in verify(tmp_path / "caller.pcap").damage] == ["above_mtu"]
    assert check(tmp_path / "callee.pcapng", dumpcap(block(5, struct.pack("<III", 0, 0, 0)))) == 2


PHONE, SERVER = ip_address("192.0.2.1"), ip_address("198.51.100.7")
KEPT = "capture on one interface, not `any`; on Windows let no other capture driver run beside Npcap"


def datagram(number: int, received: bool = False, ttl: int = 64) -> bytes:
    """An Ethernet frame with the datagram of this number, to the phone or from it."""
    src, dst = (SERVER, PHONE) if received else (PHONE, SERVER)
    head = struct.pack(">BBHHHBBH", 0x45, 0, 60, number, 0, ttl, 17, 0) + src.packed + dst.packed
    return bytes(12) + b"\x08\0" + head + struct.pack(">HHHH", 5000, 5000, 40, 0) + bytes(32)


def call(sent: int, received: int, sent_twice: int = 0, received_twice: int = 0) -> bytes:
    """A capture of so many datagrams each way, the first ones of each a second time within 1 ms."""
    records = []
    for way, (count, twice) in enumerate([(sent, sent_twice), (received, received_twice)]):
        for number in range(count):
            records.append((number, 0, datagram(number, received=bool(way))))
            records += [(number, 900, datagram(number, received=bool(way), ttl=63))] if number < twice else []
    records.sort(key=lambda each: each[:2])
    return pcap(*(record(START_S + number, data, micros=micros) for number, micros, data in records))


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ((130, 130, 130, 130), "130 of 260 datagrams that the phone sent and 130 of 260 that it received"),
        ((99, 500, 1, 0), "1 of 100 datagrams that the phone sent and 0 of 500 that it received"),
        ((500, 99, 0, 1), "0 of 500 datagrams that the phone sent and 1 of 100 that it received"),
    ],
)
def test_a_capture_that_shows_one_per_cent_of_a_direction_twice_voids_the_attempt_and_says_what_to_do(
    tmp_path: Path, counts: tuple[int, ...], told: str
) -> None:
    data, path, notes = call(*counts), tmp_path / "callee.pcap", list[object]()
    path.write_bytes(data)
    counters = Counters(sum(counts), sum(counts), 0)
    with pytest.raises(AttemptVoid) as void:
        verified(
            path, counters, hashlib.sha256(data).hexdigest(), 256, [PHONE], lambda *words, **keys: notes.append(keys)
        )
    assert void.value.reason == "captured_twice"
    assert str(void.value) == f"callee.pcap: {told} are there a second time, the first in frame 3: {KEPT}"
    assert notes == []


@pytest.mark.parametrize(
    ("counts", "noted"),
    [
        ((100, 500, 1, 0), ["1 of 101 datagrams that the phone sent and 0 of 500 that it received"]),
        ((500, 100, 0, 1), ["0 of 500 datagrams that the phone sent and 1 of 101 that it received"]),
        ((50, 50, 0, 0), []),
    ],
)
def test_fewer_datagrams_that_are_there_twice_are_noted(
    tmp_path: Path, counts: tuple[int, ...], noted: list[str]
) -> None:
    data, path, notes = call(*counts), tmp_path / "callee.pcap", list[tuple[str, str]]()
    path.write_bytes(data)
    counters, sha256 = Counters(sum(counts), sum(counts), 0), hashlib.sha256(data).hexdigest()
    integrity = verified(path, counters, sha256, 256, [PHONE], lambda event, text: notes.append((event, text)))
    assert integrity.packets == sum(counts)
    assert [(event, text.partition(" are there a second time")[0]) for event, text in notes] == [
        ("captured_twice", text) for text in noted
    ]
    assert verified(path, counters, sha256, 256) == integrity


def test_packets_that_are_not_looked_into_are_noted(tmp_path: Path) -> None:
    path, notes = tmp_path / "callee.pcap", list[tuple[str, str]]()
    data = pcap(record(START_S, datagram(1)), record(START_S, bytes(12) + b"\x88\x47" + bytes(46)))
    path.write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    verified(path, Counters(2, 2, 0), sha256, 256, [PHONE], lambda event, text: notes.append((event, text)))
    told = "frame 2: 1 frame with packets in MPLS, which is not followed: UDP in there is not seen"
    assert notes == [("not_followed", told)]


def test_what_is_damaged_is_said_to_be_damaged_first(tmp_path: Path) -> None:
    with pytest.raises(AttemptVoid) as void:
        check(tmp_path / "callee.pcap", call(10, 10, 10, 10)[:-1], counted=40)
    assert void.value.reason == "capture_damaged"
