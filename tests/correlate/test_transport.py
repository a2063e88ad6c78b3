"""TCP and QUIC beside UDP, and answered calls whose media are not UDP."""

import ipaddress
import struct

import pytest

from correlate import report
from correlate.dataset import Dataset
from correlate.tables import tables
from correlate.tables.study import Study
from correlate.trace import Trace
from tests.records import record_anew

A, B, TURN = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 443)
T0_NS = 1_700_000_000_000_000_000
MARKER, NONCE = ("192.0.2.1", 9), "n0nce"


def ip(src, dst, protocol, data):
    source, target = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    if source.version == 4:
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(data), 0, 0, 64, protocol, 0)
    else:
        head = struct.pack(">IHBB", 6 << 28, len(data), protocol, 64)
    return head + source.packed + target.packed + data


def segment(src, dst, payload, options=b""):
    head = struct.pack(">HHIIBBHHH", src[1], dst[1], 1, 1, (20 + len(options)) // 4 << 4, 0x18, 8192, 0, 0)
    return ip(src[0], dst[0], 6, head + options + payload)


def in_order(packets):
    """The segments of each direction of a connection one behind the other."""
    following = {}
    for packet in packets:
        if packet[9] != 6:
            yield packet
            continue
        way, size = packet[12:24], len(packet) - 40
        seq = following.get(way, 1)
        following[way] = seq + size
        yield packet[:24] + struct.pack(">I", seq) + packet[28:]


def datagram(src, dst, payload):
    return ip(src[0], dst[0], 17, struct.pack(">HHHH", src[1], dst[1], 8 + len(payload), 0) + payload)


def pcap(packets, snaplen=262144):
    out = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 101)
    for number, data in enumerate(packets):
        time_ns = T0_NS + number * 10_000_000
        out += struct.pack("<IIII", *divmod(time_ns, 10**9), min(len(data), snaplen), len(data)) + data[:snaplen]
    return out


def marker(local, what):
    return datagram(local, MARKER, f"im-call-lab {NONCE} {what}".encode())


def turn_over_tcp(local, count):
    """RFC 8656 over TCP 443: an allocation, then ChannelData both ways, each a segment of its own."""
    data = struct.pack(">HH", 0x4000, 96) + b"\x80" * 96
    allocate = struct.pack(">HHI", 3, 0, 0x2112A442) + bytes(12)
    return [segment(local, TURN, allocate)] + [
        segment(*ends, data) for _ in range(count) for ends in ((local, TURN), (TURN, local))
    ]


def in_tls(local, count):
    """TLS to the same server, a record of 100 bytes each way."""
    record = b"\x17\x03\x03" + struct.pack(">H", 95) + bytes(95)
    return [segment(*ends, record) for _ in range(count) for ends in ((local, TURN), (TURN, local))]


def udp_call(local, count):
    relay = ("192.0.2.50", 3478)
    allocate = struct.pack(">HHI", 3, 0, 0x2112A442) + bytes(12)
    media = [datagram(*ends, b"\x80") for _ in range(count) for ends in ((local, relay), (relay, local))]
    return [datagram(local, relay, allocate), *media]


@pytest.fixture
def facts(tmp_path, build):
    """The findings of one trial whose captures hold these packets between the markers."""

    def run(caller, callee, **keys):
        call = build.call()
        build.dataset(tmp_path, [call])
        folder = tmp_path / "trials" / call.trial
        for name, local, packets in (("caller", A, caller), ("callee", B, callee)):
            before = segment((local[0], local[1] + 1), TURN, bytes(5000))
            packets = [before, marker(local, "begin"), *in_order(packets), marker(local, "end")]
            (folder / f"{name}.pcap").write_bytes(pcap(packets, **keys))
        record_anew(tmp_path)
        report.build(Dataset(tmp_path))
        from correlate.findings.cases import cases

        (case,) = cases(Dataset(tmp_path)).read
        return build.facts(case)

    return run


def test_a_call_by_turn_over_tcp_443_is_a_relayed_one_and_its_frames_are_media(facts):
    found = facts(turn_over_tcp(A, 120), turn_over_tcp(B, 110))
    for side, count in (("caller", 120), ("callee", 110)):
        volume, endpoint = found["volume"][side], found["endpoints"][side]
        assert (endpoint["established"], endpoint["routing"]) == (True, "relay")
        assert volume["transport"] == "tcp"
        assert [volume[f"media_{way}_packets"] for way in ("tx", "rx")] == [count] * 2
        assert volume["media_tx_payload_bytes"] == count * 100
        assert volume["longest_relay_tx_packets"] == count + 1
        assert [each["port"] for each in found["servers"][side]["servers"]] == [443]
    assert found["endpoints"]["caller"]["relayed_payload_bytes"] == 2 * (120 + 110) * 100


