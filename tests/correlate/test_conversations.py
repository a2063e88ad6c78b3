"""What a list of UDP flows leaves out is said: TCP conversations, each pair of ends once."""

import random
import struct

import pytest
from invoke.context import Context

import tasks
from correlate.trace import blocks
from correlate.trace.conversations import TcpConversations
from tests.correlate.corpus import LINKS, framed, ipv4, ipv6, udp
from tests.correlate.test_damage import pcap, record

UDP_PACKET = ipv4(udp(b"abc"))


def tcp(sport=50000, dport=443, flags=24, body=b"tcp"):
    return struct.pack(">HHIIBBHHH", sport, dport, 0, 0, 0x50, flags, 0, 0, 0) + body


def v4(segment, protocol=6, fragment=0, options=b""):
    return ipv4(segment, protocol=protocol, fragment=fragment, options=options)


def v6(segment):
    return ipv6(segment, following=6)


def swapped(packet):
    """The same packet the other way, ends and ports."""
    at, size = (12, 4) if packet[0] >> 4 == 4 else (8, 16)
    header, behind = at + 2 * size, (packet[0] & 15) * 4 if size == 4 else 40
    ends = packet[at + size : header] + packet[at : at + size]
    ports = packet[behind + 2 : behind + 4] + packet[behind : behind + 2]
    return packet[:at] + ends + packet[header:behind] + ports + packet[behind + 4 :]


@pytest.fixture
def counted(tmp_path):
    def counted(*frames, link=101, block_bytes=1 << 16):
        path = tmp_path / "one.pcap"
        path.write_bytes(pcap(*(record(frame) for frame in frames), link=link))
        tcp_conversations = TcpConversations()
        for _ in blocks(path, block_bytes=block_bytes, look=tcp_conversations):
            pass
        return len(tcp_conversations)

    return counted


@pytest.mark.parametrize("of", [v4, v6])
def test_both_ways_are_one_conversation_and_each_port_is_another(counted, of):
    one, other = of(tcp()), of(tcp(50001))
    assert counted(one, swapped(one), one) == 1
    assert counted(one, swapped(other)) == 2
    # The ports swapped alone are other ends.
    assert counted(one, of(tcp(443, 50000))) == 2


def test_ipv4_and_ipv6_are_not_one_conversation(counted):
    assert counted(v4(tcp()), v6(tcp()), UDP_PACKET) == 2


def test_segments_without_payload_count_and_so_do_options_and_first_fragments(counted):
    assert counted(v4(tcp(1, flags=2, body=b"")), v4(tcp(2), options=b"\1" * 8), v4(tcp(3), fragment=0x2000)) == 3


def test_what_is_no_tcp_and_later_fragments_do_not_count(counted):
    assert counted(UDP_PACKET, v4(tcp(), protocol=1), v4(tcp(), fragment=1), ipv6(udp(b"abc"))) == 0


def test_as_soon_as_the_ports_are_there_it_counts(counted):
    for whole, header in ((v4(tcp()), 20), (v6(tcp()), 40), (v4(tcp(), options=b"\1" * 8), 28)):
        assert [counted(whole[:size]) for size in (header + 3, header + 4)] == [0, 1]


@pytest.mark.parametrize("link", [link for link in LINKS if link != "unread"])
def test_behind_every_link_header_the_count_is_the_same(counted, link):
    packets = [UDP_PACKET, v4(tcp()), v6(tcp()), swapped(v4(tcp())), ipv6(udp(b"abc")), v4(tcp(7))]
    chosen = [each for each in packets if link not in ("raw 4", "raw 6") or each[0] >> 4 == int(link[-1])]
    frames = [framed(link, each, "<") for each in chosen]
    expected = {"raw 4": 2, "raw 6": 1}.get(link, 3)
    assert [counted(*frames, link=LINKS[link], block_bytes=size) for size in (1, 100, 1 << 16)] == [expected] * 3


def test_many_conversations_are_told_apart(counted):
    rng = random.Random(1)
    ports = [(rng.randrange(1, 40), rng.randrange(1, 40)) for _ in range(3000)]
    packets = [rng.choice([v4, v6])(tcp(*pair)) for pair in ports]
    known = {(each[0] >> 4, each[-23:-19]) for each in packets}
    turned = [rng.choice([each, swapped(each)]) for each in packets]
    assert counted(*turned, block_bytes=5000) == len(known) > 1500


@pytest.mark.parametrize(
    ("segments", "line"),
    [
        ([], ""),
        ([v4(tcp())], "1 TCP conversation is not listed; flows lists UDP"),
        ([v4(tcp()), v6(tcp())], "2 TCP conversations are not listed; flows lists UDP"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_flows_says_how_many_are_not_listed_and_still_exits_0(tmp_path, capsys, segments, line, as_json):
    path = tmp_path / "one.pcap"
    path.write_bytes(pcap(*(record(each) for each in [UDP_PACKET, *segments])))
    tasks.flows(Context(), pcap=str(path), json=as_json)
    out, err = capsys.readouterr()
    assert err == (f"{path}: {line}\n" if line else "")
    assert out.count("packets_ab") == 1
    tasks.stun(Context(), pcap=str(path), json=as_json)
    assert capsys.readouterr().err == ""
