"""Every link type around the same datagrams, built by scapy; fragments and extension headers of both IP versions."""

import random
import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from correlate import flows
from correlate.trace import Trace

START_S = 1_700_000_000
# Given in full, or scapy asks the network for them.
MACS = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}
V4, V6 = 0x0800, 0x86DD


def nflog(packet, order):
    """LINKTYPE_NFLOG: family, version, resource id, then TLVs padded to four bytes; 9 is the packet itself."""
    family = 2 if packet[0] >> 4 == 4 else 10
    parts = [struct.pack(">BBH", family, 0, 5)]
    for kind, value in ((1, bytes(4)), (10, b"prefix\0"), (9, packet)):
        parts.append(struct.pack(f"{order}HH", len(value) + 4, kind) + value + bytes(-len(value) % 4))
    return b"".join(parts)


def ethertype(packet):
    return V4 if packet[0] >> 4 == 4 else V6


def scapy_layer(build):
    """A frame by scapy around raw IP bytes."""

    def framed(packet, order):
        from scapy.packet import Raw

        return bytes(build(ethertype(packet)) / Raw(packet))

    return framed


def ether(kind):
    from scapy.layers.l2 import Ether

    return Ether(type=kind, **MACS)


def vlan(kind):
    from scapy.layers.l2 import Dot1Q, Ether

    return Ether(**MACS) / Dot1Q(vlan=42, type=kind)


def qinq(kind):
    from scapy.layers.l2 import Dot1AD, Dot1Q, Ether

    return Ether(**MACS) / Dot1AD(vlan=7) / Dot1Q(vlan=42, type=kind)


def snap(kind):
    from scapy.layers.l2 import LLC, SNAP, Dot3

    return Dot3(len=60, **MACS) / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(code=kind)


def pppoe(kind):
    from scapy.layers.l2 import Ether
    from scapy.layers.ppp import PPP, PPPoE

    return Ether(**MACS) / PPPoE(sessionid=3, len=2) / PPP(proto=0x21 if kind == V4 else 0x57)


def sll(kind):
    from scapy.layers.l2 import CookedLinux

    return CookedLinux(proto=kind)


def sll2(kind):
    from scapy.layers.l2 import CookedLinuxV2

    return CookedLinuxV2(proto=kind)


def ppp(kind):
    from scapy.layers.ppp import HDLC, PPP

    return HDLC() / PPP(proto=0x21 if kind == V4 else 0x57)


def ppp_bare(packet, order):
    return struct.pack(">H", 0x21 if packet[0] >> 4 == 4 else 0x57) + packet


def ppp_short(packet, order):
    return bytes([0x21 if packet[0] >> 4 == 4 else 0x57]) + packet


def null(packet, order):
    return struct.pack(f"{order}I", 2 if packet[0] >> 4 == 4 else 30) + packet


def loop(packet, order):
    return struct.pack(">I", 2 if packet[0] >> 4 == 4 else 24) + packet


LINKS = {
    "ethernet": (1, scapy_layer(ether), 14),
    "802.1Q": (1, scapy_layer(vlan), 18),
    "QinQ": (1, scapy_layer(qinq), 22),
    "SNAP": (1, scapy_layer(snap), 22),
    "PPPoE": (1, scapy_layer(pppoe), 22),
    "raw 12": (12, lambda packet, order: packet, 0),
    "raw 101": (101, lambda packet, order: packet, 0),
    "SLL": (113, scapy_layer(sll), 16),
    "SLL2": (276, scapy_layer(sll2), 20),
    "null": (0, null, 4),
    "loop": (108, loop, 4),
    "loop in the host's order": (108, null, 4),
    "PPP in HDLC": (9, scapy_layer(ppp), 4),
    "PPP": (9, ppp_bare, 2),
    "PPP, short protocol": (9, ppp_short, 1),
    "NFLOG": (239, nflog, 28),
}