def test_a_call_in_tls_on_both_sides_is_media_not_udp_and_never_zero(facts, tmp_path):
    found = facts(in_tls(A, 120), in_tls(B, 110))
    for side in ("caller", "callee"):
        volume = found["volume"][side]
        assert volume["transport"] == "media_not_udp"
        assert [volume[f"media_{name}"] for name in ("tx_packets", "rx_packets", "tx_payload_bytes")] == [None] * 3
        assert volume["crosswise_tx_less_rx_packets"] is None
        in_tcp = "media_not_udp, no UDP session in an answered call, TCP on both sides"
        assert volume["reason"].startswith(f"media, crosswise: {in_tcp}; ")
        assert volume["reasons"]["media_tx_packets"] == volume["reasons"]["crosswise_edge_packets"] == in_tcp
        assert volume["reasons"]["p2p_tx_packets"].startswith("no direct conversation with packets both ways on ")
        assert volume["reasons"]["media_union_tx_packets"].startswith(f"{in_tcp}; no media on ")
        assert found["endpoints"][side]["established"] is True
        assert found["endpoints"][side]["routing"] is None
        assert found["endpoints"][side]["reason"] == "routing, answer, direct, relayed: media_not_udp"
        assert found["endpoints"][side]["direct_payload_bytes"] is None
        assert found["service"][side]["service_found"] is None
    assert found["volume"]["caller"]["tcp_tx_payload_bytes"] == 120 * 100
    assert found["volume"]["callee"]["tcp_rx_payload_bytes"] == 110 * 100
    (relay,) = (
        row
        for row in tables(Study.of(Dataset(tmp_path)))[2].rows
        if (row["measure"], row["direction"]) == ("relay", "lte_to_fixed")
    )
    assert (relay["n"], relay["total"], relay["reason"]) == (0, 1, "1 of 1 trials undecided: media_not_udp")
    page = (tmp_path / "report.html").read_text()
    assert "media_not_udp: 1 answered calls have no UDP session" in page


def test_frames_of_turn_over_tcp_that_were_cut_off_are_no_count_of_media(facts):
    """A segment of three frames, cut behind the first: where the others begin nobody can tell."""
    data = struct.pack(">HH", 0x4000, 496) + b"\x80" * 496

    def cut(local):
        allocate = struct.pack(">HHI", 3, 0, 0x2112A442) + bytes(12)
        ways = ((local, TURN), (TURN, local))
        return [segment(local, TURN, allocate), *(segment(*ends, data * 3) for _ in range(120) for ends in ways)]

    found = facts(cut(A), cut(B), snaplen=640)
    volume, endpoint = found["volume"]["caller"], found["endpoints"]["caller"]
    assert (endpoint["established"], endpoint["routing"], volume["transport"]) == (True, "relay", "tcp")
    assert (volume["media_tx_packets"], volume["crosswise_tx_less_rx_packets"]) == (None, None)
    assert "TURN over TCP on alpha: frames are cut off" in volume["reasons"]["media_tx_packets"]
    assert volume["tcp_tx_payload_bytes"] == 20 + 120 * 1500


