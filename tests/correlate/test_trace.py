import gzip
import hashlib
import json
import pickle
import struct
from ipaddress import IPv4Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from correlate import flows, stun
from correlate.errors import Unreadable
from correlate.trace import Trace, verify

START_S = 1_700_000_000


def ipv4(payload, src="192.0.2.1", sport=40000, dst="198.51.100.7", dport=3478, length=None):
    udp = struct.pack(">HHHH", sport, dport, len(payload) + 8 if length is None else length, 0) + payload
    ends = IPv4Address(src).packed + IPv4Address(dst).packed
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + ends + udp


def ethernet(packet):
    return bytes(12) + b"\x08\x00" + packet


def pcap(*records, order="<", nano=False, link_type=1, snaplen=65535):
    """Records are (seconds, fraction, data, wire length or None)."""
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    parts = [struct.pack(f"{order}IHHIIII", magic, 2, 4, 0, 0, snaplen, link_type)]
    for seconds, fraction, data, wire in records:
        parts.append(
            struct.pack(f"{order}IIII", seconds, fraction, len(data), len(data) if wire is None else wire) + data
        )
    return b"".join(parts)


def three(**options):
    return pcap(*((START_S + n, n, ethernet(ipv4(b"abc" * (n + 1))), None) for n in range(3)), **options)


@pytest.fixture
def read(tmp_path):
    def read(data, name="one.pcap"):
        path = tmp_path / name
        path.write_bytes(data)
        return Trace.read(path)

    return read


def test_a_trace_goes_to_another_process_as_it_is(read):
    trace = read(three())
    other = pickle.loads(pickle.dumps(trace))
    assert [other.payload(row) for row in range(3)] == [b"abc", b"abcabc", b"abcabcabc"]
    assert (other.path, other.raw, other.packets, other.damage) == (trace.path, trace.raw, 3, ())
    assert other.udp.time_ns.tolist() == trace.udp.time_ns.tolist()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_both_byte_orders_and_both_resolutions_give_the_same_columns(read, order, nano):
    trace = read(three(order=order, nano=nano))
    udp = trace.udp
    unit_ns = 1 if nano else 1000
    assert (trace.format, trace.link_types, trace.packets, trace.damage) == ("pcap", (1,), 3, ())
    assert udp.frame.tolist() == [1, 2, 3]
    assert udp.time_ns.tolist() == [(START_S + n) * 10**9 + n * unit_ns for n in range(3)]
    assert (udp.wire_bytes.tolist(), udp.captured_bytes.tolist()) == ([45, 48, 51], [45, 48, 51])
    assert (udp.payload_bytes.tolist(), udp.payload_captured.tolist()) == ([3, 6, 9], [3, 6, 9])
    assert [str(udp.addresses[n]) for n in (udp.src[0], udp.dst[0])] == ["192.0.2.1", "198.51.100.7"]
    assert (udp.src_port.tolist(), udp.dst_port.tolist()) == ([40000] * 3, [3478] * 3)
    assert [trace.payload(row) for row in range(3)] == [b"abc", b"abcabc", b"abcabcabc"]
    assert (trace.first_ns, trace.last_ns) == (int(udp.time_ns[0]), int(udp.time_ns[2]))


def test_a_gzip_file_reads_like_what_is_inside(read):
    packed = gzip.compress(three(), mtime=0)
    trace = read(packed)
    assert (trace.packets, trace.payload(2)) == (3, b"abcabcabc")
    assert verify(trace).sha256 == hashlib.sha256(packed).hexdigest()
    members = read(gzip.compress(three()[:50], mtime=0) + gzip.compress(three()[50:], mtime=0))
    assert (members.packets, members.damage) == (3, ())


def test_a_cut_gzip_file_says_so_and_keeps_what_unpacks(read):
    whole = pcap(*((START_S, 0, ethernet(ipv4(hashlib.sha256(bytes([n])).digest())), None) for n in range(200)))
    trace = read(gzip.compress(whole, mtime=0)[:-2000])
    assert [damage.kind for damage in trace.damage] == ["cut_gzip", "cut_record"]
    assert 0 < trace.packets < 200


def test_a_gzip_file_that_unpacks_to_anything_is_refused(read):
    with pytest.raises(Unreadable, match="unpacks to 96 MiB or more"):
        read(gzip.compress(pcap() + bytes(97 << 20), compresslevel=1))


def test_a_frame_cut_by_the_snapshot_length_keeps_its_wire_length(read):
    frame = ethernet(ipv4(b"x" * 1000))
    trace = read(pcap((START_S, 0, frame[:60], len(frame)), snaplen=60))
    udp = trace.udp
    assert (udp.wire_bytes.tolist(), udp.captured_bytes.tolist()) == ([1042], [60])
    assert (udp.payload_bytes.tolist(), udp.payload_captured.tolist()) == ([1000], [18])
    assert trace.damage == ()


