"""The network as the phones use it: interfaces, routes, STUN probes, markers, and STUN frames that are dropped."""

import io
import struct
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from lab.definitions.bench import BenchSpec
from lab.definitions.yaml import read
from lab.virtual.network.capturefile import IMMEDIATE, Capture
from lab.virtual.network.ledger import Ledger
from lab.virtual.network.network import Network
from lab.virtual.world import World

CONSTANT = read(Path(__file__).parents[3] / "scenarios/benches/virtual_constant.yaml", BenchSpec)
BENCH = read(Path(__file__).parents[3] / "scenarios/benches/virtual.yaml", BenchSpec)
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
REQUEST = bytes.fromhex("000100002112a442") + b"abcdefghijkl"
STUN4, STUN6 = ip_address("198.51.100.250"), ip_address("2001:db8:ffff::250")


@pytest.fixture
def network() -> Network:
    world = World()
    ledger = Ledger(world)
    made = Network(world, BENCH, {}, ledger)
    world.begin("1/t/0", START)
    ledger.begin("t", 0)
    made.begin(direct=False)
    return made


def mapped_ipv4(reply: bytes) -> str:
    assert reply[:8] == bytes.fromhex("0101000c2112a442")
    assert reply[8:26] == b"abcdefghijkl" + bytes.fromhex("002000080001")
    return str(ip_address(int.from_bytes(reply[28:32], "big") ^ 0x2112A442))


def test_a_probe_is_told_the_public_address_after_a_round_trip(network):
    told = mapped_ipv4(network.send_udp("pixel6", STUN4, 3478, REQUEST, SECOND))
    assert ip_address(told) in ip_network("198.51.100.0/25")
    assert 48_000_000 <= network.world.now_ns - START <= 102_000_000


def test_the_home_nat_tells_one_address_and_the_carrier_nat_several(network):
    home = {mapped_ipv4(network.send_udp("pixel6pro", STUN4, 3478, REQUEST, SECOND)) for _ in range(20)}
    carrier = {mapped_ipv4(network.send_udp("pixel6", STUN4, 3478, REQUEST, SECOND)) for _ in range(40)}
    assert len(home) == 1
    assert ip_address(home.pop()) in ip_network("203.0.113.0/24")
    assert len(carrier) == 4


def test_an_ipv6_probe_is_told_the_interface_address(network):
    reply = network.send_udp("pixel6", STUN6, 3478, REQUEST, SECOND)
    mask = int.from_bytes(bytes.fromhex("2112a442") + b"abcdefghijkl", "big")
    told = ip_address(int.from_bytes(reply[28:44], "big") ^ mask)
    assert told == network.datapath.interfaces("pixel6")[1].addresses[1].ip


def test_a_phone_without_ipv6_gets_no_answer_and_spends_no_time(network):
    assert network.send_udp("pixel6pro", STUN6, 3478, REQUEST, SECOND) is None
    assert network.world.now_ns == START


@pytest.mark.parametrize("payload", [b"x", REQUEST[:-1], REQUEST[:4] + bytes(4) + REQUEST[8:]])
def test_what_is_no_binding_request_gets_no_answer_within_the_timeout(network, payload):
    assert network.send_udp("pixel6", STUN4, 3478, payload, SECOND) is None
    assert network.world.now_ns == START + SECOND


def test_an_answer_later_than_the_timeout_is_no_answer(network):
    assert network.send_udp("pixel6", STUN4, 3478, REQUEST, 1_000_000) is None
    assert network.world.now_ns == START + 1_000_000


def test_routes_lead_through_the_one_interface(network):
    assert network.datapath.route("pixel6", STUN4).name == "rmnet1"
    assert network.datapath.route("pixel6", STUN6).name == "rmnet1"
    assert network.datapath.route("pixel6pro", STUN4).name == "wlan0"
    assert network.datapath.route("pixel6pro", STUN6) is None


