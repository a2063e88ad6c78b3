"""A kind of capture is one line of a table: what it makes, of what a phone and a laptop say, and what it sweeps."""

from ipaddress import IPv4Address
from pathlib import Path
from typing import get_args

import pytest

from lab.capture.dumpcap import LaptopCapture
from lab.capture.kinds import KINDS
from lab.capture.pcapdroid import PcapdroidCapture
from lab.capture.protocol import Request
from lab.capture.tcpdump import PhoneTcpdump
from lab.definitions import Lab, PhoneSpec
from lab.errors import PhoneTrouble
from lab.laptop.lease import Lease
from lab.laptop.protocol import Hotspot
from lab.phone.phone import Phone
from lab.programs.shell import ShellOutput

KEY = "0123456789ABCDEFGHIJabcdefghij42"
HOTSPOT = IPv4Address("10.42.0.1")
LEASE = Lease(IPv4Address("10.42.0.7"), "02:00:5e:10:00:07")
INTERFACES = (
    "2: wlan0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500\n    inet 10.42.0.7/24 scope global\n{}"
    "3: rmnet1: <POINTOPOINT,UP> mtu 1400\n    inet 100.64.3.4/32 scope global\n"
)
GLOBAL = "    inet6 2001:db8::7/64 scope global\n"
CONNECTIVITY = (
    "Active default network: 101\n"
    "  NetworkAgentInfo{network{101}  lp{{InterfaceName: wlan0 LinkAddresses: [ ]}} "
    "nc{[ Transports: WIFI Capabilities]}}\n"
)


class Shell:
    """Answers what a phone is asked before a capture is made, and remembers all that it is asked."""

    serial = name = "phone"

    def __init__(self, ipv6=""):
        self.asked, self.interfaces = [], INTERFACES.format(ipv6)

    def run(self, command, *, root=False, timeout_s=10.0):
        self.asked.append(f"{'root: ' if root else ''}{command}")
        answers = {
            "ip addr": self.interfaces,
            "ip route get 192.0.2.1": "192.0.2.1 dev wlan0 src 10.42.0.7 uid 2000\n",
            "dumpsys connectivity": CONNECTIVITY,
            "ps -A -o PID,ARGS": "",
            "rm -rf /data/local/tmp/im-call-lab": "",
            "ls /sdcard/Download/PCAPdroid/im-call-lab-*.pcap 2>/dev/null": "",
        }
        return ShellOutput(answers[command], 0)


class Clock:
    def now_ns(self):
        return 7


class Table:
    """A laptop on whose hotspot the phone is, with this program to capture."""

    def __init__(self, tool):
        self.tool = lambda: tool

    def hotspot(self, address):
        return Hotspot("wlan1", address)

    def neighbours(self, hotspot):
        return {LEASE.address: LEASE.mac}


def phone(shell, capture="tcpdump", *, rooted=False, key=KEY):
    spec = Lab.load(Path(__file__).parents[3] / "scenarios").bench("virtual").phones[0]
    values = {"capture": capture, "rooted": rooted, "pcapdroid_key": key}
    return Phone(spec.model_copy(update=values), shell, None, Clock())


def made(kind, shell, tool="dumpcap", **spec):
    request = Request(phone(shell, **spec), "org.example.app", "t.0.callee", 256, Table(tool), HOTSPOT)
    return KINDS[kind].new_capture(request)


def test_each_capture_of_a_bench_file_has_its_line_and_the_agents_dumpcap_one_of_its_own():
    captures = get_args(PhoneSpec.model_fields["capture"].annotation)
    assert list(KINDS) == ["tcpdump", "dumpcap", "agent_dumpcap", "pcapdroid"]
    assert KINDS.keys() == {*captures, "agent_dumpcap"}


def test_a_dumpcap_is_the_agents_where_the_laptop_has_one():
    lab = Lab.load(Path(__file__).parents[3] / "scenarios")
    found = {name: [spec.capture_kind(phone) for phone in spec.phones] for name, spec in lab.benches.items()}
    assert found["virtual"] == ["tcpdump", "dumpcap"]
    assert found["pixels"] == ["tcpdump", "agent_dumpcap"]


def test_tcpdump_captures_on_the_interface_that_carries_the_phones_calls():
    shell = Shell()
    capture = made("tcpdump", shell)
    assert (type(capture), capture.tool, capture.interface, capture.suffix) == (
        PhoneTcpdump,
        "tcpdump",
        "wlan0",
        "pcap",
    )
    assert capture.lease is None
    assert shell.asked == ["ip route get 192.0.2.1", "dumpsys connectivity"]


@pytest.mark.parametrize(
    ("kind", "tool", "found"),
    [
        ("dumpcap", "dumpcap", ("dumpcap", "pcapng")),
        ("agent_dumpcap", "dumpcap", ("dumpcap", "pcapng")),
        ("agent_dumpcap", "tcpdump", ("tcpdump", "pcap")),
    ],
)
def test_a_laptop_captures_the_phones_lease_with_the_program_it_has(kind, tool, found):
    shell = Shell()
    capture = made(kind, shell, tool, capture="dumpcap")
    assert (type(capture), capture.interface, capture.lease) == (LaptopCapture, "wlan1", LEASE)
    assert (capture.tool, capture.suffix) == found
    assert shell.asked == ["ip addr"]


@pytest.mark.parametrize(("ipv6", "mode"), [("", "ipv4"), (GLOBAL, "both")])
def test_pcapdroids_vpn_offers_ipv6_where_there_is_some_below(ipv6, mode):
    capture = made("pcapdroid", Shell(ipv6), capture="pcapdroid")
    assert (type(capture), capture.tool, capture.lease) == (PcapdroidCapture, "pcapdroid", None)
    assert (capture._package, capture._ip_mode, capture._name) == (
        "org.example.app",
        mode,
        "im-call-lab-t.0.callee-7.pcap",
    )


PS, RM = "root: ps -A -o PID,ARGS", "root: rm -rf /data/local/tmp/im-call-lab"
LS = "ls /sdcard/Download/PCAPdroid/im-call-lab-*.pcap 2>/dev/null"


@pytest.mark.parametrize(
    ("capture", "rooted", "asked"),
    [
        ("tcpdump", True, [PS, RM]),
        ("dumpcap", True, [PS, RM]),
        ("dumpcap", False, []),
        ("pcapdroid", False, [LS]),
        ("pcapdroid", True, [PS, RM, LS]),
    ],
)
def test_a_phone_is_swept_of_what_any_kind_may_have_left_on_it(capture, rooted, asked):
    shell = Shell()
    assert [kind.sweep(phone(shell, capture, rooted=rooted)) for kind in KINDS.values()] == [0, 0, 0, 0]
    assert shell.asked == asked


def test_only_a_phone_that_pcapdroid_captures_needs_its_key():
    assert KINDS["pcapdroid"].sweep(phone(Shell(), "dumpcap", key=None)) == 0
    with pytest.raises(PhoneTrouble, match="has no pcapdroid_key"):
        KINDS["pcapdroid"].sweep(phone(Shell(), "pcapdroid", key=None))
