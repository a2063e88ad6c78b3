"""Background noise: small, to nobody the calls know, and nothing in it that a call would send."""

import io
from collections import Counter
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from lab.definitions.bench import BenchSpec
from lab.definitions.yaml import read
from lab.virtual.network.capturefile import IMMEDIATE, Capture
from lab.virtual.network.ledger import Ledger
from lab.virtual.network.network import Network
from lab.virtual.world import World

BENCH = read(Path(__file__).parents[3] / "scenarios/benches/virtual.yaml", BenchSpec)
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
PHONES = ("pixel6", "pixel6pro")
COOKIE = bytes.fromhex("2112a442")


def begin(key: str) -> Network:
    world = World()
    ledger = Ledger(world)
    network = Network(world, BENCH, {}, ledger)
    world.begin(key, START)
    ledger.begin("t", 0)
    network.begin(direct=False)
    return network


def recorded(network: Network, phone: str, seconds: int) -> bytes:
    out = bytearray()
    capture = Capture(network.datapath.wires[phone], "pcap", 256, IMMEDIATE, lambda t: t, out.extend)
    network.world.advance_to(network.world.now_ns + seconds * SECOND)
    capture.stop()
    return bytes(out)


def loud(key: str) -> tuple[str, ...]:
    world = World()
    world.begin(key, START)
    return tuple(phone for phone in PHONES if world.chance(f"noise/loud/{phone}").randrange(1000) < 25)


def first(phones: tuple[str, ...], name: str = "t") -> str:
    """The first key whose attempt is loud at these phones and no others."""
    return next(f"{number}/{name}/0" for number in range(10_000) if loud(f"{number}/{name}/0") == phones)


QUIET = first(())


def test_each_phone_begins_loud_in_two_and_a_half_percent_of_the_attempts_by_itself():
    counts = Counter(loud(f"7/trial-{number}/0") for number in range(20_000))
    assert [counts[phone,] for phone in PHONES] == pytest.approx([490, 490], abs=70)
    assert 0 < counts[PHONES] < 40


@pytest.mark.parametrize("phone", PHONES)
def test_a_quiet_phone_stays_below_a_thousand_bytes_a_second(phone):
    assert 3_000 < len(recorded(begin(QUIET), phone, 60)) < 60_000


@pytest.mark.parametrize("phone", PHONES)
def test_a_loud_phone_is_loud_in_its_first_capture_and_quiet_afterwards(phone):
    network = begin(first((phone,)))
    network.world.advance_to(START + 3 * SECOND)
    assert len(recorded(network, phone, 5)) > 5 * 20_000
    assert len(recorded(network, phone, 5)) < 5 * 4_000


@pytest.mark.parametrize(("loud_one", "phone"), [PHONES, PHONES[::-1]])
def test_beside_a_loud_phone_the_other_is_quiet(loud_one, phone):
    network = begin(first((loud_one,)))
    network.world.advance_to(START + 3 * SECOND)
    assert len(recorded(network, phone, 5)) < 5 * 4_000


def test_there_is_none_once_the_attempt_is_over_and_all_else_goes_on():
    network, happened = begin(QUIET), []
    network.world.advance_to(START + 30 * SECOND)
    network.world.after(3600 * SECOND, lambda: happened.append(network.world.now_ns))
    network.world.end()
    heads = recorded(network, "pixel6", 0)
    assert recorded(network, "pixel6", 24 * 3600) == heads
    assert happened == [START + 3630 * SECOND]
    network.world.begin(QUIET, START)
    network.begin(direct=False)
    assert len(recorded(network, "pixel6", 60)) > 3_000


def test_the_same_key_gives_the_same_noise_and_another_key_another():
    other = first((), "u")
    assert recorded(begin(QUIET), "pixel6", 30) == recorded(begin(QUIET), "pixel6", 30)
    assert recorded(begin(QUIET), "pixel6", 30) != recorded(begin(other), "pixel6", 30)


def packets(phone: str):
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.layers.inet6 import IPv6
    from scapy.utils import PcapReader

    for packet in PcapReader(io.BytesIO(recorded(begin(QUIET), phone, 900))):
        header = packet[IP] if IP in packet else packet[IPv6]
        inner = packet[UDP] if UDP in packet else packet[TCP]
        yield ip_address(header.src), inner.sport, ip_address(header.dst), inner.dport, inner


@pytest.mark.parametrize("phone", PHONES)
def test_noise_goes_to_documentation_addresses_the_hotspot_and_multicast_alone(phone):
    allowed = [ip_network(text) for text in ("192.0.2.32/27", "192.0.2.64/26", "192.0.2.128/25", "2001:db8:a11::/48")]
    allowed += [ip_network("192.168.137.1/32"), ip_network("224.0.0.251/32")] if phone == "pixel6pro" else []
    own = ip_network("192.168.137.0/24") if phone == "pixel6pro" else None
    count = 0
    for source, _, destination, _, _ in packets(phone):
        count += 1
        assert any(end in network for end in (source, destination) for network in allowed)
        if own is not None:
            assert source in own or destination in own
    assert count > 1000


@pytest.mark.parametrize("phone", PHONES)
def test_noise_holds_bare_stun_bindings_and_nothing_else_that_is_stun_or_channel_data(phone):
    kinds, ports = set(), set()
    for _, source_port, _, port, inner in packets(phone):
        text = bytes(inner.payload)
        if not text:
            continue
        if text[4:8] == COOKIE and text[0] < 0x40:
            kinds.add((text[:2].hex(), len(text)))
            ports |= {source_port, port}
        if inner.name == "TCP":
            assert port == 443 or source_port == 443
        elif 0x40 <= text[0] < 0x80:
            assert int.from_bytes(text[2:4], "big") > len(text)
    assert {kind for kind, _ in kinds} == {"0001", "0101"}
    assert {length for kind, length in kinds if kind == "0001"} == {20}
    assert {length for kind, length in kinds if kind == "0101"} <= {32, 44}
    assert 3478 in ports