@pytest.mark.parametrize(("captured", "rows"), [(34, 0), (38, 0), (39, 0), (40, 1), (42, 1), (43, 1)])
def test_a_datagram_counts_as_soon_as_ports_and_length_are_readable(read, captured, rows):
    frame = ethernet(ipv4(b"x" * 1000))
    udp = read(pcap((START_S, 0, frame[:captured], len(frame)))).udp
    assert udp.payload_bytes.tolist() == [1000] * rows
    assert udp.payload_captured.tolist() == [max(captured - 42, 0)] * rows
    assert udp.payload_offset.tolist() == [82 if captured > 42 else -1] * rows


def test_ethernet_padding_is_no_payload(read):
    trace = read(pcap((START_S, 0, ethernet(ipv4(b"ab")).ljust(60, b"\xee"), None)))
    assert (trace.payload(0), trace.udp.payload_bytes.tolist(), trace.udp.wire_bytes.tolist()) == (b"ab", [2], [60])


@pytest.mark.parametrize(
    ("length", "payload"), [(0, b"abcd"), (5, b""), (11, b"abc"), (12, b"abcd"), (13, b"abcd"), (500, b"abcd")]
)
@pytest.mark.parametrize("tagged", [False, True])
def test_the_udp_length_is_the_payload_as_far_as_the_packet_has_room_for_it(read, length, payload, tagged):
    """Plain frames are read another way than those behind a VLAN tag."""
    frame = ethernet(ipv4(b"abcd", length=length)).ljust(60, b"\xee")
    frame = frame[:12] + b"\x81\0\0\x2a" + frame[12:] if tagged else frame
    trace = read(pcap((START_S, 0, frame, None)))
    assert (trace.udp.payload_bytes.tolist(), trace.payload(0)) == ([len(payload)], payload)


def test_frames_above_the_mtu_are_said_and_do_not_stop(read):
    fits, large = ethernet(ipv4(b"x" * 1472)), ethernet(ipv4(b"x" * 1473))
    (damage,) = read(pcap((START_S, 0, fits, None), (START_S, 1, large, None))).damage
    assert (damage.kind, damage.frame, damage.breaks_chain, damage.stops) == ("above_mtu", 2, False, False)
    assert damage.text.startswith("1 UDP frames above the MTU of 1500, the largest packet has 1501 bytes")


def test_time_running_backwards_is_said_and_breaks_nothing(read):
    frame = ethernet(ipv4(b"abc"))
    trace = read(pcap((START_S, 50_000, frame, None), (START_S, 0, frame, None), (START_S, 70_000, frame, None)))
    (damage,) = trace.damage
    assert (damage.kind, damage.frame, damage.breaks_chain, damage.stops) == ("time_backwards", 2, False, True)
    assert damage.text == "time runs backwards by 0.050000000 s, 1 time in this file"
    assert (trace.packets, trace.first_ns, trace.last_ns) == (3, START_S * 10**9, START_S * 10**9 + 70_000_000)


def kinds(trace):
    return [(damage.kind, damage.offset, damage.frame) for damage in trace.damage]


def test_a_zero_filled_tail_is_no_phantom_packets(read):
    whole = three()
    for zeros in (16, 17, 4096):
        trace = read(whole + bytes(zeros))
        assert (trace.packets, kinds(trace)) == (3, [("zero_filled", len(whole), 4)])


def test_impossible_lengths_break_the_chain_and_keep_all_before(read):
    whole = three()
    above = struct.pack("<IIII", START_S + 9, 0, 262_145, 262_145)
    assert kinds(read(whole + above)) == [("impossible_length", len(whole), 4)]
    more_than_wire = pcap((START_S, 0, bytes(60), None), (START_S, 0, bytes(60), 59), (START_S, 0, bytes(60), None))
    trace = read(more_than_wire)
    assert (trace.packets, kinds(trace)) == (1, [("impossible_length", 100, 2)])
    assert "60 bytes captured of 59 on the wire" in str(trace.damage[0])


