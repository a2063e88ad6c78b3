"""pcapng built by hand from draft-ietf-opsawg-pcapng."""

import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from correlate import flows, stun
from correlate.errors import Unreadable
from correlate.trace import Trace, verify

NS = 1_700_000_000_123_456_789
UDP = (
    bytes.fromhex("4500001f0000000040110000")
    + bytes([192, 0, 2, 1, 198, 51, 100, 7])
    + struct.pack(">HHHH", 40000, 3478, 11, 0)
    + b"abc"
)
FRAME = bytes(12) + b"\x08\x00" + UDP


def block(kind, body, order="<"):
    body += bytes(-len(body) % 4)
    length = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + length + body + length


def option(code, value, order="<"):
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order="<", application=b"", major=1):
    options = option(4, application, order) + bytes(4) if application else b""
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, major, 0, -1) + options, order)


def interface(order="<", link_type=1, snaplen=0, resolution=None, offset_s=None):
    options = option(9, bytes([resolution]), order) if resolution is not None else b""
    options += option(14, struct.pack(f"{order}q", offset_s), order) if offset_s is not None else b""
    return block(1, struct.pack(f"{order}HHI", link_type, 0, snaplen) + options, order)


def packet(units, data=FRAME, order="<", number=0, wire=None, captured=None):
    size = len(data) if captured is None else captured
    fields = number, units >> 32, units & 0xFFFFFFFF, size, len(data) if wire is None else wire
    return block(6, struct.pack(f"{order}IIIII", *fields) + data, order)


def simple(data=FRAME, order="<", wire=None):
    return block(3, struct.pack(f"{order}I", len(data) if wire is None else wire) + data, order)


def old_packet(units, data=FRAME, order="<", number=0):
    fields = number, 7, units >> 32, units & 0xFFFFFFFF, len(data), len(data)
    return block(2, struct.pack(f"{order}HHIIII", *fields) + data, order)


def statistics(order="<", number=0, received=0, dropped=0):
    counts = option(4, struct.pack(f"{order}Q", received), order) + option(5, struct.pack(f"{order}Q", dropped), order)
    return block(5, struct.pack(f"{order}III", number, 0, 0) + counts + bytes(4), order)


@pytest.fixture
def read(tmp_path):
    def read(*blocks):
        path = tmp_path / "one.pcapng"
        path.write_bytes(b"".join(blocks))
        return Trace.read(path)

    return read


def kinds(trace):
    return [(damage.kind, damage.offset, damage.frame) for damage in trace.damage]


@pytest.mark.parametrize("order", ["<", ">"])
def test_enhanced_packets_of_both_byte_orders(read, order):
    trace = read(section(order), interface(order, resolution=9), packet(NS, order=order), packet(NS + 1, order=order))
    assert (trace.format, trace.link_types, trace.packets, trace.damage) == ("pcapng", (1,), 2, ())
    assert trace.udp.time_ns.tolist() == [NS, NS + 1]
    assert trace.udp.wire_bytes.tolist() == [45, 45]
    assert [trace.payload(row) for row in range(2)] == [b"abc", b"abc"]