def pcap(link_type, frames, order="<", step_s=0):
    parts = [struct.pack(f"{order}IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link_type)]
    for n, frame in enumerate(frames):
        parts.append(struct.pack(f"{order}IIII", START_S + n * step_s, n, len(frame), len(frame)) + frame)
    return b"".join(parts)


@pytest.fixture
def read(tmp_path):
    def read(link_type, frames, order="<", step_s=0):
        path = tmp_path / "one.pcap"
        path.write_bytes(pcap(link_type, frames, order, step_s))
        return Trace.read(path)

    return read


def udp4(payload=b"four", **fields):
    from scapy.layers.inet import IP, UDP
    from scapy.packet import Raw

    return IP(src="192.0.2.1", dst="198.51.100.7", **fields) / UDP(sport=40000, dport=3478) / Raw(payload)


def udp6(payload=b"six6", *extensions):
    from scapy.layers.inet import UDP
    from scapy.layers.inet6 import IPv6
    from scapy.packet import Raw

    packet = IPv6(src="2001:db8::1", dst="2001:db8::2")
    for extension in extensions:
        packet = packet / extension
    return packet / UDP(sport=50000, dport=443) / Raw(payload)


def ends(trace, row):
    udp = trace.udp
    return str(udp.addresses[udp.src[row]]), udp.src_port[row], str(udp.addresses[udp.dst[row]]), udp.dst_port[row]


FOUR = ("192.0.2.1", 40000, "198.51.100.7", 3478)
SIX = ("2001:db8::1", 50000, "2001:db8::2", 443)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("link", LINKS)
def test_every_link_type_gives_the_same_datagrams(read, link, order):
    link_type, framed, header_bytes = LINKS[link]
    packets = [bytes(udp4()), bytes(udp6()), bytes(udp4(b""))]
    frames = [framed(packet, order) for packet in packets]
    trace = read(link_type, frames, order)
    assert [ends(trace, row) for row in range(len(trace.udp))] == [FOUR, SIX, FOUR]
    assert [trace.payload(row) for row in range(3)] == [b"four", b"six6", b""]
    assert trace.udp.wire_bytes.tolist() == [len(frame) for frame in frames]
    assert len(frames[0]) - len(packets[0]) == header_bytes


@pytest.mark.parametrize(("link_type", "packet", "told"), [(228, udp4, FOUR), (229, udp6, SIX)])
def test_raw_ip_of_one_version(read, link_type, packet, told):
    trace = read(link_type, [bytes(packet())])
    assert [ends(trace, row) for row in range(len(trace.udp))] == [told]


@pytest.mark.parametrize("link", LINKS)
def test_frames_cut_anywhere_give_no_foreign_bytes(read, link):
    link_type, framed, header_bytes = LINKS[link]
    packet = bytes(udp4(b"\xaa" * 8))
    frame = framed(packet, "<")
    frames = [frame[:size] for size in range(len(frame) + 1)]
    trace = read(link_type, frames)
    # Ports and length end 6 bytes into the UDP header; NFLOG pads behind the packet.
    padding = len(frame) - header_bytes - len(packet)
    captured = [min(max(size - header_bytes - 28, 0), 8) for size in range(header_bytes + 26, len(frame) + 1)]
    assert trace.udp.payload_captured.tolist() == captured
    assert {trace.payload(row) for row in range(len(trace.udp))} == {b"\xaa" * size for size in range(9)}
    assert padding in (0, 1, 2, 3)


def test_ipv4_options_are_stepped_over(read):
    from scapy.layers.inet import IPOption_NOP, IPOption_RR

    trace = read(
        101, [bytes(udp4(options=[IPOption_NOP()] * 4)), bytes(udp4(options=[IPOption_RR(routers=["192.0.2.9"] * 9)]))]
    )
    assert [(ends(trace, row), trace.payload(row)) for row in range(2)] == [(FOUR, b"four")] * 2


def test_ipv6_extension_headers_are_stepped_over(read):
    from scapy.layers.inet6 import IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN
    from scapy.layers.ipsec import AH

    chains = [
        [IPv6ExtHdrHopByHop()],
        [IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(20))])],
        [IPv6ExtHdrHopByHop(), IPv6ExtHdrRouting(addresses=["2001:db8::9"]), IPv6ExtHdrDestOpt()],
        [AH(nh=17, icv=bytes(12), payloadlen=4)],
    ]
    frames = [bytes(udp6(b"six6", *chain)) for chain in chains]
    trace = read(229, [*frames, bytes(udp6(b"icmp", IPv6ExtHdrHopByHop(nh=58)))])
    assert [trace.payload(row) for row in range(len(trace.udp))] == [b"six6"] * 4
    assert trace.udp.payload_bytes.tolist() == [4] * 4


def fragments4(payload, number, size=400):
    from scapy.layers.inet import fragment

    return [bytes(one) for one in fragment(udp4(payload, id=number), fragsize=size)]


def fragments6(payload, number, size=400):
    from scapy.layers.inet6 import IPv6ExtHdrFragment, fragment6

    return [bytes(one) for one in fragment6(udp6(payload, IPv6ExtHdrFragment(id=number)), size)]


@pytest.mark.parametrize(("fragments", "link_type"), [(fragments4, 228), (fragments6, 229)])
def test_fragments_in_any_order_belong_to_the_flow_of_their_first(read, fragments, link_type):
    one, other = fragments(b"a" * 1500, 1), fragments(b"b" * 900, 2)
    frames = [*one, *other]
    random.Random(4).shuffle(frames)
    trace = read(link_type, frames)
    assert len(one) >= 4
    assert len(trace.udp) == len(frames)
    (flow,) = flows.flows(trace.udp).table
    assert flow.packets_ab + flow.packets_ba == len(frames)
    assert flow.bytes_ab + flow.bytes_ba == sum(map(len, frames))
    assert sorted(trace.udp.payload_bytes.tolist()) == [0] * (len(frames) - 2) + [900, 1500]
    assert trace.udp.frame.tolist() == list(range(1, len(frames) + 1))


