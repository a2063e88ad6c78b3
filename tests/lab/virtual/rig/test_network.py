"""Interfaces and counters, as the kernel tells them (iproute2 6.1.0, Linux 6.1, in two namespaces of a rig)."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv6Interface

import pytest

from lab.virtual.network.addresses import Interface
from lab.virtual.network.usage import Bytes
from lab.virtual.rig.network import counted, parsed

TUN = """[{"ifindex":2,"ifname":"rmnet0","flags":["POINTOPOINT","MULTICAST","NOARP","UP","LOWER_UP"],"mtu":1428,\
"qdisc":"pfifo_fast","operstate":"UNKNOWN","group":"default","txqlen":500,"link_type":"none","addr_info":[{"family":\
"inet","local":"100.72.13.5","prefixlen":30,"scope":"global","label":"rmnet0","valid_life_time":4294967295,\
"preferred_life_time":4294967295},{"family":"inet6","local":"2001:db8:6c00::2","prefixlen":64,"scope":"global","nodad":\
true,"valid_life_time":4294967295,"preferred_life_time":4294967295}]}]"""
VETH = """[{"ifindex":2,"link_index":3,"ifname":"wlan0","flags":["BROADCAST","MULTICAST"],"mtu":1500,"qdisc":\
"noqueue","operstate":"DOWN","group":"default","txqlen":1000,"link_type":"ether","address":"32:de:78:fb:84:79",\
"broadcast":"ff:ff:ff:ff:ff:ff","link_netnsid":0,"addr_info":[]}]"""
DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
 wlan0:     692       6    0    0    0     0          0         0      679       9    0    0    0     0       0          0
"""  # noqa: E501


def test_a_link_without_link_header_has_no_mac_address():
    addresses = (IPv4Interface("100.72.13.5/30"), IPv6Interface("2001:db8:6c00::2/64"))
    assert parsed(TUN.encode()) == [Interface("rmnet0", None, addresses, 1428, True)]


def test_an_ethernet_that_is_down_says_so():
    assert parsed(VETH.encode()) == [Interface("wlan0", "32:de:78:fb:84:79", (), 1500, False)]


def test_counters_are_those_of_the_interface_that_is_asked_for():
    assert counted(DEV, "wlan0") == Bytes(received=692, received_packets=6, sent=679, sent_packets=9)


def test_an_interface_that_is_not_there_has_no_counters():
    with pytest.raises(LookupError, match=r"^no interface wlan in /proc/net/dev$"):
        counted(DEV, "wlan")