@pytest.mark.parametrize(
    ("resolution", "units", "time_ns"),
    [
        (None, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        (0, 1_700_000_000, 1_700_000_000_000_000_000),
        (3, 1_700_000_000_123, 1_700_000_000_123_000_000),
        (9, NS, NS),
        (10, 17_000_000_001_234_567_891, 1_700_000_000_123_456_789),
        (12, 123_456_789_999, 123_456_789),
        (0x80 | 10, 1_700_000_000 << 10 | 512, 1_700_000_000_500_000_000),
        (0x80 | 20, 1_700_000_000 << 20 | 1, 1_700_000_000_000_000_953),
        (0x80 | 40, 3 << 40 | 1 << 39, 3_500_000_000),
        (0x7F, 2**63, 0),
        (0, 2**63, -1),
    ],
)
def test_any_time_resolution_is_exact(read, resolution, units, time_ns):
    trace = read(section(), interface(resolution=resolution), packet(units))
    assert trace.udp.time_ns.tolist() == [time_ns]
    assert [each.kind for each in trace.damage] == (["impossible_time"] if time_ns < 0 else [])


@pytest.mark.parametrize(("offset_s", "time_ns"), [(0, 5_000), (1_700_000_000, 1_700_000_000_000_005_000), (-1, -1)])
def test_the_time_offset_of_an_interface_is_added(read, offset_s, time_ns):
    assert read(section(), interface(offset_s=offset_s), packet(5)).udp.time_ns.tolist() == [time_ns]


def test_times_that_do_not_fit_are_said_with_the_first_frame_and_those_of_simple_packets_are_not(read):
    late = 2**63 // 1000 + 1
    trace = read(
        section(), interface(), packet(late - 1), simple(), packet(late), block(0xBAD, bytes(4)), packet(2**64 - 1)
    )
    assert trace.udp.time_ns.tolist() == [(late - 1) * 1000, -1, -1, -1]
    (damage,) = trace.damage
    assert (damage.kind, damage.frame, damage.stops, damage.voids) == ("impossible_time", 3, True, True)
    assert str(damage).endswith("frame 3: 2 times before 1970 or after 2262")


def test_sections_have_their_own_interfaces_byte_orders_and_clocks(read):
    trace = read(
        section("<"), interface(resolution=9), interface(link_type=101), packet(NS), packet(7, UDP, number=1),
        section(">"), interface(">", link_type=101, resolution=0), packet(6, UDP, order=">"),
    )  # fmt: skip
    assert trace.link_types == (1, 101)
    assert trace.udp.time_ns.tolist() == [NS, 7_000, 6_000_000_000]
    assert trace.udp.wire_bytes.tolist() == [45, 31, 31]
    # Each interface has its own clock line, so this is no step back.
    assert trace.damage == ()


def test_sections_of_either_byte_order_with_links_and_clocks_of_their_own_make_one_flow(read):
    cooked = bytes(14) + b"\x08\x00" + UDP
    trace = read(
        section("<"), interface("<", 1, resolution=9), interface("<", 101, resolution=0x80 | 20),
        packet(NS), packet(1_700_000_001 << 20 | 1, UDP, number=1), statistics("<"),
        section(">"), interface(">", 113, resolution=3), packet(1_700_000_002_007, cooked, ">"), simple(cooked, ">"),
    )  # fmt: skip
    assert flows.rows(trace) == [
        {
            "a": "192.0.2.1", "a_port": 40000, "b": "198.51.100.7", "b_port": 3478, "packets_ab": 4, "packets_ba": 0,
            "bytes_ab": 45 + 31 + 47 + 47, "bytes_ba": 0, "payload_ab": 12, "payload_ba": 0, "first_ns": NS,
            "last_ns": 1_700_000_002_007_000_000, "classic_stun": 0,
        }
    ]  # fmt: skip
    assert trace.udp.time_ns.tolist() == [NS, 1_700_000_001_000_000_953, 1_700_000_002_007_000_000, -1]
    assert (trace.link_types, trace.damage) == ((1, 101, 113), ())


def test_time_running_backwards_on_one_interface_is_said(read):
    trace = read(
        section(), interface(), interface(), packet(99_999), packet(1, number=1), packet(100_000), packet(90_000)
    )
    assert [(damage.kind, damage.frame) for damage in trace.damage] == [("time_backwards", 4)]
    assert not verify(trace).ok


def test_simple_packets_have_no_time_and_are_cut_by_the_snapshot_length(read):
    trace = read(section(), interface(snaplen=44), simple(FRAME[:44], wire=45), simple(FRAME[:40]))
    assert trace.udp.time_ns.tolist() == [-1, -1]
    assert (trace.udp.captured_bytes.tolist(), trace.udp.wire_bytes.tolist()) == ([44, 40], [45, 40])
    (row,) = flows.rows(trace)
    assert (row["first_ns"], row["last_ns"], row["packets_ab"]) == (None, None, 2)
    assert (verify(trace).first_ns, verify(trace).ok) == (None, True)


@pytest.mark.parametrize("order", ["<", ">"])
def test_all_kinds_of_packets_stand_in_file_order(read, order):
    trace = read(
        section(order), interface(order), interface(order),
        packet(5, order=order), old_packet(6, order=order, number=1), simple(order=order), packet(8, order=order),
    )  # fmt: skip
    assert trace.udp.time_ns.tolist() == [5_000, 6_000, -1, 8_000]
    assert trace.udp.frame.tolist() == [1, 2, 3, 4]


def test_unknown_blocks_are_skipped(read):
    trace = read(section(), interface(), block(0x0BAE, b"12345678"), packet(1), block(4, b"names"), packet(2))
    assert (trace.packets, trace.udp.frame.tolist(), trace.damage) == (2, [1, 2], ())


# What tshark 4.0.17 gives a frame number, and what it does not.
FRAMES = {9: True, 0x204: True, 0x216: True, 0x221: True, 0xBAD: True, 0x40000BAD: True}
FRAMES |= dict.fromkeys([4, 5, 7, 8, 0xA, 0xB, 0x201, 0xBAE, 0x80000001], False)


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("order", ["<", ">"])
def test_frames_are_numbered_as_wireshark_numbers_them(read, kind, order):
    other = block(kind, struct.pack(f"{order}III", 62652, 0, 0) + bytes(20), order)
    trace = read(section(order), other, interface(order), packet(1, order=order), other, other, packet(2, order=order))
    assert trace.udp.frame.tolist() == ([2, 5] if FRAMES[kind] else [1, 2])
    assert (trace.packets, trace.link_types, trace.damage) == (2, (1,), ())
    assert trace.first_ns == 1_000


def test_a_custom_block_is_of_no_interface(read):
    custom = block(0xBAD, bytes(4))
    assert read(section(), interface(link_type=127), custom).link_types == ()
    assert read(section(), interface(link_type=127), interface(), custom, packet(1, number=1)).link_types == (1,)
    assert (read(section(), custom).packets, read(section(), custom).damage) == (0, ())


def test_damage_names_the_frame_by_the_same_number(read):
    custom = block(0xBAD, bytes(4))
    assert [each.frame for each in read(section(), interface(), packet(1), custom, packet(2)[:-1]).damage] == [3]
    assert [each.frame for each in read(section(), interface(), custom, packet(99_999), packet(1)).damage] == [3]


@pytest.mark.parametrize("kind", [0xBAD, 0x40000BAD])
def test_a_custom_block_without_its_enterprise_number_breaks_the_chain(read, kind):
    trace = read(section(), interface(), packet(1), block(kind, b""), packet(2))
    text = f"impossible length: a block of type {kind} with 12 bytes"
    assert (trace.packets, [(each.frame, each.text) for each in trace.damage]) == (1, [(2, text)])


def test_statistics_give_the_drops_of_all_interfaces(read):
    head = section(application=b"Dumpcap (Wireshark) 4.0.17"), interface(), interface(), packet(1)
    trace = read(*head, statistics(dropped=1), statistics(dropped=3), statistics(number=1, dropped=4))
    assert (verify(trace).kernel_dropped, trace.damage) == (7, ())


def enhanced(options, data=FRAME, order="<", number=0):
    """An enhanced packet with these options."""
    head = struct.pack(f"{order}IIIII", number, 0, 1, len(data), len(data))
    return block(6, head + data + bytes(-len(data) % 4) + options, order)


def dropcount(count, order="<"):
    return option(4, struct.pack(f"{order}Q", count), order)


FLAGS, ENDED = (option(2, bytes(4)), option(1, b"a comment")), bytes(4)


@pytest.mark.parametrize(
    ("blocks", "dropped"),
    [
        ([enhanced(dropcount(7)), enhanced(dropcount(7) + ENDED), enhanced(ENDED)], 14),
        ([enhanced(b"".join(FLAGS) + dropcount(5)), enhanced(dropcount(2) + b"".join(FLAGS), FRAME[:44])], 7),
        ([enhanced(ENDED + dropcount(5))], None),
        ([enhanced(option(4, bytes(4)) + option(5, b"\1" * 8))], None),
        ([enhanced(dropcount(5)[:-4])], None),
        ([enhanced(dropcount(0))], 0),
        ([enhanced(dropcount(2**64 - 1)), enhanced(dropcount(1))], 2**64),
        ([enhanced(dropcount(3)), enhanced(dropcount(4), number=1)], 7),
        ([enhanced(dropcount(3)), statistics(dropped=3)], 3),
        ([enhanced(dropcount(3)), statistics(dropped=5)], 5),
        ([enhanced(dropcount(6)), statistics(dropped=5)], 6),
        ([enhanced(dropcount(3)), statistics(number=1, dropped=5)], 8),
        ([old_packet(1), old_packet(2), packet(3)], 14),
    ],
)
def test_drops_before_a_packet_are_counted_and_never_twice(read, blocks, dropped):
    trace = read(section(), interface(), interface(), *blocks)
    assert (trace.kernel_dropped, trace.damage) == (dropped, ())


def test_drops_are_read_in_either_byte_order_and_where_an_obsolete_packet_knows_none(read):
    old = [old_packet(1, order=order).replace(struct.pack(f"{order}H", 7), b"\xff\xff", 1) for order in "<>"]
    head = [[section(order), interface(order)] for order in "<>"]
    assert read(*head[1], enhanced(dropcount(9, ">"), order=">"), old_packet(1, order=">")).kernel_dropped == 16
    assert read(*head[0], old[0], *head[1], old[1]).kernel_dropped is None


def test_a_packet_with_endless_options_costs_no_time(read):
    trace = read(section(), interface(), enhanced(option(2, b"") * 500_000 + dropcount(5)), packet(2))
    assert (trace.packets, trace.kernel_dropped, trace.damage) == (2, None, ())


def test_dumpcap_without_statistics_was_not_stopped_cleanly(read):
    head = section(application=b"Dumpcap (Wireshark) 4.0.17")
    trace = read(head, interface(), packet(1))
    (damage,) = trace.damage
    assert (damage.kind, damage.offset, damage.breaks_chain, damage.stops) == ("no_statistics", 0, False, True)
    assert (trace.packets, verify(trace).kernel_dropped) == (1, None)
    assert kinds(read(section(application=b"Editcap 4.0.17"), interface(), packet(1))) == []
    second = read(head, interface(), statistics(), head, interface())
    assert kinds(second) == [("no_statistics", len(head + interface() + statistics()), None)]


def test_an_unreadable_link_type_is_refused_where_packets_have_it(read):
    with pytest.raises(Unreadable, match=r"link type 127 \(IEEE802_11_RADIOTAP\) is not read here"):
        read(section(), interface(link_type=127), packet(1))
    assert read(section(), interface(link_type=127), interface(), packet(1, number=1)).link_types == (1,)


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (packet(2, captured=64), "impossible_length"),
        (packet(2, wire=44), "impossible_length"),
        (packet(2, number=5), "bad_block"),
        (bytes(64), "zero_filled"),
        (bytes(5), "cut_record_header"),
        (struct.pack("<II", 6, 4) + bytes(24), "impossible_length"),
        (struct.pack("<II", 6, 33) + bytes(29), "impossible_length"),
        (struct.pack("<II", 6, 1 << 30) + bytes(24), "impossible_length"),
        (block(6, b"1234"), "impossible_length"),
        (packet(2)[:-4] + bytes(4), "bad_block"),
        (section(major=2), "bad_block"),
        (packet(2)[:-1], "cut_record"),
        (packet(2)[:11], "cut_record_header"),
    ],
)
def test_a_broken_chain_keeps_all_before_it(read, bad, kind):
    head = section(application=b"Dumpcap") + interface() + packet(1)
    trace = read(head, bad)
    assert (trace.packets, kinds(trace)) == (1, [(kind, len(head), 2)])
    assert (trace.damage[0].breaks_chain, trace.damage[0].stops) == (True, True)


