"""Real captures against answers that tshark gave. The files are not part of this repository."""

import gzip
import json
import random
import struct
from collections import Counter
from pathlib import Path

import pytest

from correlate import flows, stun
from correlate.trace import CaptureReader, Trace, verify
from tests.correlate import corpus, fuzzing, plain

TRACES = Path(__file__).resolve().parents[2].parent / "shared" / "traces"
PLAIN = [(path.name.removesuffix(".json"), "") for path in sorted(TRACES.glob("expected/*.json"))]
ODD = [(path.name.removesuffix(".json"), "odd") for path in sorted(TRACES.glob("expected_odd/*.json"))]
VARIANTS = ["base.pcap.gz", "bigendian.pcap", "nano.pcap", "raw_ip_101.pcap", "sll_113.pcap", "vlan.pcap"]
# STUN quoted in ICMP errors, or over TCP, is no message of a UDP flow: (messages here, by tshark's bytes)
QUOTED = {"stun.pcap": (121, 122), "stun_signal.pcapng": (300, 353), "telegram_videocall.pcapng": (130, 136)}

pytestmark = pytest.mark.skipif(not TRACES.is_dir(), reason="needs the captures in ../shared/traces, which are absent")


def files(*found, but=()):
    chosen = [(name, folder) for name, folder in found if name not in but]
    return pytest.mark.parametrize(("name", "folder"), chosen, ids=[name for name, _ in chosen])


def read(name, folder=""):
    expected = TRACES / ("expected_odd" if folder else "expected") / f"{name}.json"
    return Trace.read(TRACES / folder / name), json.loads(expected.read_text())


def seconds(time_ns):
    return f"{time_ns // 10**9}.{time_ns % 10**9:09d}"


def over_udp(trace):
    """The messages over UDP, with a cookie."""
    return [message for message in stun.messages(trace) if message.transport == "udp" and message.cookie]


def both_ways(row, payload, first, last):
    ends = row["a"], row["a_port"], row["b"], row["b_port"]
    amounts = row["packets_ab"], row["packets_ba"], row["bytes_ab"], row["bytes_ba"]
    return *ends, *amounts, row[f"{payload}_ab"], row[f"{payload}_ba"], first, last


@files(*PLAIN, *ODD, but=["fragments.pcap"])
def test_every_conversation_is_the_one_that_tshark_found(name, folder):
    trace, expected = read(name, folder)
    found = [both_ways(row, "payload", seconds(row["first_ns"]), seconds(row["last_ns"])) for row in flows.rows(trace)]
    told = [both_ways(row, "udp_payload", row["first"], row["last"]) for row in expected["udp_conversations"]]
    assert sorted(found) == sorted(told)
    assert trace.packets == expected["frames"]


@files(*PLAIN, *ODD)
def test_verify_gives_the_size_and_hash_of_the_file_on_disk(name, folder):
    trace, expected = read(name, folder)
    integrity = verify(trace)
    assert (integrity.sha256, integrity.bytes) == (expected["sha256"], expected["size"])
    times = [seconds(time_ns) if time_ns is not None else None for time_ns in (integrity.first_ns, integrity.last_ns)]
    assert times == [expected["first"], expected["last"]]


@files(*PLAIN, *ODD, but=[*QUOTED, "fragments.pcap", "snap60.pcap"])
def test_every_message_with_a_cookie_is_found_with_all_its_attributes(name, folder):
    trace, expected = read(name, folder)
    outer = [message for message in over_udp(trace) if message.nested is None]
    told = expected["stun_cookie"]
    assert [int(trace.udp.frame[message.row]) for message in outer] == told["frames"]
    assert Counter(f"0x{message.type:04x}" for message in outer) == told["types"]
    assert Counter(f"0x{kind:04x}" for message in outer for kind, _ in message.attributes) == told["attr_types"]


@files(*((name, "") for name in QUOTED))
def test_messages_quoted_in_icmp_or_over_tcp_do_not_count(name, folder):
    trace, expected = read(name)
    outer = [message for message in over_udp(trace) if message.nested is None]
    assert (len(outer), expected["stun_cookie"]["count"]) == QUOTED[name]
    assert {int(trace.udp.frame[message.row]) for message in outer} < set(expected["stun_cookie"]["frames"])


@files(*PLAIN, but=["teams.pcap"])
def test_usernames_outside_and_in_data_are_those_told(name, folder):
    trace, expected = read(name)
    named = [message for message in over_udp(trace) if message.username is not None]
    told = expected["stun_cookie"]
    assert Counter(message.username for message in named if message.nested is None) == told["usernames"]
    assert Counter(message.username for message in named if message.nested == "data") == told["usernames_nested"]


def test_the_call_by_port_40003_shows_its_user_ids_in_data_and_in_channel_data():
    trace, _ = read("stun.pcap")
    named = Counter((message.username, message.nested) for message in stun.messages(trace) if message.nested)
    assert (named["kSty:XpJs", "data"], named["kSty:XpJs", "channel"]) == (12, 2)
    assert (named["XpJs:kSty", "data"], named["XpJs:kSty", "channel"]) == (9, 3)


def test_binary_usernames_are_null():
    trace, _ = read("teams.pcap")
    users = [message for message in over_udp(trace) if any(kind == 6 for kind, _ in message.attributes)]
    assert Counter(message.username for message in users)[None] == 6


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_of_one_call_gives_the_same_flows(name):
    trace, _ = read(name, "odd")
    table = flows.rows(trace)
    assert (len(table), len(trace.udp), len(stun.messages(trace))) == (21, 298, 71)