@pytest.mark.parametrize("phone", ["pixel6", "pixel6pro"])
def test_a_marker_is_a_frame_on_the_phones_own_wire(network, phone):
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether
    from scapy.utils import PcapReader

    out = bytearray()
    capture = Capture(network.datapath.wires[phone], "pcap", 256, IMMEDIATE, lambda t: t, out.extend)
    network.send_udp(phone, ip_address("192.0.2.1"), 9, b"im-call-lab N begin", SECOND)
    capture.stop()
    frames = [frame for frame in PcapReader(io.BytesIO(bytes(out))) if frame[UDP].dport == 9]
    assert [bytes(frame[UDP].payload) for frame in frames] == [b"im-call-lab N begin"]
    interface = network.datapath.interfaces(phone)[1]
    assert (frames[0][IP].src, frames[0][IP].dst) == (str(interface.addresses[0].ip), "192.0.2.1")
    assert frames[0].time == START // SECOND
    if phone == "pixel6pro":
        assert frames[0][Ether].src == interface.mac
    checked = IP(bytes(frames[0][IP]))
    del checked.chksum, checked[UDP].chksum
    assert bytes(checked) == bytes(frames[0][IP])


def test_each_attempt_has_its_own_addresses_and_the_same_key_the_same(network):
    first = network.datapath.interfaces("pixel6")
    for key, same in (("1/t/1", False), ("1/t/0", True)):
        network.world.begin(key, START)
        network.ledger.begin("t", 1)
        network.begin(direct=True)
        assert (network.datapath.interfaces("pixel6") == first) is same


def test_the_phone_on_the_hotspot_is_not_the_hotspot(network):
    address = network.datapath.interfaces("pixel6pro")[1].addresses[0]
    assert address.network == ip_network("192.168.137.0/24")
    assert address.ip != BENCH.laptop.hotspot_address


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ({"side": "nokia", "n": 1}, "drop_stun needs side, a phone of the bench, and n or shows"),
        ({"side": "pixel6", "m": 1}, "drop_stun needs side, a phone of the bench, and n or shows"),
        ({"side": "pixel6"}, "drop_stun needs exactly one of n (a number) and shows (a text)"),
        ({"side": "pixel6", "n": 1, "shows": "x"}, "drop_stun needs exactly one of n (a number) and shows (a text)"),
    ],
)
def test_a_selector_that_selects_nothing_is_refused(network, selector, text):
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        network.drop_stun(selector)
    assert str(refused.value).startswith(text)


def test_the_background_is_counted_as_other_apps_with_all_its_headers(network):
    out = bytearray()
    capture = Capture(network.datapath.wires["pixel6pro"], "pcap", 96, IMMEDIATE, lambda t: t, out.extend)
    network.world.advance_to(START + 60 * SECOND)
    capture.stop()
    frames, at = [], 24
    while at < len(out):
        captured, length = struct.unpack_from("<II", out, at + 8)
        frames.append((out[at + 16 + 6 : at + 16 + 12].hex(":"), length))
        at += 16 + captured
    mac = network.datapath.accesses["pixel6pro"].mac
    counted = network.usages["pixel6pro"].counted.values()
    sent = [length - 14 for source, length in frames if source == mac]
    assert (sum(one.sent for one in counted), sum(one.sent_packets for one in counted)) == (sum(sent), len(sent))
    assert sum(sent) > 2_000


def test_on_the_bench_with_constant_addresses_every_trial_has_the_same_and_the_bench_is_otherwise_the_same():
    found = set()
    for key in ("1/t/0", "1/u/0", "2/t/1"):
        world = World()
        ledger = Ledger(world)
        network = Network(world, CONSTANT, {}, ledger)
        world.begin(key, START)
        ledger.begin("t", 0)
        network.begin(direct=False)
        own = [tuple(network.datapath.interfaces(phone)) for phone in ("pixel6", "pixel6pro")]
        told = [mapped_ipv4(network.send_udp(phone, STUN4, 3478, REQUEST, SECOND)) for phone in ("pixel6", "pixel6pro")]
        found.add((*own, *told))
    assert len(found) == 1
    other = BENCH.model_dump(mode="json")
    for phone in other["phones"]:
        phone["emulation"]["access"] |= {"addresses": "constant", "nat": "one_address"}
    assert CONSTANT.model_dump(mode="json") == other | {"name": "virtual_constant"}
