"""Capture files byte by byte, as scapy reads them, and what each tool loses when it is stopped."""

import io
import struct

import numpy as np
import pytest

from lab.virtual.network.capturefile import DUMPCAP_BLOCKS, IMMEDIATE, TCPDUMP_BLOCKS, Capture, damaged, slot_bytes
from lab.virtual.network.ledger import Ledger
from lab.virtual.network.meaning import Meaning
from lab.virtual.network.passing import Batch
from lab.virtual.network.wire import Wire
from lab.virtual.world import World

NOISE = Meaning("noise", outgoing=True)
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def make_wire(link: str = "raw") -> Wire:
    world = World()
    ledger = Ledger(world)
    world.begin("1/t/0", START)
    ledger.begin("t", 0)
    ledger.phone("a", [])
    wire = Wire("a", link, "rmnet1", world, ledger)
    world.flushers.append(wire.flush)
    return wire


def bulk(first_ns: int, spacing_ns: int, count: int, sizes: int = 40, width: int = 16) -> Batch:
    times = first_ns + np.arange(count, dtype=np.int64) * spacing_ns
    rows = np.full((count, width), 7, dtype=np.uint8)
    lengths = np.full(count, sizes, dtype=np.int64)
    return Batch(times, times, lengths, lengths, rows, NOISE, "bulk")


def test_a_pcap_has_microseconds_raw_ip_and_cut_records():
    wire, out = make_wire(), bytearray()
    Capture(wire, "pcap", 5, IMMEDIATE, lambda t: t + 2 * SECOND, out.extend)
    wire.put(START + 1_234_567, b"abc", 3, NOISE)
    wire.put(START + 2_000_999, b"abcdefgh", 8, NOISE)
    wire.world.advance_to(START + SECOND)
    assert out.hex(" ", 4) == (
        "d4c3b2a1 02000400 00000000 00000000 05000000 65000000 "
        "02f15365 d2040000 03000000 03000000 61626302 f15365d0 07000005 00000008 00000061 62636465"
    )


