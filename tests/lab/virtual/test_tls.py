"""Other apps' TLS on the emulated phones: whole connections to nobody's servers, small, and valid to tshark."""

from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import pytest

from lab.virtual.network.capturefile import IMMEDIATE, Capture
from lab.virtual.network.tlsclients import BackgroundTls
from tests.lab.virtual.test_noise import BENCH, PHONES, QUIET, SECOND, begin, loud
from tests.lab.virtual.test_traffic import FIXED, packets, recorded
from tests.lab.virtual.witness import fields, needs_tshark

SERVERS = {ip_address(f"192.0.2.{number}") for number in range(250, 254)}
SERVERS |= {ip_address(f"2001:db8:a11::{number:x}") for number in range(250, 254)}
SYN, SYN_ACK, FIN_ACK = "0x0002", "0x0012", "0x0011"
CLIENT_HELLO, SERVER_HELLO, APPLICATION_DATA = "1", "2", "23"


class Frame(NamedTuple):
    """What tshark says of a segment."""

    at_s: str
    bytes: str
    stream: str
    flags: str
    port: str
    ipv4: str
    ipv6: str
    hello: str
    name: str
    records: str
    analysis: str
    tcp_checksum: str
    ip_checksum: str
    malformed: str
    severity: str
    stun: str


NAMES = (
    *("frame.time_relative", "frame.len", "tcp.stream", "tcp.flags", "tcp.dstport", "ip.dst", "ipv6.dst"),
    *("tls.handshake.type", "tls.handshake.extensions_server_name", "tls.record.opaque_type", "tcp.analysis.flags"),
    *("tcp.checksum.status", "ip.checksum.status", "_ws.malformed", "_ws.expert.severity", "stun.type"),
)
ERROR = 0x800000


@pytest.fixture(scope="module", params=[PHONES[0], pytest.param(PHONES[1], marks=pytest.mark.full)])
def frames(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Frame]:
    """The segments of five minutes of a phone without a call, by tshark."""
    network = begin(QUIET)
    out = bytearray()
    running = Capture(network.datapath.wires[request.param], "pcap", 2000, IMMEDIATE, lambda t: t, out.extend)
    network.world.advance_to(network.world.now_ns + 300 * SECOND)
    running.stop()
    path: Path = tmp_path_factory.mktemp("tls") / "noise.pcap"
    path.write_bytes(bytes(out))
    return [Frame(*row) for row in fields(path, "tcp", *NAMES)]


@needs_tshark
def test_a_push_connection_stays_open_and_others_come_and_go(frames):
    names = [frame.name for frame in frames if frame.hello == CLIENT_HELLO]
    assert names.count("push.example.net") == 1
    assert 5 <= len(names) <= 13
    assert {*names} <= {"push.example.net", "sync.example.net", "photos.example.net", "mail.example.net"}
    assert sum(frame.flags == FIN_ACK for frame in frames) == 2 * (len(names) - 1)
    pushed = next(frame.stream for frame in frames if frame.name == "push.example.net")
    beats = [float(one.at_s) for one in frames if one.stream == pushed and APPLICATION_DATA in one.records]
    assert 30 < len(beats) < 100
    assert beats[-1] > 270


@needs_tshark
def test_every_connection_begins_with_both_handshakes_and_goes_to_port_443(frames):
    streams = {frame.stream for frame in frames}
    for value in (SYN, SYN_ACK):
        assert {frame.stream for frame in frames if frame.flags == value} == streams
    for value in (CLIENT_HELLO, SERVER_HELLO):
        assert {frame.stream for frame in frames if value in frame.hello.split(",")} == streams
    assert {frame.port for frame in frames if frame.flags == SYN} == {"443"}


@needs_tshark
def test_no_segment_is_lost_repeated_or_wrong_and_tshark_reads_all_without_an_error(frames):
    assert [frame for frame in frames if frame.analysis or frame.malformed or frame.stun] == []
    assert {frame.tcp_checksum for frame in frames} == {"1"}
    assert {frame.ip_checksum for frame in frames} <= {"1", ""}
    assert max(int(one) for frame in frames for one in frame.severity.split(",") if one) < ERROR


@needs_tshark
def test_its_servers_are_documentation_addresses_that_neither_calls_nor_other_background_use(frames):
    found = {ip_address(frame.ipv4 or frame.ipv6) for frame in frames if frame.flags == SYN}
    assert len(found) > 2
    assert found <= SERVERS


@needs_tshark
def test_it_is_less_than_six_hundred_bytes_a_second(frames):
    assert 20_000 < sum(int(frame.bytes) for frame in frames) < 180_000


@pytest.mark.parametrize("name", ["messenger", "dogwood"])
def test_it_moves_no_datagram_and_no_truth_of_a_call(monkeypatch, name):
    bench, truth = recorded(name, "voice", FIXED, "caller_hangs_up", talk_s=3.0)
    monkeypatch.setattr(BackgroundTls, "start", lambda self: None)
    quiet, without = recorded(name, "voice", FIXED, "caller_hangs_up", talk_s=3.0)
    assert truth == without
    for phone in PHONES:
        assert bench.files[phone] != quiet.files[phone]
        alike = [[bytes(header) for header, _, _ in packets(one, phone)] for one in (bench, quiet)]
        assert alike[0] == alike[1]
        assert len(alike[0]) > 30


@pytest.mark.full
@pytest.mark.parametrize("phone", PHONES)
def test_no_five_seconds_of_background_come_near_the_benchs_limit_of_noise(phone):
    worst = 0.0
    for number in range(40):
        if loud(f"{number}/t/0"):
            continue
        network, out = begin(f"{number}/t/0"), bytearray()
        running = Capture(
            network.datapath.wires[phone], "pcap", BENCH.snaplen_bytes, IMMEDIATE, lambda t: t, out.extend
        )
        sizes = [0]
        for _ in range(60):
            network.world.advance_to(network.world.now_ns + SECOND)
            sizes.append(len(out))
        running.stop()
        worst = max(worst, *(after - before for before, after in zip(sizes, sizes[5:], strict=False)))
    assert BENCH.idle_s == 5
    assert 0.25 * BENCH.noise_max < worst / 5 < 0.75 * BENCH.noise_max
