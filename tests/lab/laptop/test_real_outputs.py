"""What a laptop's own programs printed on real machines (tests/real_outputs/laptop.yaml), read as it was meant."""

from pathlib import Path

import pytest

from lab.capture.counters import Counters, last_counters, require_all
from lab.errors import AttemptVoid, LaptopTrouble
from lab.laptop.agent.coalescing import joining
from lab.laptop.agent.interfaces import listed
from lab.laptop.agent.neighbours import parsed
from lab.laptop.agent.programs import Refused
from lab.laptop.agent.tools import LIVE
from lab.laptop.agent.windows import URO
from lab.laptop.lease import parse_neighbours
from lab.programs.shell import ClockStream, StreamBroken

OUTPUTS = Path(__file__).parents[2] / "real_outputs"


def said(file):
    return (OUTPUTS / file).read_text()


def rows(text):
    return [(row["on"], row["address"], row["mac"]) for row in parsed(text)]


@pytest.mark.parametrize(
    ("file", "found"),
    [
        (
            "arp/windows_korean.txt",
            [
                ("172.30.1.57", "172.30.1.254", "02:00:5e:cb:90:ce"),
                ("192.168.137.1", "169.254.28.101", "02:00:5e:ae:13:d8"),
            ],
        ),
        (
            "arp/centos.txt",
            [
                ("eno1", "10.74.25.20", "02:00:5e:31:7d:ff"),
                ("eno1", "10.74.25.1", "02:00:5e:9b:8a:92"),
                ("eno1", "10.74.25.52", "02:00:5e:be:8b:ad"),
            ],
        ),
        (
            "arp/macos_incomplete.txt",
            [("en0", "192.168.1.1", "02:00:a1:00:00:01"), ("en0", "192.168.1.3", "02:00:5c:00:00:03")],
        ),
        (
            "arp/macos_airport.txt",
            [
                ("en0", "100.68.0.5", "02:00:29:04:37:a4"),
                ("en0", "100.68.0.6", "02:00:29:0b:c8:44"),
                ("en0", "100.68.1.39", "02:00:73:69:0c:3a"),
            ],
        ),
        (
            "ip/neigh_router.txt",
            [("br0", "192.168.1.63", "02:00:9b:18:c7:63"), ("br0", "192.168.1.174", "02:00:9d:4d:f1:74")],
        ),
        (
            "ip/neigh_busybox_used.txt",
            [
                ("br-lan", "10.0.1.33", "02:00:63:41:d0:8e"),
                ("br-lan", "10.0.1.30", "02:00:5a:a8:c1:5a"),
                ("br-lan", "10.0.0.44", "02:00:f0:8f:f0:7f"),
            ],
        ),
        (
            "ip/neigh_two_networks.txt",
            [
                ("wlp3s0", "172.16.16.254", "02:00:b9:37:2e:71"),
                ("enp0s25", "172.16.11.5", "02:00:99:19:29:eb"),
                ("enp0s25", "172.16.15.254", "02:00:b9:37:2e:70"),
            ],
        ),
        ("ip/neigh_ubuntu.txt", [("eth0", "192.168.140.1", "02:00:aa:aa:aa:aa")]),
    ],
)
def test_who_is_on_which_network_is_told_by_every_systems_own_table(file, found):
    assert rows(said(file)) == found
    if file.startswith("ip/"):
        bare = "".join(f"{line.replace(' dev ' + line.split()[2], '')}\n" for line in said(file).splitlines())
        assert {str(one): mac for one, mac in parse_neighbours(bare).items()} == {one: mac for _, one, mac in found}


@pytest.mark.parametrize(
    "line",
    [
        "  192.168.137.23  at the other end of the cable",
        "Interface: 192.168.137.1 on Interface 0x2000003",
        "10.42.0.7 dev wlan1 lladdr 80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:00:00:01 REACHABLE",
        "10.42.0.7 lladdr 02:00:5e:10:00:07 REACHABLE",
        "192.168.1.1          02:00:5e:10:00:07    em0 19m52s",
    ],
)
def test_a_neighbour_in_a_spelling_that_nobody_knows_is_not_read_as_nobody(line):
    with pytest.raises(Refused, match=r"cannot be read: '.*' among the neighbours"):
        parsed(f"10.42.0.8 dev wlan1 lladdr 02:00:5e:10:00:08 STALE\n{line}\n")


def test_rows_below_a_head_that_is_not_understood_are_never_those_of_the_head_before():
    text = said("arp/windows_korean.txt").replace(" --- 0x31", " (0x31)")
    with pytest.raises(Refused, match="cannot be read"):
        parsed(text)


def test_entries_that_name_nobody_are_left_out_in_every_spelling():
    text = (
        "? (10.42.0.2) at <incomplete> on hot0\n? (10.42.0.3) at <from_interface> PERM PUP on hot0\n"
        "? (10.42.0.4) at 02:00:5e:10:00:04 [ether] PERM on hot0\n"
        "10.42.0.5 dev hot0  used 0/0/0 probes 6 FAILED\n10.42.0.6 dev hot0 INCOMPLETE\n10.42.0.7 dev hot0  proxy\n"
        "10.42.0.8 dev hot0 lladdr 02:00:5e:10:00:08 FAILED\nfe80::8 dev hot0 lladdr 02:00:5e:10:00:08 router STALE\n"
        "\nSchnittstelle: 192.168.137.1 --- 0x12\r\n  Internetadresse       Physische Adresse     Typ\r\n"
        "  192.168.137.23        00-00-00-00-00-00     ungültig\r\n"
    )
    assert rows(text) == [("hot0", "10.42.0.4", "02:00:5e:10:00:04")]