@pytest.mark.parametrize(("clock", "service"), [(90_000, "video"), (48_000, "voice")])
@pytest.mark.parametrize("how", ["channel", "indication"])
def test_rtp_in_turn_over_tcp_tells_the_service_whatever_its_rate(facts, build, how, clock, service):
    """60 bytes 50 times a second."""

    def rtp(number):
        packet = struct.pack(">BBHII", 0x80, 111, number, number * clock // 50, 7) + bytes(48)
        if how == "channel":
            return build.channel(0x4000, packet)
        return build.stun(build.DATA_INDICATION, build.xored(build.PEER, "192.0.2.9"), (build.DATA, packet))

    def call(local):
        allocate = struct.pack(">HHI", 3, 0, 0x2112A442) + bytes(12)
        frames = [segment(*ends, rtp(at)) for at in range(120) for ends in ((local, TURN), (TURN, local))]
        return [segment(local, TURN, allocate), *frames]

    found = facts(call(A), call(B))["service"]["caller"]
    assert (found["service_found"], found["rule"]) == (service, f"RTP clocks: {clock} Hz")
    said = f"RTP 0x00000007 sent: payload type 111, 120 packets, {clock} Hz"
    assert said in [each["what"] for each in found["evidence"]]


def test_ice_over_tcp_between_the_phones_is_a_direct_conversation(facts):
    """RFC 4571 frames, as RFC 6544 3 has them."""
    check = struct.pack(">HHI", 1, 16, 0x2112A442) + bytes(12) + struct.pack(">HH", 6, 9) + b"abcd:efgh" + bytes(3)

    def between(local, remote):
        both = (local, remote), (remote, local)
        frames = [struct.pack(">H", len(each)) + each for each in (check, b"\x80" + bytes(99))]
        return [segment(*both[0], frames[0]), *(segment(*ends, frames[1]) for _ in range(120) for ends in both)]

    found = facts(between(A, ("198.51.100.20", 6000)), between(B, ("203.0.113.7", 5000)))
    assert [found["endpoints"]["caller"][name] for name in ("routing", "relayed_payload_bytes")] == ["p2p", 0]
    volume = found["volume"]["callee"]
    assert (volume["transport"], volume["media_tx_packets"], volume["media_tx_payload_bytes"]) == ("tcp", 120, 12_240)


def test_udp_here_and_tls_there_is_a_conversation_whose_route_the_udp_side_tells(facts):
    found = facts(udp_call(A, 100), in_tls(B, 100))
    caller, callee = (found["endpoints"][side] for side in ("caller", "callee"))
    assert (caller["established"], caller["routing"]) == (callee["established"], callee["routing"]) == (True, "relay")
    assert [found["volume"][side]["transport"] for side in ("caller", "callee")] == ["udp", "media_not_udp"]
    assert [found["volume"][side]["media_tx_packets"] for side in ("caller", "callee")] == [100, None]
    assert found["volume"]["callee"]["reasons"]["media_tx_packets"] == (
        "media_not_udp, no UDP session in an answered call, TCP on bravo"
    )
    assert found["volume"]["caller"]["crosswise_tx_less_rx_packets"] is None


def test_udp_here_and_nothing_there_that_may_hold_media_is_undecided(facts):
    found = facts(udp_call(A, 100), in_tls(B, 99))["endpoints"]["callee"]
    assert (found["established"], found["routing"], found["no_disclosure"]) == (None, None, True)
    assert found["reasons"]["established"] == "media both ways on one side only, not on bravo"


def test_tls_on_both_sides_beside_silent_sessions_of_the_call_is_undecided(facts):
    found = facts([*udp_call(A, 3), *in_tls(A, 100)], [*udp_call(B, 3), *in_tls(B, 100)])["endpoints"]["caller"]
    assert found["established"] is None
    assert found["reasons"]["established"] == (
        "media_not_udp, if there are any: TCP on both sides beside silent sessions of the call"
    )


def test_turn_over_tcp_that_was_looked_into_holds_no_media_where_there_are_none(facts):
    """As many segments each way as a call has, of keep-alives alone."""

    def silent(local):
        refresh = [struct.pack(">HHI", kind, 0, 0x2112A442) + bytes(12) for kind in (4, 0x104)]
        ways = ((local, TURN, refresh[0]), (TURN, local, refresh[1]))
        return [segment(*way) for _ in range(120) for way in ways]

    found = facts(silent(A), silent(B))["endpoints"]["caller"]
    assert (found["established"], found["routing"]) == (False, None)


def test_turn_over_tcp_whose_frames_are_cut_off_is_never_no_conversation(facts):
    """Segments of two frames, of which the second, all of the media, begins behind the cut."""
    check = struct.pack(">HHI", 0x0016, 980, 0x2112A442) + bytes(12) + struct.pack(">HH", 0x8022, 976) + bytes(976)
    both = check + struct.pack(">HH", 0x4000, 96) + b"\x80" * 96

    def cut(local):
        ways = ((local, TURN), (TURN, local))
        return [segment(*ends, both) for _ in range(120) for ends in ways]

    found = facts(cut(A), cut(B), snaplen=640)
    endpoint, counted = found["endpoints"]["caller"], found["volume"]["caller"]
    assert (endpoint["established"], endpoint["routing"], counted["media_tx_packets"]) == (None, None, None)


def test_tls_on_one_side_of_a_silent_call_is_no_conversation(facts):
    found = facts([*udp_call(A, 3), *in_tls(A, 100)], [*udp_call(B, 3), *in_tls(B, 99)])["endpoints"]["caller"]
    assert (found["established"], found["routing"]) == (False, None)


@pytest.mark.parametrize(
    ("caller", "callee", "transport"),
    [((100, 100), (100, 100), "media_not_udp"), ((99, 100), (100, 100), None), ((100, 100), (100, 99), None)],
)
def test_media_may_be_in_a_connection_with_a_hundred_segments_each_way_on_both_sides(facts, caller, callee, transport):
    def connection(phone, sent, received):
        ways = ((phone, TURN, sent), (TURN, phone, received))
        return [segment(*ends, bytes(100)) for *ends, count in ways for _ in range(count)]

    found = facts(connection(A, *caller), connection(B, *callee))
    assert [found["volume"][side]["transport"] for side in ("caller", "callee")] == [transport] * 2


def test_a_conversation_over_udp_is_one_whatever_tls_goes_beside_it(facts):
    found = facts(*([*in_tls(phone, 120), *udp_call(phone, 100)] for phone in (A, B)))
    assert found["volume"]["caller"]["transport"] == "udp"
    assert (found["volume"]["caller"]["media_tx_packets"], found["endpoints"]["caller"]["routing"]) == (100, "relay")


def test_turn_over_tcp_beside_udp_is_of_the_same_conversation(facts):
    found = facts(*([*turn_over_tcp(phone, 120), *udp_call(phone, 100)] for phone in (A, B)))
    assert found["volume"]["caller"]["transport"] == "udp and tcp"
    assert found["volume"]["caller"]["media_tx_packets"] == 220


def test_a_download_is_no_conversation(facts):
    found = facts(*([segment(TURN, phone, bytes(1400)) for _ in range(300)] for phone in (A, B)))
    assert found["volume"]["caller"]["transport"] is None
    assert found["endpoints"]["caller"]["established"] is False
    assert found["volume"]["caller"]["tcp_rx_payload_bytes"] == 300 * 1400
    assert found["volume"]["caller"]["media_tx_packets"] == 0


def test_quic_counts_all_datagrams_of_flows_with_a_long_header(facts):
    quic, other = ("192.0.2.80", 443), ("192.0.2.81", 443)
    initial = bytes([0xC3]) + struct.pack(">I", 1) + bytes(1195)
    packets = [datagram(A, quic, initial), datagram(quic, A, bytes([0x40]) + bytes(99)), datagram(A, other, bytes(50))]
    volume = facts(packets, [])["volume"]
    assert (volume["caller"]["quic_tx_payload_bytes"], volume["caller"]["quic_rx_payload_bytes"]) == (1200, 100)
    assert volume["callee"]["quic_tx_payload_bytes"] == 0


def test_segments_are_counted_by_the_ip_length_whatever_was_cut_off(tmp_path):
    six = (("2001:db8::7", 5000), ("2001:db8::50", 443))
    packets = [
        segment(A, TURN, bytes(300), options=bytes(12)),
        segment(TURN, A, b""),
        datagram(A, TURN, bytes(40)),
        segment(*six, bytes(77)),
    ]
    path = tmp_path / "cut.pcap"
    path.write_bytes(pcap(packets, snaplen=60))
    every = Trace.read(path).tcp
    assert (every.frame.tolist(), every.payload_bytes.tolist()) == ([1, 2, 4], [300, 0, 77])
    found = every.with_payload()
    assert found.frame.tolist() == [1, 4]
    assert found.payload_bytes.tolist() == [300, 77]
    assert [str(found.addresses[index]) for index in found.src] == ["100.64.0.7", "2001:db8::7"]
    assert found.dst_port.tolist() == [443, 443]
    assert found.between(1, 9).frame.tolist() == [4]
    assert found.rows.payload_captured.tolist() == [60 - 52, 0]


def test_a_file_without_tcp_has_no_segments(tmp_path):
    path = tmp_path / "udp.pcap"
    path.write_bytes(pcap([datagram(A, TURN, bytes(40))]))
    assert Trace.read(path).tcp.payload_bytes.tolist() == []


def test_an_interface_without_packets_may_have_a_link_type_that_nobody_reads(tmp_path):
    def block(kind, body):
        length = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + length + body + length

    data = segment(A, TURN, bytes(60))
    path = tmp_path / "two.pcapng"
    path.write_bytes(
        block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
        + b"".join(block(1, struct.pack("<HHI", link_type, 0, 0)) for link_type in (127, 101))
        + block(6, struct.pack("<IIIII", 1, 0, 0, len(data), len(data)) + data)
    )
    assert Trace.read(path).tcp.payload_bytes.tolist() == [60]