def test_packets_behind_a_bad_one_are_not_kept(read):
    trace = read(section(), interface(), packet(1), simple(), packet(2, wire=44), packet(3), interface(), packet(4))
    assert (trace.packets, [damage.frame for damage in trace.damage]) == (2, [3])


def test_a_file_cut_at_any_byte_keeps_every_whole_packet(read):
    parts = [section(), interface(), packet(1), packet(2), simple(), statistics()]
    ends = [sum(map(len, parts[: n + 1])) for n in range(len(parts))]
    whole = b"".join(parts)
    for size in range(1, len(whole)):
        trace = read(whole[:size])
        assert trace.packets == sum(end <= size for end in ends[2:5])
        assert [damage.breaks_chain for damage in trace.damage] == ([] if size in ends else [True])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_change_of_bytes_crashes_the_reader(tmp_path_factory, data):
    order = data.draw(st.sampled_from("<>"))
    start = section(order, b"Dumpcap") + interface(order, resolution=9, offset_s=1)
    content = bytearray(start + packet(1, order=order) + old_packet(2, order=order) + simple(order=order))
    content += statistics(order) + section("<") + interface() + packet(9)
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "fuzz.pcapng"
    path.write_bytes(bytes(content))
    try:
        trace = Trace.read(path)
    except Unreadable:
        return
    assert (trace.udp.payload_offset + trace.udp.payload_captured <= len(trace.data)).all()
    json.dumps([flows.rows(trace), stun.rows(trace)])
    verify(trace)
