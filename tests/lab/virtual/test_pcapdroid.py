"""PCAPdroid on a virtual phone does what the real one's source says."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from lab.definitions import Lab
from lab.definitions.virtual_network import PcapdroidEmulation
from lab.virtual.bench import EmulatedBench
from lab.virtual.commands.dumpsys import dumpsys
from lab.virtual.commands.pcapdroid import DIRECTORY, PACKAGE
from lab.virtual.network.addresses import Endpoint, nat64

KEY = "Virtual0Key1Virtual2Key3Virtual4"
SECOND = 1_000_000_000
MARKERS, PORT = ip_address("192.0.2.1"), 9
START = {"action": "start", "api_key": KEY, "pcap_name": "a.pcap", "app_filter": "com.whatsapp,com.android.shell"}
STOP = {"action": "stop", "api_key": KEY}


@pytest.fixture
def bench(tmp_path):
    lab = Lab.load(Path(__file__).parents[3] / "scenarios")
    spec = lab.bench("virtual")
    phones = [
        phone.model_copy(
            update={"emulation": phone.emulation.model_copy(update={"pcapdroid": PcapdroidEmulation(key=KEY)})}
        )
        for phone in spec.phones
    ]
    made = EmulatedBench(spec.model_copy(update={"phones": phones}), lab.virtual_apps, tmp_path)
    made.begin(key="1/t/0", trial="t", attempt=0, start_ns=1_767_571_200 * SECOND, direct=False)
    return made


@pytest.fixture
def phone(bench):
    return bench.phones["pixel6pro"]


def asked(bench, phone, extras, seconds=1.0):
    phone.pcapdroid.on_intent(extras)
    bench.advance(round(seconds * SECOND))


def written(phone, name="a.pcap") -> bytes:
    return phone.files.on_disk(f"{DIRECTORY}/{name}").read_bytes()


def said(phone) -> list[str]:
    return [line.text for line in phone.log]


def mark(bench, phone, text):
    bench.network.send_udp(phone.name, MARKERS, PORT, text.encode(), 0)


@pytest.mark.parametrize("key", [None, "", "Virtual0Key1Virtual2Key3Virtual5"])
def test_without_the_right_key_nothing_starts_and_its_question_stands_on_the_screen(bench, phone, key):
    asked(bench, phone, {**START, "api_key": key} if key is not None else {"action": "start"}, 5)
    shown = [node.text for node in phone.handset.nodes()]
    assert (phone.handset.package, shown[0], shown[2:]) == (PACKAGE, "PCAPdroid control request", ["Deny", "Allow"])
    assert [one.name for one in phone.interfaces()] == ["lo", "wlan0"]
    phone.handset.key("back")
    assert phone.handset.package != PACKAGE


def test_its_vpn_comes_up_over_the_default_network_and_the_shell_is_routed_into_it(bench, phone):
    asked(bench, phone, START)
    tun = phone.interfaces()[-1]
    assert (tun.name, [str(one) for one in tun.addresses], tun.mtu) == ("tun0", ["10.215.173.1/30"], 10_000)
    assert bench.network.datapath.route(phone.name, MARKERS) is tun
    lines = dumpsys(phone.handset, "connectivity", [], phone).splitlines()
    assert "Active default network: 100" in lines
    assert [line.partition("Transports: ")[2].split()[0] for line in lines if "Transports" in line] == [
        "WIFI",
        "WIFI|VPN",
    ]
    assert "versionName=1.9.1" in dumpsys(phone.handset, "package", [PACKAGE], phone)
    asked(bench, phone, STOP)
    assert bench.network.datapath.route(phone.name, MARKERS).name == "wlan0"


def test_a_filter_without_the_shell_leaves_the_shell_below(bench, phone):
    asked(bench, phone, {**START, "app_filter": "com.whatsapp"})
    assert bench.network.datapath.route(phone.name, MARKERS).name == "wlan0"
    assert bench.network.datapath.access(phone.name, "com.whatsapp").ipv4.ip == ip_address("10.215.173.1")
    assert bench.network.datapath.access(phone.name, "com.facebook.orca") is bench.network.datapath.accesses[phone.name]


def test_what_passes_is_in_the_file_a_second_later_behind_a_header_that_comes_with_it(bench, phone):
    asked(bench, phone, START)
    assert written(phone) == b""
    mark(bench, phone, "im-call-lab 0 live")
    assert written(phone) == b""
    bench.advance(SECOND)
    data = written(phone)
    assert data[:24] == bytes.fromhex("d4c3b2a1 02000400 00000000 00000000 ffff0000 65000000")
    packet = data[40:]
    assert (packet[9], packet[12:20], packet[28:]) == (
        17,
        bytes([10, 215, 173, 1, 192, 0, 2, 1]),
        b"im-call-lab 0 live",
    )


def test_a_stop_writes_all_and_tells_how_many(bench, phone):
    asked(bench, phone, {**START, "snaplen": "64"})
    for number in range(3):
        mark(bench, phone, f"im-call-lab 0 live{number}")
    asked(bench, phone, STOP)
    data = written(phone)
    assert (data.count(b"im-call-lab"), data[16:20]) == (3, (64).to_bytes(4, "little"))
    assert said(phone) == ["Starting capture, caller=null", "Stopping capture", "notifyCaptureStopped: 3 pkts"]


def test_killed_it_loses_what_it_had_not_handed_on_and_tells_nothing(bench, phone):
    asked(bench, phone, START)
    mark(bench, phone, "im-call-lab 0 live")
    phone.pcapdroid.kill()
    bench.advance(SECOND)
    assert (written(phone), said(phone)) == (b"", ["Starting capture, caller=null"])
    assert [one.name for one in phone.interfaces()] == ["lo", "wlan0"]


def test_a_start_while_it_captures_ends_that_capture(bench, phone):
    asked(bench, phone, START)
    mark(bench, phone, "im-call-lab 0 live")
    asked(bench, phone, {**START, "pcap_name": "b.pcap"}, 2)
    assert said(phone)[-1] == "notifyCaptureStopped: 1 pkts"
    mark(bench, phone, "im-call-lab 0 again")
    bench.advance(SECOND)
    assert (written(phone).count(b"live"), written(phone, "b.pcap").count(b"again")) == (1, 1)


def test_ipv6_is_there_where_it_is_asked_for_and_nat64_is_on_no_route(bench):
    phone, network = bench.phones["pixel6"], bench.network
    for ip_mode, address in (("both", "fd00:2:fd00:1:fd00:1:fd00:1"), ("ipv4", None)):
        asked(bench, phone, {**START, "ip_mode": ip_mode}, 2)
        inner = network.datapath.access(phone.name, "com.whatsapp")
        native = inner.local(ip_address("2001:db8::1"))
        assert (None if native is None else str(native)) == address
        assert inner.local(nat64(MARKERS)) is None
    assert network.datapath.accesses[phone.name].local(nat64(MARKERS)) is not None


def test_its_proxy_is_a_nat_that_looks_at_the_far_end_and_sends_from_the_network_below(bench):
    phone, network = bench.phones["pixel6"], bench.network
    asked(bench, phone, {**START, "ip_mode": "both"})
    below, inner = network.datapath.accesses[phone.name], network.datapath.access(phone.name, "com.whatsapp")
    socket = Endpoint(inner.ipv4.ip, 40_000)
    seen = {inner.mapped(socket, ip_address(f"192.0.2.{host}")) for host in range(1, 9) for _ in range(2)}
    assert len(seen) == 8
    six = Endpoint(inner.ipv6.ip, 40_000)
    first, second = (inner.mapped(six, ip_address(f"2001:db8::{host}")) for host in (1, 2))
    assert (first.address, second.address, first == second) == (below.ipv6.ip, below.ipv6.ip, False)


def test_what_its_interface_drops_stands_in_proc(bench, phone):
    bench.fail_next("pcapdroid", "pixel6pro", how="dropped", packets=7, after_ns=SECOND)
    asked(bench, phone, START)
    device = phone.files.on_disk("/proc/net/dev")
    tun = next(line.split() for line in device.read_text().splitlines() if "tun0" in line)
    assert tun == ["tun0:", *["0"] * 16]
    bench.advance(SECOND)
    tun = next(line.split() for line in device.read_text().splitlines() if "tun0" in line)
    assert (tun[12], sum(map(int, tun[1:]))) == ("7", 7)


def test_an_attempt_begins_without_a_vpn_and_the_one_before_writes_nothing_more(bench, phone):
    asked(bench, phone, START)
    phone.pcapdroid.on_intent(STOP)
    bench.begin(key="1/t/1", trial="t", attempt=1, start_ns=1_767_575_200 * SECOND, direct=False)
    bench.advance(5 * SECOND)
    assert ([one.name for one in phone.interfaces()], said(phone)) == (["lo", "wlan0"], [])