def test_a_pcapng_has_nanoseconds_padded_packets_and_statistics_at_the_end():
    wire, out = make_wire("ethernet"), bytearray()
    capture = Capture(wire, "pcapng", 5, IMMEDIATE, lambda t: t, out.extend, interface="wlan1")
    header = len(out)
    wire.put(START + 1_234_567, b"abcdefgh", 8, NOISE)
    wire.world.advance_to(START + SECOND)
    packet = bytes(out[header:])
    high, low = divmod(START + 1_234_567, 1 << 32)
    assert packet == struct.pack("<IIIIIII", 6, 40, 0, high, low, 5, 8) + b"abcde\0\0\0" + struct.pack("<I", 40)
    capture.stop()
    statistics = bytes(out[header + len(packet) :])
    begun, ended = (struct.pack("<II", *divmod(instant, 1 << 32)) for instant in (START, START + SECOND))
    body = struct.pack("<I", 0) + ended
    body += struct.pack("<HH", 2, 8) + begun + struct.pack("<HH", 3, 8) + ended
    body += struct.pack("<HHQ", 4, 8, 1) + struct.pack("<HHQ", 5, 8, 0) + bytes(4)
    assert statistics == struct.pack("<II", 5, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def test_a_pcapng_names_dumpcap_its_interface_and_its_resolution():
    out = bytearray()
    Capture(make_wire("ethernet"), "pcapng", 256, DUMPCAP_BLOCKS, lambda t: t, out.extend, interface="wlan1")
    section = struct.unpack_from("<III", out)
    assert section[0] == 0x0A0D0D0A
    assert section[2] == 0x1A2B3C4D
    assert b"\x04\x00\x1a\x00Dumpcap (Wireshark) 4.0.17\0\0" in out
    description = bytes(out[section[1] :])
    assert struct.unpack_from("<IIHHI", description)[0::2] == (1, 1, 256)
    assert description[16:].startswith(b"\x02\x00\x05\x00wlan1\0\0\0\x09\x00\x01\x00\x09\0\0\0")


@pytest.mark.parametrize(("format_", "buffering"), [("pcap", IMMEDIATE), ("pcapng", DUMPCAP_BLOCKS)])
def test_scapy_reads_every_frame_with_its_time_and_whole_length(format_, buffering):
    from scapy.utils import RawPcapNgReader, RawPcapReader

    wire, out = make_wire(), bytearray()
    capture = Capture(wire, format_, 30, buffering, lambda t: t + 5_000, out.extend)
    wire.put_batch(bulk(START + 1000, 1_000_000, 500))
    wire.put(START + 1_500_000, b"single", 6, NOISE)
    wire.put(START + 2_500_000, bytes(range(64)), 64, NOISE)
    wire.world.advance_to(START + SECOND)
    capture.stop()
    assert (capture.received, capture.captured, capture.dropped) == (502, 502, 0)
    reader = RawPcapReader if format_ == "pcap" else RawPcapNgReader
    frames = list(reader(io.BytesIO(bytes(out))))
    assert len(frames) == 502
    assert [text for text, _ in frames[:5]] == [
        b"\7" * 16 + bytes(14),
        b"\7" * 16 + bytes(14),
        b"single",
        b"\7" * 16 + bytes(14),
        bytes(range(30)),
    ]
    assert [meta.wirelen for _, meta in frames[:5]] == [40, 40, 6, 40, 64]
    if format_ == "pcap":
        assert [(meta.sec, meta.usec) for _, meta in frames[:2]] == [(1_700_000_000, 6), (1_700_000_000, 1006)]


@pytest.mark.parametrize(
    ("snaplen", "raw", "ethernet"),
    [(252, 236, 250), (253, 252, 253), (256, 252, 256), (268, 252, 266), (272, 268, 272), (640, 636, 640)],
)
def test_a_slot_has_room_for_up_to_16_bytes_less_than_the_snaplen_as_measured(snaplen, raw, ethernet):
    assert (slot_bytes(snaplen, "raw"), slot_bytes(snaplen, "ethernet")) == (raw, ethernet)


def test_a_capture_keeps_what_it_has_room_for_and_its_file_names_the_snaplen_that_was_asked_for():
    wire, out = make_wire(), bytearray()
    Capture(wire, "pcap", 6, IMMEDIATE, lambda t: t, out.extend, room=4)
    wire.put(START, b"abcdefgh", 8, NOISE)
    wire.world.advance_to(START + SECOND)
    assert struct.unpack_from("<I", out, 16) == (6,)
    assert out[32:] == struct.pack("<II", 4, 8) + b"abcd"


def lost(buffering, *, drain_ns: int = 0) -> int:
    """Frames missing when a tool is stopped right behind the last of 3.3 s of frames, one a millisecond."""
    wire, out = make_wire(), bytearray()
    capture = Capture(wire, "pcap", 64, buffering, lambda t: t, out.extend)
    wire.put_batch(bulk(START, 1_000_000, 3300))
    wire.world.advance_to(START + 3_299_000_000 + drain_ns)
    capture.stop()
    assert capture.received == 3300
    assert (len(out) - 24) // 56 == capture.captured
    return capture.received - capture.captured


def test_a_stop_behind_the_last_frame_loses_what_the_tool_has_not_written():
    assert lost(IMMEDIATE) == 0
    assert lost(TCPDUMP_BLOCKS) == 300
    assert lost(DUMPCAP_BLOCKS) == 300


def test_draining_loses_nothing():
    assert lost(TCPDUMP_BLOCKS, drain_ns=1_200_000_000) == 0
    assert lost(DUMPCAP_BLOCKS, drain_ns=1_200_000_000) == 0


def test_the_file_grows_at_once_or_by_blocks():
    for buffering, sizes in ((IMMEDIATE, [1, 1, 1]), (DUMPCAP_BLOCKS, [0, 0, 1]), (TCPDUMP_BLOCKS, [0, 0, 0])):
        wire, out = make_wire(), bytearray()
        Capture(wire, "pcap", 64, buffering, lambda t: t, out.extend)
        wire.put(START + 100, b"x", 1, NOISE)
        grown = []
        for now_ns in (START + 100, START + 499_999_999, START + 500_000_000):
            wire.world.advance_to(now_ns)
            grown.append((len(out) - 24) // 17)
        assert grown == sizes


def test_a_killed_dumpcap_writes_no_statistics():
    wire, out = make_wire(), bytearray()
    capture = Capture(wire, "pcapng", 64, DUMPCAP_BLOCKS, lambda t: t, out.extend)
    before = bytes(out)
    capture.stop(killed=True)
    assert bytes(out) == before


def test_a_stopped_capture_sees_and_writes_nothing_more():
    wire, out = make_wire(), bytearray()
    capture = Capture(wire, "pcapng", 64, IMMEDIATE, lambda t: t, out.extend)
    capture.stop()
    written = bytes(out)
    wire.put(START + 100, b"x", 1, NOISE)
    wire.world.advance_to(START + SECOND)
    capture.stop()
    assert bytes(out) == written
    assert capture.received == 0


def test_the_file_is_the_same_however_time_moves():
    files = []
    for step in (7_000_001, 450_000_000, 4 * SECOND):
        wire, out = make_wire(), bytearray()
        capture = Capture(wire, "pcapng", 64, DUMPCAP_BLOCKS, lambda t: t, out.extend)
        wire.put_batch(bulk(START + 3, 10_000_000, 100))
        for number in range(50):
            wire.put(START + number * 40_000_000, bytes([number] * 20), 20, NOISE)
        while wire.world.now_ns < START + 4 * SECOND:
            wire.world.advance_to(min(wire.world.now_ns + step, START + 4 * SECOND))
        capture.stop()
        files.append(bytes(out))
    assert files[0] == files[1] == files[2]


def test_a_tool_that_is_late_sees_and_counts_nothing_of_what_passed_before():
    wire, out = make_wire(), bytearray()
    capture = Capture(wire, "pcap", 40, IMMEDIATE, lambda t: t, out.extend)
    capture.sees_from_ns = START + SECOND
    wire.put_batch(bulk(START, SECOND // 4, 12))
    wire.world.advance_to(START + 10 * SECOND)
    assert (capture.received, capture.captured, capture.dropped, len(out)) == (8, 8, 0, 24 + 8 * 56)


def test_frames_that_the_kernel_drops_are_counted_as_that_and_in_no_file():
    wire, out = make_wire(), bytearray()
    capture = Capture(wire, "pcap", 40, IMMEDIATE, lambda t: t, out.extend)
    wire.put_batch(bulk(START, SECOND // 4, 12))
    wire.world.advance_to(START + SECOND)
    capture.miss(4)
    wire.world.advance_to(START + 10 * SECOND)
    assert (capture.received, capture.captured, capture.dropped, len(out)) == (8, 8, 4, 24 + 8 * 56)


@pytest.mark.parametrize("format", ["pcap", "pcapng"])
def test_a_file_that_is_cut_ends_inside_its_last_packet(format):
    wire, out = make_wire(), bytearray()
    capture = Capture(wire, format, 40, IMMEDIATE, lambda t: t, out.extend)
    header = len(out)
    wire.put_batch(bulk(START, SECOND // 4, 2))
    wire.world.advance_to(START + SECOND)
    packet = (len(out) - header) // 2
    capture.stop()
    lost, zeros = damaged("cut", format)
    assert zeros == 0
    assert header + packet < len(out) - lost < header + 2 * packet
    assert damaged("zeroed", format) == (4096, 4096)