def test_a_fragment_behind_other_extension_headers_counts_for_its_flow(read):
    from scapy.layers.inet6 import IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, fragment6

    chain = [IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt(), IPv6ExtHdrFragment(id=3)]
    frames = [bytes(one) for one in fragment6(udp6(b"a" * 1000, *chain), 500)]
    (flow,) = flows.rows(read(229, [*frames[1:], frames[0]]))
    assert len(frames) == 3
    assert (flow["a"], flow["a_port"], flow["b"], flow["b_port"]) == SIX
    assert (flow["packets_ab"], flow["bytes_ab"], flow["payload_ab"]) == (3, sum(map(len, frames)), 1000)


@pytest.mark.parametrize(("fragments", "link_type"), [(fragments4, 228), (fragments6, 229)])
def test_fragments_without_their_first_belong_to_no_flow(read, fragments, link_type):
    assert len(read(link_type, fragments(b"a" * 1500, 1)[1:]).udp) == 0


def test_an_identification_used_again_after_a_minute_names_another_datagram(read):
    first, *later = fragments4(b"a" * 900, 1)
    trace = read(228, [first, *later], step_s=61)
    assert trace.udp.frame.tolist() == [1]


def test_an_atomic_fragment_is_a_whole_datagram(read):
    from scapy.layers.inet6 import IPv6ExtHdrFragment

    trace = read(229, [bytes(udp6(b"six6", IPv6ExtHdrFragment(id=9)))])
    assert (trace.payload(0), trace.udp.payload_bytes.tolist()) == (b"six6", [4])


def test_many_mixed_packets_agree_with_scapy(read):
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Ether
    from scapy.packet import Raw

    rng = random.Random(7)
    frames, told = [], []
    for _ in range(200):
        four = rng.random() < 0.5
        address = (lambda: f"192.0.2.{rng.randrange(4)}") if four else (lambda: f"2001:db8:{rng.randrange(1, 4)}::1")
        src, dst, sport, dport = address(), address(), rng.randrange(65536), rng.randrange(65536)
        network = IP(src=src, dst=dst) if four else IPv6(src=src, dst=dst)
        payload = rng.randbytes(rng.randrange(60))
        plain = rng.random() < 0.8
        transport = UDP(sport=sport, dport=dport) if plain else TCP(sport=sport, dport=dport)
        frames.append(bytes(Ether(**MACS) / network / transport / Raw(payload)))
        told += [(src, sport, dst, dport, payload)] if plain else []
    trace = read(1, frames)
    assert [(*ends(trace, row), trace.payload(row)) for row in range(len(trace.udp))] == told
    assert list(trace.udp.addresses) == sorted(trace.udp.addresses, key=lambda one: (one.version, one))


HOSTS = {
    4: st.integers(1, 2**32 - 1).map(lambda number: str(IPv4Address(number))),
    6: st.integers(1, 2**128 - 1).map(lambda number: str(IPv6Address(number))),
}
PORT = st.integers(0, 65535)


@st.composite
def datagram(draw):
    """By scapy, with what may stand between IP and UDP: (bytes, source, port, destination, port, payload)."""
    from scapy.layers.inet import IP, UDP, IPOption_NOP
    from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop
    from scapy.packet import Raw

    version = draw(st.sampled_from([4, 6]))
    src, dst = draw(HOSTS[version]), draw(HOSTS[version])
    sport, dport, payload = draw(PORT), draw(PORT), draw(st.binary(max_size=80))
    if version == 4:
        network = IP(src=src, dst=dst, options=[IPOption_NOP()] * draw(st.integers(0, 4)))
    else:
        network = IPv6(src=src, dst=dst)
        for extension in draw(st.lists(st.sampled_from([IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop]), max_size=2)):
            network = network / extension()
    return bytes(network / UDP(sport=sport, dport=dport) / Raw(payload)), src, sport, dst, dport, payload


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(LINKS)), st.sampled_from("<>"), st.lists(datagram(), max_size=12))
def test_packets_come_back_as_they_were_built(tmp_path_factory, link, order, told):
    link_type, framed, _ = LINKS[link]
    frames = [framed(packet, order) for packet, *_ in told]
    path = tmp_path_factory.getbasetemp() / "round.pcap"
    path.write_bytes(pcap(link_type, frames, order, step_s=1))
    trace = Trace.read(path)
    assert (trace.packets, trace.damage) == (len(told), ())
    assert [(*ends(trace, row), trace.payload(row)) for row in range(len(trace.udp))] == [
        tuple(one[1:]) for one in told
    ]
    assert trace.udp.wire_bytes.tolist() == [len(frame) for frame in frames]
    assert trace.udp.time_ns.tolist() == [(START_S + n) * 10**9 + n * 1000 for n in range(len(told))]
