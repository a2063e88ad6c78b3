"""The default network, by what a phone says of its routes and networks."""

from pathlib import Path

import pytest

from lab.definitions import BenchSpec
from lab.definitions.yaml import read
from lab.errors import AttemptVoid, PhoneTrouble
from lab.phone.default_network import (
    DefaultNetwork,
    default_network,
    parse_default_network,
    pcapdroid_interface,
    require_network,
    route_interface,
    vpns,
)
from tests.lab.phone.handset import Handset

BENCH = read(Path(__file__).parents[3] / "scenarios/benches/virtual.yaml", BenchSpec)
NC = "nc{{[ Transports: {} Capabilities: INTERNET&NOT_RESTRICTED&TRUSTED&NOT_VPN&VALIDATED ]}}"


def agent(number: int, link: str, transports: str) -> str:
    ni = f"ni{{{transports} CONNECTED extra: }}"
    return (
        f"  NetworkAgentInfo{{network{{{number}}}  handle{{4{number}}}  {ni} lp{{{{{link}}}}}  {NC.format(transports)}"
    )


RMNET = "InterfaceName: rmnet16 LinkAddresses: [ 100.64.3.4/30 ] DnsAddresses: [ ]"
CLAT = (
    "InterfaceName: rmnet16 LinkAddresses: [ 2001:db8::7/64 ] Nat64Prefix: 64:ff9b::/96 "
    "Stacked: [[ InterfaceName: v4-rmnet16 LinkAddresses: [192.0.0.4/32] ]]"
)
WLAN = "InterfaceName: wlan0 LinkAddresses: [ 192.168.137.20/24 ] DnsAddresses: [ ]"
TUN = "InterfaceName: tun0 LinkAddresses: [ 10.215.173.1/32 ] DnsAddresses: [ ]"


def networks(default: int | str, *agents: str) -> str:
    return "\n".join([f"Active default network: {default}", "", "Current Networks:", *agents])


BOTH = (agent(100, RMNET, "CELLULAR"), agent(101, WLAN, "WIFI"))


@pytest.mark.parametrize(
    ("route", "connectivity", "network"),
    [
        ("dev rmnet16 table 1009 src 100.64.3.4 uid 2000", networks(100, *BOTH), DefaultNetwork("rmnet16", "cellular")),
        ("via 192.168.137.1 dev wlan0 src 192.168.137.20", networks(101, *BOTH), DefaultNetwork("wlan0", "wifi")),
        (
            "dev v4-rmnet16 table 1009 src 192.0.0.4 uid 2000",
            networks(102, agent(102, CLAT, "CELLULAR")),
            DefaultNetwork("rmnet16", "cellular"),
        ),
        ("dev tun0 table 1015 src 10.215.173.1", networks(7, agent(7, TUN, "WIFI|VPN")), DefaultNetwork("tun0", "vpn")),
    ],
)
def test_the_interface_of_the_default_network_is_captured(route, connectivity, network):
    assert parse_default_network(f"192.0.2.1 {route}", connectivity) == network


VPN_OVER_WIFI = networks(101, agent(101, WLAN, "WIFI"), agent(105, TUN, "WIFI|VPN"))
INTO_TUN = "192.0.2.1 dev tun0 table 1015 src 10.215.173.1 uid 2000"


def test_a_route_into_pcapdroids_vpn_leaves_by_the_default_network_and_into_any_other_by_none():
    assert parse_default_network(INTO_TUN, VPN_OVER_WIFI, "tun0") == DefaultNetwork("wlan0", "wifi")
    assert vpns(VPN_OVER_WIFI) == ["tun0"]
    text = "leads through tun0, the default network is on wlan0; switch the VPN on tun0 off$"
    for through in (None, "tun1"):
        with pytest.raises(AttemptVoid, match=text):
            parse_default_network(INTO_TUN, VPN_OVER_WIFI, through)


@pytest.mark.parametrize(("capture", "asked"), [("tcpdump", []), ("pcapdroid", ["ip addr"])])
def test_a_phone_is_asked_for_pcapdroids_vpn_only_where_that_captures(capture, asked):
    handset = Handset()
    handset.answers = {
        "ip addr": "40: tun0: <POINTOPOINT,UP> mtu 10000\n    inet 10.215.173.1/30 scope global tun0\n",
        "ip route get 192.0.2.1": INTO_TUN if capture == "pcapdroid" else "192.0.2.1 dev wlan0 src 192.168.137.20",
        "dumpsys connectivity": VPN_OVER_WIFI,
    }
    spec = BENCH.phone("pixel6").model_copy(update={"capture": capture})
    assert default_network(handset, spec) == DefaultNetwork("wlan0", "wifi")
    assert handset.done == [*asked, "ip route get 192.0.2.1", "dumpsys connectivity"]


LEADS_THROUGH_RMNET = "192.0.2.1 dev rmnet16 src 100.64.3.4"


@pytest.mark.parametrize(
    ("route", "connectivity", "says"),
    [
        (
            "RTNETLINK answers: Network is unreachable\n",
            networks(100, *BOTH),
            "`ip route get` says 'RTNETLINK answers: Network is unreachable'",
        ),
        (LEADS_THROUGH_RMNET, networks("none"), "dumpsys connectivity says 'Active default network: none'"),
    ],
)
def test_a_phone_that_says_it_has_no_network_is_on_the_wrong_one(route, connectivity, says):
    handset = Handset()
    handset.answers = {"ip route get 192.0.2.1": route, "dumpsys connectivity": connectivity}
    with pytest.raises(AttemptVoid) as raised:
        default_network(handset, BENCH.phone("pixel6"))
    text = f"pixel6 (network lte) has no network: {says}; bring it back"
    assert (raised.value.reason, str(raised.value)) == ("wrong_network", text)