def test_the_interfaces_are_read_in_both_forms_that_dumpcap_has_had():
    found = listed(said("dumpcap/list_debian12.txt"))
    assert (found["eth0"], found["any"], found["lo"]) == (["192.0.2.2", "fd00::2"], [], ["127.0.0.1", "::1"])
    assert len(found) == 10
    assert listed(said("dumpcap/json_wireshark_4_6.txt")) == {
        "hot0": ["10.42.0.1", "fe80::1"],
        "lo": ["127.0.0.1", "::1"],
        "\\Device\\NPF_{5E100001-0000-4000-8000-00005E100001}": ["fe80::2", "192.168.137.1"],
    }


@pytest.mark.parametrize(
    "text", ["1. eth0 (Ethernet)\n", "[" * 100_000, "[1]", '[{"eth0": null}]', '[{"eth0": {"addrs": 7}}]', "[{}"]
)
def test_a_list_of_interfaces_in_a_third_form_is_refused_and_is_not_none(text):
    with pytest.raises(Refused, match=r"cannot be read: .* dumpcap's interfaces"):
        listed(text)


@pytest.mark.parametrize(
    ("file", "counters"),
    [
        ("tcpdump/stopped_492.txt", Counters(0, 0, 0)),
        ("tcpdump/stopped_fedora.txt", Counters(8, 8, 0)),
        ("tcpdump/dropped_one_fedora.txt", Counters(7, 8, 1)),
        ("tcpdump/dropped_many_pf_ring.txt", Counters(11735656, 11735656, 2451288)),
        ("tcpdump/stopped_4993.txt", Counters(0, 0, 0)),
        ("dumpcap/stopped_debian12.txt", Counters(0, 0, 0)),
        ("dumpcap/stopped_quote.txt", Counters(41, 41, 2)),
        ("dumpcap/stopped_wrong_tool.txt", Counters(0, 0, 2009577)),
        ("tcpdump/live_4992.txt", None),
        ("tcpdump/refused_docker.txt", None),
        ("dumpcap/refused_debian12.txt", None),
    ],
)
def test_what_tools_counted_is_read_whatever_stands_around_it(file, counters):
    assert last_counters(said(file)) == counters
    if counters is not None and counters.dropped:
        with pytest.raises(AttemptVoid, match=str(counters.dropped)):
            require_all(counters, "it", said(file), caught_up=True)


@pytest.mark.parametrize(
    ("file", "tool", "live"),
    [
        ("tcpdump/live_4992.txt", "tcpdump", True),
        ("tcpdump/stopped_492.txt", "tcpdump", True),
        ("tcpdump/refused_docker.txt", "tcpdump", False),
        ("tcpdump/refused_4992.txt", "tcpdump", False),
        ("tcpdump/refused_no_device_4993.txt", "tcpdump", False),
        ("dumpcap/stopped_debian12.txt", "dumpcap", True),
        ("dumpcap/refused_debian12.txt", "dumpcap", False),
    ],
)
def test_a_tool_is_live_once_it_says_so_and_not_where_it_names_what_it_would_capture_on(file, tool, live):
    assert (LIVE[tool] in said(file)) is live


def test_what_joins_packets_is_read_from_old_and_new_kernels_and_is_unknown_in_a_third_word():
    assert joining(said("ethtool/k_linux4_ethernet.txt")) == ["generic-receive-offload"]
    assert joining(said("ethtool/k_rhel_gro.txt")) == []
    assert joining(said("ethtool/k_rhel_gro.txt").replace("list: off", "list: n/a")) is None


@pytest.mark.parametrize(("name", "state"), [("Receive Offload State", "disabled"), ("URO State", "enabled")])
def test_uro_is_read_in_english_and_is_unknown_in_other_languages(name, state):
    line = said("netsh/udp_global_english.txt")
    found = URO.search(line.replace("Receive Offload State", name).replace("disabled", state))
    assert found[1] == state
    assert URO.search(line.replace("disabled", "deaktiviert")) is None


class Prints:
    """A clock's shell that prints this."""

    def __init__(self, text):
        self._text = text

    def send(self, data):
        assert data == b"\n"

    def receive(self, timeout_s):
        return self._text

    def close(self):
        """Nothing is open."""


@pytest.mark.parametrize("file", ["date/bsd_macos.txt", "date/busybox_openwrt.txt"])
def test_a_date_that_knows_no_nanoseconds_tells_whole_seconds(file):
    assert ClockStream(Prints(said(file).encode())).read_ns() == 1_738_285_044_000_000_000


def test_a_date_in_words_is_no_reading():
    with pytest.raises(StreamBroken, match="no reading of a clock: b'Fr 31"):
        ClockStream(Prints(b"Fr 31. Jan 01:57:24 UTC 2025\n")).read_ns()


def test_an_ip_neigh_of_another_kind_is_refused_by_a_laptop_with_bash_too():
    with pytest.raises(LaptopTrouble, match="`ip neigh` has a line that cannot be read"):
        parse_neighbours(said("arp/centos.txt"))
