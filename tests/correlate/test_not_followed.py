"""Packets inside of what has no reader here are said, so that no UDP is not taken for nothing there."""

import struct

import pytest

from correlate import findings, report
from correlate.dataset import Dataset
from correlate.findings.cases import cases
from correlate.trace import Trace
from tests.correlate.corpus import framed, ipv4, ipv6, udp
from tests.correlate.test_damage import pcap, record
from tests.correlate.test_pcapng import interface, packet, section, simple

PLAIN = ipv4(udp(b"plain"))


@pytest.fixture
def found(tmp_path):
    """UDP rows of these frames, and what is said of the others: frame and text."""

    def found(*frames, link=1):
        path = tmp_path / "one.pcap"
        path.write_bytes(pcap(*(record(frame) for frame in frames), link=link))
        trace = Trace.read(path)
        assert not any(each.stops or each.voids or each.breaks_chain for each in trace.damage)
        assert {each.kind for each in trace.damage} <= {"not_followed"}
        return trace.udp.frame.tolist(), [(each.frame, each.text) for each in trace.damage]

    return found


def told(count, name):
    frames = "1 frame" if count == 1 else f"{count} frames"
    return f"{frames} with packets in {name}, which is not followed: UDP in there is not seen"


@pytest.mark.parametrize(
    ("kind", "name"),
    [(0x8847, "MPLS"), (0x8848, "MPLS"), (0x88E5, "MACsec"), (0x894F, "NSH"), (0x6558, "bridged Ethernet")],
)
@pytest.mark.parametrize("tags", [b"", b"\x81\0\0\x2a", b"\x88\xa8\0\7\x81\0\0\x2a"])
def test_an_encapsulation_behind_a_link_header_is_said_with_count_and_first_frame(found, kind, name, tags):
    label = bytes(12) + tags + struct.pack(">H", kind) + b"\0\0\x11\x40" + PLAIN
    ordinary = framed("ethernet", PLAIN, "<")
    assert found(ordinary, label, ordinary, label) == ([1, 3], [(2, told(2, name))])


def test_arp_and_the_like_hold_no_packets(found):
    others = [bytes(12) + struct.pack(">H", kind) + bytes(46) for kind in (0x0806, 0x888E, 0x88CC, 0x8863, 0x0026)]
    assert found(*others, framed("ethernet", PLAIN, "<")) == ([6], [])


def test_of_several_the_first_met_comes_first_and_both_kinds_of_mpls_are_one(found):
    macsec, *mpls = (bytes(12) + struct.pack(">H", kind) + bytes(40) for kind in (0x88E5, 0x8847, 0x8848))
    assert found(mpls[1], macsec, mpls[0]) == ([], [(1, told(2, "MPLS")), (2, told(1, "MACsec"))])


@pytest.mark.parametrize(
    ("link", "head"), [(113, bytes(14) + b"\x88\x47"), (276, b"\x88\x47" + bytes(18)), (9, b"\xff\3\2\x81")]
)
def test_mpls_is_said_behind_every_link_header_that_can_hold_it(found, link, head):
    assert found(head + b"\0\0\x11\x40" + PLAIN, link=link) == ([], [(1, told(1, "MPLS"))])


def test_a_frame_cut_within_its_link_header_says_nothing_and_one_cut_right_behind_it_does(found):
    mpls = bytes(12) + b"\x88\x47"
    assert found(mpls, mpls[:-1], b"") == ([], [(1, told(1, "MPLS"))])


@pytest.mark.parametrize(
    ("protocol", "name", "six"),
    [
        (4, "IPv4 in IP", True), (41, "IPv6 in IP", True), (47, "GRE", True), (50, "ESP", True), (115, "L2TP", True),
        (137, "MPLS in IP", True), (51, "AH", False), (1, None, True), (6, None, True), (132, None, True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("link", ["ethernet", "vlan", "raw", "sll2", "loop"])
def test_a_tunnel_in_ip_is_said_and_other_protocols_are_not(found, protocol, name, six, link):
    """The outermost UDP counts; Authentication Headers are followed in IPv6, where they are extensions."""
    number = {"ethernet": 1, "vlan": 1, "raw": 101, "sll2": 276, "loop": 108}[link]
    frames = [framed(link, ipv4(PLAIN, protocol=protocol), ">")]
    frames += [framed(link, ipv6(PLAIN, following=protocol), ">")] if six else []
    said = [(2, told(len(frames), name))] if name else []
    assert found(framed(link, PLAIN, ">"), *frames, link=number) == ([1], said)


def test_udp_behind_an_authentication_header_of_ipv6_is_followed(found):
    header = b"\x11\4" + bytes(2) + bytes(20)
    assert found(framed("ethernet", ipv6(udp(b"abc"), header, following=51), "<")) == ([1], [])


def test_a_tunnel_over_udp_is_its_outermost_udp(found):
    inner = framed("ethernet", PLAIN, "<")
    vxlan = struct.pack(">HHHH", 40000, 4789, 16 + len(inner), 0) + bytes(8) + inner
    assert found(framed("ethernet", ipv4(vxlan), "<")) == ([1], [])


def test_what_is_said_does_not_depend_on_blocks_or_on_the_interface(tmp_path):
    path = tmp_path / "one.pcapng"
    mpls = bytes(12) + b"\x88\x47" + bytes(40)
    parts = section(), interface(), interface(link_type=101), interface(link_type=127)
    path.write_bytes(b"".join([*parts, packet(1, PLAIN, number=1), packet(2, mpls), simple(mpls), packet(3, mpls)]))
    trace = Trace.read(path)
    assert (trace.udp.frame.tolist(), [(each.frame, each.text) for each in trace.damage]) == (
        [1],
        [(2, told(3, "MPLS"))],
    )
    assert trace.link_types == (1, 101)


def test_findings_and_the_report_say_which_side_has_packets_that_nobody_looked_into(tmp_path, build):
    build.dataset(tmp_path, [build.call()])
    path = next(tmp_path.glob("trials/*/callee.pcap"))
    seconds = build.T0_NS // 10**9 + 1000
    path.write_bytes(path.read_bytes() + record(ipv4(PLAIN, protocol=47), seconds=seconds))
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    (case,) = cases(Dataset(tmp_path)).read
    line = f"frame 4: {told(1, 'GRE')}"
    assert [case.volume[side].not_followed for side in ("caller", "callee")] == [(), (line,)]
    assert report.remarks(Dataset(tmp_path)) == [f"{case.trial}, callee: {line}"]
