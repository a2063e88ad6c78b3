"""Who is where on the rig: addresses, routes and servers, as `ip` is told them."""

from __future__ import annotations

import string
from functools import cache
from ipaddress import ip_address

from lab.definitions import BenchSpec
from lab.definitions.yaml import read
from lab.virtual.rig.layout import SPACES, Host, Layout, commands, layout
from tests.lab.virtual.emulated_apps import SCENARIOS, emulated


@cache
def rig() -> Layout:
    spec = read(SCENARIOS.with_name("benches") / "rig.yaml", BenchSpec)
    return layout(spec, [emulated("messenger"), emulated("dogwood")])


def lines(space: str) -> list[str]:
    return [line for where, line in commands(rig()) if where == space]


def test_the_phones_are_in_the_namespaces_that_their_links_say():
    assert rig().spaces == {"pixel6": "mobile", "pixel6pro": "hotspot"}


def test_phone_1_has_ipv4_behind_the_carrier_and_ipv6():
    assert lines("mobile") == [
        "link set lo up",
        "link set rmnet0 up mtu 1428",
        "addr add 100.72.13.5/30 dev rmnet0",
        "route add default via 100.72.13.6 dev rmnet0",
        "addr add 2001:db8:6c00::2/64 dev rmnet0 nodad",
        "route add default via 2001:db8:6c00::1 dev rmnet0",
    ]


def test_phone_2_has_ipv4_alone_behind_the_laptop():
    assert lines("hotspot") == [
        "link set lo up",
        "link set wlan0 up mtu 1500",
        "addr add 192.168.137.2/24 dev wlan0",
        "route add default via 192.168.137.1 dev wlan0",
    ]
    assert "addr add 192.168.137.1/24 dev hotspot0" in lines("laptop")
    assert "addr add 203.0.113.1/24 dev wan0" in lines("home")
    assert "addr add 198.51.100.9/29 dev wan0" in lines("carrier")


def test_each_address_of_a_relay_and_of_the_benchs_own_servers_is_on_the_internet():
    found = [ip_address(line.split()[2].split("/")[0]) for line in lines("internet") if line.endswith(" dev lo")]
    assert found == rig().addresses
    assert {str(address) for address in found} >= {"31.13.87.54", "192.0.2.41", "198.51.100.250"}


def test_a_server_listens_on_all_ports_that_the_apps_and_the_bench_have_of_it():
    (host,) = (host for host in rig().hosts if ip_address("192.0.2.41") in host.addresses)
    assert host == Host((ip_address("192.0.2.41"),), (443,))


def test_nothing_is_named_but_the_namespaces_of_the_rig():
    named = {name for _, line in commands(rig()) for _, name, _, _ in string.Formatter().parse(line) if name}
    assert named <= set(SPACES)
    assert {space for space, _ in commands(rig())} == set(SPACES)