def test_a_file_cut_at_any_byte_keeps_every_whole_record_and_says_where(read):
    whole = three()
    ends = [24, 24 + 61, 24 + 61 + 64, 24 + 61 + 64 + 67]
    assert ends[-1] == len(whole)
    for size in range(len(whole)):
        trace = read(whole[:size])
        complete = sum(end <= size for end in ends[1:])
        assert (trace.packets, len(trace.udp)) == (complete, complete)
        if size == 0:
            assert kinds(trace) == [("empty", 0, None)]
        elif size < 24:
            assert kinds(trace) == [("cut_file_header", size, None)]
        elif size in ends:
            assert kinds(trace) == []
        else:
            kind = "cut_record" if size - ends[complete] >= 16 else "cut_record_header"
            assert kinds(trace) == [(kind, ends[complete], complete + 1)]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"not a capture at all", "is neither a pcap nor a pcapng file"),
        (bytes.fromhex("34cdb2a1") + bytes(40), "is Kuznetzov's modified pcap, which is not read here"),
        (pcap(link_type=189), r"link type 189 \(USB_LINUX\) is not read here"),
        (pcap(link_type=149), r"link type 149 \(unnamed here\) is not read here"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(read, data, text):
    with pytest.raises(Unreadable, match=text) as caught:
        read(data)
    assert caught.value.exit_code == 2


def test_a_path_that_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(Unreadable, match=r"none\.pcap: cannot be read: No such file"):
        Trace.read(tmp_path / "none.pcap")
    with pytest.raises(Unreadable, match="cannot be read: Is a directory"):
        Trace.read(tmp_path)


def test_verify_counts_hashes_and_compares(tmp_path):
    path = tmp_path / "one.pcap"
    path.write_bytes(three())
    found = verify(path, expect_packets=3)
    assert (found.ok, found.packets, found.bytes, found.damage) == (True, 3, len(three()), ())
    assert found.sha256 == hashlib.sha256(three()).hexdigest()
    assert (found.first_ns, found.last_ns) == (START_S * 10**9, (START_S + 2) * 10**9 + 2000)
    assert found.kernel_dropped is None
    assert verify(Trace.read(path)) == found
    short = verify(path, expect_packets=5)
    assert (short.ok, [damage.text for damage in short.damage]) == (
        False,
        ["3 packets are in the file, the capturing tool counted 5"],
    )


def test_a_damaged_capture_is_not_ok(read):
    assert not verify(read(three()[:-1])).ok


def test_other_protocols_are_counted_but_give_no_row(read):
    tcp = bytearray(ethernet(ipv4(b"abc")))
    tcp[23] = 6
    arp = bytes(12) + b"\x08\x06" + bytes(28)
    icmp_quoting_udp = bytearray(ethernet(ipv4(ipv4(stun.binding_request(bytes(12))))))
    icmp_quoting_udp[23] = 1
    trace = read(pcap(*((START_S, 0, bytes(one), None) for one in (tcp, arp, icmp_quoting_udp))))
    assert (trace.packets, len(trace.udp), flows.rows(trace), stun.rows(trace)) == (3, 0, [], [])


def test_json_rows_are_those_of_the_contract(read):
    request = stun.binding_request(bytes(range(12)))
    trace = read(pcap((START_S, 0, ethernet(ipv4(request)), None)))
    assert json.loads(json.dumps(flows.rows(trace))) == [
        {
            "a": "192.0.2.1", "a_port": 40000, "b": "198.51.100.7", "b_port": 3478, "packets_ab": 1, "packets_ba": 0,
            "bytes_ab": 62, "bytes_ba": 0, "payload_ab": 20, "payload_ba": 0, "first_ns": START_S * 10**9,
            "last_ns": START_S * 10**9, "classic_stun": 0,
        }
    ]  # fmt: skip
    assert json.loads(json.dumps(stun.rows(trace))) == [
        {
            "time_ns": START_S * 10**9, "src": "192.0.2.1", "src_port": 40000, "dst": "198.51.100.7", "dst_port": 3478,
            "type": 1, "transaction": "000102030405060708090a0b", "channel": None, "nested": None, "attributes": [],
            "username": None, "addresses": [], "transport": "udp", "cookie": True,
        }
    ]  # fmt: skip


def whole(data, path):
    """Reads anything; what is read obeys these bounds whatever the bytes."""
    path.write_bytes(data)
    try:
        trace = Trace.read(path)
    except Unreadable:
        return
    udp = trace.udp
    assert (udp.payload_captured >= 0).all()
    assert (udp.payload_offset + udp.payload_captured <= len(trace.data)).all()
    assert (udp.frame <= trace.packets).all()
    assert sum(row["packets_ab"] + row["packets_ba"] for row in flows.rows(trace)) == len(udp)
    json.dumps(stun.rows(trace))
    verify(trace)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_change_of_bytes_crashes_the_reader(tmp_path_factory, data):
    order = data.draw(st.sampled_from("<>"))
    link_type = data.draw(st.sampled_from([0, 1, 9, 12, 101, 108, 113, 228, 229, 239, 276]))
    content = bytearray(three(order=order, link_type=link_type))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    whole(bytes(content), tmp_path_factory.getbasetemp() / "fuzz.pcap")


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([0, 1, 9, 12, 101, 108, 113, 228, 229, 239, 276]),
    st.lists(st.binary(max_size=120), max_size=8),
)
def test_no_frame_crashes_the_reader(tmp_path_factory, link_type, frames):
    content = pcap(*((START_S, 0, frame, None) for frame in frames), link_type=link_type)
    whole(content, tmp_path_factory.getbasetemp() / "fuzz.pcap")


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([b"", b"\x1f\x8b\x08\x00", three()[:4], three()[:24]]), st.binary(max_size=200))
def test_no_file_crashes_the_reader(tmp_path_factory, start, rest):
    whole(start + rest, tmp_path_factory.getbasetemp() / "fuzz.any")


def test_frames_stamped_out_of_order_are_said_and_void_no_trial(read):
    frame = ethernet(ipv4(b"abc"))
    trace = read(pcap((START_S, 9_999, frame, None), (START_S, 0, frame, None)))
    (damage,) = trace.damage
    assert (damage.kind, damage.stops, damage.voids, verify(trace).ok) == ("out_of_order", True, False, True)
    later = read(pcap((START_S, 10_000, frame, None), (START_S, 0, frame, None)))
    assert (later.damage[0].kind, later.damage[0].voids, verify(later).ok) == ("time_backwards", True, False)