@pytest.mark.parametrize(
    ("route", "connectivity"),
    [
        (LEADS_THROUGH_RMNET, "Can't find service: connectivity"),
        ("", networks(100, *BOTH)),
        ("a dev wlan0 x\nb dev rmnet16 x", networks(100, *BOTH)),
    ],
)
def test_a_phone_whose_answers_cannot_be_read_is_not_said_to_have_none(route, connectivity):
    handset = Handset()
    handset.answers = {"ip route get 192.0.2.1": route, "dumpsys connectivity": connectivity}
    with pytest.raises(PhoneTrouble, match=r"names (no default network|no interface|2 interfaces)"):
        default_network(handset, BENCH.phone("pixel6"))


def test_pcapdroids_vpn_is_known_by_its_address():
    below = "31: wlan0: <BROADCAST,UP> mtu 1500\n    inet 192.168.1.5/24 scope global wlan0\n"
    tun = "40: tun3: <POINTOPOINT,UP> mtu 10000\n    inet {}/30 scope global tun3\n"
    assert pcapdroid_interface(below + tun.format("10.215.173.1")) == "tun3"
    assert pcapdroid_interface(below + tun.format("10.215.173.2")) is None


def test_route_and_default_network_must_agree():
    with pytest.raises(AttemptVoid) as raised:
        parse_default_network("192.0.2.1 dev rmnet16 src 100.64.3.4", networks(101, *BOTH))
    text = "ip route get leads through rmnet16, the default network is on wlan0"
    assert (raised.value.reason, str(raised.value)) == ("interface_unclear", text)


@pytest.mark.parametrize(
    ("connectivity", "text"),
    [
        (networks("none"), "names no default network"),
        ("Can't find service: connectivity", "names no default network"),
        (networks(101, BOTH[0]), "does not describe its default network 101"),
        (networks(100, "  NetworkAgentInfo{network{100}  lp{{InterfaceName: rmnet16 }}"), "does not describe"),
    ],
)
def test_a_dump_that_names_no_network_is_trouble_with_the_phone(connectivity, text):
    with pytest.raises(PhoneTrouble, match=text):
        parse_default_network("192.0.2.1 dev rmnet16 src 100.64.3.4", connectivity)


@pytest.mark.parametrize(
    ("phone", "changes", "network", "text"),
    [
        (
            "pixel6",
            {},
            DefaultNetwork("wlan0", "wifi"),
            "pixel6 (network lte) sends over wifi (wlan0); bring it onto cellular",
        ),
        ("pixel6", {}, DefaultNetwork("tun0", "vpn"), "pixel6 (network lte) sends over vpn (tun0); switch its VPN off"),
        (
            "pixel6",
            {"network": "home"},
            DefaultNetwork("tun0", "vpn"),
            "pixel6 (network home) sends over vpn (tun0); switch its VPN off",
        ),
        (
            "pixel6pro",
            {"network": "lte"},
            DefaultNetwork("rmnet1", "cellular"),
            "pixel6pro (network lte) sends over cellular (rmnet1); bring it onto wifi",
        ),
    ],
)
def test_a_phone_on_another_network_than_the_bench_file_says_voids_the_attempt(phone, changes, network, text):
    with pytest.raises(AttemptVoid) as raised:
        require_network(BENCH.phone(phone).model_copy(update=changes), network)
    assert (raised.value.reason, str(raised.value)) == ("wrong_network", text)


def test_a_phone_behind_a_hotspot_that_a_modem_feeds_is_lte_over_wifi():
    bench = read(Path(__file__).parents[3] / "scenarios/benches/lte_hotspot.yaml", BenchSpec)
    assert bench.directions() == ["lte_to_fixed", "fixed_to_lte"]
    require_network(bench.phone("behind_modem"), DefaultNetwork("wlan0", "wifi"))
    with pytest.raises(AttemptVoid, match="bring it onto wifi"):
        require_network(bench.phone("behind_modem"), DefaultNetwork("rmnet1", "cellular"))
    require_network(bench.phone("rooted"), DefaultNetwork("wlan0", "wifi"))


@pytest.mark.parametrize(
    ("phone", "changes", "network"),
    [
        ("pixel6", {}, DefaultNetwork("rmnet1", "cellular")),
        ("pixel6", {"network": "home"}, DefaultNetwork("wlan0", "wifi")),
        ("pixel6pro", {"network": "lte"}, DefaultNetwork("wlan0", "wifi")),
    ],
)
def test_a_phone_on_the_network_of_the_bench_file_is_taken(phone, changes, network):
    require_network(BENCH.phone(phone).model_copy(update=changes), network)


def test_a_clat_interface_is_captured_below():
    assert route_interface("192.0.2.1 dev v4-rmnet1 src 192.0.0.4 uid 2000") == "rmnet1"
    assert route_interface("192.0.2.1 via 192.168.137.1 dev wlan0 src 192.168.137.9") == "wlan0"
    with pytest.raises(PhoneTrouble, match="names no interface"):
        route_interface("RTNETLINK answers: Network is unreachable")
