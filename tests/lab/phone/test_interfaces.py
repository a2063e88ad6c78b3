"""Addresses of interfaces that are up, as `ip addr` prints them, and those of a CLAT."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from lab.errors import PhoneTrouble
from lab.phone.interfaces import clat_addresses, parse_interfaces
from tests.lab.phone.handset import IP_ADDR


def test_interfaces_that_are_up_have_their_addresses_of_both_families():
    assert parse_interfaces(IP_ADDR) == {
        "rmnet1": [IPv4Address("100.64.12.34"), IPv6Address("2001:db8:6c00:1::7"), IPv6Address("fe80::1")],
        "v4-rmnet1": [IPv4Address("192.0.0.4")],
    }


@pytest.mark.parametrize("text", ["", "sh: ip: inaccessible or not found", "1: x: <UP> mtu 1\n    inet 1.2.3/24 \n"])
def test_an_answer_that_is_not_ip_addr_is_trouble(text: str):
    with pytest.raises(PhoneTrouble, match="`ip addr`"):
        parse_interfaces(text)


def test_the_address_from_which_a_clat_sends_is_read_from_the_anycast_groups():
    text = "12   rmnet16         20010db86c000001000000000000c1a7     1\n"
    assert clat_addresses(text) == [IPv6Address("2001:db8:6c00:1::c1a7")]
    with pytest.raises(PhoneTrouble, match="names no address of the phone's CLAT: 'cat: "):
        clat_addresses("cat: /proc/net/anycast6: Permission denied\n")