def reframed(link, order, container):
    """The packets of one call in another link type and container."""
    frames = [packet.data for packet in plain.packets((TRACES / "wa_voice.pcap").read_bytes())]
    packets = [corpus.framed(link, data[14:], order) for data in frames if data[12:14] in (b"\x08\0", b"\x86\xdd")]
    if container == "pcapng":
        described = struct.pack(f"{order}HHI", corpus.LINKS[link], 0, 0)
        head = struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1)
        parts = [corpus.block(0x0A0D0D0A, head, order), corpus.block(1, described, order)]
        parts += [corpus.packet_block(random.Random(n), data, data, order, 0, n) for n, data in enumerate(packets)]
    else:
        magic = {"micro": 0xA1B2C3D4, "nano": 0xA1B23C4D}[container]
        parts = [struct.pack(f"{order}IHHIIII", magic, 2, 4, 0, 0, 65535, corpus.LINKS[link])]
        parts += [struct.pack(f"{order}IIII", 1, n, len(data), len(data)) + data for n, data in enumerate(packets)]
    return b"".join(parts)


@pytest.mark.parametrize("container", ["micro", "nano", "pcapng"])
@pytest.mark.parametrize("link", [link for link in corpus.LINKS if link != "unread"])
def test_one_call_in_every_link_type_and_container_gives_the_same_flows(link, container):
    for order in "<>":
        for data in (plain_bytes := reframed(link, order, container), gzip.compress(plain_bytes, 1)):
            stream = CaptureReader("call", held=data)
            counter, reader, found = flows.Counter(), stun.BlockReader(), 0
            for block in stream:
                counter.add(block)
                found += sum(1 for _ in reader.add(block))
            found += sum(1 for _ in reader.rest())
            table = counter.table()
            assert (len(table), sum(flow.packets_ab + flow.packets_ba for flow in table), found) == (21, 298, 71)
            assert stream.damage == ()


def test_every_capture_has_its_answers():
    for folder, answers in (("", "expected"), ("odd", "expected_odd")):
        captures = {path.name for path in (TRACES / folder).glob("*.pcap*")}
        assert captures == {path.stem for path in (TRACES / answers).glob("*.json")} != set()


@files(*PLAIN, *ODD)
def test_the_plain_reader_tells_the_same_of_every_capture(name, folder):
    data = (TRACES / folder / name).read_bytes()
    found, data = fuzzing.answer(data, 4 << 20), gzip.decompress(data) if name.endswith(".gz") else data
    assert fuzzing.quickly(found, fuzzing.in_fragments(data)) == fuzzing.plainly(data)


def test_a_capture_cut_at_60_bytes_keeps_its_flows_and_its_messages():
    trace, _ = read("snap60.pcap", "odd")
    table = flows.rows(trace)
    assert (len(table), sum(row["packets_ab"] + row["packets_ba"] for row in table)) == (21, 298)
    assert len(stun.messages(trace)) == 71
    assert {len(message.transaction) for message in stun.messages(trace)} == {10}


def test_every_fragment_counts_for_the_flow_of_its_datagram():
    trace, expected = read("fragments.pcap", "odd")
    told = {(row["a"], row["a_port"], row["b"], row["b_port"]): row for row in expected["udp_conversations"]}
    assert expected["ip_fragments"] == 632
    extra = 0
    for row in flows.rows(trace):
        one = told.pop((row["a"], row["a_port"], row["b"], row["b_port"]))
        assert (row["payload_ab"], row["payload_ba"]) == (one["udp_payload_ab"], one["udp_payload_ba"])
        extra += row["packets_ab"] + row["packets_ba"] - one["packets_ab"] - one["packets_ba"]
    assert not told
    # Per fragmented datagram tshark shows one frame, here all of them count.
    assert (
        extra
        == len(trace.udp) - sum(row["packets_ab"] + row["packets_ba"] for row in expected["udp_conversations"])
        == 632 - fragmented_datagrams(trace)
    )
    assert len(stun.messages(trace)) == 120


def fragmented_datagrams(trace):
    """By scapy: the number of datagrams whose first fragment is in the file."""
    from scapy.layers.inet import IP
    from scapy.layers.l2 import Ether
    from scapy.utils import RawPcapReader

    with RawPcapReader(str(trace.path)) as reader:
        packets = [Ether(data) for data, _ in reader]
    return sum(IP in packet and "MF" in packet[IP].flags and packet[IP].frag == 0 for packet in packets)


@pytest.mark.parametrize("name", ["truncated.pcapng", "truncated_in_record.pcap"])
def test_a_cut_file_says_where_and_keeps_all_before(name):
    trace, expected = read(name, "odd")
    (damage,) = trace.damage
    assert (damage.kind, damage.frame, damage.breaks_chain, damage.stops) == ("cut_record", 736, True, True)
    assert trace.packets == expected["frames"] == 735


@files(*PLAIN)
def test_whole_captures_have_no_damage_that_stops(name, folder):
    trace, _ = read(name)
    assert verify(trace).ok


def test_a_call_over_another_protocol_gives_no_call_artifact():
    trace, _ = read("linecall_falsepositve.pcap")
    assert stun.messages(trace) == []
    assert [row["classic_stun"] for row in flows.rows(trace)] == [0]
